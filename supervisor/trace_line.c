/* SPDX-License-Identifier: Apache-2.0 */
#include "trace_line.h"

#include "shared/base/errname.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Kernel-internal, never seen by the program: the call is restarted or becomes EINTR (include/linux/errno.h). */
#define KERNEL_ERESTARTSYS 512

static const char *const decision_names[] = {
    [TRACE_ALLOW] = "allow",
    [TRACE_DENY] = "deny",
    [TRACE_EMULATE] = "emulate",
    [TRACE_REWRITE] = "rewrite",
};
static_assert(sizeof(decision_names) / sizeof(decision_names[0]) == TRACE_REWRITE + 1,
	      "every decision has a name");

const char *trace_decision_name(enum trace_decision decision)
{
	return decision_names[decision];
}

const char *trace_error_name(long result)
{
	return result == -KERNEL_ERESTARTSYS ? "ERESTARTSYS" : errname((int)-result);
}

void trace_line_init(struct trace_line *line, char *out, size_t room)
{
	*line = (struct trace_line){.out = out, .room = room};
	out[0] = '\0';
}

void trace_line_printf(struct trace_line *line, const char *format, ...)
{
	size_t left = line->room - line->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line->out + line->used, left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= left)
		line->full = true;
	else
		line->used += (size_t)n;
}

void trace_line_put(struct trace_line *line, const char *text)
{
	size_t size = strlen(text);

	if (size >= line->room - line->used) {
		line->full = true;
		return;
	}
	memcpy(line->out + line->used, text, size + 1);
	line->used += size;
}

void trace_line_escape(struct trace_line *line, size_t max, const char *text,
		       trace_escape_fn escape)
{
	char whole[TRACE_LINE_MAX];

	if (line->room - line->used > max) {
		line->used += escape(line->out + line->used, max + 1, text, strlen(text));
		return;
	}
	/* Too little room must not cut the text shorter than its kind allows: then the line does not fit. */
	escape(whole, max + 1, text, strlen(text));
	trace_line_put(line, whole);
}

size_t trace_line_end(struct trace_line *line)
{
	trace_line_put(line, "\n");
	if (line->full) {
		line->out[0] = '\0';
		return 0;
	}
	return line->used;
}
