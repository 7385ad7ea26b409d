/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_READER_OPTIONS_H
#define LEDGER_READER_OPTIONS_H

#include "ledger/day.h"
#include "ledger/reader_query.h"

#include <stdio.h>

enum reader_mode { READER_RUN, READER_HELP, READER_VERSION };
enum reader_format { READER_TABLE, READER_JSON, READER_CSV };

/* What the command line and the environment of gae-usage ask for. */
struct reader_options {
	enum reader_mode mode;
	enum reader_format format;
	enum day_zone zone;
	const char *ledger; /* NULL: the default one */
	const char *chart;  /* file of a chart instead; "-" standard output; NULL: none */
	bool no_header;
	bool sort_is_given;
	struct reader_query query; /* owned: the values of its filters */
};

/**
 * reader_options_parse() - the command line first, then the environment.
 * @now: Unix seconds, for what "today" is
 * @error: gets one line that begins with the option
 * Return: 0, -EINVAL or -ENOMEM; reader_options_fini() in any case.
 */
int reader_options_parse(int argc, char **argv, int64_t now, struct reader_options *options,
			 char *error, size_t room);

void reader_options_fini(struct reader_options *options);

void reader_options_print_help(FILE *out);

#endif
