/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/options.h"

#include "shared/base/metrics_path.h"
#include "shared/base/option_fault.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>

/* Where a value comes from, for messages: "--app", "GAE_RUN_APP". */
struct origin {
	const char *name;
	char *error;
	size_t room;
};

typedef int option_apply(struct options *options, const char *value, const struct origin *origin);

/*
 * One row per option: getopt's tables, --help and the reading of the
 * environment all come from here.
 */
struct option_row {
	int letter; /* the short option, or a number above 255 when there is none */
	const char *name;
	const char *argument;  /* NULL: takes none */
	const char *variable;  /* NULL: not from the environment */
	const char *separator; /* the variable holds several values, separated by this; or NULL */
	option_apply
	    *apply; /* @value: the argument; NULL for an option without, on the command line */
	const char *help;
};

__attribute__((format(printf, 2, 3))) static int options_fail(const struct origin *origin,
							      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(origin->error, origin->room, format, args);
	va_end(args);
	return -EINVAL;
}

static int list_append(struct options_list *list, const char *value)
{
	char **items = realloc(list->items, (list->count + 2) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count] = strdup(value);
	items[list->count + 1] = NULL;
	return items[list->count] ? (list->count++, 0) : -ENOMEM;
}

static int need_text(const char *value, const struct origin *origin)
{
	return *value ? 0 : options_fail(origin, "%s: empty value", origin->name);
}

static int apply_policy(struct options *options, const char *value, const struct origin *origin)
{
	int rc = need_text(value, origin);

	return rc ? rc : list_append(&options->policies, value);
}

static int apply_app(struct options *options, const char *value, const struct origin *origin)
{
	options->app = value;
	return need_text(value, origin);
}

static int apply_trace(struct options *options, const char *value, const struct origin *origin)
{
	options->trace = value;
	return need_text(value, origin);
}

static int apply_trace_format(struct options *options, const char *value,
			      const struct origin *origin)
{
	if (strcmp(value, "text") && strcmp(value, "json"))
		return options_fail(origin, "%s: '%s' is no trace format; expected text or json",
				    origin->name, value);
	options->trace_format = value;
	return 0;
}

static int apply_verbose(struct options *options, const char *value, const struct origin *origin)
{
	if (!value) {
		options->verbose++;
		return 0;
	}
	if (strlen(value) != 1 || *value < '0' || *value > '2')
		return options_fail(origin, "%s: '%s' is no level; expected 0, 1 or 2",
				    origin->name, value);
	options->verbose = (unsigned int)(*value - '0');
	return 0;
}

static int read_switch(const char *value, bool *out, const struct origin *origin)
{
	if (value && strcmp(value, "0") && strcmp(value, "1"))
		return options_fail(origin, "%s: '%s' is no switch; expected 0 or 1", origin->name,
				    value);
	*out = !value || *value == '1';
	return 0;
}

static int apply_quiet(struct options *options, const char *value, const struct origin *origin)
{
	return read_switch(value, &options->quiet, origin);
}

static int apply_ledger(struct options *options, const char *value, const struct origin *origin)
{
	options->ledger = value;
	return need_text(value, origin);
}

static int apply_no_ledger(struct options *options, const char *value, const struct origin *origin)
{
	return read_switch(value, &options->no_ledger, origin);
}

static int apply_ledger_day(struct options *options, const char *value, const struct origin *origin)
{
	if (strcasecmp(value, "pacific") && strcasecmp(value, "utc"))
		return options_fail(origin,
				    "%s: '%s' is no day of a ledger; expected pacific or UTC",
				    origin->name, value);
	options->ledger_day = value;
	return 0;
}

static int apply_report(struct options *options, const char *value, const struct origin *origin)
{
	return read_switch(value, &options->report, origin);
}

static int apply_metrics(struct options *options, const char *value, const struct origin *origin)
{
	if (!metrics_path_is_valid(value))
		return options_fail(origin,
				    "%s: '%s' is no metrics file; expected a name that ends in "
				    ".prom and begins with no dot",
				    origin->name, value);
	options->metrics = value;
	return 0;
}

static int apply_config(struct options *options, const char *value, const struct origin *origin)
{
	options->config = value;
	return need_text(value, origin);
}

static int apply_app_yaml(struct options *options, const char *value, const struct origin *origin)
{
	if (strcmp(value, "auto") != 0 && strcmp(value, "none") != 0)
		return options_fail(origin, "%s: '%s' is no word; expected auto or none",
				    origin->name, value);
	options->app_yaml_auto = !strcmp(value, "auto");
	return 0;
}

