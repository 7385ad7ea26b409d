/* SPDX-License-Identifier: Apache-2.0 */
/* A static client of musl's: client NAME PORT, over what its own resolver says. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	int error, fd;

	if (argc != 3)
		return 2;
	error = getaddrinfo(argv[1], argv[2], &hints, &list);
	if (error) {
		printf("static: %s\n", gai_strerror(error));
		return 1;
	}
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen) < 0) {
		printf("static: %s\n", strerror(errno));
		return 1;
	}
	puts("static: connected");
	freeaddrinfo(list);
	return close(fd);
}
