/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/reader_chart.h"
#include "ledger/reader_options.h"
#include "ledger/reader_print.h"
#include "ledger_fixture.h"

#include <errno.h>

#define NOW INT64_C(1795593600) /* 2026-11-25 00:00 Pacific time, 08:00 UTC */

static char message[512];
static struct reader_options options;

/* Words up to a NULL, behind the program's name.  Return: as reader_options_parse(). */
static int parse_at(int64_t now, const char *const *words)
{
	char *argv[16] = {(char *)(uintptr_t) "gae-usage"};
	int argc = 1;

	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	reader_options_fini(&options);
	*message = '\0';
	return reader_options_parse(argc, argv, now, &options, message, sizeof(message));
}

#define PARSE(...) parse_at(NOW, (const char *const[]){__VA_ARGS__, NULL})

static void clear_environment(void)
{
	unsetenv("GAE_RUN_LEDGER");
	unsetenv("GAE_RUN_LEDGER_DAY");
}

static void fini(void)
{
	reader_options_fini(&options);
}

TestSuite(reader, .init = clear_environment, .fini = fini);

Test(reader, writes_bytes_with_three_digits)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
	    {0, "0 B"},
	    {999, "999 B"},
	    {1000, "1.00 kB"},
	    {1234, "1.23 kB"},
	    {9994, "9.99 kB"},
	    {9996, "10.0 kB"},
	    {99949, "99.9 kB"},
	    {99951, "100 kB"},
	    {999499, "999 kB"},
	    {999501, "1.00 MB"},
	    {4567890, "4.57 MB"},
	    {20000000000, "20.0 GB"},
	    {UINT64_MAX, "18.4 EB"},
	};
	char text[READER_BYTES_ROOM];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(reader_bytes_format(cases[i].bytes, text), cases[i].text);
}

