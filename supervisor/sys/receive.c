/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: recvmsg poll */
/*
 * Receiving on a descriptor inside the window.  A UDP socket is received from by the supervisor,
 * which counts what comes in, and puts it where the program wants it; of any other file the
 * kernel reads.  Nothing is decided here: where datagrams may come from is the kernel's to say.
 */
#include "crew.h"
#include "notify.h"
#include "shared/base/compiler.h"
#include "socket_wait.h"
#include "supervisor.h"
#include "sys/control.h"
#include "sys/dispatch.h"
#include "sys/positioned.h"
#include "sys/send.h"
#include "window.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef UDP_GRO
#define UDP_GRO 104 /* 5.0 */
#endif
/* Control data of one datagram: time-stamps, addresses, an error with the packet that caused it. */
#define CONTROL_MAX 8192

#define RECEIVE_WAITS LONG_MIN

/* Where the parts of one message go in the program. */
struct place {
	struct iovec parts[UIO_MAXIOV];
	size_t n_parts, total;
	uint64_t name, name_size_at; /* 0: it does not ask */
	int name_size;
	uint64_t control;
	size_t control_size;
	uint64_t
	    header; /* of the struct msghdr, whose fields are written as well; 0: there is none */
};

/* One message as it was received; the data are in worker->buffer. */
struct parcel {
	size_t size; /* of the datagram, which may be more than there was room for */
	struct sockaddr_storage name;
	unsigned char control[CONTROL_MAX];
	struct msghdr header;
};

/* --- giving it to the program --- */

/* What is copied out, by pairs of ranges of the same length. */
struct delivery {
	struct iovec local[8], remote[UIO_MAXIOV + 8];
	size_t n_local, n_remote;
};

static void deliver(struct delivery *delivery, uint64_t to, void *data, size_t size)
{
	if (size == 0)
		return;
	delivery->local[delivery->n_local++] = (struct iovec){data, size};
	delivery->remote[delivery->n_remote++] =
	    (struct iovec){(void *)(uintptr_t)to, size}; /* NOLINT: the target's */
}

static void deliver_data(struct delivery *delivery, struct place *place, void *data, size_t size)
{
	size_t left = size;

	if (size == 0)
		return;
	delivery->local[delivery->n_local++] = (struct iovec){data, size};
	for (size_t i = 0; i < place->n_parts && left > 0; i++) {
		size_t n = place->parts[i].iov_len < left ? place->parts[i].iov_len : left;

		delivery->remote[delivery->n_remote++] =
		    (struct iovec){place->parts[i].iov_base, n};
		left -= n;
	}
}

/* net/socket.c, move_addr_to_user(): as much as there is room for, but the length of all of it. */
static void deliver_name(struct delivery *delivery, struct place *place, struct parcel *parcel)
{
	size_t size = parcel->header.msg_namelen;

	if (!place->name)
		return;
	deliver(delivery, place->name, &parcel->name,
		size < (size_t)place->name_size ? size : (size_t)place->name_size);
	deliver(delivery, place->name_size_at, &parcel->header.msg_namelen,
		sizeof(parcel->header.msg_namelen));
}

static int hand_over(struct crew_worker *worker, struct request *req, struct place *place,
		     struct parcel *parcel)
{
	UNINITIALIZED struct delivery delivery; /* filled as far as its counts */
	size_t size = parcel->size < place->total ? parcel->size : place->total;
	struct msghdr *header = &parcel->header;

	delivery.n_local = delivery.n_remote = 0;
	deliver_data(&delivery, place, worker->buffer, size);
	deliver_name(&delivery, place, parcel);
	if (place->header) {
		deliver(&delivery, place->control, parcel->control, header->msg_controllen);
		deliver(&delivery, place->header + offsetof(struct msghdr, msg_controllen),
			&header->msg_controllen, sizeof(header->msg_controllen));
		deliver(&delivery, place->header + offsetof(struct msghdr, msg_flags),
			&header->msg_flags, sizeof(header->msg_flags));
	}
	return target_scatter(req->tid, delivery.local, delivery.n_local, delivery.remote,
			      delivery.n_remote);
}

