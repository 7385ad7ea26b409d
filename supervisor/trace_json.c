/* SPDX-License-Identifier: Apache-2.0 */
/* The trace as JSON Lines shaped like OpenTelemetry log records; names from its semantic conventions 1.44. */
#include "trace_line.h"

#include "shared/base/escape.h"

#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* Room kept behind a list of arguments for what ends the line. */
#define TAIL_ROOM 512

/* `"key":"text",`; nothing for NULL.  @key needs no escaping. */
static void json_string(struct trace_line *line, const char *key, size_t max, const char *text)
{
	if (!text)
		return;
	trace_line_put(line, "\"");
	trace_line_put(line, key);
	trace_line_put(line, "\":\"");
	trace_line_escape(line, max, text, escape_json);
	trace_line_put(line, "\",");
}

static void json_number(struct trace_line *line, const char *key, long long number)
{
	trace_line_printf(line, "\"%s\":%lld,", key, number);
}

static void json_time(struct trace_line *line, uint64_t realtime_ns)
{
	static _Thread_local time_t cached;
	static _Thread_local char text[32];
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	struct tm tm;

	if (seconds != cached || !text[0]) {
		gmtime_r(&seconds, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
		cached = seconds;
	}
	trace_line_printf(line, "{\"timestamp\":\"%s.%09uZ\",", text,
			  (unsigned int)(realtime_ns % 1000000000));
}

static void json_begin(struct trace_line *line, uint64_t realtime_ns, const char *severity,
		       const char *event, const char *body)
{
	json_time(line, realtime_ns);
	json_string(line, "severity_text", TRACE_COMM_MAX, severity);
	json_string(line, "event_name", TRACE_COMM_MAX, event);
	json_string(line, "body", TRACE_LINE_MAX - 1024, body);
	trace_line_put(line, "\"attributes\":{");
}

static size_t json_end(struct trace_line *line, const char *app, uint64_t seq)
{
	json_string(line, "service.name", TRACE_APP_MAX, app);
	trace_line_printf(line, "\"gae_run.seq\":%llu}}", (unsigned long long)seq);
	return trace_line_end(line);
}

static void json_destination(struct trace_line *line, const struct trace_record *record)
{
	char address[NET_ADDR_TEXT_MAX];

	json_string(line, "network.transport", TRACE_COMM_MAX, record->transport);
	if (record->to) {
		json_string(line, "network.type", TRACE_COMM_MAX,
			    record->to->addr.family == AF_INET6 ? "ipv6" : "ipv4");
		json_string(line, "network.peer.address", sizeof(address),
			    net_addr_format(&record->to->addr, address));
		json_number(line, "network.peer.port", record->to->port);
	}
	json_string(line, "server.address", TRACE_HOST_MAX, record->host);
	if (record->host && record->to)
		json_number(line, "server.port", record->to->port);
}

static void json_decision(struct trace_line *line, const struct trace_record *record)
{
	json_string(line, "gae_run.syscall", TRACE_COMM_MAX, record->call);
	json_string(line, "gae_run.arguments", TRACE_ARGUMENTS_MAX, record->arguments);
	json_string(line, "gae_run.decision", TRACE_COMM_MAX,
		    trace_decision_name(record->decision));
	json_string(line, "gae_run.reason", TRACE_REASON_MAX, record->reason);
	json_string(line, "gae_run.rule.location", TRACE_LOCATION_MAX, record->location);
	/* Seconds, OpenTelemetry's unit for every duration. */
	trace_line_printf(line, "\"gae_run.duration\":%llu.%09u,",
			  (unsigned long long)(record->duration_ns / 1000000000),
			  (unsigned int)(record->duration_ns % 1000000000));
}

size_t trace_format_json(char *out, size_t room, const struct trace_record *record,
			 uint64_t realtime_ns, const char *app, uint64_t seq)
{
	struct trace_line line;

	trace_line_init(&line, out, room);
	json_begin(&line, realtime_ns, record->decision == TRACE_DENY ? "WARN" : "INFO",
		   "gae_run.decision", NULL);
	json_number(&line, "process.pid", record->pid ? record->pid : record->tid);
	json_number(&line, "thread.id", record->tid);
	json_string(&line, "thread.name", TRACE_COMM_MAX, record->comm);
	if (record->fd >= 0)
		json_number(&line, "gae_run.fd", record->fd);
	json_destination(&line, record);
	if (record->result < 0)
		json_string(&line, "error.type", TRACE_COMM_MAX, trace_error_name(record->result));
	else
		json_number(&line, "gae_run.result", record->result);
	json_decision(&line, record);
	return json_end(&line, app, seq);
}

static void json_argv(struct trace_line *line, const char *const *argv)
{
	trace_line_put(line, "\"process.command_args\":[");
	for (size_t i = 0; argv[i]; i++) {
		trace_line_put(line, i ? "," : "");
		if (line->room - line->used < TRACE_ARGUMENTS_MAX + TAIL_ROOM) {
			trace_line_put(line, "\"...\"");
			break;
		}
		trace_line_put(line, "\"");
		trace_line_escape(line, TRACE_ARGUMENTS_MAX, argv[i], escape_json);
		trace_line_put(line, "\"");
	}
	trace_line_put(line, "],");
}

static void json_status(struct trace_line *line, int status)
{
	const char *signal;

	if (WIFEXITED(status)) {
		json_number(line, "process.exit.code", WEXITSTATUS(status));
		return;
	}
	json_number(line, "process.exit.code", 128 + WTERMSIG(status));
	signal = sigabbrev_np(WTERMSIG(status));
	if (signal)
		trace_line_printf(line, "\"gae_run.signal\":\"SIG%s\",", signal);
	else
		trace_line_printf(line, "\"gae_run.signal\":\"%d\",", WTERMSIG(status));
}

size_t trace_json_event(char *out, size_t room, const struct trace_event *event)
{
	static const char *const names[] = {
	    [TRACE_EVENT_START] = "gae_run.start",
	    [TRACE_EVENT_EXIT] = "gae_run.exit",
	    [TRACE_EVENT_NOTE] = "gae_run.note",
	    [TRACE_EVENT_LOST] = "gae_run.note",
	};
	const char *body = event->kind == TRACE_EVENT_NOTE   ? event->text
			   : event->kind == TRACE_EVENT_LOST ? "records lost here"
							     : NULL;
	struct trace_line line;

	trace_line_init(&line, out, room);
	json_begin(&line, event->realtime_ns, "INFO", names[event->kind], body);
	if (event->kind == TRACE_EVENT_START || event->kind == TRACE_EVENT_EXIT)
		json_number(&line, "process.pid", event->pid);
	if (event->kind == TRACE_EVENT_START)
		json_argv(&line, event->argv);
	if (event->kind == TRACE_EVENT_EXIT)
		json_status(&line, event->status);
	if (event->kind == TRACE_EVENT_LOST)
		json_number(&line, "gae_run.lost", (long long)event->lost);
	return json_end(&line, event->app, event->seq);
}