Test(reader, says_what_is_wrong_with_an_option)
{
	static const struct {
		const char *words[4], *error;
	} cases[] = {
	    {{"--day", "2026-13-01"}, "--day: '2026-13-01' is no day; expected YYYY-MM-DD"},
	    {{"--day", "2026-02-29"}, "--day: '2026-02-29' is no day; expected YYYY-MM-DD"},
	    {{"--from", "20261101"}, "--from: '20261101' is no day; expected YYYY-MM-DD"},
	    {{"--to", "2026-11-011"}, "--to: '2026-11-011' is no day; expected YYYY-MM-DD"},
	    {{"--to", "2026-11-01x"}, "--to: '2026-11-01x' is no day; expected YYYY-MM-DD"},
	    {{"--to", ""}, "--to: '' is no day; expected YYYY-MM-DD"},
	    {{"--from=2026-11-02", "--to=2026-11-01"}, "--from: the day is after that of --to"},
	    {{"--format", "xml"}, "--format: 'xml' is no format; expected table, json or csv"},
	    {{"--format", "\033[2J"},
	     "--format: '\\033[2J' is no format; expected table, json or csv"},
	    {{"--by", "moon"},
	     "--by: 'moon' is no group; expected destination, app, day, host, port or process"},
	    {{"--sort", "size"},
	     "--sort: 'size' is no column; expected one such as bytes_sent or day"},
	    {{"--by=app", "--sort=host"}, "--sort: there is no column 'host' with --by app"},
	    {{"--port", "65536"}, "--port: '65536' is no port; expected 0 to 65535"},
	    {{"--port", "-1"}, "--port: '-1' is no port; expected 0 to 65535"},
	    {{"--address", "fe"},
	     "--address: 'fe' is no address; expected an IPv4 or IPv6 address, or *"},
	    {{"--limit", "1x"}, "--limit: '1x' is no number of rows; expected 0 or more"},
	    {{"--ledger-day", "mars"},
	     "--ledger-day: 'mars' is no ledger day; expected pacific or utc"},
	    {{"--app", ""}, "--app: empty value"},
	    {{"--app"}, "option --app needs an argument"},
	    {{"--all=1"}, "option --all takes no argument"},
	    {{"--help=1"}, "option --help takes no argument"},
	    {{"--l"}, "option --l is ambiguous: --limit --ledger --ledger-day"},
	    {{"--nothing"}, "unknown option --nothing"},
	    {{"-x"}, "unknown option -x"},
	    {{"-xh"}, "unknown option -x"},
	    {{"-xV"}, "unknown option -x"},
	    {{"today"}, "arguments: 'today' is not expected; only options are"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(parse_at(NOW, cases[i].words), -EINVAL, "%s", cases[i].words[0]);
		cr_expect_str_eq(message, cases[i].error);
	}
}

static void expect_days(int from, int to)
{
	cr_expect_str_eq(message, "");
	cr_expect_eq(options.query.from, from, "%d", options.query.from);
	cr_expect_eq(options.query.to, to, "%d", options.query.to);
}

Test(reader, knows_which_days_are_meant)
{
	PARSE(NULL);
	expect_days(20261125, 20261125);
	parse_at(NOW - 1, (const char *const[]){"--today", NULL});
	expect_days(20261124, 20261124);
	parse_at(NOW - 1, (const char *const[]){"--ledger-day", "UTC", NULL});
	expect_days(20261125, 20261125);
	PARSE("--day", "2024-02-29");
	expect_days(20240229, 20240229);
	PARSE("--from", "2026-11-01");
	expect_days(20261101, DAY_MAX);
	PARSE("--to", "2026-11-01");
	expect_days(DAY_MIN, 20261101);
	PARSE("--all");
	expect_days(DAY_MIN, DAY_MAX);
	PARSE("--all", "--today");
	expect_days(20261125, 20261125);
}

Test(reader, takes_the_environment_where_the_line_says_nothing)
{
	setenv("GAE_RUN_LEDGER", "/a", 1);
	setenv("GAE_RUN_LEDGER_DAY", "utc", 1);
	cr_expect_eq(PARSE("--all"), 0);
	cr_expect_str_eq(options.ledger, "/a");
	cr_expect_eq(options.zone, DAY_UTC);
	cr_expect_eq(PARSE("--ledger", "/b", "--ledger-day", "pacific"), 0);
	cr_expect_str_eq(options.ledger, "/b");
	cr_expect_eq(options.zone, DAY_PACIFIC);
	setenv("GAE_RUN_LEDGER_DAY", "x", 1);
	cr_expect_eq(PARSE("--all"), -EINVAL);
	cr_expect_str_eq(message,
			 "GAE_RUN_LEDGER_DAY: 'x' is no ledger day; expected pacific or utc");
	cr_expect_eq(PARSE("--help"), 0);
	cr_expect_eq(options.mode, READER_HELP);
}

Test(reader, stores_filters_as_the_ledger_does)
{
	cr_expect_eq(
	    PARSE("--app", "a\nb", "--app", "c", "--address", "2001:DB8:0::1", "--port", "0443"),
	    0);
	cr_expect_eq(options.query.filters[READER_APP].n, 2);
	cr_expect_str_eq(options.query.filters[READER_APP].values[0], "a\\nb");
	cr_expect_str_eq(options.query.filters[READER_APP].values[1], "c");
	cr_expect_str_eq(options.query.filters[READER_ADDRESS].values[0], "2001:db8::1");
	cr_expect_str_eq(options.query.filters[READER_PORT].values[0], "443");
}

static struct place place;
static struct ledger_file file;

static void make_ledger(void)
{
	struct ledger_row row = SAMPLE_ROW;
	struct ledger_batch batch = SAMPLE_BATCH(&row, 1);
	struct ledger *ledger;

	clear_environment();
	place_make(&place);
	ledger = place_open(&place);
	for (int i = 0; i < 20; i++) {
		char app[16];

		snprintf(app, sizeof(app), "app%02d", i);
		batch.app = app;
		row.usage.bytes_sent = (uint64_t)i;
		cr_assert_eq(place_write(&place, ledger, &batch), 0, "%s", place.error);
	}
	ledger_close(ledger);
	cr_assert_eq(
	    ledger_file_open(&file, place.path, LEDGER_READ, place.error, sizeof(place.error)), 0,
	    "%s", place.error);
}

static void remove_ledger(void)
{
	ledger_file_close(&file);
	reader_options_fini(&options);
	place_clean(&place);
}

TestSuite(reader_query, .init = make_ledger, .fini = remove_ledger);

/* What SQLite will do for the options parsed last. */
static const char *plan(void)
{
	static char text[256];
	char sql[1024], *query = reader_query_text(&options.query);
	sqlite3_stmt *statement;

	snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", query);
	free(query);
	cr_assert_eq(sqlite3_prepare_v2(file.db, sql, -1, &statement, NULL), 0, "%s", sql);
	cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
	snprintf(text, sizeof(text), "%s", (const char *)sqlite3_column_text(statement, 3));
	sqlite3_finalize(statement);
	return text;
}

Test(reader_query, finds_days_by_the_primary_key)
{
	PARSE("--today");
	cr_expect_str_eq(plan(), "SEARCH usage USING PRIMARY KEY (day=?)");
	PARSE("--today", "--app", "shop", "--by", "host");
	cr_expect_str_eq(plan(), "SEARCH usage USING PRIMARY KEY (day=? AND app=?)");
	PARSE("--from", "2026-11-01", "--by", "app");
	cr_expect_str_eq(plan(), "SEARCH usage USING PRIMARY KEY (day>? AND day<?)");
}

static void count_row(void *context, const struct reader_row *row)
{
	(void)row;
	++*(int *)context;
}

static int count_rows(void)
{
	int n = 0;

	cr_assert_eq(reader_query_run(&file, &options.query, count_row, &n), 0);
	return n;
}

Test(reader_query, asks_for_what_the_options_say)
{
	PARSE("--day", "2026-11-25");
	cr_expect_eq(count_rows(), 20);
	PARSE("--day", "2026-11-25", "--limit", "3");
	cr_expect_eq(count_rows(), 3);
	PARSE("--day", "2026-11-24");
	cr_expect_eq(count_rows(), 0);
	PARSE("--all", "--app", "app07", "--app", "app08", "--port", "443");
	cr_expect_eq(count_rows(), 2);
	PARSE("--all", "--port", "444");
	cr_expect_eq(count_rows(), 0);
	PARSE("--all", "--host", "api.example.com", "--by", "port");
	cr_expect_eq(count_rows(), 1);
	PARSE("--all", "--process", "wget");
	cr_expect_eq(count_rows(), 0);
	PARSE("--all", "--app", "' OR 1=1 --");
	cr_expect_eq(count_rows(), 0);
}

Test(reader_query, a_chart_has_the_largest_apps_and_the_rest)
{
	struct reader_chart chart;

	PARSE("--day", "2026-11-25");
	cr_assert_eq(reader_chart_load(&chart, &file, &options.query, DAY_PACIFIC), 0);
	cr_expect(chart.intraday);
	cr_expect_eq(chart.n_buckets, 288);
	cr_assert_eq(chart.n_series, READER_CHART_APPS + 1);
	cr_expect_str_eq(chart.series[0].app, "app19");
	cr_expect_eq(chart.series[0].values[(1795600000 - NOW) / LEDGER_SLOT], 19);
	cr_expect_null(chart.series[READER_CHART_APPS].app);
	cr_expect_eq(chart.series[READER_CHART_APPS].total, 11 * 12 / 2);
	reader_chart_fini(&chart);
}

Test(reader_query, a_chart_of_destinations_or_many_days_has_days)
{
	struct reader_chart chart;

	PARSE("--day", "2026-11-25", "--port", "443");
	cr_assert_eq(reader_chart_load(&chart, &file, &options.query, DAY_PACIFIC), 0);
	cr_expect_not(chart.intraday);
	cr_expect_eq(chart.n_buckets, 1);
	cr_expect_eq(chart.series[0].values[0], 19);
	reader_chart_fini(&chart);
	PARSE("--from", "2026-10-01", "--to", "2026-11-30");
	cr_assert_eq(reader_chart_load(&chart, &file, &options.query, DAY_PACIFIC), 0);
	cr_expect_eq(chart.n_buckets, 61);
	cr_expect_eq(chart.series[0].values[55], 19);
	reader_chart_fini(&chart);
	PARSE("--from", "2000-01-01", "--to", "2026-11-30");
	cr_expect_eq(reader_chart_load(&chart, &file, &options.query, DAY_PACIFIC), -ERANGE);
	reader_chart_fini(&chart);
	PARSE("--all");
	cr_assert_eq(reader_chart_load(&chart, &file, &options.query, DAY_PACIFIC), 0);
	cr_expect_eq(chart.from, 20261125);
	cr_expect_eq(chart.to, 20261125);
	reader_chart_fini(&chart);
}

/* On the days on which the clocks change there are 276 and 300 slots. */
Test(reader_query, a_chart_follows_the_clocks)
{
	struct reader_chart chart;

	PARSE("--day", "2026-03-08");
	cr_assert_eq(reader_chart_load(&chart, &file, &options.query, DAY_PACIFIC), 0);
	cr_expect_eq(chart.n_buckets, 276);
	reader_chart_fini(&chart);
	PARSE("--day", "2026-11-01");
	cr_assert_eq(reader_chart_load(&chart, &file, &options.query, DAY_PACIFIC), 0);
	cr_expect_eq(chart.n_buckets, 300);
	reader_chart_fini(&chart);
}
