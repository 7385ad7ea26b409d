/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_TRACE_H
#define SUPERVISOR_TRACE_H

#include "net/addr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The trace: one record per decision, for machines and for people who debug a
 * policy.  Records are formatted by the thread that decided and put into a ring
 * of bounded size; one writer thread of its own does the blocking write(2)s, so
 * that a full pipe or a stopped terminal never holds up the program.  When the
 * ring is full the record is dropped and counted; the next line that fits says
 * how many were lost.  A closed pipe (EPIPE) ends the trace, not the program.
 */
struct trace;

enum trace_format { TRACE_TEXT, TRACE_JSON };

enum trace_decision { TRACE_ALLOW, TRACE_DENY, TRACE_EMULATE, TRACE_REWRITE };

struct trace_config {
	const char *path; /* file to append to, or NULL for standard error */
	enum trace_format format;
	size_t ring_size; /* bytes; 0: 1 MiB */
	const char *app;  /* label of every JSON line (service.name); NULL: none */
};

struct trace_record {
	const char *call;              /* "connect" */
	pid_t tid;                     /* the calling thread */
	pid_t pid;                     /* its process (thread group); 0: unknown, .tid is shown */
	const char *comm;              /* its name, unescaped; NULL: unknown */
	int fd;                        /* -1: the call has none */
	const char *transport;         /* "tcp", "udp", "unix", "netlink"; NULL: unknown or none */
	const struct net_endpoint *to; /* NULL: none */
	const char *host;              /* policy name or name last seen for .to; NULL: unknown */
	const char *
	    arguments; /* text for calls without .to: "SOL_SOCKET, SO_MARK"; unescaped; NULL: none */
	enum trace_decision decision;
	long result;          /* what the program got: >= 0, or -errno */
	const char *location; /* "10-appengine.conf:14", "built-in" */
	const char *reason;   /* because-text, set label, why; unescaped; NULL: none */
	uint64_t duration_ns; /* from notification to answer */
};

/**
 * trace_open() - start tracing.
 * Return: NULL and errno when the file cannot be opened or the thread not started.
 */
struct trace *trace_open(const struct trace_config *config);

/** trace_decided() - queue a gae_run.decision record; never blocks; NULL @trace is allowed and does nothing. */
void trace_decided(struct trace *trace, const struct trace_record *record);

/** trace_started() - queue gae_run.start.  @argv: the program's, NULL-terminated. */
void trace_started(struct trace *trace, pid_t pid, const char *const *argv);

/** trace_exited() - queue gae_run.exit.  @status: wait status. */
void trace_exited(struct trace *trace, pid_t pid, int status);

/** trace_note() - queue a line of free text (event gae_run.note), e.g. a call of another architecture. */
void trace_note(struct trace *trace, const char *text);

/** trace_flush() - wait until all queued so far is written, @timeout_ms at most.  Return: false on time-out. */
bool trace_flush(struct trace *trace, int timeout_ms);

/** trace_close() - flush for at most one second, end the thread, free.  NULL allowed. */
void trace_close(struct trace *trace);

/* Room for every line with its newline and a NUL: at most PIPE_BUF, so that a line is never torn between writers. */
#define TRACE_LINE_MAX 4096

/*
 * The formatters, pure, for tests: one line with its newline into @out (always
 * NUL-terminated), its length returned; 0 and "" when @room is too small, which
 * TRACE_LINE_MAX never is: long texts are cut with "...".
 */
size_t trace_format_text(char *out, size_t room, const struct trace_record *record,
			 uint64_t realtime_ns);
size_t trace_format_json(char *out, size_t room, const struct trace_record *record,
			 uint64_t realtime_ns, const char *app, uint64_t seq);

#endif