/* "10" or "10,60": whole seconds.  Return: where the number ends, NULL when it is none. */
static const char *read_seconds(const char *text, unsigned long *seconds)
{
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	*seconds = strtoul(text, &end, 10);
	return *seconds >= 1 && *seconds <= OPTIONS_DEADLINE_MAX ? end : NULL;
}

static int apply_urlfetch_deadline(struct options *options, const char *value,
				   const struct origin *origin)
{
	unsigned long usual, most = OPTIONS_DEADLINE_MAX;
	const char *end = read_seconds(value, &usual);

	if (end && *end == ',')
		end = read_seconds(end + 1, &most);
	if (!end || *end || usual > most)
		return options_fail(origin,
				    "%s: '%s' is no deadline; expected SECONDS or SECONDS,MAX, "
				    "from 1 to %d",
				    origin->name, value, OPTIONS_DEADLINE_MAX);
	options->urlfetch_deadline = value;
	return 0;
}

static int apply_keep_cap(struct options *options, const char *value, const struct origin *origin)
{
	cap_value_t number;
	char name[64];

	snprintf(name, sizeof(name), "%s%s", strncasecmp(value, "cap_", 4) ? "cap_" : "", value);
	if (cap_from_name(name, &number) < 0)
		return options_fail(
		    origin,
		    "%s: '%s' is no capability; expected a name such as net_admin or CAP_NET_RAW",
		    origin->name, value);
	return list_append(&options->keep_caps, name);
}

static int apply_check(struct options *options, const char *value, const struct origin *origin)
{
	(void)value, (void)origin;
	options->mode = OPTIONS_CHECK;
	return 0;
}

static int apply_version(struct options *options, const char *value, const struct origin *origin)
{
	(void)value, (void)origin;
	options->mode = OPTIONS_VERSION;
	return 0;
}

static int apply_help(struct options *options, const char *value, const struct origin *origin)
{
	(void)value, (void)origin;
	options->mode = OPTIONS_HELP;
	return 0;
}

static const struct option_row rows[] = {
    {'p', "policy", "FILE|DIR", "GAE_RUN_POLICY", ":", apply_policy,
     "policy to run under, instead of the installed one ('default'); repeatable"},
    {'a', "app", "NAME", "GAE_RUN_APP", NULL, apply_app,
     "name of the application (default: app.yaml's, else the program's base name)"},
    {'v', "verbose", NULL, "GAE_RUN_VERBOSE", NULL, apply_verbose,
     "print each decision on standard error; -vv: the log's details as well"},
    {'q', "quiet", NULL, "GAE_RUN_QUIET", NULL, apply_quiet, "print no warnings"},
    {256, "trace", "FILE", "GAE_RUN_TRACE", NULL, apply_trace, "append each decision to FILE"},
    {257, "trace-format", "text|json", "GAE_RUN_TRACE_FORMAT", NULL, apply_trace_format,
     "how decisions are written (default: text)"},
    {261, "ledger", "FILE", "GAE_RUN_LEDGER", NULL, apply_ledger,
     "write what was used to FILE (default: ledger.db in XDG_STATE_HOME/gae-run)"},
    {262, "no-ledger", NULL, "GAE_RUN_NO_LEDGER", NULL, apply_no_ledger, "write no ledger"},
    {263, "ledger-day", "pacific|UTC", "GAE_RUN_LEDGER_DAY", NULL, apply_ledger_day,
     "whose midnight begins the ledger's day (default: pacific)"},
    {264, "report", NULL, "GAE_RUN_REPORT", NULL, apply_report, "print at the end what went where"},
    {265, "metrics-file", "FILE.prom", "GAE_RUN_METRICS_FILE", NULL, apply_metrics,
     "keep metrics for node_exporter in FILE.prom"},
    {266, "config", "FILE", "GAE_RUN_CONFIG", NULL, apply_config,
     "take variables and the app's name from this app.yaml"},
    {267, "app-yaml", "auto|none", "GAE_RUN_APP_YAML", NULL, apply_app_yaml,
     "auto: the same from ./app.yaml, where there is one (default: none)"},
    {268, "urlfetch-deadline", "S[,MAX]", "GAE_RUN_URLFETCH_DEADLINE", NULL,
     apply_urlfetch_deadline,
     "seconds that a URL Fetch takes at most, and that it may ask for (default: 10,60)"},
    {258, "keep-cap", "NAME", "GAE_RUN_KEEP_CAP", ",", apply_keep_cap,
     "keep a capability that is otherwise dropped; repeatable"},
    {259, "check", NULL, NULL, NULL, apply_check, "say what this kernel offers, and end"},
    {260, "version", NULL, NULL, NULL, apply_version, "print the version, and end"},
    {'h', "help", NULL, NULL, NULL, apply_help, "print this text, and end"},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void options_make_tables(char *letters, struct option *names)
{
	/* '+': the first word that is no option is the program; ':': a missing argument is told apart. */
	*letters++ = '+';
	*letters++ = ':';
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct option_row *row = &rows[i];

		names[i] = (struct option){
		    row->name, row->argument ? required_argument : no_argument, NULL, row->letter};
		if (row->letter > 255)
			continue;
		*letters++ = (char)row->letter;
		if (row->argument)
			*letters++ = ':';
	}
	*letters = '\0';
	names[N_ROWS] = (struct option){0};
}

