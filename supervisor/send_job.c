/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: sendmsg sendto getpeername fcntl */
#include "send_job.h"

#include "crew.h"
#include "notify.h"
#include "request.h"
#include "supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void send_job_init(struct send_job *job)
{
	/* Not memset: the control buffer is large and needs none. */
	job->flags = 0;
	job->stream = job->has_name = job->fast_open = job->charged = false;
	job->aimed = job->paced = job->sealed = false;
	job->held = NULL;
	job->name_size = 0;
	job->control_size = job->n_fds = 0;
	job->path = -1;
	job->timeout_error = EAGAIN;
	job->parts = NULL;
	job->own_parts = NULL;
	job->n_parts = job->total = job->sent = 0;
	job->count_at = 0;
}

void send_job_fini(struct send_job *job)
{
	for (size_t i = 0; i < job->n_fds; i++)
		close(job->fds[i]);
	job->n_fds = 0;
	if (job->path >= 0)
		close(job->path);
	job->path = -1;
	free(job->own_parts);
	job->own_parts = NULL;
	free(job->held);
	job->held = NULL;
}

struct send_job *send_job_keep(struct send_job *job)
{
	size_t size = offsetof(struct send_job, control) + job->control_size;
	struct send_job *kept = malloc(size);
	struct iovec *parts = calloc(job->n_parts ? job->n_parts : 1, sizeof(*parts));

	if (!kept || !parts) {
		free(kept);
		free(parts);
		return NULL;
	}
	if (job->n_parts)
		memcpy(parts, job->parts, job->n_parts * sizeof(*parts));
	memcpy(kept, job, size);
	kept->parts = kept->own_parts = parts;
	job->n_fds = 0;
	job->path = -1;
	job->held = NULL;
	return kept;
}

bool send_job_hold(struct send_job *job, const void *data)
{
	job->held = malloc(job->total ? job->total : 1);
	if (!job->held)
		return false;
	memcpy(job->held, data, job->total);
	return true;
}

void send_job_free(struct send_job *job)
{
	if (!job)
		return;
	send_job_fini(job);
	free(job);
}

/* --- the account --- */

long send_job_charge(struct request *req, struct send_job *job)
{
	struct account_caller caller = request_caller(req);
	enum quota_kind spent = QUOTA_KINDS;
	long rc;

	if (!request_is_udp(req))
		return 0;
	rc = request_count(
	    req, account_may_send(req->sup->account, &caller, job->total, job->datagrams, &spent),
	    &spent);
	job->charged = rc == 0;
	return rc;
}

/* Where a socket is connected that the account does not know: it was forgotten when news was lost. */
static bool aim_anew(struct request *req, const struct account_caller *caller)
{
	struct sockaddr_storage peer = {0};
	struct sockaddr_dest dest;
	socklen_t size = sizeof(peer);

	if (getpeername(req->duplicate, (struct sockaddr *)&peer, &size) < 0 ||
	    sockaddr_read(req->socket.domain, SOCK_DGRAM, SOCKADDR_SEND, &peer, size, &dest) < 0)
		return false;
	account_aimed(req->sup->account, caller, &dest.endpoint);
	return true;
}

void send_job_settle(struct request *req, struct send_job *job, long result)
{
	struct account *account = req->sup->account;
	struct account_caller caller = request_caller(req);
	const struct net_endpoint *to = job->has_name ? &req->dest.endpoint : NULL;

	if (!job->charged)
		return;
	job->charged = false;
	if (!account_sent(account, &caller, to, result, job->total, job->datagrams) &&
	    aim_anew(req, &caller))
		account_sent(account, &caller, NULL, result, job->total, job->datagrams);
}

/* --- sending --- */

