/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way to aim at an address: one attempt a run, so that a test can ask a
 * witness whether it heard it.
 *
 *   aims             lists the attempts, one a line
 *   aims NAME PORT   makes one; prints "NAME: RESULT ERRNO"
 *
 * The witness listens on every address at PORT.  127.0.0.2 and PORT of 127.0.0.1 are
 * what the policy of the test forbids; 127.0.0.3 is allowed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FORBIDDEN "127.0.0.2"
#define ALLOWED "127.0.0.3"

static int port;

static int tcp(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int udp(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

static int udp6(void)
{
	return socket(AF_INET6, SOCK_DGRAM, 0);
}

static struct sockaddr_in *v4(const char *text)
{
	struct sockaddr_in *at = calloc(1, sizeof(*at));

	at->sin_family = AF_INET;
	at->sin_port = htons((unsigned short)port);
	inet_pton(AF_INET, text, &at->sin_addr);
	return at;
}

static struct sockaddr_in6 *v6(const char *text)
{
	struct sockaddr_in6 *at = calloc(1, sizeof(*at));

	at->sin6_family = AF_INET6;
	at->sin6_port = htons((unsigned short)port);
	inet_pton(AF_INET6, text, &at->sin6_addr);
	return at;
}

static long connect4(int fd, const char *text)
{
	return connect(fd, (void *)v4(text), sizeof(struct sockaddr_in));
}

static long connect6(const char *text)
{
	return connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)v6(text),
		       sizeof(struct sockaddr_in6));
}

static long send4(int fd, const char *text, int flags)
{
	return sendto(fd, "x", 1, flags, (void *)v4(text), sizeof(struct sockaddr_in));
}

static long send6(const char *text)
{
	return sendto(udp6(), "x", 1, 0, (void *)v6(text), sizeof(struct sockaddr_in6));
}

static struct msghdr *message(const char *text)
{
	struct msghdr *m = calloc(1, sizeof(*m));
	struct iovec *part = calloc(1, sizeof(*part));

	part->iov_base = strdup("x");
	part->iov_len = 1;
	m->msg_iov = part;
	m->msg_iovlen = 1;
	m->msg_name = v4(text);
	m->msg_namelen = sizeof(struct sockaddr_in);
	return m;
}

static long controlled(int fd, struct msghdr *m, int level, int type, const void *value,
		       size_t size)
{
	struct cmsghdr *header = calloc(1, CMSG_SPACE(size));

	header->cmsg_level = level;
	header->cmsg_type = type;
	header->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(header), value, size);
	m->msg_control = header;
	m->msg_controllen = CMSG_SPACE(size);
	return sendmsg(fd, m, 0);
}

static long tcp_connect(void)
{
	return connect4(tcp(), FORBIDDEN);
}

static long tcp_connect_nonblocking(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	long rc = connect4(fd, FORBIDDEN);

	if (rc < 0 && errno == EINPROGRESS)
		rc = poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 1000) == 1 ? 0 : -1;
	return rc;
}

static long tcp_connect_long(void)
{
	char space[128] = {0};

	memcpy(space, v4(FORBIDDEN), 16);
	return connect(tcp(), (void *)space, sizeof(space));
}

static long tcp_connect_port(void)
{
	return connect4(tcp(), "127.0.0.1");
}

static long tcp_connect_any(void)
{
	return connect4(tcp(), "0.0.0.0");
}

static long tcp_connect_any6(void)
{
	return connect6("::");
}

static long tcp_connect_after_disconnect(void)
{
	int fd = tcp();

	connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, 16);
	return connect4(fd, FORBIDDEN);
}

static long tcp_connect_v6(void)
{
	return connect6("fd00::2");
}

static long tcp_connect_v6_24(void)
{
	return connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)v6("fd00::2"), 24);
}

static long tcp_connect_mapped(void)
{
	return connect6("::ffff:" FORBIDDEN);
}

