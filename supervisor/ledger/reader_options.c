/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/reader_options.h"

#include "net/addr.h"
#include "shared/base/escape.h"
#include "shared/base/option_fault.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TODAY (-1) /* a day that is known when the zone is */

/* Where a value comes from, for messages: "--app", "GAE_RUN_LEDGER". */
struct origin {
	const char *name;
	char *error;
	size_t room;
};

typedef int option_apply(struct reader_options *options, const char *value,
			 const struct origin *origin);

/* One row per option: getopt's tables, --help and the environment all come from here. */
struct option_row {
	int letter; /* the short option, or a number above 255 when there is none */
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *variable; /* NULL: not from the environment */
	option_apply *apply;  /* @value: the argument; NULL for an option without */
	const char *help;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct origin *origin,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(origin->error, origin->room, format, args);
	va_end(args);
	return -EINVAL;
}

static int fail_value(const struct origin *origin, const char *value, const char *what)
{
	char escaped[256];

	escape_name(escaped, sizeof(escaped), value, strlen(value));
	return fail(origin, "%s: '%s' is %s", origin->name, escaped, what);
}

static int need_text(const char *value, const struct origin *origin)
{
	return *value ? 0 : fail(origin, "%s: empty value", origin->name);
}

static int apply_ledger(struct reader_options *options, const char *value,
			const struct origin *origin)
{
	options->ledger = value;
	return need_text(value, origin);
}

static int apply_chart(struct reader_options *options, const char *value,
		       const struct origin *origin)
{
	options->chart = value;
	return need_text(value, origin);
}

static int apply_zone(struct reader_options *options, const char *value,
		      const struct origin *origin)
{
	if (strcasecmp(value, "pacific") && strcasecmp(value, "utc"))
		return fail_value(origin, value, "no ledger day; expected pacific or utc");
	options->zone = strcasecmp(value, "utc") ? DAY_PACIFIC : DAY_UTC;
	return 0;
}

static int apply_format(struct reader_options *options, const char *value,
			const struct origin *origin)
{
	static const char *const names[] = {
	    [READER_TABLE] = "table", [READER_JSON] = "json", [READER_CSV] = "csv"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], value) != 0)
			continue;
		options->format = (enum reader_format)i;
		return 0;
	}
	return fail_value(origin, value, "no format; expected table, json or csv");
}

static int parse_day(const char *value, const struct origin *origin, int *day)
{
	int digits = 0, number = 0;

	for (size_t i = 0; value[i] && digits < 9; i++) {
		if (i == 4 || i == 7) {
			if (value[i] != '-')
				break;
			continue;
		}
		if (value[i] < '0' || value[i] > '9')
			break;
		number = number * 10 + (value[i] - '0');
		digits++;
	}
	if (digits != 8 || strlen(value) != 10 || !day_is_valid(number))
		return fail_value(origin, value, "no day; expected YYYY-MM-DD");
	*day = number;
	return 0;
}

static int apply_today(struct reader_options *options, const char *value,
		       const struct origin *origin)
{
	(void)value, (void)origin;
	options->query.from = options->query.to = TODAY;
	return 0;
}

static int apply_day(struct reader_options *options, const char *value, const struct origin *origin)
{
	int rc = parse_day(value, origin, &options->query.from);

	options->query.to = options->query.from;
	return rc;
}

static int apply_from(struct reader_options *options, const char *value,
		      const struct origin *origin)
{
	return parse_day(value, origin, &options->query.from);
}

static int apply_to(struct reader_options *options, const char *value, const struct origin *origin)
{
	return parse_day(value, origin, &options->query.to);
}

static int apply_all(struct reader_options *options, const char *value, const struct origin *origin)
{
	(void)value, (void)origin;
	options->query.from = DAY_MIN;
	options->query.to = DAY_MAX;
	return 0;
}

/* In the form in which the ledger stores it. */
static int add_filter(struct reader_options *options, enum reader_column column, const char *value)
{
	struct reader_filter *filter = &options->query.filters[column];
	char text[LEDGER_NAME_MAX];
	char **values = reallocarray(filter->values, filter->n + 1, sizeof(*values));

	if (!values)
		return -ENOMEM;
	filter->values = values;
	escape_name(text, sizeof(text), value, strlen(value));
	values[filter->n] = strdup(text);
	return values[filter->n] ? (filter->n++, 0) : -ENOMEM;
}

static int apply_app(struct reader_options *options, const char *value, const struct origin *origin)
{
	int rc = need_text(value, origin);

	return rc ? rc : add_filter(options, READER_APP, value);
}

