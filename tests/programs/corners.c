/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rarer ways to connect and to send, whose results must be the same with and without
 * gae-run when the policy allows everything: one line each, "NAME: RESULT".
 *
 *   corners SILENT      an address that never answers
 */
#include "compared.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in server, udp_peer, silent;
static struct sockaddr_in6 mapped, udp_peer6;
static int listener, udp_server, udp_server6;
static char large[5 << 20];

static int bound(int domain, int type, struct sockaddr *at, socklen_t size)
{
	int fd = socket(domain, type, 0);

	if (bind(fd, at, size) || getsockname(fd, at, &size))
		perror("bind"), exit(1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){5, 0}, sizeof(struct timeval));
	return fd;
}

/* The other end of @fd, of all those that wait at the listener. */
static int accepted_from(int fd)
{
	struct sockaddr_in peer, self;
	socklen_t size = sizeof(self);

	getsockname(fd, (void *)&self, &size);
	for (;;) {
		int other = accept(listener, (void *)&peer, (size = sizeof(peer), &size));

		if (other < 0 || peer.sin_port == self.sin_port)
			return other;
		close(other);
	}
}

/* --- addresses --- */

static void families(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), only = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 map = mapped, unspec6 = udp_peer6;
	char text[16];

	setsockopt(only, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
	map.sin6_port = udp_peer.sin_port;
	unspec6.sin6_family = AF_UNSPEC;
	say("v6 udp to v6", sendto(fd, "a", 1, 0, (void *)&udp_peer6, sizeof(udp_peer6)));
	say("received", recv(udp_server6, text, sizeof(text), 0));
	say("v6 udp to v6, 24 bytes", sendto(fd, "a", 1, 0, (void *)&udp_peer6, 24));
	say("received", recv(udp_server6, text, sizeof(text), 0));
	say("v6 udp to v6, 23 bytes", sendto(fd, "a", 1, 0, (void *)&udp_peer6, 23));
	say("v6 udp to v4", sendto(fd, "a", 1, 0, (void *)&udp_peer, sizeof(udp_peer)));
	say("received", recv(udp_server, text, sizeof(text), 0));
	say("v6 udp to v4-mapped", sendto(fd, "a", 1, 0, (void *)&map, sizeof(map)));
	say("received", recv(udp_server, text, sizeof(text), 0));
	say("v6 only to v4", sendto(only, "a", 1, 0, (void *)&udp_peer, sizeof(udp_peer)));
	say("v6 only to v4-mapped", sendto(only, "a", 1, 0, (void *)&map, sizeof(map)));
	say("v6 udp to unspec", sendto(fd, "a", 1, 0, (void *)&unspec6, sizeof(unspec6)));
	say("received", recv(udp_server6, text, sizeof(text), MSG_DONTWAIT));
	say("v6 udp connect v4", connect(fd, (void *)&udp_peer, sizeof(udp_peer)));
	say("send", send(fd, "a", 1, 0));
	say("received", recv(udp_server, text, sizeof(text), 0));
	say("then to v6", sendto(fd, "a", 1, 0, (void *)&udp_peer6, sizeof(udp_peer6)));
	say("v4 udp to v6", sendto(udp(), "a", 1, 0, (void *)&udp_peer6, sizeof(udp_peer6)));
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	say("v6 tcp to v4-mapped", connect(fd, (void *)&mapped, sizeof(mapped)));
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
	say("v6 only tcp to v4-mapped", connect(fd, (void *)&mapped, sizeof(mapped)));
	fd = tcp();
	server.sin_addr.s_addr = 0;
	say("tcp to 0.0.0.0", connect(fd, (void *)&server, sizeof(server)));
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	say("broadcast", sendto(udp(), "a", 1, 0,
				(void *)&(struct sockaddr_in){
				    AF_INET, udp_peer.sin_port, {INADDR_BROADCAST}, {0}},
				16));
}

