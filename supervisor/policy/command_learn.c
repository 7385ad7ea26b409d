/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/command.h"
#include "policy/learn.h"

#include "shared/base/fd.h"
#include "shared/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REPORTED_MAX 10 /* malformed lines named one by one */

struct tally {
	size_t good, bad; /* lines that were understood, and passed over */
};

/* Return: 0, or -errno when the reading must end. */
static int take_line(struct learn *learn, const char *path, size_t number, const char *line,
		     size_t size, struct tally *tally)
{
	int status;

	if (size && line[size - 1] == '\n')
		size--;
	if (!size)
		return 0;
	status = learn_line(learn, line, size);
	tally->good += status == 0;
	if (status != -EINVAL)
		return status;
	if (tally->bad++ < REPORTED_MAX)
		log_warn("%s:%zu: passed over; expected a line of a JSON trace", path, number);
	return 0;
}

static int read_trace(struct learn *learn, FILE *in, const char *path)
{
	CLEANUP_FREE char *line = NULL;
	size_t room = 0, number = 0;
	struct tally tally = {0};
	ssize_t size;
	int status = 0;

	while (!status && (size = getline(&line, &room, in)) >= 0)
		status = take_line(learn, path, ++number, line, (size_t)size, &tally);
	if (!status && ferror(in))
		status = -EIO;
	if (status)
		log_error("%s: %s", path, strerror(-status));
	if (tally.bad)
		log_warn("%s: %zu of %zu lines passed over", path, tally.bad, number);
	if (status || tally.good || !tally.bad)
		return status;
	/* What would be printed forbids everything. */
	log_error(
	    "%s: no line of a JSON trace in it; is it a text trace? gae-run --trace-format json "
	    "writes one",
	    path);
	return -EINVAL;
}

static int learn_file(struct learn *learn, const char *path)
{
	FILE *in;
	int status;

	if (!strcmp(path, "-"))
		return read_trace(learn, stdin, "standard input");
	in = fopen(path, "re");
	if (!in) {
		log_error("%s: %s", path, strerror(errno));
		return -errno;
	}
	status = read_trace(learn, in, path);
	fclose(in);
	return status;
}

int command_learn(const struct command_options *options, int argc, char **argv)
{
	struct learn *learn;
	struct plan *base;
	int status = COMMAND_FAILED;

	if (argc != 1) {
		log_error("learn takes one trace, or - for standard input; see gae-policy --help");
		return COMMAND_FAILED;
	}
	base = command_plan(options, options->sources, options->n_sources);
	learn = learn_new(options->given & OPTION_ALLOWED_ONLY);
	if (base && learn && !learn_file(learn, argv[0])) {
		learn_print(learn, base, stdout);
		status = 0;
	}
	learn_free(learn);
	plan_free(base);
	return status;
}