static int apply_process(struct reader_options *options, const char *value,
			 const struct origin *origin)
{
	(void)origin;
	return add_filter(options, READER_PROCESS, value);
}

static int apply_host(struct reader_options *options, const char *value,
		      const struct origin *origin)
{
	(void)origin;
	return add_filter(options, READER_HOST, value);
}

static int apply_address(struct reader_options *options, const char *value,
			 const struct origin *origin)
{
	char text[NET_ADDR_TEXT_MAX];
	struct net_addr addr;

	if (!strcmp(value, "*"))
		return add_filter(options, READER_ADDRESS, value);
	if (net_addr_parse(value, &addr))
		return fail_value(origin, value,
				  "no address; expected an IPv4 or IPv6 address, or *");
	return add_filter(options, READER_ADDRESS, net_addr_format(&addr, text));
}

static int parse_number(const char *value, int64_t max, int64_t *number)
{
	*number = 0;
	if (!*value || strspn(value, "0123456789") != strlen(value) || strlen(value) > 15)
		return -EINVAL;
	*number = strtoll(value, NULL, 10);
	return *number > max ? -EINVAL : 0;
}

static int apply_port(struct reader_options *options, const char *value,
		      const struct origin *origin)
{
	int64_t port;
	char text[24];

	if (parse_number(value, 65535, &port))
		return fail_value(origin, value, "no port; expected 0 to 65535");
	snprintf(text, sizeof(text), "%lld", (long long)port);
	return add_filter(options, READER_PORT, text);
}

static int apply_by(struct reader_options *options, const char *value, const struct origin *origin)
{
	int group = reader_group_parse(value);

	if (group < 0)
		return fail_value(
		    origin, value,
		    "no group; expected destination, app, day, host, port or process");
	options->query.group = (enum reader_group)group;
	return 0;
}

static int apply_sort(struct reader_options *options, const char *value,
		      const struct origin *origin)
{
	int column = reader_column_parse(value);

	if (column < 0)
		return fail_value(origin, value,
				  "no column; expected one such as bytes_sent or day");
	options->query.sort = (enum reader_column)column;
	options->sort_is_given = true;
	return 0;
}

static int apply_limit(struct reader_options *options, const char *value,
		       const struct origin *origin)
{
	if (parse_number(value, INT64_MAX, &options->query.limit))
		return fail_value(origin, value, "no number of rows; expected 0 or more");
	return 0;
}

static int apply_no_header(struct reader_options *options, const char *value,
			   const struct origin *origin)
{
	(void)value, (void)origin;
	options->no_header = true;
	return 0;
}

static int apply_version(struct reader_options *options, const char *value,
			 const struct origin *origin)
{
	(void)value, (void)origin;
	options->mode = READER_VERSION;
	return 0;
}

static int apply_help(struct reader_options *options, const char *value,
		      const struct origin *origin)
{
	(void)value, (void)origin;
	options->mode = READER_HELP;
	return 0;
}

