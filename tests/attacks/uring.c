/* SPDX-License-Identifier: Apache-2.0 */
/* io_uring: operations that pass no filter. */
#include "attack.h"

#include <linux/io_uring.h>
#include <sys/mman.h>

#define OP_SOCKET 45 /* linux/io_uring.h, 5.19 */
#define OP_SEND_ZC 47
#define OP_SENDMSG_ZC 48

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *sqes;
};

static struct ring ring_open(unsigned int flags)
{
	struct ring ring = {.params = {.flags = flags, .sq_thread_idle = 100}};

	ring.fd = (int)syscall(SYS_io_uring_setup, 4, &ring.params);
	if (!attack_say("io_uring_setup", ring.fd))
		exit(0);
	ring.rings = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
	ring.sqes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQES);
	return ring;
}

/* Submits one entry and waits for its end. */
static int ring_do(struct ring *ring, const struct io_uring_sqe *sqe)
{
	const struct io_sqring_offsets *sq = &ring->params.sq_off;
	const struct io_cqring_offsets *cq = &ring->params.cq_off;
	unsigned int *tail = (unsigned int *)(void *)(ring->rings + sq->tail);
	unsigned int *head = (unsigned int *)(void *)(ring->rings + cq->head);
	unsigned int mask = *(unsigned int *)(void *)(ring->rings + sq->ring_mask);
	const struct io_uring_cqe *cqe;

	ring->sqes[*tail & mask] = *sqe;
	((unsigned int *)(void *)(ring->rings + sq->array))[*tail & mask] = *tail & mask;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 1,
		    IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, NULL, 0) < 0)
		return -errno;
	cqe = (const struct io_uring_cqe *)(const void *)(ring->rings + cq->cqes) +
	      (*head & (ring->params.cq_entries - 1));
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	printf("result %d\n", cqe->res);
	return cqe->res;
}

static void connect_on(struct ring *ring, int fd)
{
	struct sockaddr_in at = attack_v4(FORBIDDEN);
	struct io_uring_sqe sqe = {
	    .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)&at, .off = sizeof(at)};

	ring_do(ring, &sqe);
}

static void by_connect(void)
{
	struct ring ring = ring_open(0);

	connect_on(&ring, attack_tcp());
}

static void by_poller(void)
{
	struct ring ring = ring_open(IORING_SETUP_SQPOLL);

	connect_on(&ring, attack_tcp());
}

static void by_socket(void)
{
	struct ring ring = ring_open(0);
	struct io_uring_sqe sqe = {.opcode = OP_SOCKET, .fd = AF_INET, .off = SOCK_STREAM};
	int fd = ring_do(&ring, &sqe);

	if (fd >= 0)
		connect_on(&ring, fd);
}

static void message(int opcode)
{
	struct sockaddr_in at = attack_v4(FORBIDDEN);
	struct iovec part = {(char[]){"x"}, 1};
	struct msghdr envelope = {&at, sizeof(at), &part, 1, NULL, 0, 0};
	struct ring ring = ring_open(0);
	struct io_uring_sqe sqe = {
	    .opcode = (uint8_t)opcode, .fd = attack_udp(), .addr = (uintptr_t)&envelope, .len = 1};

	ring_do(&ring, &sqe);
}

static void by_message(void)
{
	message(IORING_OP_SENDMSG);
}

static void by_message_zc(void)
{
	message(OP_SENDMSG_ZC);
}

static void by_send(void)
{
	struct sockaddr_in at = attack_v4(FORBIDDEN);
	struct ring ring = ring_open(0);
	struct io_uring_sqe sqe = {.opcode = OP_SEND_ZC,
				   .fd = attack_udp(),
				   .addr = (uintptr_t) "x",
				   .len = 1,
				   .off = (uintptr_t)&at};

	/* addr_len lies where older headers have the splice descriptor. */
	sqe.splice_fd_in = sizeof(at);
	ring_do(&ring, &sqe);
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"connect", by_connect}, {"poller", by_poller}, {"socket", by_socket},
	    {"message", by_message}, {"send", by_send},     {"message_zc", by_message_zc},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