/* --- receiving --- */

/* With receive offload one message is several datagrams of the size that its control data tell. */
static void count(struct request *req, const struct account_caller *caller, struct parcel *parcel)
{
	struct sockaddr_dest from;
	bool known = parcel->header.msg_namelen > 0 &&
		     sockaddr_read(req->socket.domain, SOCK_DGRAM, SOCKADDR_SEND, &parcel->name,
				   parcel->header.msg_namelen, &from) == 0 &&
		     from.kind == SOCKADDR_IP;
	unsigned int segment =
	    control_segment(parcel->control, parcel->header.msg_controllen, UDP_GRO);
	unsigned int datagrams =
	    segment ? (unsigned int)((parcel->size + segment - 1) / segment) : 1;

	account_received(req->sup->account, caller, known ? &from.endpoint : NULL, parcel->size,
			 datagrams);
}

/*
 * One message, if there is one.  A peek is not counted, for the message stays; nor is what the
 * error queue has, for that was sent.
 * Return: what the call gives for it, or -errno; -EAGAIN: there is none.
 */
static long receive_one(struct crew_worker *worker, struct request *req, struct place *place,
			int flags)
{
	UNINITIALIZED struct parcel parcel; /* recvmsg() and the lines below */
	struct account_caller caller = request_caller(req);
	size_t room = place->total < CREW_BUFFER_SIZE ? place->total : CREW_BUFFER_SIZE;
	struct iovec part = {worker->buffer, room};
	enum quota_kind spent = QUOTA_KINDS;
	ssize_t n;
	int rc = (int)request_count(req, account_may_receive(req->sup->account, &caller, &spent),
				    &spent);

	if (rc < 0)
		return rc;
	parcel.header = (struct msghdr){
	    .msg_name = &parcel.name,
	    .msg_namelen = sizeof(parcel.name),
	    .msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = place->control_size ? parcel.control : NULL,
	    .msg_controllen = place->control_size < CONTROL_MAX ? place->control_size : CONTROL_MAX,
	};
	/* MSG_TRUNC: tell the whole length. */
	n = recvmsg(req->duplicate, &parcel.header, flags | MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0)
		return -errno;
	parcel.size = (size_t)n;
	if (!(flags & (MSG_PEEK | MSG_ERRQUEUE)))
		count(req, &caller, &parcel);
	if (!notify_alive(worker->sup->listener, req->id))
		return -ESRCH;
	if (hand_over(worker, req, place, &parcel) < 0)
		return -EFAULT;
	return flags & MSG_TRUNC || parcel.size < place->total ? (long)parcel.size
							       : (long)place->total;
}

static bool may_wait(const struct request *req, int flags)
{
	return !(flags & (MSG_DONTWAIT | MSG_ERRQUEUE)) && request_is_blocking(req);
}

/*
 * Nothing is there: what a call gives that may wait.  Shut for reading, it is the end of file at
 * once (__skb_wait_for_more_packets()), of which a call that does not wait hears nothing.
 */
static long wait_or_end(const struct request *req)
{
	struct pollfd end = {.fd = req->duplicate, .events = POLLRDHUP};

	return poll(&end, 1, 0) == 1 && (end.revents & POLLRDHUP) ? 0 : RECEIVE_WAITS;
}

/* --- where it goes: the shapes of the calls --- */

static void place_init(struct place *place)
{
	place->n_parts = place->total = 0;
	place->name = place->name_size_at = place->control = place->header = 0;
	place->name_size = 0;
	place->control_size = 0;
}

static int place_vector(struct request *req, struct place *place, uint64_t parts, uint64_t n)
{
	int rc = target_read(req->tid, parts, place->parts, n * sizeof(struct iovec));

	place->n_parts = n;
	return rc < 0 ? rc : send_sum_parts(place->parts, n, &place->total);
}

