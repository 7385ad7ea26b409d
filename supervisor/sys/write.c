/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: sendto pread64 lseek poll */
/*
 * Calls that write to a descriptor inside the window without saying where to.  A UDP socket is
 * written to by the supervisor, which counts; any other file by the kernel.
 */
#include "crew.h"
#include "dns_gate.h"
#include "notify.h"
#include "send_job.h"
#include "shared/base/compiler.h"
#include "shared/base/fd.h"
#include "supervisor.h"
#include "sys/dispatch.h"
#include "sys/positioned.h"
#include "sys/send.h"
#include "sys/send_count.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longest datagram of IPv4 and IPv6 alike: what is longer gets EMSGSIZE from the kernel. */
#define DATAGRAM_MAX 65535

void sys_write(struct crew_worker *worker, struct request *req)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	size_t size = arg[2] < LENGTH_MAX ? arg[2] : LENGTH_MAX;
	struct iovec part = {(void *)(uintptr_t)arg[1], size}; /* NOLINT: the target's */

	if (window_take_udp(worker, req, (int)arg[0]))
		send_data(worker, req, &part, 1, size, 0);
}

static void write_vector(struct crew_worker *worker, struct request *req, int flags)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	UNINITIALIZED struct iovec parts[UIO_MAXIOV]; /* target_read() */
	size_t total = 0;
	int rc = arg[2] > UIO_MAXIOV ? -EINVAL : 0;

	if (rc == 0)
		rc = target_read(req->tid, arg[1], parts, arg[2] * sizeof(*parts));
	if (rc == 0)
		rc = send_sum_parts(parts, arg[2], &total);
	/* fs/read_write.c, vfs_writev(): nothing to write is no empty datagram, as it is with write(2). */
	if (rc < 0 || total == 0)
		request_answer(req, rc);
	else
		send_data(worker, req, parts, arg[2], total, flags);
}

void sys_writev(struct crew_worker *worker, struct request *req)
{
	if (window_take_udp(worker, req, (int)req->call.args[0]))
		write_vector(worker, req, 0);
}

void sys_pwritev2(struct crew_worker *worker, struct request *req)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	int flags;

	if (!window_take_udp(worker, req, (int)arg[0]))
		return;
	flags = positioned_flags(arg);
	if (flags < 0)
		request_answer(req, flags);
	else
		write_vector(worker, req, flags);
}

/* --- sendfile --- */

/* What sendfile(2) reads: the program's descriptor, and a position that is the file's or a variable's. */
struct source {
	int file;
	off_t at;
	uint64_t variable; /* 0: the file's own position */
};

static int source_open(struct crew_worker *worker, struct request *req, struct source *source)
{
	struct stat st;

	source->variable = req->call.args[2];
	source->file = target_duplicate(&worker->targets, req->tid, (int)req->call.args[1]);
	if (source->file < 0)
		return source->file;
	if (fstat(source->file, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	if (source->variable)
		return target_read(req->tid, source->variable, &source->at, sizeof(source->at));
	source->at = lseek(source->file, 0, SEEK_CUR);
	return source->at < 0 ? -errno : 0;
}

static int source_advance(struct request *req, struct source *source, ssize_t n)
{
	source->at += n;
	if (source->variable)
		return target_write(req->tid, source->variable, &source->at, sizeof(source->at));
	return lseek(source->file, source->at, SEEK_SET) < 0 ? -errno : 0;
}

/* A full send buffer of UDP empties as fast as the device sends; our threads are few, and do not wait longer. */
static void wait_for_room(struct request *req)
{
	struct pollfd room = {.fd = req->duplicate, .events = POLLOUT};

	if (request_is_blocking(req))
		poll(&room, 1, 500);
}

/* Sends @size bytes of worker->buffer, counted. */
static long send_loaded(struct crew_worker *worker, struct request *req, size_t size)
{
	UNINITIALIZED struct send_job job; /* send_job_init() */
	long rc;

	send_job_init(&job);
	job.flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	job.total = size;
	wait_for_room(req);
	rc = send_counted(worker, req, &job, size);
	send_job_settle(req, &job, rc);
	return rc;
}

/* The kernel corks what one call takes from the file into one datagram (splice_to_socket()). */
static long send_file(struct crew_worker *worker, struct request *req, struct source *source)
{
	size_t count = req->call.args[3];
	ssize_t n;
	int rc = source_open(worker, req, source);

	/* Programs fall back to write(2), where a question is judged. */
	if (rc == 0 && dns_gate_judges(req->sup->dns))
		return -EINVAL;
	if (rc < 0)
		return rc;
	n = pread(source->file, worker->buffer, count > DATAGRAM_MAX ? DATAGRAM_MAX : count,
		  source->at);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	if (!notify_alive(req->sup->listener, req->id))
		return -ESRCH;
	n = send_loaded(worker, req, (size_t)n);
	if (n < 0)
		return n;
	rc = source_advance(req, source, n);
	return rc < 0 ? rc : n;
}

void sys_sendfile(struct crew_worker *worker, struct request *req)
{
	struct source source = {.file = -1};
	long rc;

	if (!window_take_udp(worker, req, (int)req->call.args[0]))
		return;
	rc = send_file(worker, req, &source);
	fd_close(&source.file);
	request_answer(req, rc);
}

/* From a pipe, whose bytes we could not put back if they did not go out: programs fall back to write(2). */
void sys_splice(struct crew_worker *worker, struct request *req)
{
	if (window_take_udp(worker, req, (int)req->call.args[2]))
		request_answer(req, -EINVAL);
}
