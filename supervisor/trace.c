/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: openat write fcntl */
/*
 * The trace's queue and its writer thread.
 *
 * The queue is two buffers.  Producers append whole lines to one; the writer
 * takes it by exchanging it with the other, empty one, and writes it out without
 * the lock.  So the lock is held for a memcpy at most, lines never wrap, and a
 * reader that stands still fills one buffer and then costs records, not time.
 *
 * A record that finds the buffer full is lost, and so is every later one until
 * the writer exchanges the buffers.  So the place in the stream where records
 * are missing is exactly behind the buffer's last line, and the writer puts the
 * note there.  Records that the kernel refuses to write (ENOSPC) are missing in
 * front of the next line that works.
 *
 * Nothing is done in time slices: an idle writer sleeps on the condition.
 */
#include "trace.h"

#include "shared/base/fd.h"
#include "trace_line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RING_DEFAULT (1024 * 1024)
#define WRITER_STACK (64 * 1024)
#define CLOSE_MS 1000

struct buffer {
	char *bytes;
	size_t used;
	uint64_t lines;
};

struct trace {
	enum trace_format format;
	char *app; /* own copy, or NULL */
	int fd;
	bool fd_is_own;
	size_t room; /* of each buffer */
	atomic_ullong seq;
	atomic_bool dead; /* nobody can read any more: EPIPE, EBADF */

	pthread_t writer;
	pthread_mutex_t lock;  /* protects what follows */
	pthread_cond_t wanted; /* the writer waits: there is something to write, or .stop */
	pthread_cond_t
	    drained; /* trace_flush() and trace_close() wait: .written moved, or .ended */
	struct buffer fill;
	uint64_t lost;    /* records that found .fill full */
	uint64_t queued;  /* lines, since the beginning */
	uint64_t written; /* of .queued: written out or given up */
	bool stop, ended, orphaned;

	/* The writer's own. */
	struct buffer drain;
	uint64_t missing;          /* refused by the kernel or lost, not yet reported */
	char rest[TRACE_LINE_MAX]; /* end of a line of which the kernel took only the beginning */
	size_t rest_size;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t trace_next_seq(struct trace *trace)
{
	return atomic_fetch_add_explicit(&trace->seq, 1, memory_order_relaxed) + 1;
}

/* --- the writer --- */

static bool writer_wait_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	/* An error shows in the next write(2). */
	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

/* Write all of @bytes.  Return: how many were written; less only with errno set. */
static size_t writer_write(struct trace *trace, const char *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(trace->fd, bytes + done, size - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN && writer_wait_writable(trace->fd))
			continue;
		else if (errno != EINTR)
			break;
	}
	if (done < size && (errno == EPIPE || errno == EBADF))
		atomic_store(&trace->dead, true);
	return done;
}

static uint64_t count_lines(const char *bytes, size_t size)
{
	uint64_t lines = 0;
	const char *end = bytes + size;

	while (bytes < end && (bytes = memchr(bytes, '\n', (size_t)(end - bytes)))) {
		bytes++;
		lines++;
	}
	return lines;
}

/* Write whole lines, at most PIPE_BUF bytes.  What was refused is counted, but for a line that has begun: its end is kept. */
static bool writer_write_lines(struct trace *trace, const char *bytes, size_t size)
{
	size_t done = writer_write(trace, bytes, size), end = done;

	if (done == size)
		return true;
	if (done > 0 && bytes[done - 1] != '\n') {
		end = (size_t)((const char *)memchr(bytes + done, '\n', size - done) + 1 - bytes);
		trace->rest_size = end - done;
		memcpy(trace->rest, bytes + done, trace->rest_size);
	}
	trace->missing += count_lines(bytes + end, size - end);
	return false;
}

/* What failed before goes first.  Return: true when nothing is left of it. */
static bool writer_catch_up(struct trace *trace)
{
	char line[256 + TRACE_APP_MAX];
	struct trace_event event = {
	    .kind = TRACE_EVENT_LOST,
	    .realtime_ns = now_ns(),
	    .app = trace->app,
	    .lost = trace->missing,
	};
	size_t size;

	if (trace->rest_size > 0) {
		size_t done = writer_write(trace, trace->rest, trace->rest_size);

		trace->rest_size -= done;
		memmove(trace->rest, trace->rest + done, trace->rest_size);
		if (trace->rest_size > 0)
			return false;
	}
	if (!trace->missing)
		return true;
	event.seq = trace_next_seq(trace);
	size = trace->format == TRACE_JSON ? trace_json_event(line, sizeof(line), &event)
					   : trace_text_event(line, sizeof(line), &event);
	if (writer_write_lines(trace, line, size)) {
		trace->missing = 0;
		return true;
	}
	/* The note itself is no record; one that has begun is finished later. */
	trace->missing = trace->rest_size > 0 ? 0 : event.lost;
	return false;
}

