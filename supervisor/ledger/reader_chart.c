/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/reader_chart.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct loader {
	struct reader_chart *chart;
	int first, last; /* days in which there is something */
	bool no_memory;
};

static struct reader_series *series_of(struct reader_chart *chart, const char *app)
{
	size_t i = 0;

	while (i < chart->n_series && chart->series[i].app &&
	       strcmp(chart->series[i].app, app) != 0)
		i++;
	return i < chart->n_series ? &chart->series[i] : NULL;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static void add_value(struct reader_chart *chart, const char *app, size_t bucket, uint64_t bytes)
{
	struct reader_series *series = series_of(chart, app);

	if (!series || bucket >= chart->n_buckets)
		return;
	series->values[bucket] = add(series->values[bucket], bytes);
	series->total = add(series->total, bytes);
}

static void visit_app(void *context, const struct reader_row *row)
{
	struct loader *loader = context;
	struct reader_chart *chart = loader->chart;

	if (chart->n_series > READER_CHART_APPS)
		return;
	if (chart->n_series < READER_CHART_APPS) {
		chart->series[chart->n_series].app = strdup(row->text[READER_APP]);
		loader->no_memory |= !chart->series[chart->n_series].app;
	}
	chart->n_series++;
}

static void visit_range(void *context, const struct reader_row *row)
{
	struct loader *loader = context;
	int day = row->number[READER_DAY] > DAY_MAX ? 0 : (int)row->number[READER_DAY];

	if (!day_is_valid(day))
		return;
	if (!loader->first || day < loader->first)
		loader->first = day;
	if (day > loader->last)
		loader->last = day;
}

static size_t days_between(const struct reader_chart *chart, int from, int to)
{
	/* Noon, so that an hour more or less on the way does not matter. */
	int64_t seconds = day_begin(to, chart->zone) - day_begin(from, chart->zone) + 43200;

	return seconds < 0 ? SIZE_MAX : (size_t)(seconds / 86400);
}

static void visit_day(void *context, const struct reader_row *row)
{
	struct loader *loader = context;
	int day = row->number[READER_DAY] > DAY_MAX ? 0 : (int)row->number[READER_DAY];

	if (day_is_valid(day))
		add_value(loader->chart, row->text[READER_APP],
			  days_between(loader->chart, loader->chart->from, day),
			  row->number[READER_BYTES_SENT]);
}

static void visit_slot(void *context, int64_t slot, const char *app, uint64_t bytes_sent)
{
	struct loader *loader = context;
	int64_t past = slot - day_begin(loader->chart->from, loader->chart->zone);

	if (past >= 0)
		add_value(loader->chart, app, (size_t)past / LEDGER_SLOT, bytes_sent);
}

/* The time line knows no destinations. */
static bool has_other_filters(const struct reader_query *query)
{
	for (enum reader_column i = 0; i < READER_KEYS; i++)
		if (i != READER_APP && query->filters[i].n)
			return true;
	return false;
}

/* Where the data begins; without any, a day that is drawn empty. */
static int first_day(const struct loader *loader, const struct reader_query *query)
{
	if (loader->first)
		return loader->first;
	return query->to == DAY_MAX ? 19700101 : query->to;
}

static int find_range(struct loader *loader, struct ledger_file *file,
		      const struct reader_query *query)
{
	struct reader_chart *chart = loader->chart;
	struct reader_query days = *query;
	int rc;

	chart->from = query->from;
	chart->to = query->to;
	days.group = READER_BY_DAY;
	days.sort = READER_DAY;
	days.limit = -1;
	if (chart->from != DAY_MIN && chart->to != DAY_MAX)
		return 0;
	rc = reader_query_run(file, &days, visit_range, loader);
	if (chart->from == DAY_MIN)
		chart->from = first_day(loader, query);
	if (chart->to == DAY_MAX)
		chart->to = loader->last > chart->from ? loader->last : chart->from;
	return rc;
}

static int make_buckets(struct loader *loader, const struct reader_query *query)
{
	struct reader_chart *chart = loader->chart;
	size_t days = days_between(chart, chart->from, chart->to) + 1;

	if (days > READER_CHART_DAYS)
		return -ERANGE;
	chart->intraday = days <= 2 && !has_other_filters(query);
	chart->n_buckets = days;
	if (chart->intraday)
		chart->n_buckets = (size_t)(day_begin(day_add(chart->to, 1), chart->zone) -
					    day_begin(chart->from, chart->zone)) /
				   LEDGER_SLOT;
	for (size_t i = 0; i < chart->n_series; i++) {
		chart->series[i].values = calloc(chart->n_buckets + 1, sizeof(uint64_t));
		loader->no_memory |= !chart->series[i].values;
	}
	return loader->no_memory ? SQLITE_NOMEM : 0;
}

static int load_values(struct loader *loader, struct ledger_file *file,
		       const struct reader_query *query)
{
	struct reader_query days = *query;

	if (loader->chart->intraday)
		return reader_query_course(
		    file, query, reader_chart_begin(loader->chart, 0),
		    reader_chart_begin(loader->chart, loader->chart->n_buckets), visit_slot,
		    loader);
	days.group = READER_BY_DAY_AND_APP;
	days.sort = READER_DAY;
	days.limit = -1;
	return reader_query_run(file, &days, visit_day, loader);
}

static int load(struct loader *loader, struct ledger_file *file, const struct reader_query *query)
{
	struct reader_query apps = *query;
	int rc = find_range(loader, file, query);

	apps.group = READER_BY_APP;
	apps.sort = READER_BYTES_SENT;
	apps.limit = READER_CHART_APPS + 1;
	if (!rc)
		rc = reader_query_run(file, &apps, visit_app, loader);
	if (!rc)
		rc = make_buckets(loader, query);
	return rc ? rc : load_values(loader, file, query);
}

int reader_chart_load(struct reader_chart *chart, struct ledger_file *file,
		      const struct reader_query *query, enum day_zone zone)
{
	struct loader loader = {.chart = chart};
	int rc;

	*chart = (struct reader_chart){.zone = zone};
	rc = ledger_file_exec(file, "BEGIN"); /* all the questions see the same */
	if (!rc)
		rc = load(&loader, file, query);
	ledger_file_exec(file, "COMMIT");
	return rc;
}

void reader_chart_fini(struct reader_chart *chart)
{
	for (size_t i = 0; i < chart->n_series; i++) {
		free(chart->series[i].app);
		free(chart->series[i].values);
	}
	chart->n_series = 0;
}

int64_t reader_chart_begin(const struct reader_chart *chart, size_t bucket)
{
	if (chart->intraday)
		return day_begin(chart->from, chart->zone) + (int64_t)bucket * LEDGER_SLOT;
	return day_begin(day_add(chart->from, (int)bucket), chart->zone);
}
