/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls whose results must be the same with and without gae-run when the policy
 * allows everything: one line each, "NAME: RESULT".  The test runs this natively and
 * fenced and compares.  It needs loopback only, and one address that never answers
 * (argument 1).
 */
#include "compared.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define KERNEL_ADDRESS ((void *)0xffff888000000000ul)
#define BAD_ADDRESS ((void *)8)

static struct sockaddr_in listener, closed_port, udp_peer, silent;
static struct sockaddr_in6 listener6;
static int udp_server;

/* A page with an unmapped one behind it: the last @size bytes of it. */
static void *at_page_end(const void *data, size_t size)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(page + 4096, 4096);
	return memcpy(page + 4096 - size, data, size);
}

static void connects(void)
{
	int fd = tcp(), sv[2];
	char text[64];

	say("connect to a listener", connect(fd, (void *)&listener, sizeof(listener)));
	say("connect again", connect(fd, (void *)&listener, sizeof(listener)));
	say("refused", connect(tcp(), (void *)&closed_port, sizeof(closed_port)));
	fd = tcp();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	say("non-blocking", connect(fd, (void *)&listener, sizeof(listener)));
	say("its end", poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 5000));
	say("non-blocking, connected", connect(fd, (void *)&listener, sizeof(listener)));
	fd = tcp();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	say("silent, non-blocking", connect(fd, (void *)&silent, sizeof(silent)));
	say("silent, still", connect(fd, (void *)&silent, sizeof(silent)));
	say("disconnect", connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, 16));
	say("connect after disconnect", connect(fd, (void *)&closed_port, sizeof(closed_port)));
	say("flags are kept", fcntl(tcp(), F_GETFL));
	say("v6", connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&listener6, sizeof(listener6)));
	say("v6 short", connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&listener6, 24));
	say("v6 too short", connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&listener6, 23));
	say("v4 on v6", connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&listener, 16));
	say("v6 on v4", connect(tcp(), (void *)&listener6, sizeof(listener6)));
	say("no descriptor", connect(999, (void *)&listener, sizeof(listener)));
	say("no socket", connect(0, (void *)&listener, sizeof(listener)));
	say("length 0", connect(tcp(), (void *)&listener, 0));
	say("length 1", connect(tcp(), (void *)&listener, 1));
	say("length 15", connect(tcp(), (void *)&listener, 15));
	say("length 128", connect(tcp(), (void *)memset(calloc(1, 128), 0, 128), 128));
	say("length 129", connect(tcp(), (void *)&listener, 129));
	say("length -1", connect(tcp(), (void *)&listener, (socklen_t)-1));
	say("length 2^31", connect(tcp(), (void *)&listener, 0x80000000u));
	say("NULL", connect(tcp(), NULL, 16));
	say("bad pointer", connect(tcp(), BAD_ADDRESS, 16));
	say("kernel pointer", connect(tcp(), KERNEL_ADDRESS, 16));
	say("page edge", connect(tcp(), at_page_end(&listener, 16), 16));
	say("over the page edge", connect(tcp(), at_page_end(&listener, 15), 16));
	say("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	say("connect a pair", connect(sv[0], (void *)&listener, 16));
	fd = udp();
	say("udp connect", connect(fd, (void *)&udp_peer, sizeof(udp_peer)));
	say("udp send", send(fd, "a", 1, 0));
	say("udp received", recv(udp_server, text, sizeof(text), 0));
	say("udp reconnect", connect(fd, (void *)&listener, sizeof(listener)));
	say("udp disconnect", connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, 16));
	say("udp send unconnected", send(fd, "a", 1, 0));
	say("udp connect port 0",
	    connect(udp(),
		    &(struct sockaddr_in){.sin_family = AF_INET, .sin_addr = listener.sin_addr},
		    16));
}

