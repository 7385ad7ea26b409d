/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: getsockopt geteuid */
#include "sys/send.h"
#include "crew.h"
#include "dns_gate.h"
#include "net/dns_message.h"
#include "net/names.h"
#include "notify.h"
#include "send_job.h"
#include "shared/base/compiler.h"
#include "socket_wait.h"
#include "supervisor.h"
#include "sys/dispatch.h"
#include "sys/netlink.h"
#include "sys/question.h"
#include "sys/send_control.h"
#include "sys/send_count.h"
#include "sys/unix_path.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a send has read of the program, before anything is decided. */
struct message {
	unsigned char name[SOCKADDR_MAX];
	size_t name_size;
	bool has_name;
	struct iovec parts[UIO_MAXIOV];
	size_t n_parts;
	size_t loaded; /* bytes of the data in worker->buffer */
	struct send_job job;
};

/* --- deciding --- */

static int decide_ip(struct request *req, struct message *message)
{
	struct send_job *job = &message->job;
	bool tcp = req->socket.type == SOCK_STREAM;
	int rc;

	/* TCP looks at an address only to open fast (tcp_sendmsg_locked()); then it is a connect. */
	job->fast_open = tcp && (job->flags & MSG_FASTOPEN);
	job->flags &= ~MSG_FASTOPEN;
	/* Without a name a fast open goes nowhere new; the kernel knows which error that is. */
	if ((tcp && !job->fast_open) || !message->has_name)
		return 0;
	rc = sockaddr_read(req->socket.domain, req->socket.type,
			   tcp ? SOCKADDR_CONNECT : SOCKADDR_SEND, message->name,
			   message->name_size, &req->dest);
	if (rc < 0 || req->dest.kind == SOCKADDR_NONE)
		return rc;
	if (req->dest.kind == SOCKADDR_DISCONNECT)
		return -EOPNOTSUPP;
	job->has_name = true;
	job->name_size = sockaddr_build(req->socket.domain, &req->dest, &job->name);
	return request_decide(req, tcp ? TRANSPORT_TCP : TRANSPORT_UDP);
}

static int decide_unix(struct request *req, struct message *message)
{
	struct send_job *job = &message->job;
	int rc;

	/* Only root's programs can have become somebody else; then ours are not their credentials. */
	if (geteuid() == 0 && !unix_has_our_uid(req->tid))
		return (int)request_deny(req, EPERM, req->sup->plan->unix_sockets.loc,
					 "a local message would carry the supervisor's user id");
	/* Sent by us, it would carry our process id as well. */
	if (unix_is_ours(req->duplicate))
		return (int)request_deny(req, EACCES, req->sup->plan->unix_sockets.loc,
					 "a supervisor's socket");
	if (!message->has_name)
		return 0;
	if (req->socket.type == SOCK_STREAM)
		return -EISCONN;
	rc = unix_path_check(req, message->name, message->name_size, &job->name, &job->name_size);
	if (rc < 0)
		return rc;
	job->path = rc;
	job->has_name = true;
	return 0;
}

static int decide_netlink(struct crew_worker *worker, struct request *req, struct message *message)
{
	struct send_job *job = &message->job;

	if (message->has_name && !netlink_to_kernel(message->name, message->name_size))
		return (int)request_deny(req, EPERM, req->sup->plan->netlink.loc,
					 "netlink to others than the kernel");
	if (message->loaded != job->total || !netlink_is_read_only(worker->buffer, message->loaded))
		return (int)request_deny(req, EPERM, req->sup->plan->netlink.loc,
					 "only RTM_GET* messages pass");
	if (message->has_name) {
		memcpy(&job->name, message->name, message->name_size);
		job->name_size = (socklen_t)message->name_size;
		job->has_name = true;
	}
	/* The data were judged: they must not be read a second time, so it never waits. */
	job->flags |= MSG_DONTWAIT;
	return 0;
}

/* Return: 0 go on; -errno; 1 a name must be looked up first. */
static int decide(struct crew_worker *worker, struct request *req, struct message *message)
{
	switch (req->socket.domain) {
	case AF_INET:
	case AF_INET6:
		return decide_ip(req, message);
	case AF_UNIX:
		return decide_unix(req, message);
	case AF_NETLINK:
		return decide_netlink(worker, req, message);
	default:
		return (int)request_deny(req, EACCES, (struct source_loc){.file = PLAN_BUILTIN},
					 "address family");
	}
}

/* --- acting --- */

static void resume_send(struct crew_worker *worker, struct op *op);

/* Writes msg_len for sendmmsg and turns a byte count into a message count. */
static long count_message(struct request *req, const struct send_job *job, long result)
{
	unsigned int length = (unsigned int)result;

	if (!job->count_at || result < 0)
		return result;
	return target_write(req->tid, job->count_at, &length, sizeof(length)) < 0 ? -EFAULT : 1;
}

