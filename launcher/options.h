/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_OPTIONS_H
#define LAUNCHER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Seconds: the longest that App Engine gave a task (runtime table, release 1.4.1). */
#define OPTIONS_DEADLINE_MAX 600

enum options_mode { OPTIONS_RUN, OPTIONS_CHECK, OPTIONS_HELP, OPTIONS_VERSION };

struct app_yaml;

/* A list of texts, NULL-terminated once it is not empty. */
struct options_list {
	char **items;
	size_t count;
};

struct options {
	enum options_mode mode;
	struct options_list policies;
	struct options_list keep_caps; /* names that libcap knows */
	const char *app;               /* NULL: the program's base name */
	const char *trace;
	const char *trace_format; /* "text", "json" or NULL */
	const char *ledger;       /* path, NULL: the default */
	const char *ledger_day;
	const char *metrics;
	bool no_ledger, report;
	const char *config;            /* app.yaml to read; NULL: see .app_yaml_auto */
	bool app_yaml_auto;            /* read ./app.yaml where there is one */
	const char *urlfetch_deadline; /* "SECONDS" or "SECONDS,MAX"; NULL: the default */
	const struct app_yaml *yaml;   /* set once it is read; NULL: none is in force */
	unsigned int verbose;
	bool quiet;
	char **
	    argv; /* the program and its arguments, NULL-terminated; points into the caller's argv */
};

/**
 * options_parse() - read the command line, then the GAE_RUN_* variables of the
 * options that it does not give.
 * @error: on failure one line without newline that says what is wrong
 * Return: 0; -EINVAL and @error; -ENOMEM.  options_fini() in any case.
 */
int options_parse(int argc, char **argv, struct options *options, char *error, size_t room);
void options_fini(struct options *options);

/** options_print_help() - the text of --help. */
void options_print_help(FILE *out);

#endif
