/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hands a connection over to another run of the same app: see gae_sockets(3).
 *
 *   token=$(gae-run --app demo ./handover offer 192.0.2.1 80)     connects, prints a token, ends
 *   gae-run --app demo ./handover claim "$token"                  copies the connection to and from here
 */
#include <gae_sockets.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int offer(const char *host, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	char token[GAE_DESCRIPTOR_MAX];
	socklen_t size = sizeof(token);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
		return fprintf(stderr, "%s is no address\n", host), 1;
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return fail("connect");
	if (getsockopt(fd, SOL_GAE, GAE_DESCRIPTOR, token, &size) < 0)
		return fail("offer");
	puts(token);
	return 0;
}

static int copy(int from, int to)
{
	char data[4096];
	ssize_t n = read(from, data, sizeof(data));

	if (n > 0 && write(to, data, (size_t)n) == n)
		return 1;
	return n < 0 ? -1 : 0;
}

static int take(const char *token)
{
	struct pollfd ends[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return fail("socket");
	if (setsockopt(fd, SOL_GAE, GAE_DESCRIPTOR, token, (socklen_t)strlen(token)) < 0)
		return fail("claim");
	ends[1].fd = fd;
	while (poll(ends, 2, -1) > 0) {
		if (ends[1].revents && copy(fd, STDOUT_FILENO) <= 0)
			return 0;
		if (ends[0].revents && copy(STDIN_FILENO, fd) <= 0) {
			shutdown(fd, SHUT_WR);
			ends[0].fd = -1;
		}
	}
	return fail("poll");
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "offer"))
		return offer(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "claim"))
		return take(argv[2]);
	fprintf(stderr, "usage: %s offer ADDRESS PORT | claim TOKEN\n", argv[0]);
	return 2;
}