/* One sendto(2) or sendmsg(2) of @size bytes at @data, never blocking, never SIGPIPE. */
static ssize_t send_some(struct request *req, struct send_job *job, void *data, size_t size)
{
	int flags = job->flags | MSG_DONTWAIT | MSG_NOSIGNAL | (job->fast_open ? MSG_FASTOPEN : 0);
	struct sockaddr *name = job->has_name ? (struct sockaddr *)&job->name : NULL;
	socklen_t name_size = job->has_name ? job->name_size : 0;
	struct iovec part = {data, size};
	struct msghdr message = {
	    .msg_name = name,
	    .msg_namelen = name_size,
	    .msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = job->control,
	    .msg_controllen = job->control_size,
	};

	/* Control data go with the first byte only, as in the kernel; without them sendto(2) is the quicker way. */
	if (job->control_size == 0 || job->sent > 0)
		return sendto(req->duplicate, data, size, flags, name, name_size);
	return sendmsg(req->duplicate, &message, flags);
}

/*
 * A fast open (MSG_FASTOPEN, or the first send after TCP_FASTOPEN_CONNECT) may only
 * begin to connect; then the data are sent on the connection.
 */
static bool only_began_to_connect(const struct send_job *job, int error)
{
	return job->stream && (error == EINPROGRESS || error == EALREADY);
}

/* Does a blocking socket wait here?  Keeps errno. */
static bool must_wait(const struct request *req, struct send_job *job)
{
	int error = errno;
	bool began = only_began_to_connect(job, error);
	bool wait =
	    (error == EAGAIN || began) && !(job->flags & MSG_DONTWAIT) && request_is_blocking(req);

	errno = error;
	if (!wait)
		return false;
	/* tcp_sendmsg_fastopen() waits as connect does, and with its error when the time is over. */
	job->timeout_error = began ? EINPROGRESS : EAGAIN;
	if (began)
		job->fast_open = job->has_name = false;
	return true;
}

static long failed(struct request *req, struct send_job *job)
{
	int error = errno;

	if (job->sent > 0)
		return (long)job->sent;
	/* Stream sockets raise it unless told not to (sk_stream_error(), unix_stream_sendmsg()). */
	if (error == EPIPE && req->socket.type == SOCK_STREAM && !(job->flags & MSG_NOSIGNAL))
		target_raise(req->tid, SIGPIPE);
	return -error;
}

/* Reads the next bytes of the message.  @room: of worker->buffer. */
static long load(struct crew_worker *worker, struct request *req, struct send_job *job,
		 void *buffer, size_t room)
{
	size_t size = job->total - job->sent;
	int rc;

	if (size > room)
		size = room;
	rc = target_read_vector(req->tid, job->parts, job->n_parts, job->sent, buffer, size);
	if (rc < 0)
		return rc;
	return notify_alive(worker->sup->listener, req->id) ? (long)size : -ESRCH;
}

static long send_chunks(struct crew_worker *worker, struct request *req, struct send_job *job,
			unsigned char *buffer, size_t room, size_t loaded)
{
	size_t at = 0;

	for (;;) {
		ssize_t n;

		if (at == loaded && job->sent < job->total) {
			long rc = load(worker, req, job, buffer, room);

			if (rc < 0)
				return job->sent > 0 ? (long)job->sent : rc;
			loaded = (size_t)rc;
			at = 0;
		}
		n = send_some(req, job, buffer + at, loaded - at);
		if (n < 0 && must_wait(req, job))
			return SEND_WAITS;
		if (n < 0)
			return failed(req, job);
		at += (size_t)n;
		job->sent += (size_t)n;
		job->fast_open = false;
		if (job->stream)
			job->has_name = false;
		if (!job->stream || job->sent >= job->total)
			return (long)job->sent;
	}
}

long send_job_try(struct crew_worker *worker, struct request *req, struct send_job *job,
		  size_t loaded)
{
	unsigned char *large;
	long result;

	if (job->stream || job->total <= CREW_BUFFER_SIZE)
		return send_chunks(worker, req, job, worker->buffer, CREW_BUFFER_SIZE, loaded);
	/* A datagram cannot be cut; larger ones than the buffer are rare (local sockets only). */
	if (job->total > SEND_DATAGRAM_MAX)
		return -EMSGSIZE;
	large = mmap(NULL, job->total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (large == MAP_FAILED)
		return -ENOBUFS;
	result = send_chunks(worker, req, job, large, job->total, 0);
	munmap(large, job->total);
	return result;
}