static const struct option_row rows[] = {
    {256, "today", NULL, NULL, apply_today, "what was used today (the default)"},
    {257, "day", "YYYY-MM-DD", NULL, apply_day, "on this day"},
    {258, "from", "YYYY-MM-DD", NULL, apply_from, "from this day on"},
    {259, "to", "YYYY-MM-DD", NULL, apply_to, "up to this day, itself included"},
    {260, "all", NULL, NULL, apply_all, "on any day"},
    {261, "app", "NAME", NULL, apply_app, "by this app; like the next four, repeatable"},
    {262, "process", "NAME", NULL, apply_process, "by processes of this name"},
    {263, "host", "NAME", NULL, apply_host, "to this host name ('': none known)"},
    {264, "address", "ADDRESS", NULL, apply_address, "to this address"},
    {265, "port", "PORT", NULL, apply_port, "to this port"},
    {266, "by", "GROUP", NULL, apply_by,
     "one row per destination (the default), app, day, host, port or process"},
    {267, "sort", "COLUMN", NULL, apply_sort, "sums: largest first (default: bytes_sent)"},
    {268, "limit", "N", NULL, apply_limit, "print at most N rows"},
    {269, "format", "table|json|csv", NULL, apply_format, "how (default: table)"},
    {270, "no-header", NULL, NULL, apply_no_header, "leave out the line of names"},
    {271, "chart", "FILE.svg|-", NULL, apply_chart,
     "draw the bytes sent over time instead, as SVG"},
    {272, "ledger", "PATH", "GAE_RUN_LEDGER", apply_ledger,
     "the ledger (default: ~/.local/state/gae-run/ledger.db)"},
    {273, "ledger-day", "pacific|utc", "GAE_RUN_LEDGER_DAY", apply_zone,
     "where its days begin (default: pacific)"},
    {'V', "version", NULL, NULL, apply_version, "print the version, and end"},
    {'h', "help", NULL, NULL, apply_help, "print this text, and end"},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void make_table(struct option *names)
{
	for (size_t i = 0; i < N_ROWS; i++)
		names[i] = (struct option){rows[i].name,
					   rows[i].argument ? required_argument : no_argument, NULL,
					   rows[i].letter};
	names[N_ROWS] = (struct option){0};
}

static int parse_line(int argc, char **argv, struct reader_options *options, bool *seen,
		      struct origin *origin)
{
	struct option names[N_ROWS + 1];
	int found, rc;
	char name[32];

	make_table(names);
	opterr = 0;
	optind = 0; /* getopt(3): start anew, GNU extensions included */
	while ((found = getopt_long(argc, argv, ":hV", names, NULL)) != -1) {
		size_t i = 0;

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
		if (rc || options->mode != READER_RUN)
			return rc;
	}
	if (optind == argc)
		return 0;
	origin->name = "arguments";
	return fail_value(origin, argv[optind], "not expected; only options are");
}

static int parse_environment(struct reader_options *options, const bool *seen,
			     struct origin *origin)
{
	int rc = 0;

	for (size_t i = 0; i < N_ROWS && !rc; i++) {
		const char *value = rows[i].variable ? getenv(rows[i].variable) : NULL;

		if (seen[i] || !value || !*value)
			continue;
		origin->name = rows[i].variable;
		rc = rows[i].apply(options, value, origin);
	}
	return rc;
}

/* What the options mean together. */
static int complete(struct reader_options *options, int64_t now, const struct origin *origin)
{
	struct reader_query *query = &options->query;
	int today = day_of(now, options->zone);

	/* An end that is not given is open; neither given is today. */
	if (!query->from && !query->to)
		query->from = query->to = TODAY;
	query->from = query->from == TODAY ? today : query->from ? query->from : DAY_MIN;
	query->to = query->to == TODAY ? today : query->to ? query->to : DAY_MAX;
	if (query->from > query->to)
		return fail(origin, "--from: the day is after that of --to");
	if (!options->sort_is_given)
		query->sort = query->group == READER_BY_DAY ? READER_DAY : READER_BYTES_SENT;
	if (!reader_group_has(query->group, query->sort))
		return fail(origin, "--sort: there is no column '%s' with --by %s",
			    reader_column_name(query->sort), reader_group_name(query->group));
	return 0;
}

int reader_options_parse(int argc, char **argv, int64_t now, struct reader_options *options,
			 char *error, size_t room)
{
	struct origin origin = {.error = error, .room = room};
	bool seen[N_ROWS] = {false};
	int rc;

	*options = (struct reader_options){.query = {.limit = -1}};
	rc = parse_line(argc, argv, options, seen, &origin);
	if (!rc && options->mode == READER_RUN)
		rc = parse_environment(options, seen, &origin);
	if (!rc && options->mode == READER_RUN)
		rc = complete(options, now, &origin);
	if (rc == -ENOMEM)
		snprintf(error, room, "out of memory");
	return rc;
}

void reader_options_fini(struct reader_options *options)
{
	for (size_t i = 0; i < READER_KEYS; i++) {
		for (size_t j = 0; j < options->query.filters[i].n; j++)
			free(options->query.filters[i].values[j]);
		free(options->query.filters[i].values);
		options->query.filters[i] = (struct reader_filter){0};
	}
}

void reader_options_print_help(FILE *out)
{
	fputs("Usage: gae-usage [options]\nShow what apps sent and received under gae-run.\n\n",
	      out);
	for (size_t i = 0; i < N_ROWS; i++) {
		char left[48];

		snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].argument ? " " : "",
			 rows[i].argument ? rows[i].argument : "");
		if (rows[i].letter < 256)
			fprintf(out, "  -%c, ", rows[i].letter);
		else
			fputs("      ", out);
		fprintf(out, "%-24s %s\n", left, rows[i].help);
	}
	fputs("\nEach may also be set in the environment, the command line goes first:\n", out);
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].variable)
			fprintf(out, "  %-22s --%s\n", rows[i].variable, rows[i].name);
	fputs("\nExit status: 0; 125 when it failed.\n", out);
}