/* What waited for a name goes on: decided anew, and a question is looked at.  Return: as question_look(). */
static int go_on(struct crew_worker *worker, struct op *op, size_t *loaded)
{
	struct request *req = &op->req;
	struct send_job *job = op->job;
	uint32_t name;
	int rc;

	if (op->late && !job->paced)
		return (int)request_deny_late(req);
	if (job->held) {
		memcpy(worker->buffer, job->held, job->total);
		*loaded = job->total;
	}
	if (job->paced)
		return 0;
	rc = request_decide(req, req->socket.type == SOCK_STREAM ? TRANSPORT_TCP : TRANSPORT_UDP);
	if (rc == 0)
		rc = question_look(worker, req, job, *loaded, &name);
	else if (rc == 1)
		name = req->verdict.name;
	if (rc != 1)
		return rc;
	if (req->verdict.kind == VERDICT_ALLOW) {
		job->paced = true;
		op->deadline_ns = clock_now_ns() + QUESTION_PACE_NS;
	}
	op_wait_again_name(op, name);
	return 1;
}

static void resume_send(struct crew_worker *worker, struct op *op)
{
	bool waited_for_name = op->events == 0;
	size_t loaded = 0, before = op->job->sent;
	long result = 0;

	if (!notify_alive(op->req.sup->listener, op->req.id)) {
		op_drop(op);
		return;
	}
	if (waited_for_name)
		result = go_on(worker, op, &loaded);
	if (result == 1)
		return;
	if (result == 0) {
		/* What waited for a name was not sent yet. */
		result = waited_for_name ? send_counted(worker, &op->req, op->job, loaded)
					 : send_job_try(worker, &op->req, op->job, 0);
		if (result == SEND_WAITS) {
			if (waited_for_name)
				op->deadline_ns = socket_deadline(op->req.duplicate, SO_SNDTIMEO);
			/* Writable, and yet nothing goes: a full receiver behind a local name. */
			op->by_time = !waited_for_name && op->job->sent == before;
			op->timeout_error = op->job->timeout_error;
			op_wait_again(op, EPOLLOUT);
			return;
		}
		send_job_settle(&op->req, op->job, result);
		result = count_message(&op->req, op->job, result);
	}
	op_answer(op, result);
}

/*
 * Moves the message to the heap and lets the loop wait for the socket, or for @name.
 * @held: a datagram that keeps its bytes, NULL: anything else
 */
static void wait_for(struct request *req, struct send_job *job, uint32_t name, const void *held)
{
	struct send_job *kept = held && !send_job_hold(job, held) ? NULL : send_job_keep(job);

	if (!kept) {
		send_job_settle(req, job, -ENOBUFS);
		send_job_fini(job);
		request_answer(req, -ENOBUFS);
		return;
	}
	if (name == NAMES_NONE)
		op_wait(req, kept, EPOLLOUT, socket_deadline(req->duplicate, SO_SNDTIMEO),
			kept->timeout_error, resume_send);
	else
		op_wait_name(req, kept, name,
			     clock_now_ns() + (kept->paced ? QUESTION_PACE_NS : REQUEST_NAMES_NS),
			     resume_send);
}

/* A question that waits for where it goes must be the same when it is looked at. */
static const void *held_bytes(const struct crew_worker *worker, struct request *req,
			      struct message *message)
{
	bool keeps = req->sup->dns && request_is_udp(req) && req->dest.endpoint.port == DNS_PORT &&
		     message->loaded == message->job.total;

	if (keeps && dns_gate_judges(req->sup->dns))
		keeps = question_seal(req, &message->job);
	return keeps ? worker->buffer : NULL;
}

/*
 * Zero copy would pin our memory, not the program's.  Without SO_ZEROCOPY the kernel takes no notice
 * of the flag.  With it the program waits for a message on the error queue that it may use its
 * memory again, which would never come: it is told that no memory can be pinned, and copies.
 */
static int refuse_zero_copy(struct request *req, struct send_job *job)
{
	int wanted = 0;
	socklen_t size = sizeof(wanted);

	if (!(job->flags & MSG_ZEROCOPY))
		return 0;
	job->flags &= ~MSG_ZEROCOPY;
	if (job->total == 0 ||
	    getsockopt(req->duplicate, SOL_SOCKET, SO_ZEROCOPY, &wanted, &size) < 0 || !wanted)
		return 0;
	return -ENOBUFS;
}

#define SEND_IS_WAITING LONG_MIN
/* Of sendmmsg: a message of which only a part has gone, behind which none may follow. */
#define SENT_THE_LAST 2

