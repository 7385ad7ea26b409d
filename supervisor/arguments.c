/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"

#include "shared/base/log.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	OPT_CONTROL = 256,
	OPT_STAGE,
	OPT_CHILD,
	OPT_FRONT,
	OPT_APP,
	OPT_TRACE,
	OPT_FORMAT,
	OPT_LEDGER,
	OPT_NO_LEDGER,
	OPT_LEDGER_DAY,
	OPT_REPORT,
	OPT_METRICS,
	OPT_HTTP,
	OPT_DEADLINE
};

static const struct option table[] = {
    {"control-fd", required_argument, NULL, OPT_CONTROL},
    {"stage-fd", required_argument, NULL, OPT_STAGE},
    {"child", required_argument, NULL, OPT_CHILD},
    {"front", required_argument, NULL, OPT_FRONT},
    {"policy", required_argument, NULL, 'p'},
    {"app", required_argument, NULL, OPT_APP},
    {"trace", required_argument, NULL, OPT_TRACE},
    {"trace-format", required_argument, NULL, OPT_FORMAT},
    {"ledger", required_argument, NULL, OPT_LEDGER},
    {"no-ledger", no_argument, NULL, OPT_NO_LEDGER},
    {"ledger-day", required_argument, NULL, OPT_LEDGER_DAY},
    {"report", no_argument, NULL, OPT_REPORT},
    {"metrics-file", required_argument, NULL, OPT_METRICS},
    {"http", required_argument, NULL, OPT_HTTP},
    {"urlfetch-deadline", required_argument, NULL, OPT_DEADLINE},
    {"quiet", no_argument, NULL, 'q'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static int number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return *text && !*end && value >= 0 && value <= INT_MAX ? (int)value : -1;
}

/* What only tests set: a number, 0 where there is none. */
static int from_environment(const char *name)
{
	const char *text = getenv(name);
	int value = text ? number(text) : 0;

	return value > 0 ? value : 0;
}

static int take(struct arguments *arguments, int option, const char *value)
{
	switch (option) {
	case OPT_CONTROL:
		arguments->control_fd = number(value);
		break;
	case OPT_STAGE:
		arguments->stage_fd = number(value);
		break;
	case OPT_CHILD:
		arguments->child = number(value);
		break;
	case OPT_FRONT:
		arguments->front = number(value);
		break;
	case 'p':
		arguments->policies[arguments->n_policies++] = value;
		break;
	case OPT_APP:
		arguments->app = value;
		break;
	case OPT_TRACE:
		arguments->trace = true;
		arguments->trace_path = strcmp(value, "-") ? value : NULL;
		break;
	case OPT_FORMAT:
		if (strcmp(value, "text") && strcmp(value, "json"))
			return -1;
		arguments->trace_format = !strcmp(value, "json") ? TRACE_JSON : TRACE_TEXT;
		break;
	case OPT_LEDGER:
		arguments->ledger = value;
		break;
	case OPT_NO_LEDGER:
		arguments->no_ledger = true;
		break;
	case OPT_LEDGER_DAY:
		arguments->zone = strcasecmp(value, "utc") ? DAY_PACIFIC : DAY_UTC;
		break;
	case OPT_REPORT:
		arguments->report = true;
		break;
	case OPT_METRICS:
		arguments->metrics = value;
		break;
	case OPT_HTTP:
		arguments->urlfetch_by_default = !strcmp(value, "urlfetch");
		break;
	case OPT_DEADLINE:
		arguments->urlfetch_deadline = value;
		break;
	case 'v':
		arguments->verbose++;
		break;
	case 'q':
		arguments->quiet = true;
		break;
	default:
		return -1;
	}
	return 0;
}

int arguments_parse(struct arguments *arguments, int argc, char **argv)
{
	int option;

	*arguments = (struct arguments){.control_fd = -1, .stage_fd = -1, .child = -1, .front = -1};
	arguments->policies = calloc((size_t)argc + 1, sizeof(*arguments->policies));
	if (!arguments->policies)
		return -1;
	while ((option = getopt_long(argc, argv, "+vqp:", table, NULL)) != -1) {
		if (option == 'V') {
			printf("gae-supervisor %s\n", GAE_RUN_VERSION);
			exit(0);
		}
		if (take(arguments, option, optarg) < 0)
			return -1;
	}
	arguments->argv = (const char *const *)argv + optind;
	if (arguments->control_fd < 0 || arguments->stage_fd < 0 || arguments->child <= 0) {
		log_error("gae-supervisor is started by gae-run; run `gae-run PROGRAM`");
		return -1;
	}
	/* Small, and news is lost: for tests of what is said then. */
	arguments->news_room = from_environment("GAE_RUN_TEST_NEWS_ROOM");
	/* So that no test of what is written in the meantime takes seconds. */
	arguments->flush_ms = from_environment("GAE_RUN_TEST_FLUSH_MS");
	if (arguments->verbose && !arguments->trace)
		arguments->trace = true;
	return 0;
}
