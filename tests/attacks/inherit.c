/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inherit KIND COMMAND...: runs COMMAND with a descriptor 9 that was made before it;
 * inherit use KIND: what such a program does with it.
 */
#include "attack.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sys/ioctl.h>

#define GIVEN 9

static void give(int fd)
{
	if (fd < 0)
		attack_skip(strerror(errno));
	if (fd == GIVEN)
		fcntl(fd, F_SETFD, 0);
	else
		dup2(fd, GIVEN);
}

static int connected(int fd)
{
	attack_connect(fd, FORBIDDEN);
	return fd;
}

static int packet(void)
{
	return socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
}

static int raw(void)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
}

static int ring(void)
{
	struct io_uring_params params = {0};

	return (int)syscall(SYS_io_uring_setup, 4, &params);
}

static int tunnel(void)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR);

	strncpy(request.ifr_name, "tap0", IFNAMSIZ - 1);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0)
		return -1;
	return fd;
}

static int listening(void)
{
	int fd = attack_tcp();

	listen(fd, 1);
	return fd;
}

static void use_aimed(void)
{
	attack_hit_if("send", send(GIVEN, "x", 1, MSG_NOSIGNAL));
}

static void use_udp(void)
{
	attack_say("sendto", attack_sendto(GIVEN, FORBIDDEN, 0));
}

static void use_raw(void)
{
	struct sockaddr_in at = attack_v4(FORBIDDEN);

	unsigned char header[12];

	attack_udp_header(header);
	at.sin_port = 0;
	attack_say("sendto", sendto(GIVEN, header, sizeof(header), 0, (void *)&at, sizeof(at)));
}

static void use_packet(void)
{
	unsigned char ip[20] = {0x45, 0, 0,   20, 0,   0, 0,   0, 9,   253,
				0,    0, 203, 0,  113, 2, 203, 0, 113, 1};
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP),
				 .sll_ifindex = (int)if_nametoindex(NEAR_DEVICE),
				 .sll_halen = 6,
				 .sll_addr = {2, 0, 0, 0, 0, 1}};

	attack_say("sendto", sendto(GIVEN, ip, sizeof(ip), 0, (void *)&to, sizeof(to)));
}

static void use_tunnel(void)
{
	unsigned char frame[34] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 20};

	frame[22] = 9;
	frame[23] = 253;
	memcpy(frame + 26, (unsigned char[]){203, 0, 113, 2, 203, 0, 113, 1}, 8);
	attack_say("write", write(GIVEN, frame, sizeof(frame)));
}

static void use_any(void)
{
	attack_hit_if("descriptor", fcntl(GIVEN, F_GETFD));
}

static const struct kind {
	const char *name;
	int (*make)(void);
	void (*use)(void);
} kinds[] = {
    {"packet", packet, use_packet},    {"raw", raw, use_raw},
    {"ring", ring, use_any},           {"tunnel", tunnel, use_tunnel},
    {"listening", listening, use_any}, {"tcp", attack_tcp, use_aimed},
    {"udp", attack_udp, use_udp},      {"connected", attack_udp, use_aimed},
};

int main(int argc, char **argv)
{
	bool use = argc == 3 && !strcmp(argv[1], "use");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *name = kinds[i].name;

		if (argc < 2)
			puts(name);
		else if (use && !strcmp(argv[2], name))
			kinds[i].use();
		else if (!use && !strcmp(argv[1], name)) {
			int fd = kinds[i].make();

			if (!strcmp(name, "tcp") || !strcmp(name, "connected"))
				connected(fd);
			give(fd);
			execv(argv[2], argv + 2);
			return 127;
		}
	}
	return 0;
}