static void sends(void)
{
	struct iovec part = {(char[]){"hello"}, 5}, many[1025];
	struct msghdr message = {.msg_name = &udp_peer,
				 .msg_namelen = sizeof(udp_peer),
				 .msg_iov = &part,
				 .msg_iovlen = 1};
	struct mmsghdr batch[3] = {
	    {.msg_hdr = message}, {.msg_hdr = message}, {.msg_hdr = message}};
	static char large[70000];
	char text[128];
	int fd = udp(), i;

	say("sendto", sendto(fd, "abc", 3, 0, (void *)&udp_peer, 16));
	say("received", recv(udp_server, text, sizeof(text), 0));
	say("sendto nothing", sendto(fd, "", 0, 0, (void *)&udp_peer, 16));
	say("received nothing", recv(udp_server, text, sizeof(text), 0));
	say("sendto 65507", sendto(fd, large, 65507, 0, (void *)&udp_peer, 16));
	say("received 65507", recv(udp_server, text, sizeof(text), MSG_TRUNC));
	say("sendto 65508", sendto(fd, large, 65508, 0, (void *)&udp_peer, 16));
	say("sendto 70000", sendto(fd, large, 70000, 0, (void *)&udp_peer, 16));
	say("sendto port 0",
	    sendto(fd, "a", 1, 0, (void *)&(struct sockaddr_in){AF_INET, 0, udp_peer.sin_addr, {0}},
		   16));
	say("sendto short", sendto(fd, "a", 1, 0, (void *)&udp_peer, 15));
	say("sendto bad data", sendto(fd, BAD_ADDRESS, 3, 0, (void *)&udp_peer, 16));
	say("sendto bad name", sendto(fd, "a", 1, 0, BAD_ADDRESS, 16));
	say("sendto kernel name", sendto(fd, "a", 1, 0, KERNEL_ADDRESS, 16));
	say("sendto unspec", sendto(fd, "a", 1, 0,
				    (void *)&(struct sockaddr_in){
					AF_UNSPEC, udp_peer.sin_port, udp_peer.sin_addr, {0}},
				    16));
	say("received", recv(udp_server, text, sizeof(text), 0));
	say("sendto on tcp", sendto(tcp(), "a", 1, MSG_NOSIGNAL, (void *)&listener, 16));
	say("sendmsg", sendmsg(fd, &message, 0));
	say("received", recv(udp_server, text, sizeof(text), 0));
	for (i = 0; i < 1025; i++)
		many[i] = (struct iovec){text, 1};
	message.msg_iov = many;
	message.msg_iovlen = 1024;
	say("1024 parts", sendmsg(fd, &message, 0));
	say("received", recv(udp_server, large, sizeof(large), 0));
	message.msg_iovlen = 1025;
	say("1025 parts", sendmsg(fd, &message, 0));
	message.msg_iovlen = (size_t)1 << 31;
	say("2^31 parts", sendmsg(fd, &message, 0));
	message.msg_iovlen = 2;
	many[1] = (struct iovec){BAD_ADDRESS, 10};
	say("bad part", sendmsg(fd, &message, 0));
	many[1] = (struct iovec){text, (size_t)-5};
	say("negative part", sendmsg(fd, &message, 0));
	message.msg_iov = at_page_end(&part, sizeof(part));
	say("vector over the page edge", sendmsg(fd, &message, 0));
	say("sendmsg NULL", sendmsg(fd, NULL, 0));
	say("sendmsg kernel", sendmsg(fd, KERNEL_ADDRESS, 0));
	message = batch[0].msg_hdr;
	message.msg_control = BAD_ADDRESS;
	message.msg_controllen = 32;
	say("bad control", sendmsg(fd, &message, 0));
	message.msg_control = (char[32]){3};
	say("broken control", sendmsg(fd, &message, 0));
	message.msg_control = NULL;
	message.msg_namelen = 500;
	say("long name length", sendmsg(fd, &message, 0));
	message.msg_namelen = (socklen_t)-1;
	say("negative name length", sendmsg(fd, &message, 0));
	say("sendmmsg", sendmmsg(fd, batch, 3, 0));
	say("its length", batch[2].msg_len);
	for (i = 0; i < 3; i++)
		say("received", recv(udp_server, text, sizeof(text), 0));
	batch[1].msg_hdr.msg_name = BAD_ADDRESS;
	say("sendmmsg with a bad second", sendmmsg(fd, batch, 3, 0));
	say("received", recv(udp_server, text, sizeof(text), 0));
	say("sendmmsg none", sendmmsg(fd, batch, 0, 0));
	say("nothing more", recv(udp_server, text, sizeof(text), MSG_DONTWAIT));
}

