/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses whose bytes lie oddly, or mean something other than they say. */
#include "attack.h"

#include <net/if.h>
#include <sys/mman.h>

/* Two pages, the second of which cannot be read: the end of the first. */
static char *edge(void)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(pages + 4096, 4096, PROT_NONE);
	return pages + 4096;
}

static void page_edge(void)
{
	struct sockaddr_in at = attack_v4(FORBIDDEN);
	char *name = edge() - sizeof(at);

	memcpy(name, &at, sizeof(at));
	attack_say("connect", connect(attack_tcp(), (void *)name, sizeof(at)));
	attack_say("sendto", sendto(attack_udp(), name, 16, 0, (void *)name, sizeof(at)));
}

static void page_edge_v6(void)
{
	struct sockaddr_in6 at = attack_v6(FORBIDDEN6);
	char *name = edge() - 24;

	memcpy(name, &at, 24);
	attack_say("connect", connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)name, 24));
	attack_say("sendto",
		   sendto(socket(AF_INET6, SOCK_DGRAM, 0), name, 24, 0, (void *)name, 24));
}

/* Name and data in the same bytes. */
static void overlapping(void)
{
	union {
		struct sockaddr_in name;
		struct msghdr message;
		struct mmsghdr batch;
	} all = {.name = attack_v4(FORBIDDEN)};
	struct sockaddr_in at = all.name;
	struct iovec part = {&all, 16};
	int fd = attack_udp();

	attack_say("sendto", sendto(fd, &all, sizeof(all), 0, (void *)&all.name, 16));
	all.message = (struct msghdr){&at, sizeof(at), &part, 1, NULL, 0, 0};
	part.iov_base = &at;
	attack_say("sendmsg", sendmsg(fd, &all.message, 0));
	attack_say("sendmmsg", sendmmsg(fd, &all.batch, 1, 0));
}

static void scope_id(void)
{
	struct sockaddr_in6 at = attack_v6(FORBIDDEN6);

	at.sin6_scope_id = if_nametoindex("lo");
	attack_say("connect", connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&at, sizeof(at)));
	attack_say("sendto",
		   sendto(socket(AF_INET6, SOCK_DGRAM, 0), "x", 1, 0, (void *)&at, sizeof(at)));
}

static void flow_info(void)
{
	struct sockaddr_in6 at = attack_v6(FORBIDDEN6);

	at.sin6_flowinfo = htonl(0x0ff12345);
	attack_say("connect", connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&at, sizeof(at)));
	attack_say("sendto",
		   sendto(socket(AF_INET6, SOCK_DGRAM, 0), "x", 1, 0, (void *)&at, sizeof(at)));
}

/* 0.0.0.0 is the socket's own address where it has one: loopback only where it has none. */
static void any_when_bound(void)
{
	struct sockaddr_in own = attack_v4(FORBIDDEN);
	int tcp = attack_tcp(), udp = attack_udp();

	own.sin_port = 0;
	if (bind(tcp, (void *)&own, sizeof(own)) < 0 || bind(udp, (void *)&own, sizeof(own)) < 0)
		attack_skip("cannot bind");
	attack_say("connect", attack_connect(tcp, "0.0.0.0"));
	attack_say("sendto", attack_sendto(udp, "0.0.0.0", 0));
}

static void any_packet_info(void)
{
	struct sockaddr_in any = attack_v4("0.0.0.0");
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = {{CMSG_LEN(sizeof(struct in_pktinfo)), IPPROTO_IP, IP_PKTINFO}};
	struct in_pktinfo info = {.ipi_spec_dst = attack_v4(FORBIDDEN).sin_addr};
	struct iovec part = {(char[]){"x"}, 1};
	struct msghdr message = {&any, sizeof(any), &part, 1, &control, sizeof(control), 0};

	memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
	attack_say("sendmsg", sendmsg(attack_udp(), &message, 0));
}

static void port_zero(void)
{
	struct sockaddr_in at = attack_v4(FORBIDDEN);
	int fd = attack_udp();

	at.sin_port = 0;
	attack_say("connect", connect(attack_tcp(), (void *)&at, sizeof(at)));
	attack_say("udp connect", connect(fd, (void *)&at, sizeof(at)));
	attack_say("send", send(fd, "x", 1, 0));
}

/* A socket that was IPv6 when it was looked at. */
static void address_form(void)
{
	struct sockaddr_in6 good = attack_v6("::ffff:" ALLOWED);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), family = AF_INET;

	attack_say("connect", connect(fd, (void *)&good, sizeof(good)));
	attack_say("IPV6_ADDRFORM",
		   setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)));
	attack_say("sendto", attack_sendto(fd, FORBIDDEN, 0));
	attack_say("connect", attack_connect(fd, FORBIDDEN));
	attack_say("send", send(fd, "x", 1, 0));
}

static void aimed_anew(void)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int fd = attack_udp();

	attack_say("connect", attack_connect(fd, ALLOWED));
	attack_say("disconnect", connect(fd, &none, sizeof(none)));
	attack_say("connect", attack_connect(fd, FORBIDDEN));
	attack_say("write", write(fd, "x", 1));
}

static void zero_copy(void)
{
	int fd = attack_udp(), one = 1;

	attack_say("SO_ZEROCOPY", setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)));
	attack_say("sendto", attack_sendto(fd, FORBIDDEN, MSG_ZEROCOPY));
	fd = attack_tcp();
	attack_say("fast open", attack_sendto(fd, FORBIDDEN, MSG_ZEROCOPY | MSG_FASTOPEN));
}

static void off_the_wire(void)
{
	attack_say("sendto", attack_sendto(attack_udp(), FAR, MSG_DONTROUTE));
	attack_say("connect", attack_connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), FAR));
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"page_edge", page_edge},
	    {"page_edge_v6", page_edge_v6},
	    {"overlapping", overlapping},
	    {"scope_id", scope_id},
	    {"flow_info", flow_info},
	    {"any_when_bound", any_when_bound},
	    {"any_packet_info", any_packet_info},
	    {"port_zero", port_zero},
	    {"address_form", address_form},
	    {"aimed_anew", aimed_anew},
	    {"zero_copy", zero_copy},
	    {"off_the_wire", off_the_wire},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
