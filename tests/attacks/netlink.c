/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink messages that change something: an address of our own choice. */
#include "attack.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>

static struct new_address {
	struct nlmsghdr header;
	struct ifaddrmsg about;
	struct rtattr attribute;
	struct in_addr address;
} message;
static struct {
	struct nlmsghdr header;
	struct nlmsgerr error;
	char rest[256];
} answer;
static const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
static struct iovec part = {&message, sizeof(message)};
static struct msghdr envelope = {.msg_name = (void *)(uintptr_t)&kernel,
				 .msg_namelen = sizeof(kernel),
				 .msg_iov = &part,
				 .msg_iovlen = 1};

static int route_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	message.header = (struct nlmsghdr){sizeof(message), RTM_NEWADDR,
					   NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 1, 0};
	message.about = (struct ifaddrmsg){AF_INET, 32, 0, RT_SCOPE_HOST, if_nametoindex("lo")};
	message.attribute = (struct rtattr){8, IFA_LOCAL};
	message.address = attack_v4("127.77.0.1").sin_addr;
	return fd;
}

/* The acknowledgement of the order, not of a question; the address may be there already. */
static void look_for_hits(int fd)
{
	while (recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) > 0)
		if (answer.header.nlmsg_type == NLMSG_ERROR &&
		    answer.error.msg.nlmsg_type == RTM_NEWADDR &&
		    (answer.error.error == 0 || answer.error.error == -EEXIST))
			attack_hit("address");
}

static void judge(int fd, long rc)
{
	if (attack_say("message", rc))
		look_for_hits(fd);
}

static void by_send(void)
{
	int fd = route_socket();

	judge(fd, send(fd, &message, sizeof(message), 0));
}

static void by_write(void)
{
	int fd = route_socket();

	judge(fd, write(fd, &message, sizeof(message)));
}

static void by_sendto(void)
{
	int fd = route_socket();

	judge(fd, sendto(fd, &message, sizeof(message), 0, (const void *)&kernel, sizeof(kernel)));
}

static void by_sendmsg(void)
{
	int fd = route_socket();

	judge(fd, sendmsg(fd, &envelope, 0));
}

/* A question in front, the order behind it. */
static void behind_a_question(void)
{
	static struct {
		struct nlmsghdr header;
		struct rtgenmsg about;
		char pad[3];
		struct new_address order;
	} both = {
	    .header = {NLMSG_LENGTH(sizeof(struct rtgenmsg)), RTM_GETLINK, NLM_F_REQUEST, 1, 0}};
	int fd = route_socket();

	both.order = message;
	part = (struct iovec){&both, sizeof(both)};
	judge(fd, sendmsg(fd, &envelope, 0));
}

static void other_protocols(void)
{
	/* Of those: kill connections, packet filters, IPsec, generic. */
	static const int protocols[] = {NETLINK_SOCK_DIAG, NETLINK_NETFILTER, NETLINK_XFRM,
					NETLINK_GENERIC};

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		attack_hit_if("socket", socket(AF_NETLINK, SOCK_RAW, protocols[i]));
}

static atomic_bool over;

static void *flip(void *argument)
{
	(void)argument;
	while (!over) {
		*(volatile uint16_t *)&message.header.nlmsg_type = RTM_GETLINK;
		*(volatile uint16_t *)&message.header.nlmsg_type = RTM_NEWADDR;
	}
	return NULL;
}

static void raced(void)
{
	int fd = route_socket();
	pthread_t thread;

	pthread_create(&thread, NULL, flip, NULL);
	for (int i = 0; i < 3000; i++) {
		if (sendmsg(fd, &envelope, 0) >= 0)
			look_for_hits(fd);
	}
	over = true;
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"send", by_send},
	    {"write", by_write},
	    {"sendto", by_sendto},
	    {"sendmsg", by_sendmsg},
	    {"behind_a_question", behind_a_question},
	    {"other_protocols", other_protocols},
	    {"raced", raced},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
