/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_ARGUMENTS_H
#define SUPERVISOR_ARGUMENTS_H

#include "ledger/day.h"
#include "trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How gae-run starts gae-supervisor; nobody else does. */
struct arguments {
	int control_fd, stage_fd;
	pid_t child, front;
	const char **policies;
	size_t n_policies;
	const char *app, *trace_path;
	enum trace_format trace_format;
	bool trace;
	const char *ledger, *metrics; /* paths; NULL: the default, none */
	bool no_ledger, report;
	enum day_zone zone;
	bool urlfetch_by_default;      /* what `http auto` means for this program */
	const char *urlfetch_deadline; /* "SECONDS[,MAX]", NULL: the default */
	int news_room; /* for tests: bytes of buffer for the news of ended sockets */
	int flush_ms;  /* for tests: how often the ledger is written; 0: CLERK_FLUSH_MS */
	unsigned int verbose;
	bool quiet;
	const char *const *argv; /* the program's */
};

/** arguments_parse() - Return: 0, or -1 after one line on standard error. */
int arguments_parse(struct arguments *arguments, int argc, char **argv);

#endif