/* What getaddrinfo() does to sort its answers, and how interfaces are listed. */
static void libraries(void)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_flags = AI_NUMERICSERV}, *found, *a;
	struct ifaddrs *list, *i;
	struct sockaddr_in local, probe = silent;
	socklen_t size = sizeof(local);
	int fd = udp();

	probe.sin_port = 0;
	say("probe of port 0", connect(fd, (void *)&probe, sizeof(probe)));
	getsockname(fd, (void *)&local, &size);
	say("its source", (long)ntohl(local.sin_addr.s_addr));
	say("getaddrinfo", getaddrinfo("127.0.0.1", "80", &hints, &found));
	for (a = found; a; a = a->ai_next)
		printf("  %d %d %d\n", a->ai_family, a->ai_socktype, a->ai_protocol);
	say("getifaddrs", getifaddrs(&list));
	for (i = list; i; i = i->ifa_next)
		printf("  %s %x %d\n", i->ifa_name, i->ifa_flags,
		       i->ifa_addr ? i->ifa_addr->sa_family : -1);
}

/* --- fast open --- */

static void fast_open(void)
{
	int fd = tcp();
	char text[16] = "";

	say("fast open", sendto(fd, "hello", 5, MSG_FASTOPEN, (void *)&server, sizeof(server)));
	say("its data", recv(accepted_from(fd), text, sizeof(text), 0));
	fd = tcp();
	connect(fd, (void *)&server, sizeof(server));
	say("fast open, connected",
	    sendto(fd, "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, (void *)&server, sizeof(server)));
	say("fast open, connected, no name",
	    sendto(fd, "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, NULL, 0));
	say("fast open, no name", sendto(tcp(), "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, NULL, 0));
	say("fast open, short",
	    sendto(tcp(), "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, (void *)&server, 15));
	say("fast open, 1 byte",
	    sendto(tcp(), "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, (void *)&server, 1));
	say("fast open, unspec", sendto(tcp(), "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL,
					&(struct sockaddr){.sa_family = AF_UNSPEC}, 16));
	say("fast open, udp",
	    sendto(udp(), "a", 1, MSG_FASTOPEN, (void *)&udp_peer, sizeof(udp_peer)));
	say("received", recv(udp_server, text, sizeof(text), 0));
	fd = tcp();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	say("fast open, silent, non-blocking",
	    sendto(fd, "hello", 5, MSG_FASTOPEN, (void *)&silent, sizeof(silent)));
	say("again", sendto(fd, "hello", 5, MSG_FASTOPEN, (void *)&silent, sizeof(silent)));
	fd = tcp();
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){0, 200000},
		   sizeof(struct timeval));
	say("fast open, silent, time-out",
	    sendto(fd, "hello", 5, MSG_FASTOPEN, (void *)&silent, sizeof(silent)));
	fd = tcp();
	say("TCP_FASTOPEN_CONNECT",
	    setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){1}, sizeof(int)));
	say("connect", connect(fd, (void *)&server, sizeof(server)));
	say("sendmsg",
	    sendmsg(fd, &(struct msghdr){.msg_iov = &(struct iovec){text, 5}, .msg_iovlen = 1}, 0));
	say("its data", recv(accepted_from(fd), text, sizeof(text), 0));
	fd = tcp();
	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){1}, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){0, 200000},
		   sizeof(struct timeval));
	say("TCP_FASTOPEN_CONNECT, silent", connect(fd, (void *)&silent, sizeof(silent)));
	say("sendmsg, silent",
	    sendmsg(fd, &(struct msghdr){.msg_iov = &(struct iovec){text, 5}, .msg_iovlen = 1},
		    MSG_NOSIGNAL));
	say("sendto on tcp, unconnected, no name", sendto(tcp(), "a", 1, MSG_NOSIGNAL, NULL, 0));
}

/* --- what goes with a message --- */

static long with_control(int fd, const void *name, socklen_t size, int level, int type,
			 const void *value, size_t value_size, size_t bytes)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(64)];
	} control = {.header = {CMSG_LEN(value_size), level, type}};
	struct iovec part = {large, bytes};
	struct msghdr message = {.msg_name = (void *)(uintptr_t)name,
				 .msg_namelen = size,
				 .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = CMSG_SPACE(value_size)};

	memcpy(CMSG_DATA(&control.header), value, value_size);
	return sendmsg(fd, &message, 0);
}

