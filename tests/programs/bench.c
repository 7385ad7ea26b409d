/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measured program of scripts/bench; it knows nothing of gae-run.
 *
 *   bench serve PORT             TCP echo (one byte in, one byte out; or a sink after 'B'), and a UDP
 *                                socket that nobody reads: a reader that sleeps or not, as the rate
 *                                has it, would be what is measured
 *                                PORT + 1: connections queue up, nobody accepts them (for the same reason),
 *                                until somebody connects to PORT + 2
 *   bench connect PORT N         blocking connects to PORT + 1, each closed at once
 *   bench sendto PORT N          UDP datagrams with an address
 *   bench send PORT N            the same on a connected socket, without
 *   bench getppid PORT N         a call that has nothing to do with sockets; times are means of 100
 *   bench close PORT N           close of a number where nothing is open; so are these
 *   bench sendmsg PORT N         one byte on a TCP connection by sendmsg(2), and back
 *   bench pingpong PORT N        one byte there and back on one connection
 *   bench bulk PORT MEGABYTES    one way on one connection
 *   bench held PORT N ADDRESS M  M threads wait in connect to ADDRESS, which never answers, while N connects are timed
 *   bench sockets N              opens N TCP sockets and waits for end of file on stdin
 *   bench offer PORT N FILE      puts N connections on offer, one after the other; their tokens into FILE
 *   bench claim PORT N FILE      claims them
 *
 * Prints "p50 p99 mean" in nanoseconds (bulk: MB/s).
 */
#include "../bench/times.h"
#include "shared/gae_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in to;

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	perror(what);
	exit(1);
}

static int tcp_to_server(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd, "socket");
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	return fd;
}

static void *serve_one(void *argument)
{
	int fd = (int)(intptr_t)argument, one = 1;
	const size_t room = 256 << 10;
	char *buffer = malloc(room);
	ssize_t n = read(fd, buffer, 1);

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (n == 1 && buffer[0] == 'B') {
		while (read(fd, buffer, room) > 0)
			;
		n = write(fd, "E", 1);
	} else {
		while (n > 0 && write(fd, buffer, 1) == 1)
			n = read(fd, buffer, 1);
	}
	close(fd);
	free(buffer);
	return NULL;
}

static int listen_at(int port)
{
	struct sockaddr_in at = to;
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	at.sin_port = htons((unsigned short)port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(listen(fd, 4096), "listen");
	return fd;
}

/* Empties the queue of @argument + 1 whenever somebody connects to @argument + 2. */
static void *drain(void *argument)
{
	int port = (int)(intptr_t)argument;
	int full = listen_at(port + 1), order = listen_at(port + 2), fd;

	fcntl(full, F_SETFL, O_NONBLOCK);
	while ((fd = accept(order, NULL, NULL)) >= 0) {
		int one;

		while ((one = accept(full, NULL, NULL)) >= 0)
			close(one);
		if (write(fd, "E", 1) != 1)
			break;
		close(fd);
	}
	return NULL;
}

static void serve(void)
{
	int port = ntohs(to.sin_port), fd = listen_at(port), udp = socket(AF_INET, SOCK_DGRAM, 0);
	pthread_attr_t detached;
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	must(bind(udp, (struct sockaddr *)&to, sizeof(to)), "bind");
	pthread_create(&thread, &detached, drain, (void *)(intptr_t)port);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (peer >= 0 &&
		    pthread_create(&thread, &detached, serve_one, (void *)(intptr_t)peer))
			close(peer);
	}
}

static void time_connects(size_t n)
{
	uint64_t *times = calloc(n, sizeof(*times));
	struct linger hard = {1, 0};
	char byte;
	int fd;

	to.sin_port = htons((unsigned short)(ntohs(to.sin_port) + 2));
	fd = tcp_to_server();
	must((int)read(fd, &byte, 1), "read");
	close(fd);
	to.sin_port = htons((unsigned short)(ntohs(to.sin_port) - 1));
	for (size_t i = 0; i < n; i++) {
		uint64_t begun;

		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		begun = now_ns();

		must(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
		times[i] = now_ns() - begun;
		/* No TIME_WAIT: thousands of runs must not use up the ports. */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
	}
	times_print(times, n);
}

static void time_sendto(size_t n, bool connected)
{
	uint64_t *times = calloc(n, sizeof(*times));
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	const struct sockaddr *there = connected ? NULL : (struct sockaddr *)&to;
	char data[64] = {0};

	if (connected)
		must(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	for (size_t i = 0; i < n; i++) {
		uint64_t begun = now_ns();

		must((int)sendto(fd, data, sizeof(data), 0, there, there ? sizeof(to) : 0),
		     "sendto");
		times[i] = now_ns() - begun;
	}
	times_print(times, n);
}

static void time_pingpong(size_t n)
{
	uint64_t *times = calloc(n, sizeof(*times));
	int fd = tcp_to_server();
	char byte = 'x';

	for (size_t i = 0; i < n; i++) {
		uint64_t begun = now_ns();

		must((int)send(fd, &byte, 1, 0), "send");
		must((int)recv(fd, &byte, 1, 0), "recv");
		times[i] = now_ns() - begun;
	}
	times_print(times, n);
}

static void time_hundreds(size_t n, bool closes)
{
	uint64_t *times = calloc(n, sizeof(*times));

	for (size_t i = 0; i < n; i++) {
		uint64_t begun = now_ns();

		for (int call = 0; call < 100; call++) {
			if (closes)
				close(1u << 20);
			else
				getppid();
		}
		times[i] = (now_ns() - begun) / 100;
	}
	times_print(times, n);
	free(times);
}

static void time_sendmsg(size_t n)
{
	uint64_t *times = calloc(n, sizeof(*times));
	char byte = 'x';
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int fd = tcp_to_server();

	for (size_t i = 0; i < n; i++) {
		uint64_t begun = now_ns();

		must((int)sendmsg(fd, &message, 0), "sendmsg");
		must((int)recv(fd, &byte, 1, 0), "recv");
		times[i] = now_ns() - begun;
	}
	times_print(times, n);
	free(times);
}

static void time_bulk(size_t megabytes)
{
	static char block[1 << 20];
	int fd = tcp_to_server();
	uint64_t begun;

	must((int)write(fd, "B", 1), "write");
	begun = now_ns();
	for (size_t i = 0; i < megabytes; i++)
		for (size_t done = 0; done < sizeof(block);) {
			ssize_t n = send(fd, block + done, sizeof(block) - done, 0);

			must((int)n, "send");
			done += (size_t)n;
		}
	shutdown(fd, SHUT_WR);
	must((int)read(fd, block, 1), "read");
	printf("%.1f\n", (double)megabytes * 1e9 / (double)(now_ns() - begun));
}

static struct sockaddr_in nowhere;

static void *hold(void *argument)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)argument;
	connect(fd, (struct sockaddr *)&nowhere, sizeof(nowhere));
	return NULL;
}