static long tcp_connect_mapped_any(void)
{
	return connect6("::ffff:0.0.0.0");
}

static long tcp_connect_compatible(void)
{
	return connect6("::" FORBIDDEN);
}

static long tcp_connect_nat64(void)
{
	return connect6("64:ff9b::" FORBIDDEN);
}

static long tcp_connect_6to4(void)
{
	return connect6("2002:7f00:2::1");
}

static long tcp_connect_teredo(void)
{
	/* The inner address, 127.0.0.2, is stored inverted (RFC 4380, 4). */
	return connect6("2001:0:cb00:7101::80ff:fffd");
}

static long fast_open(void)
{
	return send4(tcp(), FORBIDDEN, MSG_FASTOPEN);
}

static long fast_open_sendmsg(void)
{
	return sendmsg(tcp(), message(FORBIDDEN), MSG_FASTOPEN);
}

static long fast_open_sendmmsg(void)
{
	struct mmsghdr batch = {.msg_hdr = *message(FORBIDDEN)};

	return sendmmsg(tcp(), &batch, 1, MSG_FASTOPEN);
}

static long fast_open_connect(void)
{
	int fd = tcp();
	long rc;

	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){1}, sizeof(int));
	rc = connect4(fd, FORBIDDEN);
	return rc < 0 ? rc : send(fd, "x", 1, MSG_NOSIGNAL);
}

static long fast_open_mapped(void)
{
	return sendto(socket(AF_INET6, SOCK_STREAM, 0), "x", 1, MSG_FASTOPEN,
		      (void *)v6("::ffff:" FORBIDDEN), sizeof(struct sockaddr_in6));
}

static long udp_connect(void)
{
	int fd = udp();
	long rc = connect4(fd, FORBIDDEN);

	return rc < 0 ? rc : send(fd, "x", 1, 0);
}

static long udp_connect_write(void)
{
	int fd = udp6();
	long rc = connect(fd, (void *)v4(FORBIDDEN), sizeof(struct sockaddr_in));

	return rc < 0 ? rc : write(fd, "x", 1);
}

static long udp_sendto(void)
{
	return send4(udp(), FORBIDDEN, 0);
}

static long udp_sendto_any(void)
{
	return send4(udp(), "0.0.0.0", 0);
}

static long udp_sendto_long(void)
{
	char space[128] = {0};

	memcpy(space, v4(FORBIDDEN), 16);
	return sendto(udp(), "x", 1, 0, (void *)space, sizeof(space));
}

static long udp_sendto_unspec(void)
{
	struct sockaddr_in *at = v4(FORBIDDEN);

	at->sin_family = AF_UNSPEC;
	return sendto(udp(), "x", 1, 0, (void *)at, sizeof(*at));
}

static long udp_sendto_connected(void)
{
	int fd = udp();

	connect4(fd, ALLOWED);
	return send4(fd, FORBIDDEN, 0);
}

static long udp_sendmsg(void)
{
	return sendmsg(udp(), message(FORBIDDEN), 0);
}

static long udp_sendmmsg_first(void)
{
	struct mmsghdr batch[2] = {{.msg_hdr = *message(FORBIDDEN)},
				   {.msg_hdr = *message(FORBIDDEN)}};

	return sendmmsg(udp(), batch, 2, 0);
}

/* Return: as if the forbidden message alone had been sent. */
static long batch_with(int bad, int n)
{
	struct mmsghdr batch[5];
	long sent;

	for (int i = 0; i < n; i++)
		batch[i].msg_hdr = *message(i == bad ? FORBIDDEN : ALLOWED);
	sent = sendmmsg(udp(), batch, (unsigned int)n, 0);
	errno = sent == bad ? EACCES : errno;
	return sent > bad ? 1 : -1;
}

static long udp_sendmmsg_last(void)
{
	return batch_with(4, 5);
}

static long udp_sendmmsg_middle(void)
{
	return batch_with(2, 5);
}