static int tos_of(int server_fd)
{
	char text[16], space[128];
	struct iovec part = {text, sizeof(text)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = space,
				 .msg_controllen = sizeof(space)};
	struct cmsghdr *header;

	if (recvmsg(server_fd, &message, 0) < 0)
		return -1;
	for (header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
		if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TOS)
			return *CMSG_DATA(header);
	return -2;
}

static void extras(void)
{
	struct in_pktinfo no_info = {0};
	char text[2000];
	int fd = udp();

	setsockopt(udp_server, IPPROTO_IP, IP_RECVTOS, &(int){1}, sizeof(int));
	say("IP_TOS", with_control(fd, &udp_peer, 16, IPPROTO_IP, IP_TOS, &(int){0x20}, 4, 1));
	say("arrives", tos_of(udp_server));
	say("IP_TTL 0", with_control(fd, &udp_peer, 16, IPPROTO_IP, IP_TTL, &(int){0}, 4, 1));
	say("UDP_SEGMENT",
	    with_control(fd, &udp_peer, 16, SOL_UDP, UDP_SEGMENT, &(uint16_t){1000}, 2, 2500));
	say("first", recv(udp_server, text, sizeof(text), 0));
	say("second", recv(udp_server, text, sizeof(text), 0));
	say("third", recv(udp_server, text, sizeof(text), 0));
	say("packet info that chooses nothing",
	    with_control(fd, &udp_peer, 16, IPPROTO_IP, IP_PKTINFO, &no_info, sizeof(no_info), 1));
	say("received", recv(udp_server, text, sizeof(text), 0));
	say("MSG_MORE", sendto(fd, "abc", 3, MSG_MORE, (void *)&udp_peer, 16));
	say("and the rest", sendto(fd, "def", 3, 0, (void *)&udp_peer, 16));
	say("one datagram", recv(udp_server, text, sizeof(text), 0));
	say("MSG_OOB on udp", sendto(fd, "abc", 3, MSG_OOB, (void *)&udp_peer, 16));
	say("MSG_CONFIRM", sendto(fd, "abc", 3, MSG_CONFIRM, (void *)&udp_peer, 16));
	say("received", recv(udp_server, text, sizeof(text), 0));
	say("sendmsg, no name, unconnected",
	    with_control(fd, NULL, 0, IPPROTO_IP, IP_TOS, &(int){0}, 4, 1));
}

/* --- sends that wait --- */

struct reader {
	int fd;
	long delay_ms, sum;
};