static void streams(void)
{
	static char large[1 << 20];
	struct iovec part = {large, sizeof(large)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int sv[2], got, status;
	pid_t child;
	long sum = 0;

	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	child = fork();
	if (child == 0) {
		close(sv[1]);
		_exit(sendmsg(sv[0], &message, 0) == (ssize_t)sizeof(large) ? 0 : 1);
	}
	close(sv[0]);
	while ((got = (int)read(sv[1], large, 4096)) > 0)
		sum += got;
	waitpid(child, &status, 0);
	say("a long message is sent whole", status);
	say("and arrives whole", sum);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	fcntl(sv[0], F_SETFL, O_NONBLOCK);
	got = (int)sendmsg(sv[0], &message, 0);
	say("non-blocking sends a part", got > 0 && got < (int)sizeof(large));
	say("then nothing", sendmsg(sv[0], &message, 0));
	close(sv[1]);
	say("EPIPE", sendmsg(sv[0], &message, MSG_NOSIGNAL));
	child = fork();
	if (child == 0) {
		sendmsg(sv[0], &message, 0);
		_exit(0);
	}
	waitpid(child, &status, 0);
	say("SIGPIPE", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

static void rights(void)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS}};
	struct iovec part = {(char[]){"x"}, 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int sv[2], p[2], came = -1;
	char text[8];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
	if (pipe(p) < 0)
		return;
	memcpy(CMSG_DATA(&control.header), &p[1], sizeof(int));
	say("pass a descriptor", sendmsg(sv[0], &message, 0));
	say("take it", recvmsg(sv[1], &message, 0));
	memcpy(&came, CMSG_DATA(&control.header), sizeof(int));
	say("write to it", write(came, "hello", 5));
	say("and read", read(p[0], text, sizeof(text)));
	came = 999;
	memcpy(CMSG_DATA(&control.header), &came, sizeof(int));
	say("pass one that is none", sendmsg(sv[0], &message, 0));
}

static volatile sig_atomic_t rang;

static void ring(int signal)
{
	(void)signal;
	rang++;
}

static void alarm_in(long ms, int flags)
{
	struct sigaction action = {.sa_handler = ring, .sa_flags = flags};
	struct itimerval timer = {.it_value = {ms / 1000, (ms % 1000) * 1000}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void *connect_silently(void *argument)
{
	int fd = tcp();
	struct timeval limit = {1, 0};

	(void)argument;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return (void *)(intptr_t)(connect(fd, (void *)&silent, sizeof(silent)) < 0 ? errno : 0);
}

static void waits(void)
{
	struct timeval limit = {0, 300000};
	long begun = millis(), took;
	pthread_t thread;
	void *result;
	int fd = tcp();

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	say("SO_SNDTIMEO", connect(fd, (void *)&silent, sizeof(silent)));
	took = millis() - begun;
	say("took about 300 ms", took >= 300 && took < 1500);
	alarm_in(200, 0);
	begun = millis();
	say("EINTR without SA_RESTART", connect(tcp(), (void *)&silent, sizeof(silent)));
	took = millis() - begun;
	say("took about 200 ms", took >= 195 && took < 1500);
	say("the handler ran", rang);
	fd = tcp();
	limit = (struct timeval){0, 600000};
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	alarm_in(200, SA_RESTART);
	say("never restarted with a time-out", connect(fd, (void *)&silent, sizeof(silent)));
	fd = tcp();
	/* One more SYN, then the kernel gives up: about three seconds. */
	setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &(int){1}, sizeof(int));
	alarm_in(200, SA_RESTART);
	begun = millis();
	say("restarted with SA_RESTART", connect(fd, (void *)&silent, sizeof(silent)));
	took = millis() - begun;
	say("waited on", took >= 1000 && took < 15000);
	say("the handler ran again", rang);
	pthread_create(&thread, NULL, connect_silently, NULL);
	alarm_in(100, SA_RESTART);
	pthread_join(thread, &result);
	say("a signal for another thread changes nothing", (long)(intptr_t)result);
	say("and is handled", rang);
}

static void binds(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = tcp();

	say("bind", bind(fd, (void *)&any, sizeof(any)));
	say("bind twice", bind(fd, (void *)&any, sizeof(any)));
	any.sin_family = AF_UNSPEC;
	say("bind unspec", bind(tcp(), (void *)&any, sizeof(any)));
	any.sin_family = AF_INET6;
	say("bind v6 on v4", bind(tcp(), (void *)&any, sizeof(any)));
	say("bind short", bind(tcp(), (void *)&any, 8));
	say("bind NULL", bind(tcp(), NULL, 16));
}

static void prepare(const char *address)
{
	socklen_t size = sizeof(listener);
	int fd = tcp(), fd6 = socket(AF_INET6, SOCK_STREAM, 0), unused = tcp();

	listener = closed_port = udp_peer = silent =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	listener6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	if (bind(fd, (void *)&listener, size) || listen(fd, 64) ||
	    getsockname(fd, (void *)&listener, &size))
		perror("listener"), exit(1);
	size = sizeof(listener6);
	if (bind(fd6, (void *)&listener6, size) || listen(fd6, 64) ||
	    getsockname(fd6, (void *)&listener6, &size))
		perror("listener6"), exit(1);
	size = sizeof(closed_port);
	bind(unused, (void *)&closed_port, size);
	getsockname(unused, (void *)&closed_port, &size);
	udp_server = udp();
	bind(udp_server, (void *)&udp_peer, size);
	getsockname(udp_server, (void *)&udp_peer, &size);
	setsockopt(udp_server, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){5, 0},
		   sizeof(struct timeval));
	inet_pton(AF_INET, address, &silent.sin_addr);
	silent.sin_port = htons(9);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	prepare(argv[1]);
	connects();
	sends();
	streams();
	rights();
	binds();
	waits();
	return 0;
}
