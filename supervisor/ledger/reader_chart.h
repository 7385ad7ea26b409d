/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_READER_CHART_H
#define LEDGER_READER_CHART_H

#include "ledger/day.h"
#include "ledger/reader_query.h"

#include <stdio.h>

#define READER_CHART_APPS 8 /* with a colour of their own; the others share one */
#define READER_CHART_DAYS 4000

struct reader_series {
	char *app; /* NULL: all the others */
	uint64_t total;
	uint64_t *values; /* one per bucket */
};

/* Bytes sent over time, by app: the largest app first. */
struct reader_chart {
	int from, to; /* days */
	enum day_zone zone;
	bool intraday; /* buckets of LEDGER_SLOT seconds, where they are days otherwise */
	size_t n_buckets;
	struct reader_series series[READER_CHART_APPS + 1];
	size_t n_series;
};

/**
 * reader_chart_load() - what @query asks for: slots for one or two days without a filter but
 * that of apps, else days.  An open end of the range is where the data ends.
 * Return: SQLite's code; -ERANGE more than READER_CHART_DAYS days.  reader_chart_fini() in any case.
 */
int reader_chart_load(struct reader_chart *chart, struct ledger_file *file,
		      const struct reader_query *query, enum day_zone zone);

void reader_chart_fini(struct reader_chart *chart);

/** reader_chart_begin() - Unix seconds at which @bucket begins; of the last plus one: at which it all ends. */
int64_t reader_chart_begin(const struct reader_chart *chart, size_t bucket);

/** reader_chart_draw() - as one SVG file that needs nothing else. */
void reader_chart_draw(const struct reader_chart *chart, FILE *out);

#endif