/*
 * Decides and sends one message that was read completely.
 * @may_wait: false for later messages of a sendmmsg: it then ends before this one
 * Return: result for the program, or SEND_IS_WAITING: @req was handed on.
 */
static long carry_out(struct crew_worker *worker, struct request *req, struct message *message,
		      bool may_wait)
{
	struct send_job *job = &message->job;
	uint32_t name = NAMES_NONE;
	long rc;

	job->parts = message->parts;
	job->n_parts = message->n_parts;
	job->stream = req->socket.type == SOCK_STREAM;
	rc = refuse_zero_copy(req, job);
	if (rc == 0)
		rc = send_check_control(worker, req, job);
	if (rc == 0)
		rc = decide(worker, req, message);
	if (rc == 1 && may_wait) {
		wait_for(req, job, req->verdict.name, held_bytes(worker, req, message));
		return SEND_IS_WAITING;
	}
	if (rc == 0)
		rc = question_look(worker, req, job, message->loaded, &name);
	if (rc == 1 && may_wait) {
		job->paced = true;
		wait_for(req, job, name, worker->buffer);
		return SEND_IS_WAITING;
	}
	if (rc == 1)
		rc = -EAGAIN;
	if (rc == 0)
		rc = send_counted(worker, req, job, message->loaded);
	if (rc == SEND_WAITS && may_wait) {
		wait_for(req, job, NAMES_NONE, NULL);
		return SEND_IS_WAITING;
	}
	/* Later messages of a sendmmsg cannot wait: what has gone of this one is told, and the call ends. */
	if (rc == SEND_WAITS)
		rc = job->sent ? (long)job->sent : -EAGAIN;
	send_job_settle(req, job, rc);
	rc = count_message(req, job, rc);
	if (rc == 1 && job->count_at && job->sent < job->total)
		rc = SENT_THE_LAST;
	send_job_fini(job);
	return rc;
}

/* --- reading --- */

static void message_init(struct message *message)
{
	message->name_size = 0;
	message->has_name = false;
	message->n_parts = 0;
	message->loaded = 0;
	send_job_init(&message->job);
}

/* The first bytes of the data; the rest, of a stream, is read when these are sent. */
static int load_data(struct crew_worker *worker, struct request *req, struct message *message)
{
	size_t total = message->job.total;
	size_t size = total < CREW_BUFFER_SIZE ? total : CREW_BUFFER_SIZE;
	int rc;

	/* Longer datagrams are refused or read elsewhere (send_job_try()). */
	if (req->socket.type != SOCK_STREAM && size < total)
		return 0;
	rc =
	    target_read_vector(req->tid, message->parts, message->n_parts, 0, worker->buffer, size);
	if (rc == 0)
		message->loaded = size;
	return rc;
}

static int read_name(struct request *req, uint64_t address, size_t size, struct message *message)
{
	message->has_name = true;
	message->name_size = size;
	return target_read(req->tid, address, message->name, size);
}

/* Name and data of a sendto with one read. */
static int read_both(struct crew_worker *worker, struct request *req, struct message *message,
		     int name_size)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	size_t size = message->job.total;
	int rc;

	if (name_size < 0 || name_size > SOCKADDR_MAX)
		return -EINVAL;
	if (size > CREW_BUFFER_SIZE) {
		rc = read_name(req, arg[4], (size_t)name_size, message);
		return rc < 0 ? rc : load_data(worker, req, message);
	}
	message->has_name = true;
	message->name_size = (size_t)name_size;
	message->loaded = size;
	return target_read_both(req->tid, arg[4], message->name, (size_t)name_size, arg[1],
				worker->buffer, size);
}

/* Read, unless @rc < 0: now it is carried out and answered. */
static void finish(struct crew_worker *worker, struct request *req, struct message *message,
		   long rc)
{
	if (rc == 0 && !notify_alive(req->sup->listener, req->id)) {
		request_drop(req);
		return;
	}
	if (rc == 0)
		rc = carry_out(worker, req, message, true);
	if (rc != SEND_IS_WAITING)
		request_answer(req, rc);
}

void send_data(struct crew_worker *worker, struct request *req, const struct iovec *parts, size_t n,
	       size_t total, int flags)
{
	UNINITIALIZED struct message message; /* message_init() */
	long rc;

	message_init(&message);
	memcpy(message.parts, parts, n * sizeof(*parts));
	message.n_parts = n;
	message.job.total = total;
	message.job.flags = flags;
	rc = load_data(worker, req, &message);
	finish(worker, req, &message, rc);
}

