/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_TRACE_LINE_H
#define SUPERVISOR_TRACE_LINE_H

#include "trace.h"

/*
 * Shared by the trace's writer and its two formats.  A line is built in the
 * caller's buffer; once a piece does not fit, the line is marked full and ends
 * as "", never as half a record.
 */
struct trace_line {
	char *out;
	size_t room;
	size_t used;
	bool full;
};

/* Longest escaped text in bytes, by kind: their sum and the fixed words stay below TRACE_LINE_MAX. */
enum {
	TRACE_COMM_MAX = 96,
	TRACE_HOST_MAX = 512,
	TRACE_ARGUMENTS_MAX = 768,
	TRACE_LOCATION_MAX = 384,
	TRACE_REASON_MAX = 768,
	TRACE_APP_MAX = 256,
};

typedef size_t (*trace_escape_fn)(char *out, size_t room, const char *text, size_t size);

void trace_line_init(struct trace_line *line, char *out, size_t room);
__attribute__((format(printf, 2, 3))) void trace_line_printf(struct trace_line *line,
							     const char *format, ...);
void trace_line_put(struct trace_line *line, const char *text);

/** trace_line_escape() - add @text escaped by @escape, cut to @max bytes. */
void trace_line_escape(struct trace_line *line, size_t max, const char *text,
		       trace_escape_fn escape);

/** trace_line_end() - add the newline.  Return: the line's length, 0 if something did not fit. */
size_t trace_line_end(struct trace_line *line);

/** trace_decision_name() - "allow", "deny", "emulate", "rewrite". */
const char *trace_decision_name(enum trace_decision decision);

/** trace_error_name() - the errno name of a negative result, ERESTARTSYS among them. */
const char *trace_error_name(long result);

/* Everything but decisions. */
struct trace_event {
	enum { TRACE_EVENT_START, TRACE_EVENT_EXIT, TRACE_EVENT_NOTE, TRACE_EVENT_LOST } kind;
	uint64_t realtime_ns;
	uint64_t seq;
	const char *app;
	pid_t pid;
	const char *const *argv; /* START */
	int status;              /* EXIT: wait status */
	const char *text;        /* NOTE */
	uint64_t lost;           /* LOST: how many records */
};

size_t trace_text_event(char *out, size_t room, const struct trace_event *event);
size_t trace_json_event(char *out, size_t room, const struct trace_event *event);

#endif
