/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/ledger.h"
#include "ledger/reader_chart.h"
#include "ledger/reader_options.h"
#include "ledger/reader_print.h"
#include "shared/base/escape.h"
#include "shared/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define FAILED 125 /* own failure: usage, a ledger that cannot be read */

/* A line on a terminal does not wrap; one in a pipe or file is as long as it has to be. */
static unsigned int output_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 ? 0 : size.ws_col;
}

static int fail_query(struct ledger_file *file, int rc)
{
	char error[1024];

	ledger_file_fault(file, rc, error, sizeof(error));
	log_error("%s", error);
	return FAILED;
}

static int print_rows(struct ledger_file *file, const struct reader_options *options)
{
	int rc = SQLITE_INTERNAL;

	switch (options->format) {
	case READER_TABLE:
		rc = reader_print_table(file, &options->query, !options->no_header, output_width(),
					stdout);
		break;
	case READER_JSON:
		rc = reader_print_json(file, &options->query, stdout);
		break;
	case READER_CSV:
		rc = reader_print_csv(file, &options->query, !options->no_header, stdout);
		break;
	}
	return rc ? fail_query(file, rc) : 0;
}

static int write_chart(const struct reader_chart *chart, const char *path)
{
	char name[256];
	FILE *out;
	int failed;

	if (!strcmp(path, "-")) {
		reader_chart_draw(chart, stdout);
		return 0;
	}
	escape_name(name, sizeof(name), path, strlen(path));
	out = fopen(path, "we");
	if (!out) {
		log_error("--chart: %s: %s", name, strerror(errno));
		return FAILED;
	}
	reader_chart_draw(chart, out);
	failed = ferror(out);
	if (fclose(out) || failed) {
		log_error("--chart: %s: %s", name, strerror(errno));
		return FAILED;
	}
	return 0;
}

static int draw_chart(struct ledger_file *file, const struct reader_options *options)
{
	struct reader_chart chart;
	int rc = reader_chart_load(&chart, file, &options->query, options->zone);

	if (rc == -ERANGE) {
		log_error("--chart: more than %d days; give --from and --to", READER_CHART_DAYS);
		rc = FAILED;
	} else {
		rc = rc ? fail_query(file, rc) : write_chart(&chart, options->chart);
	}
	reader_chart_fini(&chart);
	return rc;
}

static int show(struct ledger_file *file, const struct reader_options *options)
{
	uint64_t lost;
	int status = options->chart ? draw_chart(file, options) : print_rows(file, options);
	int rc = status ? 0 : reader_query_lost(file, &options->query, &lost);

	if (status)
		return status;
	if (rc)
		return fail_query(file, rc);
	if (lost)
		log_warn("sockets that ended unseen: %" PRIu64 "; their last bytes are in no row",
			 lost);
	return 0;
}

static int run(const struct reader_options *options)
{
	char place[PATH_MAX], error[1024];
	const char *path = options->ledger;
	struct ledger_file file = {0};
	int status;

	if (!path)
		path = ledger_default_path(place, sizeof(place));
	if (!path) {
		log_error("neither XDG_STATE_HOME nor HOME is set; give --ledger PATH");
		return FAILED;
	}
	if (ledger_file_open(&file, path, LEDGER_READ, error, sizeof(error))) {
		log_error("%s", error);
		return FAILED;
	}
	status = show(&file, options);
	ledger_file_close(&file);
	return status;
}

static int dispatch(const struct reader_options *options)
{
	switch (options->mode) {
	case READER_HELP:
		reader_options_print_help(stdout);
		return 0;
	case READER_VERSION:
		puts("gae-usage " GAE_RUN_VERSION);
		return 0;
	case READER_RUN:
		break;
	}
	return run(options);
}

int main(int argc, char **argv)
{
	struct reader_options options;
	char error[1024];
	int status = FAILED;

	log_open("gae-usage", LOG_WARN);
	if (reader_options_parse(argc, argv, time(NULL), &options, error, sizeof(error))) {
		log_error("%s", error);
		fputs("Try gae-usage --help\n", stderr);
	} else {
		status = dispatch(&options);
	}
	reader_options_fini(&options);
	if (fflush(stdout) || ferror(stdout)) {
		log_error("standard output: %s", strerror(errno));
		return FAILED;
	}
	return status;
}