void sys_sendto(struct crew_worker *worker, struct request *req)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	UNINITIALIZED struct message message; /* message_init() */
	uint64_t size = arg[2] < LENGTH_MAX ? arg[2] : LENGTH_MAX;
	long rc = request_take_socket(worker, req, (int)arg[0]);

	message_init(&message);
	message.parts[0] = (struct iovec){(void *)(uintptr_t)arg[1], size}; /* NOLINT */
	message.n_parts = 1;
	message.job.total = size;
	message.job.flags = (int)arg[3];
	if (rc == 0)
		rc = arg[4] ? read_both(worker, req, &message, (int)arg[5])
			    : load_data(worker, req, &message);
	finish(worker, req, &message, rc);
}

/* struct msghdr as the kernel reads it (____sys_sendmsg(), copy_msghdr_from_user()). */
static int read_envelope(struct request *req, const struct msghdr *envelope,
			 struct message *message)
{
	int name_size = (int)envelope->msg_namelen;
	int rc;

	if (envelope->msg_name && name_size < 0)
		return -EINVAL;
	if (name_size > SOCKADDR_MAX)
		name_size = SOCKADDR_MAX;
	if (envelope->msg_name && name_size > 0) {
		rc = read_name(req, (uintptr_t)envelope->msg_name, (size_t)name_size, message);
		if (rc < 0)
			return rc;
	}
	if (envelope->msg_iovlen > UIO_MAXIOV)
		return -EMSGSIZE;
	message->n_parts = envelope->msg_iovlen;
	rc = target_read(req->tid, (uintptr_t)envelope->msg_iov, message->parts,
			 message->n_parts * sizeof(struct iovec));
	if (rc < 0)
		return rc;
	if (envelope->msg_controllen == 0)
		return 0;
	if (envelope->msg_controllen > SEND_CONTROL_MAX)
		return -ENOBUFS;
	message->job.control_size = envelope->msg_controllen;
	return target_read(req->tid, (uintptr_t)envelope->msg_control, message->job.control,
			   envelope->msg_controllen);
}

int send_sum_parts(struct iovec *parts, size_t n, size_t *total)
{
	*total = 0;
	for (size_t i = 0; i < n; i++) {
		if ((ssize_t)parts[i].iov_len < 0)
			return -EINVAL;
		if (parts[i].iov_len > LENGTH_MAX - *total)
			parts[i].iov_len = LENGTH_MAX - *total;
		*total += parts[i].iov_len;
	}
	return 0;
}

/*
 * Reads and carries out the message whose struct msghdr lies at @address.
 * @count_at: where sendmmsg wants the length, or 0
 */
static long send_message(struct crew_worker *worker, struct request *req, uint64_t address,
			 int flags, uint64_t count_at, bool may_wait)
{
	struct msghdr envelope;
	UNINITIALIZED struct message message; /* message_init() */
	long rc;

	message_init(&message);
	if (flags & 0x80000000u) /* MSG_CMSG_COMPAT */
		return -EINVAL;
	rc = target_read(req->tid, address, &envelope, sizeof(envelope));
	if (rc == 0)
		rc = read_envelope(req, &envelope, &message);
	if (rc == 0)
		rc = send_sum_parts(message.parts, message.n_parts, &message.job.total);
	message.job.flags = flags;
	message.job.count_at = count_at;
	if (rc == 0)
		rc = load_data(worker, req, &message);
	if (rc == 0 && !notify_alive(req->sup->listener, req->id))
		rc = -ESRCH; /* nobody is there to hear it */
	return rc == 0 ? carry_out(worker, req, &message, may_wait) : rc;
}

void sys_sendmsg(struct crew_worker *worker, struct request *req)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	long rc = request_take_socket(worker, req, (int)arg[0]);

	if (rc == 0)
		rc = send_message(worker, req, arg[1], (int)arg[2], 0, true);
	if (rc != SEND_IS_WAITING)
		request_answer(req, rc);
}

/*
 * Message by message.  The first may wait; a later one that would have to ends the
 * call with the number sent so far, as the man page allows ("fewer than vlen").
 */
void sys_sendmmsg(struct crew_worker *worker, struct request *req)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	unsigned int n = (unsigned int)arg[2], sent = 0;
	long rc = request_take_socket(worker, req, (int)arg[0]);

	if (n > UIO_MAXIOV)
		n = UIO_MAXIOV;
	while (rc == 0 && sent < n) {
		uint64_t at = arg[1] + sent * sizeof(struct mmsghdr);

		rc = send_message(worker, req, at, (int)arg[3],
				  at + offsetof(struct mmsghdr, msg_len), sent == 0);
		if (rc == SEND_IS_WAITING)
			return;
		if (rc < 0)
			break;
		sent++;
		if (rc == SENT_THE_LAST)
			break;
		rc = 0;
	}
	request_answer(req, sent ? (long)sent : rc);
}
