/* SPDX-License-Identifier: Apache-2.0 */
/* Socket options and control data that send a packet for an allowed address elsewhere, or from elsewhere. */
#include "attack.h"

#include <net/if.h>

/* Loose source routing by way of the forbidden host (RFC 791). */
static const unsigned char route[] = {0x83, 7, 4, 127, 0, 0, 2, 0};

static void ip_options(int fd)
{
	attack_say("IP_OPTIONS", setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route, sizeof(route)));
}

static void source_route_tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ip_options(fd);
	attack_say("connect", attack_connect(fd, ALLOWED));
}

static void source_route_udp(void)
{
	int fd = attack_udp();

	ip_options(fd);
	attack_say("sendto", attack_sendto(fd, ALLOWED, 0));
}

/* On an IPv6 socket, by the level of IPv4. */
static void source_route_mapped(void)
{
	struct sockaddr_in6 at = attack_v6("::ffff:" ALLOWED);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	ip_options(fd);
	attack_say("sendto", sendto(fd, "x", 1, 0, (void *)&at, sizeof(at)));
}

/* A segment routing header: the packet goes to the segment first (RFC 8754). */
static void segments(void)
{
	/* Length 4 * 8 behind the first 8 bytes, type 4, one segment left, which is number 1. */
	unsigned char routing[40] = {0, 4, 4, 1, 1};
	struct sockaddr_in6 at = attack_v6(ALLOWED6), by = attack_v6(FORBIDDEN6);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	memcpy(routing + 8, &at.sin6_addr, 16);
	memcpy(routing + 24, &by.sin6_addr, 16);
	attack_say("IPV6_RTHDR",
		   setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, routing, sizeof(routing)));
	attack_say("sendto", sendto(fd, "x", 1, 0, (void *)&at, sizeof(at)));
}

/* A source address that is nobody's here. */
static void transparent(void)
{
	struct sockaddr_in from = attack_v4("203.0.113.77");
	int fd = attack_udp(), one = 1;

	from.sin_port = 0;
	attack_say("IP_TRANSPARENT", setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof(one)));
	attack_say("bind", bind(fd, (void *)&from, sizeof(from)));
	attack_say("sendto", attack_sendto(fd, ALLOWED, 0));
}

/* A connection out of nothing: no handshake is sent, only data. */
static void repair(void)
{
	struct sockaddr_in own = attack_v4("127.0.0.1");
	int fd = attack_tcp(), on = 1, off = 0;

	own.sin_port = 0;
	attack_hit_if("TCP_REPAIR", setsockopt(fd, IPPROTO_TCP, 19, &on, sizeof(on)));
	attack_say("bind", bind(fd, (void *)&own, sizeof(own)));
	attack_say("connect", attack_connect(fd, FORBIDDEN));
	attack_say("repaired", setsockopt(fd, IPPROTO_TCP, 19, &off, sizeof(off)));
	attack_say("send", send(fd, "x", 1, MSG_NOSIGNAL));
}

static void join(int level, int option, const char *what)
{
	struct ip_mreqn group = {.imr_ifindex = (int)if_nametoindex(NEAR_DEVICE)};

	inet_pton(AF_INET, attack_setting("ATTACK_GROUP"), &group.imr_multiaddr);
	attack_say(what, setsockopt(attack_udp(), level, option, &group, sizeof(group)));
	/* The report goes out a moment later; what is closed before leaves another. */
}

static void membership(void)
{
	join(IPPROTO_IP, IP_ADD_MEMBERSHIP, "IP_ADD_MEMBERSHIP");
}

static void multicast(void)
{
	struct ip_mreqn by = {.imr_ifindex = (int)if_nametoindex(NEAR_DEVICE)};
	int fd = attack_udp();

	attack_say("IP_MULTICAST_IF", setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof(by)));
	attack_say("sendto", attack_sendto(fd, attack_setting("ATTACK_GROUP"), 0));
}

