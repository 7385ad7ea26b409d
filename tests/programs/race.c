/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that tries to get past a check by changing what was checked.
 *
 *   race MODE PORT TRIES
 *
 * 127.0.0.1:PORT is allowed, 127.0.0.2:PORT is not.  A second thread flips the
 * thing that MODE names between the two while the first one makes the call.
 * Prints "MODE tries=N ok=N denied=N other=N".  Run natively it gets through.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_bool over;
static struct sockaddr_in good, bad;

/* What the two threads fight over. */
static struct sockaddr_in shared_name;
static struct msghdr shared_envelope;
static struct iovec shared_part;
static struct mmsghdr shared_batch[4];
static union {
	struct cmsghdr header;
	char space[CMSG_SPACE(16)];
} shared_control;
static int shared_fd, good_fd, bad_fd;
static char payload[] = "x";

static void flip_address(unsigned int turn)
{
	*(volatile in_addr_t *)&shared_name.sin_addr.s_addr =
	    turn & 1 ? bad.sin_addr.s_addr : good.sin_addr.s_addr;
}

static void flip_family(unsigned int turn)
{
	*(volatile sa_family_t *)&shared_name.sin_family = turn & 1 ? AF_INET : AF_UNSPEC;
}

static void flip_pointer(unsigned int turn)
{
	*(void *volatile *)&shared_envelope.msg_name = turn & 1 ? &bad : &good;
}

static void flip_batch(unsigned int turn)
{
	for (int i = 0; i < 4; i++)
		*(void *volatile *)&shared_batch[i].msg_hdr.msg_name = turn & 1 ? &bad : &good;
}

/* The list of parts grows over the name, and shrinks again. */
static void flip_parts(unsigned int turn)
{
	*(volatile size_t *)&shared_envelope.msg_iovlen = turn & 1 ? 0 : 1;
	flip_pointer(turn);
}

/* IP_TOS is harmless; IP_RETOPTS with a loose source route goes by way of the other host. */
static void flip_control(unsigned int turn)
{
	*(volatile int *)&shared_control.header.cmsg_type = turn & 1 ? IP_RETOPTS : IP_TOS;
	*(volatile size_t *)&shared_control.header.cmsg_len = CMSG_LEN(turn & 1 ? 8 : 1);
}

static void flip_descriptor(unsigned int turn)
{
	dup2(turn & 1 ? bad_fd : good_fd, shared_fd);
}

static void flip_mapping(unsigned int turn)
{
	struct sockaddr_in *page = (struct sockaddr_in *)shared_envelope.msg_name;

	mprotect((void *)((uintptr_t)page & ~4095ul), 4096,
		 turn & 1 ? PROT_NONE : PROT_READ | PROT_WRITE);
	if (!(turn & 1))
		*(volatile in_addr_t *)&page->sin_addr.s_addr =
		    turn & 2 ? bad.sin_addr.s_addr : good.sin_addr.s_addr;
}

/* @rc: what a connect that does not wait has returned.  No socket stays behind in TIME_WAIT. */
static int end_connect(int fd, int rc)
{
	int error = errno;
	struct linger hard = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	errno = error;
	return rc < 0 && error == EINPROGRESS ? 0 : rc;
}

static int try_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int rc = connect(fd, (struct sockaddr *)&shared_name, sizeof(shared_name));

	return end_connect(fd, rc);
}

static int try_connect_udp(void)
{
	int rc = connect(good_fd, (struct sockaddr *)&shared_name, sizeof(shared_name));

	if (rc == 0 && shared_name.sin_family == AF_INET)
		send(good_fd, payload, 1, 0);
	return rc;
}