static void *read_all(void *argument)
{
	struct reader *reader = argument;
	static char text[65536];
	ssize_t n;

	poll(NULL, 0, (int)reader->delay_ms);
	while ((n = read(reader->fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < n; i++)
			reader->sum += (unsigned char)text[i];
	return NULL;
}

static int connected(int *other)
{
	int fd = tcp();

	if (connect(fd, (void *)&server, sizeof(server)) < 0)
		perror("connect"), exit(1);
	*other = accepted_from(fd);
	return fd;
}

static void long_messages(void)
{
	struct iovec parts[3] = {
	    {large, 1000}, {large + 1000, 0}, {large + 1000, sizeof(large) - 1000}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
	struct reader reader = {.delay_ms = 300};
	pthread_t thread;
	long want = 0, begun, sent;
	int fd = connected(&reader.fd);

	for (size_t i = 0; i < sizeof(large); i++)
		want += (unsigned char)(large[i] = (char)(i * 7 + i / 251));
	pthread_create(&thread, NULL, read_all, &reader);
	say("5 MB over tcp", sendmsg(fd, &message, 0));
	close(fd);
	pthread_join(thread, NULL);
	say("arrived as they were", reader.sum == want);
	fd = connected(&reader.fd);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){0, 300000},
		   sizeof(struct timeval));
	parts[0] = parts[1] = parts[2] = (struct iovec){large, sizeof(large)};
	begun = millis();
	sent = sendmsg(fd, &message, 0);
	say("with a time-out: a part", sent > 0 && sent < 3 * (long)sizeof(large));
	say("after that time", millis() - begun >= 290);
	while (sendmsg(fd, &message, 0) > 0)
		;
	say("then nothing", sendmsg(fd, &message, 0));
	shutdown(fd, SHUT_WR);
	say("then EPIPE", sendmsg(fd, &message, MSG_NOSIGNAL));
}

/* A slow reader and a send buffer of the least size: most of the sends have to wait. */
static void full_buffer(void)
{
	int fd = udp(), sent = 0;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int));
	for (int i = 0; i < 300; i++)
		sent += sendto(fd, large, 1400, 0, (void *)&silent, sizeof(silent)) == 1400;
	say("blocking sendto with a full buffer", sent);
}

/* --- threads --- */

static void *connect_thread(void *argument)
{
	(void)argument;
	return (void *)(intptr_t)connect(tcp(), (void *)&server, sizeof(server));
}

static int connect_clone(void *argument)
{
	*(int *)argument = tcp();
	return connect(*(int *)argument, (void *)&server, sizeof(server)) < 0;
}

static void threads(void)
{
	static char stack[65536];
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	pthread_t many[32];
	long sum = 0;
	void *result;
	int fd = -1, status;
	pid_t child;

	for (int i = 0; i < 32; i++)
		pthread_create(&many[i], NULL, connect_thread, NULL);
	for (int i = 0; i < 32; i++) {
		pthread_join(many[i], &result);
		sum += (long)(intptr_t)result;
	}
	say("32 threads", sum);
	child = clone(connect_clone, stack + sizeof(stack), CLONE_FILES | SIGCHLD | CLONE_VM, &fd);
	waitpid(child, &status, 0);
	say("a process with our descriptors", status);
	say("made one for us", getpeername(fd, (void *)&peer, &size));
	fd = tcp();
	child = vfork();
	if (child == 0)
		_exit(connect(fd, (void *)&server, sizeof(server)) < 0);
	waitpid(child, &status, 0);
	say("vfork", status);
	say("connected ours", getpeername(fd, (void *)&peer, &size));
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (child == 0) {
		/* Its table is its own: the number is another socket there. */
		syscall(SYS_unshare, CLONE_FILES);
		_exit(connect(tcp(), (void *)&server, sizeof(server)) < 0);
	}
	waitpid(child, &status, 0);
	say("fork", status);
}

static atomic_int own_table;

static void *connect_own_table(void *argument)
{
	int fd;

	(void)argument;
	/* From here on this thread's descriptor numbers are its own. */
	if (unshare(CLONE_FILES) < 0)
		return (void *)1;
	fd = tcp();
	own_table = fd;
	return (void *)(intptr_t)connect(fd, (void *)&server, sizeof(server));
}

static void own_tables(void)
{
	pthread_t thread;
	void *result;

	pthread_create(&thread, NULL, connect_own_table, NULL);
	pthread_join(thread, &result);
	say("a thread with a table of its own", (long)(intptr_t)result);
	say("whose descriptor is none here", fcntl(own_table, F_GETFL));
}

static void *outlive(void *argument)
{
	char state = 0;
	pid_t main_thread = *(pid_t *)argument;

	/* Wait for the main thread to become a zombie: /proc says so. */
	for (int i = 0; i < 500 && state != 'Z'; i++) {
		char path[64], text[256] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", main_thread);
		file = fopen(path, "re");
		if (file && fgets(text, sizeof(text), file))
			state = strrchr(text, ')')[2];
		if (file)
			fclose(file);
		poll(NULL, 0, 10);
	}
	_exit(state != 'Z' ? 3 : connect(tcp(), (void *)&server, sizeof(server)) < 0 ? errno : 0);
}

