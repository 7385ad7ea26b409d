/* SPDX-License-Identifier: Apache-2.0 */
/* The trace in strace's shape, for people. */
#include "trace_line.h"

#include "shared/base/escape.h"

#include <ctype.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* Room kept behind a list of arguments for what ends the line. */
#define TAIL_ROOM 64

static void text_time(struct trace_line *line, uint64_t realtime_ns)
{
	/* localtime_r() takes a process-wide lock: once a second and thread is enough. */
	static _Thread_local time_t cached;
	static _Thread_local char text[16];
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	struct tm tm;

	if (seconds != cached || !text[0]) {
		localtime_r(&seconds, &tm);
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
		cached = seconds;
	}
	trace_line_printf(line, "%s.%06u ", text, (unsigned int)(realtime_ns % 1000000000 / 1000));
}

static void text_caller(struct trace_line *line, pid_t tid, const char *comm)
{
	trace_line_printf(line, "[%d", (int)tid);
	if (comm) {
		trace_line_put(line, " ");
		trace_line_escape(line, TRACE_COMM_MAX, comm, escape_text);
	}
	trace_line_put(line, "] ");
}

/* "5<TCP>" */
static void text_descriptor(struct trace_line *line, int fd, const char *transport)
{
	char upper[16];
	size_t i;

	trace_line_printf(line, "%d", fd);
	if (!transport)
		return;
	for (i = 0; i < sizeof(upper) - 1 && transport[i]; i++)
		upper[i] = (char)toupper((unsigned char)transport[i]);
	upper[i] = '\0';
	trace_line_printf(line, "<%s>", upper);
}

/* "host[192.0.2.10]:25", "192.0.2.10:25", "[2001:db8::1]:25" */
static void text_endpoint(struct trace_line *line, const struct trace_record *record)
{
	char address[NET_ADDR_TEXT_MAX];

	if (!record->host) {
		trace_line_put(line, net_endpoint_format(record->to, address));
		return;
	}
	trace_line_escape(line, TRACE_HOST_MAX, record->host, escape_text);
	trace_line_printf(line, "[%s]:%u", net_addr_format(&record->to->addr, address),
			  record->to->port);
}

static void text_arguments(struct trace_line *line, const struct trace_record *record)
{
	bool first = record->fd < 0;

	if (!first)
		text_descriptor(line, record->fd, record->transport);
	if (record->to) {
		trace_line_put(line, first ? "" : ", ");
		text_endpoint(line, record);
		first = false;
	}
	if (record->arguments) {
		trace_line_put(line, first ? "" : ", ");
		trace_line_escape(line, TRACE_ARGUMENTS_MAX, record->arguments, escape_text);
	}
}

static void text_result(struct trace_line *line, long result)
{
	const char *name, *meaning;

	if (result >= 0) {
		trace_line_printf(line, " = %ld", result);
		return;
	}
	name = trace_error_name(result);
	if (!strcmp(name, "ERESTARTSYS")) {
		trace_line_put(line, " = ? ERESTARTSYS (To be restarted if SA_RESTART is set)");
		return;
	}
	meaning = strerrordesc_np((int)-result);
	trace_line_printf(line, " = -1 %s (%s)", name, meaning ? meaning : "Unknown error");
}

size_t trace_format_text(char *out, size_t room, const struct trace_record *record,
			 uint64_t realtime_ns)
{
	struct trace_line line;

	trace_line_init(&line, out, room);
	text_time(&line, realtime_ns);
	text_caller(&line, record->tid, record->comm);
	trace_line_escape(&line, TRACE_COMM_MAX, record->call, escape_text);
	trace_line_put(&line, "(");
	text_arguments(&line, record);
	trace_line_put(&line, ")");
	text_result(&line, record->result);
	trace_line_printf(&line, " <%llu.%06u>  # %s",
			  (unsigned long long)(record->duration_ns / 1000000000),
			  (unsigned int)(record->duration_ns % 1000000000 / 1000),
			  trace_decision_name(record->decision));
	if (record->location) {
		trace_line_put(&line, " ");
		trace_line_escape(&line, TRACE_LOCATION_MAX, record->location, escape_text);
	}
	if (record->reason) {
		trace_line_put(&line, " ");
		trace_line_escape(&line, TRACE_REASON_MAX, record->reason, escape_text);
	}
	return trace_line_end(&line);
}

static void text_argv(struct trace_line *line, const char *const *argv)
{
	trace_line_put(line, "+++ started");
	for (; *argv; argv++) {
		if (line->room - line->used < TRACE_ARGUMENTS_MAX + TAIL_ROOM) {
			trace_line_put(line, " ...");
			break;
		}
		trace_line_put(line, " \"");
		trace_line_escape(line, TRACE_ARGUMENTS_MAX, *argv, escape_text);
		trace_line_put(line, "\"");
	}
	trace_line_put(line, " +++");
}

static void text_status(struct trace_line *line, int status)
{
	const char *signal;

	if (WIFEXITED(status)) {
		trace_line_printf(line, "+++ exited with %d +++", WEXITSTATUS(status));
		return;
	}
	signal = sigabbrev_np(WTERMSIG(status));
	if (signal)
		trace_line_printf(line, "+++ killed by SIG%s", signal);
	else
		trace_line_printf(line, "+++ killed by signal %d", WTERMSIG(status));
	trace_line_put(line, WCOREDUMP(status) ? " (core dumped) +++" : " +++");
}

size_t trace_text_event(char *out, size_t room, const struct trace_event *event)
{
	struct trace_line line;

	trace_line_init(&line, out, room);
	text_time(&line, event->realtime_ns);
	if (event->kind == TRACE_EVENT_START || event->kind == TRACE_EVENT_EXIT)
		text_caller(&line, event->pid, NULL);
	switch (event->kind) {
	case TRACE_EVENT_START:
		text_argv(&line, event->argv);
		break;
	case TRACE_EVENT_EXIT:
		text_status(&line, event->status);
		break;
	case TRACE_EVENT_NOTE:
		trace_line_put(&line, "# ");
		trace_line_escape(&line, TRACE_LINE_MAX - 256, event->text, escape_text);
		break;
	case TRACE_EVENT_LOST:
		trace_line_printf(&line, "# %llu records lost here: the trace could not be written",
				  (unsigned long long)event->lost);
		break;
	}
	return trace_line_end(&line);
}