static void place_buffer(struct place *place, uint64_t buffer, uint64_t size)
{
	place->total = size < LENGTH_MAX ? size : LENGTH_MAX;
	place->parts[0] = (struct iovec){(void *)(uintptr_t)buffer, place->total}; /* NOLINT */
	place->n_parts = 1;
}

/* struct msghdr at @header as the kernel reads it (copy_msghdr_from_user()). */
static int place_header(struct request *req, struct place *place, uint64_t header)
{
	struct msghdr envelope;
	int rc = target_read(req->tid, header, &envelope, sizeof(envelope));

	if (rc < 0)
		return rc;
	if (envelope.msg_name && (int)envelope.msg_namelen < 0)
		return -EINVAL;
	if (envelope.msg_iovlen > UIO_MAXIOV)
		return -EMSGSIZE;
	place->header = header;
	place->name = (uintptr_t)envelope.msg_name;
	place->name_size = (int)envelope.msg_namelen;
	place->name_size_at = header + offsetof(struct msghdr, msg_namelen);
	place->control = (uintptr_t)envelope.msg_control;
	place->control_size = envelope.msg_controllen;
	return place_vector(req, place, (uintptr_t)envelope.msg_iov, envelope.msg_iovlen);
}

/* --- the calls --- */

static long attempt_single(struct crew_worker *worker, struct request *req)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	UNINITIALIZED struct place place; /* place_init() */
	int flags = 0, rc = 0;
	long result;

	place_init(&place);
	switch (req->call.nr) {
	case SYS_recvmsg:
		flags = (int)arg[2];
		rc = place_header(req, &place, arg[1]);
		break;
	case SYS_recvfrom:
		flags = (int)arg[3];
		place_buffer(&place, arg[1], arg[2]);
		place.name = arg[4];
		place.name_size_at = arg[5];
		if (place.name)
			rc = target_read(req->tid, arg[5], &place.name_size, sizeof(int));
		if (rc == 0 && place.name_size < 0)
			rc = -EINVAL;
		break;
	case SYS_read:
		place_buffer(&place, arg[1], arg[2]);
		break;
	default:
		/* A vector, whose flags were looked at before. */
		flags =
		    req->call.nr == SYS_preadv2 && ((int)arg[5] & RWF_NOWAIT) ? MSG_DONTWAIT : 0;
		rc = arg[2] > UIO_MAXIOV ? -EINVAL : place_vector(req, &place, arg[1], arg[2]);
	}
	if (rc < 0)
		return rc;
	/* net/socket.c, sock_read_iter(): reading nothing takes no datagram, receiving nothing does. */
	if (place.total == 0 && req->call.nr != SYS_recvmsg && req->call.nr != SYS_recvfrom)
		return 0;
	result = receive_one(worker, req, &place, flags);
	return result == -EAGAIN && may_wait(req, flags) ? wait_or_end(req) : result;
}

/* Message @i of a recvmmsg.  Return: 0 it came, or -errno. */
static int receive_entry(struct crew_worker *worker, struct request *req, unsigned int i, int flags)
{
	uint64_t at = req->call.args[1] + i * sizeof(struct mmsghdr);
	UNINITIALIZED struct place place; /* place_init() */
	unsigned int length;
	long rc;

	place_init(&place);
	rc = place_header(req, &place, at);
	if (rc == 0)
		rc = receive_one(worker, req, &place, flags);
	if (rc < 0)
		return (int)rc;
	length = (unsigned int)rc;
	return target_write(req->tid, at + offsetof(struct mmsghdr, msg_len), &length,
			    sizeof(length));
}

/*
 * As __sys_recvmmsg(): the time is looked at after each message, and MSG_WAITFORONE waits for
 * the first alone.
 */
