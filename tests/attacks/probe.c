/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A datagram socket may be connected where only TCP may go, to learn a source address;
 * nothing is to leave it then.  Each way to send without naming an address.
 */
#include "attack.h"

#include <linux/aio_abi.h>
#include <netinet/udp.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static int probe(void)
{
	int fd = attack_udp();

	attack_say("connect", attack_connect(fd, FORBIDDEN));
	return fd;
}

static void by_send(void)
{
	int fd = probe();

	attack_say("send", send(fd, "x", 1, 0));
	attack_say("again", send(fd, "x", 1, MSG_DONTWAIT | MSG_DONTROUTE));
	attack_say("nothing", send(fd, NULL, 0, 0));
}

static void by_write(void)
{
	int fd = probe();
	struct iovec part = {(char[]){"x"}, 1};

	attack_say("write", write(fd, "x", 1));
	attack_say("writev", writev(fd, &part, 1));
	attack_say("pwritev2", pwritev2(fd, &part, 1, -1, 0));
}

static void by_message(void)
{
	struct iovec part = {(char[]){"x"}, 1};
	struct mmsghdr batch = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
	int fd = probe();

	attack_say("sendmsg", sendmsg(fd, &batch.msg_hdr, 0));
	attack_say("sendmmsg", sendmmsg(fd, &batch, 1, 0));
}

static void by_sendfile(void)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	attack_say("sendfile", sendfile(probe(), file, NULL, 100));
}

static void by_splice(void)
{
	struct iovec part = {(char[]){"x"}, 1};
	int ends[2], fd = probe();

	if (pipe(ends) < 0 || vmsplice(ends[1], &part, 1, 0) < 0)
		attack_skip("no pipe");
	attack_say("splice", splice(ends[0], NULL, fd, NULL, 1, 0));
}

static void by_aio(void)
{
	int fd = probe();
	struct iocb block = {.aio_fildes = (uint32_t)fd,
			     .aio_lio_opcode = IOCB_CMD_PWRITE,
			     .aio_buf = (uintptr_t) "x",
			     .aio_nbytes = 1};
	struct iocb *list = &block;
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, 1, &context) < 0)
		attack_skip("no asynchronous I/O in this kernel");
	attack_say("io_submit", syscall(SYS_io_submit, context, 1, &list));
}

/* What was begun before the socket was aimed. */
static void corked(void)
{
	int fd = attack_udp(), one = 1;

	setsockopt(fd, IPPROTO_UDP, UDP_CORK, &one, sizeof(one));
	attack_say("connect", attack_connect(fd, FORBIDDEN));
	attack_say("send", send(fd, "x", 1, MSG_MORE));
	attack_say("uncork", setsockopt(fd, IPPROTO_UDP, UDP_CORK, &(int){0}, sizeof(int)));
	attack_say("send", send(fd, "x", 1, 0));
}

static void segmented(void)
{
	int fd = probe(), size = 100;
	char text[300] = "";

	attack_say("UDP_SEGMENT", setsockopt(fd, IPPROTO_UDP, 103, &size, sizeof(size)));
	attack_say("send", send(fd, text, sizeof(text), 0));
}

static void shut_again(void)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int fd = probe();

	attack_say("shutdown", shutdown(fd, SHUT_RD));
	attack_say("disconnect", connect(fd, &none, sizeof(none)));
	attack_say("sendto", attack_sendto(fd, FORBIDDEN, 0));
	attack_say("connect", attack_connect(fd, FORBIDDEN));
	attack_say("send", send(dup(fd), "x", 1, 0));
}

static void over_v6(void)
{
	struct sockaddr_in6 at = attack_v6(FORBIDDEN6);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	attack_say("connect", connect(fd, (void *)&at, sizeof(at)));
	attack_say("send", send(fd, "x", 1, 0));
	attack_say("write", write(fd, "x", 1));
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"send", by_send},         {"write", by_write},      {"message", by_message},
	    {"sendfile", by_sendfile}, {"splice", by_splice},    {"aio", by_aio},
	    {"corked", corked},        {"segmented", segmented}, {"shut_again", shut_again},
	    {"over_v6", over_v6},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