/* The largest run of whole lines within PIPE_BUF, which pipe(7) writes in one piece. */
static size_t chunk_size(const char *bytes, size_t size)
{
	const char *newline;

	if (size <= PIPE_BUF)
		return size;
	newline = memrchr(bytes, '\n', PIPE_BUF);
	return (size_t)(newline - bytes) + 1;
}

/* Write out .drain and report the @lost records behind it. */
static void writer_drain(struct trace *trace, uint64_t lost)
{
	const char *bytes = trace->drain.bytes;
	size_t left = trace->drain.used;
	bool works = !trace->dead && writer_catch_up(trace);

	while (works && left > 0) {
		size_t size = chunk_size(bytes, left);

		works = writer_write_lines(trace, bytes, size);
		bytes += size;
		left -= size;
	}
	trace->missing += count_lines(bytes, left) + lost;
	if (works && lost)
		writer_catch_up(trace);
	trace->drain.used = 0;
	trace->drain.lines = 0;
}

static void trace_free(struct trace *trace)
{
	if (trace->fd_is_own)
		fd_close(&trace->fd);
	pthread_cond_destroy(&trace->wanted);
	pthread_cond_destroy(&trace->drained);
	pthread_mutex_destroy(&trace->lock);
	free(trace->fill.bytes);
	free(trace->drain.bytes);
	free(trace->app);
	free(trace);
}

/* With the lock held: take what is queued, write it without the lock. */
static void writer_turn(struct trace *trace)
{
	struct buffer taken = trace->fill;
	uint64_t lost = trace->lost;

	trace->fill = trace->drain;
	trace->drain = taken;
	trace->lost = 0;
	pthread_mutex_unlock(&trace->lock);
	writer_drain(trace, lost);
	pthread_mutex_lock(&trace->lock);
	trace->written += taken.lines;
	pthread_cond_broadcast(&trace->drained);
}

static void *writer_main(void *argument)
{
	struct trace *trace = argument;
	bool orphaned;

	pthread_mutex_lock(&trace->lock);
	while (!trace->dead && (!trace->stop || trace->fill.lines > 0)) {
		if (trace->fill.lines > 0)
			writer_turn(trace);
		else
			pthread_cond_wait(&trace->wanted, &trace->lock);
	}
	pthread_mutex_unlock(&trace->lock);
	if (!trace->dead)
		writer_catch_up(trace); /* the last chance for what the kernel refused */
	pthread_mutex_lock(&trace->lock);
	trace->ended = true;
	pthread_cond_broadcast(&trace->drained);
	orphaned = trace->orphaned;
	pthread_mutex_unlock(&trace->lock);
	if (orphaned)
		trace_free(trace);
	return NULL;
}

static int writer_start(struct trace *trace)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int error;

	error = pthread_attr_init(&attr);
	if (error)
		return -error;
	pthread_attr_setstacksize(&attr, WRITER_STACK);
	/*
	 * Signals belong to the event loop.  Blocked here, SIGPIPE, SIGXFSZ and
	 * SIGTTOU are mere errnos of write(2), or nothing.
	 */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&trace->writer, &attr, writer_main, trace);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -error;
}

/* --- opening --- */

static int trace_open_file(struct trace *trace, const char *path)
{
	trace->fd = STDERR_FILENO;
	if (!path)
		return 0;
	trace->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	if (trace->fd < 0)
		return -errno;
	trace->fd_is_own = true;
	return 0;
}

static int trace_init(struct trace *trace, const struct trace_config *config)
{
	pthread_condattr_t monotonic;
	int error;

	trace->format = config->format;
	trace->room = (config->ring_size ? config->ring_size : RING_DEFAULT) / 2;
	if (trace->room < TRACE_LINE_MAX)
		trace->room = TRACE_LINE_MAX;
	trace->fill.bytes = malloc(trace->room);
	trace->drain.bytes = malloc(trace->room);
	trace->app = config->app ? strdup(config->app) : NULL;
	if (!trace->fill.bytes || !trace->drain.bytes || (config->app && !trace->app))
		return -ENOMEM;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&trace->drained, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&trace->wanted, NULL);
	pthread_mutex_init(&trace->lock, NULL);
	/* The zone's file is read now: later the supervisor may be shut off from it. */
	tzset();
	error = trace_open_file(trace, config->path);
	return error ? error : writer_start(trace);
}