static long attempt_many(struct crew_worker *worker, struct request *req)
{
	unsigned int n = (unsigned int)req->call.args[2];
	int flags = (int)req->call.args[3], rc = 0;

	if (n > UIO_MAXIOV)
		n = UIO_MAXIOV;
	while ((unsigned int)req->done < n) {
		bool waits = req->done == 0 || !(flags & MSG_WAITFORONE);

		rc = receive_entry(worker, req, (unsigned int)req->done, flags & ~MSG_WAITFORONE);
		if (rc == -EAGAIN && waits && may_wait(req, flags)) {
			if (wait_or_end(req) == RECEIVE_WAITS)
				return RECEIVE_WAITS;
			rc = 0;
			break;
		}
		if (rc < 0)
			break;
		req->done++;
		if (req->until_ns && clock_now_ns() >= req->until_ns)
			break;
	}
	return req->done > 0 ? req->done : rc;
}

static int read_timeout(struct request *req)
{
	struct timespec timeout;
	int rc;

	if (!req->call.args[4])
		return 0;
	rc = target_read(req->tid, req->call.args[4], &timeout, sizeof(timeout));
	if (rc < 0)
		return rc;
	if (timeout.tv_sec < 0 || timeout.tv_nsec < 0 || timeout.tv_nsec >= 1000000000L)
		return -EINVAL;
	/* As poll_select_set_timeout(): what cannot be counted is for ever. */
	if (timeout.tv_sec < 1000000000L)
		req->until_ns = clock_now_ns() + (uint64_t)timeout.tv_sec * 1000000000u +
				(uint64_t)timeout.tv_nsec;
	return 0;
}

/* What is left of the time is written back. */
static long write_timeout(struct request *req, long result)
{
	uint64_t now = clock_now_ns(), left = req->until_ns > now ? req->until_ns - now : 0;
	struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000u),
				   .tv_nsec = (long)(left % 1000000000u)};

	if (!req->until_ns || result <= 0)
		return result;
	return target_write(req->tid, req->call.args[4], &timeout, sizeof(timeout)) < 0 ? -EFAULT
											: result;
}

static long attempt(struct crew_worker *worker, struct request *req)
{
	long rc;

	if (req->call.nr != SYS_recvmmsg)
		return attempt_single(worker, req);
	rc = attempt_many(worker, req);
	return rc == RECEIVE_WAITS ? rc : write_timeout(req, rc);
}

static void resume_receive(struct crew_worker *worker, struct op *op)
{
	long rc;

	if (!notify_alive(op->req.sup->listener, op->req.id)) {
		op_drop(op);
		return;
	}
	rc = attempt(worker, &op->req);
	if (rc == RECEIVE_WAITS)
		op_wait_again(op, EPOLLIN);
	else
		op_answer(op, rc);
}

static void receive(struct crew_worker *worker, struct request *req)
{
	long rc = attempt(worker, req);

	if (rc == RECEIVE_WAITS)
		op_wait(req, NULL, EPOLLIN, socket_deadline(req->duplicate, SO_RCVTIMEO), EAGAIN,
			resume_receive);
	else
		request_answer(req, rc);
}

void sys_read(struct crew_worker *worker, struct request *req)
{
	if (window_take_udp(worker, req, (int)req->call.args[0]))
		receive(worker, req);
}

void sys_readv(struct crew_worker *worker, struct request *req)
{
	sys_read(worker, req);
}

void sys_recvfrom(struct crew_worker *worker, struct request *req)
{
	sys_read(worker, req);
}

void sys_recvmsg(struct crew_worker *worker, struct request *req)
{
	sys_read(worker, req);
}

void sys_preadv2(struct crew_worker *worker, struct request *req)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	int flags;

	if (!window_take_udp(worker, req, (int)arg[0]))
		return;
	flags = positioned_flags(arg);
	if (flags < 0)
		request_answer(req, flags);
	else
		receive(worker, req);
}

void sys_recvmmsg(struct crew_worker *worker, struct request *req)
{
	int rc;

	if (!window_take_udp(worker, req, (int)req->call.args[0]))
		return;
	rc = read_timeout(req);
	if (rc < 0)
		request_answer(req, rc);
	else
		receive(worker, req);
}
