/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *log_program = "gae-run";
static enum log_level log_max = LOG_WARN;

void log_open(const char *program, enum log_level max)
{
	log_program = program;
	log_max = max;
}

void log_line(enum log_level level, const char *format, ...)
{
	int saved = errno, used, more;
	char line[2048];
	va_list args;

	if (level > log_max)
		return;
	used = snprintf(line, sizeof(line), "%s: %s", log_program,
			level == LOG_WARN ? "warning: " : "");
	if (used < 0 || (size_t)used >= sizeof(line) - 2)
		return;
	va_start(args, format);
	errno = saved;
	more = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, args);
	va_end(args);
	if (more < 0)
		return;
	used += more;
	if ((size_t)used > sizeof(line) - 2)
		used = (int)sizeof(line) - 2;
	line[used++] = '\n';
	/* A closed or full standard error must not change what the program does. */
	if (write(STDERR_FILENO, line, (size_t)used) < 0) {
	}
	errno = saved;
}