struct trace *trace_open(const struct trace_config *config)
{
	struct trace *trace = calloc(1, sizeof(*trace));
	int error;

	if (!trace)
		return NULL;
	error = trace_init(trace, config);
	if (!error)
		return trace;
	trace_free(trace);
	errno = -error;
	return NULL;
}

/* --- producers --- */

static void trace_queue(struct trace *trace, const char *line, size_t size)
{
	bool was_idle = false;

	if (size == 0)
		return;
	pthread_mutex_lock(&trace->lock);
	if (trace->lost || size > trace->room - trace->fill.used) {
		trace->lost++;
	} else {
		was_idle = trace->fill.lines == 0;
		memcpy(trace->fill.bytes + trace->fill.used, line, size);
		trace->fill.used += size;
		trace->fill.lines++;
		trace->queued++;
	}
	pthread_mutex_unlock(&trace->lock);
	if (was_idle)
		pthread_cond_signal(&trace->wanted);
}

void trace_decided(struct trace *trace, const struct trace_record *record)
{
	char line[TRACE_LINE_MAX];
	size_t size;

	if (!trace || atomic_load_explicit(&trace->dead, memory_order_relaxed))
		return;
	if (trace->format == TRACE_JSON)
		size = trace_format_json(line, sizeof(line), record, now_ns(), trace->app,
					 trace_next_seq(trace));
	else
		size = trace_format_text(line, sizeof(line), record, now_ns());
	trace_queue(trace, line, size);
}

static void trace_queue_event(struct trace *trace, struct trace_event *event)
{
	char line[TRACE_LINE_MAX];
	size_t size;

	if (!trace || atomic_load_explicit(&trace->dead, memory_order_relaxed))
		return;
	event->realtime_ns = now_ns();
	event->seq = trace_next_seq(trace);
	event->app = trace->app;
	if (trace->format == TRACE_JSON)
		size = trace_json_event(line, sizeof(line), event);
	else
		size = trace_text_event(line, sizeof(line), event);
	trace_queue(trace, line, size);
}

void trace_started(struct trace *trace, pid_t pid, const char *const *argv)
{
	trace_queue_event(
	    trace, &(struct trace_event){.kind = TRACE_EVENT_START, .pid = pid, .argv = argv});
}

void trace_exited(struct trace *trace, pid_t pid, int status)
{
	trace_queue_event(
	    trace, &(struct trace_event){.kind = TRACE_EVENT_EXIT, .pid = pid, .status = status});
}

void trace_note(struct trace *trace, const char *text)
{
	trace_queue_event(trace, &(struct trace_event){.kind = TRACE_EVENT_NOTE, .text = text});
}

/* --- the end --- */

static struct timespec deadline_in(int ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	return ts;
}

bool trace_flush(struct trace *trace, int timeout_ms)
{
	struct timespec deadline = deadline_in(timeout_ms);
	uint64_t target;
	bool done;
	int error = 0;

	if (!trace)
		return true;
	pthread_mutex_lock(&trace->lock);
	target = trace->queued;
	while (trace->written < target && !trace->ended && !error)
		error = pthread_cond_timedwait(&trace->drained, &trace->lock, &deadline);
	done = trace->written >= target || trace->ended;
	pthread_mutex_unlock(&trace->lock);
	return done;
}

void trace_close(struct trace *trace)
{
	struct timespec deadline = deadline_in(CLOSE_MS);
	bool ended;
	int error = 0;

	if (!trace)
		return;
	pthread_mutex_lock(&trace->lock);
	trace->stop = true;
	pthread_cond_signal(&trace->wanted);
	while (!trace->ended && !error)
		error = pthread_cond_timedwait(&trace->drained, &trace->lock, &deadline);
	ended = trace->ended;
	trace->orphaned = !ended;
	if (!ended)
		pthread_detach(trace->writer);
	pthread_mutex_unlock(&trace->lock);
	/* A writer that stands in write(2) cannot be ended: it frees the trace when it comes back. */
	if (!ended)
		return;
	pthread_join(trace->writer, NULL);
	trace_free(trace);
}
