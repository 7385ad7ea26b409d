/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that are neither TCP nor UDP: what they can send is sent. */
#include "attack.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

/* By number: C libraries do not name them all. */
enum { MPTCP = 262, SMC = 256, UDPLITE = 136, DCCP = 33, SOCK_DCCP_ = 6, SCTP = 132 };

struct datagram {
	struct iphdr ip;
	struct udphdr udp;
	char data[4];
} __attribute__((packed));

static uint16_t checksum(const void *data, size_t size)
{
	const uint8_t *at = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static struct datagram datagram(const char *from, const char *to)
{
	struct datagram d = {.ip = {.version = 4,
				    .ihl = 5,
				    .ttl = 9,
				    .protocol = IPPROTO_UDP,
				    .tot_len = htons(sizeof(d))}};

	d.ip.saddr = attack_v4(from).sin_addr.s_addr;
	d.ip.daddr = attack_v4(to).sin_addr.s_addr;
	d.ip.check = checksum(&d.ip, sizeof(d.ip));
	d.udp.source = d.udp.dest = htons(attack_port());
	d.udp.len = htons(sizeof(d.udp) + sizeof(d.data));
	return d;
}

static void send_raw(int fd, const void *data, size_t size)
{
	struct sockaddr_in at = attack_v4(FORBIDDEN);

	at.sin_port = 0;
	if (attack_say("socket", fd))
		attack_say("sendto", sendto(fd, data, size, 0, (void *)&at, sizeof(at)));
}

static void raw(void)
{
	struct datagram d = datagram("127.0.0.1", FORBIDDEN);

	send_raw(socket(AF_INET, SOCK_RAW, IPPROTO_RAW), &d, sizeof(d));
}

static void raw_udp(void)
{
	struct datagram d = datagram("127.0.0.1", FORBIDDEN);

	send_raw(socket(AF_INET, SOCK_RAW, IPPROTO_UDP), &d.udp, sizeof(d.udp) + 4);
}

static void raw_v6(void)
{
	struct sockaddr_in6 at = attack_v6(FORBIDDEN6);
	unsigned char echo[8] = {128};
	int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);

	at.sin6_port = 0;
	if (attack_say("socket", fd))
		attack_say("sendto", sendto(fd, echo, 8, 0, (void *)&at, sizeof(at)));
}

static void ping(void)
{
	struct icmphdr echo = {.type = ICMP_ECHO};

	send_raw(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), &echo, sizeof(echo));
}

static void ping_v6(void)
{
	struct sockaddr_in6 at = attack_v6(FORBIDDEN6);
	unsigned char echo[8] = {128};
	int fd = socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);

	at.sin6_port = 0;
	if (attack_say("socket", fd))
		attack_say("sendto", sendto(fd, echo, 8, 0, (void *)&at, sizeof(at)));
}

static void packet(void)
{
	struct datagram d = datagram("203.0.113.2", FAR);
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP),
				 .sll_ifindex = (int)if_nametoindex(NEAR_DEVICE),
				 .sll_halen = 6,
				 .sll_addr = {2, 0, 0, 0, 0, 1}};
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));

	if (attack_say("socket", fd))
		attack_say("sendto", sendto(fd, &d, sizeof(d), 0, (void *)&to, sizeof(to)));
}

static void packet_old(void)
{
	struct {
		struct ethhdr ether;
		struct datagram d;
	} __attribute__((packed))
	frame = {{.h_dest = {2, 0, 0, 0, 0, 1}, .h_proto = htons(ETH_P_IP)},
		 datagram("203.0.113.2", FAR)};
	struct sockaddr to = {.sa_family = AF_PACKET, .sa_data = NEAR_DEVICE};
	int fd = socket(AF_INET, SOCK_PACKET, htons(ETH_P_IP));

	if (attack_say("socket", fd))
		attack_say("sendto", sendto(fd, &frame, sizeof(frame), 0, &to, sizeof(to)));
}

static void connect_by(int domain, int type, int protocol)
{
	struct sockaddr_in at = attack_v4(FORBIDDEN);
	struct sockaddr_in6 at6 = attack_v6(FORBIDDEN6);
	int fd = socket(domain, type | SOCK_NONBLOCK, protocol);

	if (fd < 0 && (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT))
		attack_skip("no such protocol here");
	attack_say("socket", fd);
	if (domain == AF_INET)
		attack_say("connect", connect(fd, (void *)&at, sizeof(at)));
	else
		attack_say("connect", connect(fd, (void *)&at6, sizeof(at6)));
	attack_say("send", send(fd, "x", 1, MSG_NOSIGNAL));
}

static void mptcp(void)
{
	connect_by(AF_INET, SOCK_STREAM, MPTCP);
}

static void mptcp_v6(void)
{
	connect_by(AF_INET6, SOCK_STREAM, MPTCP);
}

static void mptcp_fast_open(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, MPTCP);

	if (attack_say("socket", fd))
		attack_say("sendto", attack_sendto(fd, FORBIDDEN, MSG_FASTOPEN));
}

static void sctp(void)
{
	connect_by(AF_INET, SOCK_STREAM, SCTP);
}

static void sctp_dgram(void)
{
	connect_by(AF_INET, SOCK_SEQPACKET, SCTP);
}

static void dccp(void)
{
	connect_by(AF_INET, SOCK_DCCP_, DCCP);
}

static void udplite(void)
{
	connect_by(AF_INET, SOCK_DGRAM, UDPLITE);
}

static void udplite_v6(void)
{
	connect_by(AF_INET6, SOCK_DGRAM, UDPLITE);
}

static void smc(void)
{
	connect_by(AF_INET, SOCK_STREAM, SMC);
}

/* Bits above the type that the kernel masks, and a protocol number above 32 bits. */
static void odd_registers(void)
{
	long fd = syscall(SYS_socket, 0x100000000L | AF_INET, 0x100000000L | SOCK_RAW,
			  0x100000000L | IPPROTO_UDP);
	struct datagram d = datagram("127.0.0.1", FORBIDDEN);

	send_raw((int)fd, &d.udp, sizeof(d.udp) + 4);
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"raw", raw},
	    {"raw_udp", raw_udp},
	    {"raw_v6", raw_v6},
	    {"ping", ping},
	    {"ping_v6", ping_v6},
	    {"packet", packet},
	    {"packet_old", packet_old},
	    {"mptcp", mptcp},
	    {"mptcp_v6", mptcp_v6},
	    {"mptcp_fast_open", mptcp_fast_open},
	    {"sctp", sctp},
	    {"sctp_dgram", sctp_dgram},
	    {"dccp", dccp},
	    {"udplite", udplite},
	    {"udplite_v6", udplite_v6},
	    {"smc", smc},
	    {"odd_registers", odd_registers},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