static int options_parse_line(int argc, char **argv, struct options *options, bool *seen,
			      struct origin *origin)
{
	char letters[3 + 2 * N_ROWS];
	struct option names[N_ROWS + 1];
	int found, rc;

	options_make_tables(letters, names);
	opterr = 0;
	optind = 0; /* getopt(3): start anew, GNU extensions included */
	while ((found = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		size_t i = 0;
		char name[32];

		while (i < N_ROWS && rows[i].letter != found)
			i++;
		if (i == N_ROWS) {
			option_fault(found, argv, names, origin->error, origin->room);
			return -EINVAL;
		}
		snprintf(name, sizeof(name), "--%s", rows[i].name);
		origin->name = name;
		seen[i] = true;
		rc = rows[i].apply(options, rows[i].argument ? optarg : NULL, origin);
		if (rc || options->mode == OPTIONS_HELP || options->mode == OPTIONS_VERSION)
			return rc;
	}
	options->argv = argv + optind;
	return 0;
}

/* Separated values: empty ones between two separators are passed over. */
static int options_apply_list(const struct option_row *row, const char *text,
			      struct options *options, const struct origin *origin)
{
	char *copy = strdup(text), *rest = copy, *value;
	int rc = copy ? 0 : -ENOMEM;

	while (!rc && (value = strsep(&rest, row->separator)))
		if (*value)
			rc = row->apply(options, value, origin);
	free(copy);
	return rc;
}

static int options_parse_environment(struct options *options, const bool *seen,
				     struct origin *origin)
{
	int rc = 0;

	for (size_t i = 0; i < N_ROWS && !rc; i++) {
		const char *value = rows[i].variable ? getenv(rows[i].variable) : NULL;

		if (seen[i] || !value || !*value)
			continue;
		origin->name = rows[i].variable;
		rc = rows[i].separator ? options_apply_list(&rows[i], value, options, origin)
				       : rows[i].apply(options, value, origin);
	}
	return rc;
}

int options_parse(int argc, char **argv, struct options *options, char *error, size_t room)
{
	struct origin origin = {.error = error, .room = room};
	bool seen[N_ROWS] = {false};
	int rc;

	*options = (struct options){0};
	rc = options_parse_line(argc, argv, options, seen, &origin);
	if (!rc && (options->mode == OPTIONS_HELP || options->mode == OPTIONS_VERSION))
		return 0;
	if (!rc)
		rc = options_parse_environment(options, seen, &origin);
	if (!rc && options->mode == OPTIONS_RUN && !options->argv[0])
		return options_fail(&origin, "no program given");
	if (rc == -ENOMEM)
		snprintf(error, room, "out of memory");
	return rc;
}

static void list_fini(struct options_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct options_list){0};
}

void options_fini(struct options *options)
{
	list_fini(&options->policies);
	list_fini(&options->keep_caps);
}

void options_print_help(FILE *out)
{
	fputs("Usage: gae-run [options] [--] PROGRAM [ARGS...]\n"
	      "Run PROGRAM under an outbound network policy.\n\n",
	      out);
	for (size_t i = 0; i < N_ROWS; i++) {
		char left[48];

		snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].argument ? " " : "",
			 rows[i].argument ? rows[i].argument : "");
		if (rows[i].letter < 256)
			fprintf(out, "  -%c, ", rows[i].letter);
		else
			fputs("      ", out);
		fprintf(out, "%-29s %s\n", left, rows[i].help);
	}
	fputs("\nEach may also be set in the environment, the command line goes first:\n", out);
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].variable)
			fprintf(out, "  %-26s --%s%s%s\n", rows[i].variable, rows[i].name,
				rows[i].separator ? ", several separated by " : "",
				rows[i].separator ? rows[i].separator : "");
	fputs("\nExit status: the program's; 125 gae-run itself failed, 126 the program cannot be\n"
	      "run, 127 it was not found.\n",
	      out);
}