static void time_held(size_t n, const char *address, size_t threads)
{
	pthread_attr_t attributes;

	nowhere = to;
	inet_pton(AF_INET, address, &nowhere.sin_addr);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	for (size_t i = 0; i < threads; i++) {
		pthread_t thread;

		errno = pthread_create(&thread, &attributes, hold, NULL);
		must(-errno, "pthread_create");
	}
	/* All of them in connect: the last one began; the first rounds of what is timed are not counted. */
	usleep(300000);
	time_connects(n);
	fflush(stdout);
	_exit(0);
}

static void open_sockets(size_t n)
{
	struct rlimit files;
	char byte;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (size_t i = 0; i < n; i++)
		tcp_to_server();
	puts("open");
	fflush(stdout);
	if (read(0, &byte, 1) < 0)
		exit(1);
}

static void time_offers(size_t n, const char *path)
{
	uint64_t *times = calloc(n, sizeof(*times));
	FILE *out = fopen(path, "w");

	must(out ? 0 : -1, path);
	for (size_t i = 0; i < n; i++) {
		char token[GAE_DESCRIPTOR_MAX];
		socklen_t size = sizeof(token);
		int fd = tcp_to_server();
		uint64_t begun = now_ns();

		must(getsockopt(fd, SOL_GAE, GAE_DESCRIPTOR, token, &size), "offer");
		times[i] = now_ns() - begun;
		fprintf(out, "%s\n", token);
		close(fd);
	}
	fclose(out);
	times_print(times, n);
	free(times);
}

static void time_claims(size_t n, const char *path)
{
	uint64_t *times = calloc(n, sizeof(*times));
	char token[GAE_DESCRIPTOR_MAX + 2];
	FILE *in = fopen(path, "r");

	must(in ? 0 : -1, path);
	for (size_t i = 0; i < n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		uint64_t begun;
		socklen_t size;

		must(fgets(token, sizeof(token), in) ? fd : -1, "token");
		size = (socklen_t)strcspn(token, "\n");
		begun = now_ns();
		must(setsockopt(fd, SOL_GAE, GAE_DESCRIPTOR, token, size), "claim");
		times[i] = now_ns() - begun;
		close(fd);
	}
	fclose(in);
	times_print(times, n);
	free(times);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";
	size_t n = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	to.sin_family = AF_INET;
	to.sin_port = htons((unsigned short)(argc > 2 ? atoi(argv[2]) : 0));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!strcmp(mode, "serve"))
		serve();
	else if (!strcmp(mode, "connect"))
		time_connects(n);
	else if (!strcmp(mode, "sendto"))
		time_sendto(n, false);
	else if (!strcmp(mode, "send"))
		time_sendto(n, true);
	else if (!strcmp(mode, "getppid"))
		time_hundreds(n, false);
	else if (!strcmp(mode, "close"))
		time_hundreds(n, true);
	else if (!strcmp(mode, "sendmsg"))
		time_sendmsg(n);
	else if (!strcmp(mode, "pingpong"))
		time_pingpong(n);
	else if (!strcmp(mode, "bulk"))
		time_bulk(n);
	else if (!strcmp(mode, "held") && argc == 6)
		time_held(n, argv[4], strtoul(argv[5], NULL, 10));
	else if (!strcmp(mode, "offer") && argc == 5)
		time_offers(n, argv[4]);
	else if (!strcmp(mode, "claim") && argc == 5)
		time_claims(n, argv[4]);
	else if (!strcmp(mode, "sockets"))
		open_sockets(n);
	else
		return 2;
	return 0;
}