static void without_main_thread(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		pid_t self = getpid();
		pthread_t thread;

		pthread_create(&thread, NULL, outlive, &self);
		pthread_exit(NULL);
	}
	waitpid(child, &status, 0);
	say("after the main thread's end", status);
}

static void *connect_with_limit(void *argument)
{
	int fd = *(int *)argument;

	return (void *)(intptr_t)(connect(fd, (void *)&silent, sizeof(silent)) < 0 ? errno : 0);
}

static void closed_meanwhile(void)
{
	pthread_t thread;
	void *result;
	int fd = tcp();

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){1, 0}, sizeof(struct timeval));
	pthread_create(&thread, NULL, connect_with_limit, &fd);
	poll(NULL, 0, 200);
	say("close during connect", close(fd));
	say("the number is free", dup(0) == fd);
	pthread_join(thread, &result);
	say("the connect waits on", (long)(intptr_t)result);
	close(fd);
}

/* The one option that the supervisor sets. */
static void lingering(void)
{
	struct linger set = {1, 7}, got = {0};
	socklen_t size = sizeof(got);
	int fds[] = {tcp(), udp()}, file = open("/dev/null", O_RDONLY);

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		say("linger", setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &set, sizeof(set)));
		say("it is set", getsockopt(fds[i], SOL_SOCKET, SO_LINGER, &got, &size));
		say("for so long", got.l_onoff == 1 ? got.l_linger : -1);
	}
	say("linger, long", setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &set, 100));
	say("linger, short", setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &set, sizeof(set) - 1));
	say("linger, shorter", setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &set, sizeof(int) - 1));
	say("linger, negative", setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &set, (socklen_t)-1));
	say("linger, shorter, nowhere",
	    setsockopt(fds[0], SOL_SOCKET, SO_LINGER, (void *)8, sizeof(int) - 1));
	say("linger, short, nowhere",
	    setsockopt(fds[0], SOL_SOCKET, SO_LINGER, (void *)8, sizeof(int)));
	say("linger, nowhere", setsockopt(fds[0], SOL_SOCKET, SO_LINGER, (void *)8, sizeof(set)));
	say("linger, a file", setsockopt(file, SOL_SOCKET, SO_LINGER, &set, sizeof(set)));
	say("linger, nothing", setsockopt(999, SOL_SOCKET, SO_LINGER, &set, sizeof(set)));
	set = (struct linger){1, 0};
	say("connect", connect(fds[0], (void *)&server, sizeof(server)));
	say("linger, 0", setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &set, sizeof(set)));
	file = accepted_from(fds[0]);
	close(fds[0]);
	say("so it is reset", recv(file, &got, sizeof(got), 0));
}

int main(int argc, char **argv)
{
	socklen_t size = sizeof(server);

	if (argc != 2)
		return 2;
	server = udp_peer = silent =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	udp_peer6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	listener = bound(AF_INET, SOCK_STREAM, (void *)&server, size);
	if (listen(listener, 256) < 0)
		perror("listen"), exit(1);
	udp_server = bound(AF_INET, SOCK_DGRAM, (void *)&udp_peer, size);
	udp_server6 = bound(AF_INET6, SOCK_DGRAM, (void *)&udp_peer6, sizeof(udp_peer6));
	mapped = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = server.sin_port};
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
	inet_pton(AF_INET, argv[1], &silent.sin_addr);
	silent.sin_port = htons(9);
	families();
	libraries();
	fast_open();
	extras();
	long_messages();
	full_buffer();
	threads();
	own_tables();
	without_main_thread();
	closed_meanwhile();
	lingering();
	return 0;
}
