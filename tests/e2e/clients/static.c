// SPDX-License-Identifier: Apache-2.0
// A static musl program: no loader, no glibc, its own resolver. Prints "NAME RESULT" for each try.
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANY_PORT 7007

struct
try {
	const char *name;
	int type;
	const char *address;
	int port;
};

static const struct try tries[] = {
    {"tcp.public4", SOCK_STREAM, "93.184.215.14", ANY_PORT},
    {"tcp.public6", SOCK_STREAM, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", ANY_PORT},
    {"tcp.mapped.public", SOCK_STREAM, "::ffff:93.184.215.14", ANY_PORT},
    {"tcp.private4", SOCK_STREAM, "10.9.9.9", ANY_PORT},
    {"tcp.private6", SOCK_STREAM, "fd00:9::9", ANY_PORT},
    {"tcp.mapped.private", SOCK_STREAM, "::ffff:10.9.9.9", ANY_PORT},
    {"tcp.metadata", SOCK_STREAM, "169.254.169.254", ANY_PORT},
    {"tcp.google4", SOCK_STREAM, "142.250.0.100", ANY_PORT},
    {"tcp.google6", SOCK_STREAM, "2607:f8b0:4004:c1b::64", ANY_PORT},
    {"tcp.smtp", SOCK_STREAM, "93.184.215.14", 25},
    {"udp.public4", SOCK_DGRAM, "93.184.215.14", ANY_PORT},
    {"udp.public6", SOCK_DGRAM, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", ANY_PORT},
    {"udp.mapped.public", SOCK_DGRAM, "::ffff:93.184.215.14", ANY_PORT},
    {"udp.private4", SOCK_DGRAM, "10.9.9.9", ANY_PORT},
    {"udp.private6", SOCK_DGRAM, "fd00:9::9", ANY_PORT},
    {"udp.mapped.private", SOCK_DGRAM, "::ffff:10.9.9.9", ANY_PORT},
};

static const char *name_of(int err)
{
	switch (err) {
	case 0:
		return "ok";
	case EACCES:
		return "EACCES";
	case EPROTONOSUPPORT:
		return "EPROTONOSUPPORT";
	case EAFNOSUPPORT:
		return "EAFNOSUPPORT";
	default:
		return strerror(err);
	}
}

static socklen_t address_fill(struct sockaddr_storage *to, const struct try *t)
{
	struct sockaddr_in *four = (struct sockaddr_in *)to;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, t->address, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(t->port);
		return sizeof(*four);
	}
	inet_pton(AF_INET6, t->address, &six->sin6_addr);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(t->port);
	return sizeof(*six);
}

// Something must come back, so that success is more than a return value.
static int talk(int fd, const struct try *t, struct sockaddr_storage *to, socklen_t len)
{
	char back[64];

	if (t->type == SOCK_STREAM) {
		if (connect(fd, (struct sockaddr *)to, len))
			return errno;
	} else if (sendto(fd, "ping", 4, 0, (struct sockaddr *)to, len) != 4) {
		return errno;
	}
	return recv(fd, back, sizeof(back), 0) > 0 ? 0 : errno ? errno : EPIPE;
}

static int try_run(const struct try *t)
{
	struct timeval patience = {.tv_sec = 10};
	struct sockaddr_storage to;
	socklen_t len = address_fill(&to, t);
	int fd = socket(to.ss_family, t->type | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	err = talk(fd, t, &to, len);
	close(fd);
	return err;
}

static void look_up(void)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
	char text[64] = "?";
	int err = getaddrinfo("www.example.com", "80", &hints, &found);

	if (err) {
		printf("name.a %s\n", gai_strerror(err));
		return;
	}
	getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
	printf("name.a %s\n", text);
	freeaddrinfo(found);
}

int main(void)
{
	int fd;

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		printf("%s %s\n", tries[i].name, name_of(try_run(&tries[i])));
	look_up();
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	printf("listen %s\n", name_of(listen(fd, 5) ? errno : 0));
	close(fd);
	return 0;
}