static long udp_v4_on_v6(void)
{
	return send4(udp6(), FORBIDDEN, 0);
}

static long udp_v6(void)
{
	return send6("fd00::2");
}

static long udp_mapped(void)
{
	return send6("::ffff:" FORBIDDEN);
}

static long udp_any6(void)
{
	return send6("::");
}

static long udp_compatible(void)
{
	return send6("::" FORBIDDEN);
}

static long udp_nat64(void)
{
	return send6("64:ff9b::" FORBIDDEN);
}

static long udp_6to4(void)
{
	return send6("2002:7f00:2::1");
}

static long udp_teredo(void)
{
	return send6("2001:0:cb00:7101::80ff:fffd");
}

static long udp_source_route(void)
{
	/* Loose source routing by way of 127.0.0.2 (RFC 791). */
	static const unsigned char route[] = {0x83, 7, 4, 127, 0, 0, 2, 0};

	return controlled(udp(), message(ALLOWED), IPPROTO_IP, IP_RETOPTS, route, sizeof(route));
}

static long udp_packet_info(void)
{
	struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(0x7f000009)};

	return controlled(udp(), message(ALLOWED), IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
}

static long udp_routing_header(void)
{
	/* Type 2 (RFC 6275): the packet goes to the address within. */
	unsigned char header[24] = {0, 2, 2, 1};
	struct msghdr *m = message(ALLOWED);

	inet_pton(AF_INET6, "fd00::2", header + 8);
	m->msg_name = v6("fd00::3");
	m->msg_namelen = sizeof(struct sockaddr_in6);
	return controlled(udp6(), m, IPPROTO_IPV6, IPV6_RTHDR, header, sizeof(header));
}

#define AIM(name)                                                                                  \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct aim {
	const char *name;
	long (*attempt)(void);
} aims[] = {
    AIM(tcp_connect),
    AIM(tcp_connect_nonblocking),
    AIM(tcp_connect_long),
    AIM(tcp_connect_port),
    AIM(tcp_connect_any),
    AIM(tcp_connect_any6),
    AIM(tcp_connect_after_disconnect),
    AIM(tcp_connect_v6),
    AIM(tcp_connect_v6_24),
    AIM(tcp_connect_mapped),
    AIM(tcp_connect_mapped_any),
    AIM(tcp_connect_compatible),
    AIM(tcp_connect_nat64),
    AIM(tcp_connect_6to4),
    AIM(tcp_connect_teredo),
    AIM(fast_open),
    AIM(fast_open_sendmsg),
    AIM(fast_open_sendmmsg),
    AIM(fast_open_connect),
    AIM(fast_open_mapped),
    AIM(udp_connect),
    AIM(udp_connect_write),
    AIM(udp_sendto),
    AIM(udp_sendto_any),
    AIM(udp_sendto_long),
    AIM(udp_sendto_unspec),
    AIM(udp_sendto_connected),
    AIM(udp_sendmsg),
    AIM(udp_sendmmsg_first),
    AIM(udp_sendmmsg_last),
    AIM(udp_sendmmsg_middle),
    AIM(udp_v4_on_v6),
    AIM(udp_v6),
    AIM(udp_mapped),
    AIM(udp_any6),
    AIM(udp_compatible),
    AIM(udp_nat64),
    AIM(udp_6to4),
    AIM(udp_teredo),
    AIM(udp_source_route),
    AIM(udp_packet_info),
    AIM(udp_routing_header),
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(aims) / sizeof(aims[0]); i++) {
		long rc;

		if (argc == 1)
			puts(aims[i].name);
		if (argc != 3 || strcmp(argv[1], aims[i].name) != 0)
			continue;
		port = atoi(argv[2]);
		rc = aims[i].attempt();
		printf("%s: %s\n", argv[1], rc < 0 ? strerrorname_np(errno) : "done");
		return 0;
	}
	return argc == 1 ? 0 : 2;
}