/* A datagram socket on its way to a place that only TCP may reach, and somebody who sends on it. */
static void flip_nothing_but_send(unsigned int turn)
{
	(void)turn;
	send(shared_fd, payload, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int try_probe(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), rc;

	dup2(fd, shared_fd);
	rc = connect(shared_fd, (struct sockaddr *)&bad, sizeof(bad));
	close(fd);
	return rc;
}

static int try_sendto(void)
{
	return (int)sendto(good_fd, payload, 1, 0, (struct sockaddr *)&shared_name,
			   sizeof(shared_name));
}

static int try_sendmsg(void)
{
	return (int)sendmsg(shared_fd, &shared_envelope, 0);
}

static int try_sendmmsg(void)
{
	return sendmmsg(good_fd, shared_batch, 4, 0);
}

/* The flag makes a connect of it; nothing is sent where fast open is not known for the host. */
static int try_fast_open(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int rc = (int)sendto(fd, payload, 1, MSG_FASTOPEN | MSG_NOSIGNAL,
			     (struct sockaddr *)&shared_name, sizeof(shared_name));

	return end_connect(fd, rc);
}

/* Where only TCP may go: is it a TCP socket that sends there? */
static int try_kind(void)
{
	return (int)sendto(shared_fd, payload, 1, MSG_NOSIGNAL, (struct sockaddr *)&bad,
			   sizeof(bad));
}

static const struct mode {
	const char *name;
	void (*flip)(unsigned int turn);
	int (*attempt)(void);
} modes[] = {
    {"connect-address", flip_address, try_connect},
    {"connect-family", flip_family, try_connect},
    {"connect-udp", flip_address, try_connect_udp},
    {"connect-probe", flip_nothing_but_send, try_probe},
    {"sendto-address", flip_address, try_sendto},
    {"sendmsg-name", flip_pointer, try_sendmsg},
    {"sendmsg-control", flip_control, try_sendmsg},
    {"sendmsg-descriptor", flip_descriptor, try_sendmsg},
    {"sendmsg-mapping", flip_mapping, try_sendmsg},
    {"sendmmsg-name", flip_batch, try_sendmmsg},
    {"sendmsg-parts", flip_parts, try_sendmsg},
    {"fast-open-address", flip_address, try_fast_open},
    {"sendto-kind", flip_descriptor, try_kind},
};

static void *flipper(void *argument)
{
	const struct mode *mode = argument;

	for (unsigned int turn = 0; !atomic_load_explicit(&over, memory_order_relaxed); turn++)
		mode->flip(turn);
	return NULL;
}

static void prepare(const struct mode *mode, int port)
{
	good.sin_family = bad.sin_family = AF_INET;
	good.sin_port = bad.sin_port = htons((unsigned short)port);
	inet_pton(AF_INET, "127.0.0.1", &good.sin_addr);
	inet_pton(AF_INET, "127.0.0.2", &bad.sin_addr);
	shared_name = strstr(mode->name, "family") ? bad : good;
	good_fd = socket(AF_INET, SOCK_DGRAM, 0);
	bad_fd = socket(AF_INET, SOCK_DGRAM, 0);
	shared_fd = dup(good_fd);
	shared_part = (struct iovec){payload, 1};
	shared_envelope = (struct msghdr){.msg_name = &good,
					  .msg_namelen = sizeof(good),
					  .msg_iov = &shared_part,
					  .msg_iovlen = 1};
	for (int i = 0; i < 4; i++)
		shared_batch[i].msg_hdr = shared_envelope;
	if (!strcmp(mode->name, "sendmsg-control")) {
		unsigned char route[] = {0x83, 7, 4, 127, 0, 0, 2, 0};

		shared_control.header.cmsg_level = IPPROTO_IP;
		shared_control.header.cmsg_type = IP_TOS;
		shared_control.header.cmsg_len = CMSG_LEN(8);
		memcpy(CMSG_DATA(&shared_control.header), route, 8);
		shared_envelope.msg_control = &shared_control;
		shared_envelope.msg_controllen = CMSG_SPACE(8);
	}
	if (!strcmp(mode->name, "sendmsg-descriptor")) {
		/* The other descriptor is connected; with a name the good one goes to the good place. */
		connect(bad_fd, (struct sockaddr *)&bad, sizeof(bad));
		shared_envelope.msg_name = NULL;
		connect(good_fd, (struct sockaddr *)&good, sizeof(good));
	}
	if (!strcmp(mode->name, "sendto-kind"))
		good_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (!strcmp(mode->name, "sendmsg-mapping")) {
		shared_envelope.msg_name =
		    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memcpy(shared_envelope.msg_name, &good, sizeof(good));
	}
}

int main(int argc, char **argv)
{
	unsigned long tries = argc == 4 ? strtoul(argv[3], NULL, 10) : 0, ok = 0, denied = 0,
		      other = 0;
	const struct mode *mode = NULL;
	pthread_t thread;

	for (size_t i = 0; argc == 4 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(modes[i].name, argv[1]))
			mode = &modes[i];
	if (!mode) {
		for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
			puts(modes[i].name);
		return argc == 1 ? 0 : 2;
	}
	prepare(mode, atoi(argv[2]));
	pthread_create(&thread, NULL, flipper, (void *)mode);
	for (unsigned long i = 0; i < tries; i++) {
		if (mode->attempt() >= 0)
			ok++;
		else if (errno == EACCES)
			denied++;
		else
			other++;
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	printf("%s tries=%lu ok=%lu denied=%lu other=%lu\n", mode->name, tries, ok, denied, other);
	return 0;
}