static void broadcast(void)
{
	int fd = attack_udp(), one = 1;

	attack_say("SO_BROADCAST", setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)));
	attack_say("SO_BINDTODEVICE",
		   setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, NEAR_DEVICE, sizeof(NEAR_DEVICE)));
	attack_say("sendto", attack_sendto(fd, "255.255.255.255", 0));
	attack_say("sendto", attack_sendto(fd, "203.0.113.255", 0));
}

static void bound_device(void)
{
	int fd = attack_udp();

	attack_say("SO_BINDTODEVICE",
		   setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, NEAR_DEVICE, sizeof(NEAR_DEVICE)));
	attack_say("sendto", attack_sendto(fd, FAR, 0));
	fd = attack_udp();
	attack_say("IP_UNICAST_IF", setsockopt(fd, IPPROTO_IP, IP_UNICAST_IF,
					       &(uint32_t){htonl(if_nametoindex(NEAR_DEVICE))}, 4));
	attack_say("sendto", attack_sendto(fd, FAR, 0));
}

static void marked(void)
{
	int fd = attack_udp(), mark = 7;

	attack_hit_if("SO_MARK", setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)));
	attack_say("sendto", attack_sendto(fd, FORBIDDEN, 0));
}

static void control(int domain, const void *name, socklen_t size, int level, int type,
		    const void *value, size_t value_size)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(64)];
	} data = {.header = {CMSG_LEN(value_size), level, type}};
	struct iovec part = {(char[]){"x"}, 1};
	struct msghdr message = {(void *)(uintptr_t)name, size, &part, 1, &data, 0, 0};

	memcpy(CMSG_DATA(&data.header), value, value_size);
	message.msg_controllen = CMSG_SPACE(value_size);
	attack_say("sendmsg", sendmsg(socket(domain, SOCK_DGRAM, 0), &message, 0));
}

static void retopts(void)
{
	struct sockaddr_in at = attack_v4(ALLOWED);

	control(AF_INET, &at, sizeof(at), IPPROTO_IP, IP_RETOPTS, route, sizeof(route));
}

static void retopts_mapped(void)
{
	struct sockaddr_in at = attack_v4(ALLOWED);

	control(AF_INET6, &at, sizeof(at), IPPROTO_IP, IP_RETOPTS, route, sizeof(route));
}

/* Behind a harmless one, and with a length that ends within the next header. */
static void retopts_second(void)
{
	struct sockaddr_in at = attack_v4(ALLOWED);
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(4) + CMSG_SPACE(8)];
	} data = {.header = {CMSG_LEN(4), IPPROTO_IP, IP_TTL}};
	struct iovec part = {(char[]){"x"}, 1};
	struct msghdr message = {&at, sizeof(at), &part, 1, &data, sizeof(data), 0};
	struct cmsghdr second = {CMSG_LEN(8), IPPROTO_IP, IP_RETOPTS};

	memcpy(CMSG_DATA(&data.header), &(int){9}, sizeof(int));
	memcpy(data.space + CMSG_SPACE(4), &second, sizeof(second));
	memcpy(data.space + CMSG_SPACE(4) + CMSG_LEN(0), route, sizeof(route));
	attack_say("sendmsg", sendmsg(attack_udp(), &message, 0));
}

static void packet_info6(void)
{
	struct sockaddr_in6 at = attack_v6(ALLOWED6);
	struct in6_pktinfo info = {.ipi6_addr = attack_v6("fd00::9").sin6_addr};

	control(AF_INET6, &at, sizeof(at), IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"source_route_tcp", source_route_tcp},
	    {"source_route_udp", source_route_udp},
	    {"source_route_mapped", source_route_mapped},
	    {"segments", segments},
	    {"transparent", transparent},
	    {"repair", repair},
	    {"membership", membership},
	    {"multicast", multicast},
	    {"broadcast", broadcast},
	    {"bound_device", bound_device},
	    {"marked", marked},
	    {"retopts", retopts},
	    {"retopts_mapped", retopts_mapped},
	    {"retopts_second", retopts_second},
	    {"packet_info6", packet_info6},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
