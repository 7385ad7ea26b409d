/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_READER_QUERY_H
#define LEDGER_READER_QUERY_H

#include "ledger/ledger_file.h"
#include "ledger/reader_column.h"

/* Values of which a row must have one; none: all rows. */
struct reader_filter {
	char **values; /* as they are in the file (escape_name()) */
	size_t n;
};

struct reader_query {
	int from, to; /* days, both included */
	enum reader_group group;
	enum reader_column sort; /* sums: largest first; keys: smallest first */
	int64_t limit;           /* rows; negative: all */
	struct reader_filter filters[READER_KEYS];
};

/* Numbers are clamped to what can be: a hostile file may hold anything. */
struct reader_row {
	const char
	    *text[READER_COLUMNS]; /* NULL where the column is a number, or not in the group */
	uint64_t number[READER_COLUMNS];
};

/** reader_visit - gets each row; what it points to is valid until it returns. */
typedef void reader_visit(void *context, const struct reader_row *row);

/** reader_query_text() - the SQL of @query.  Return: to be freed; NULL: out of memory. */
char *reader_query_text(const struct reader_query *query);

/** reader_query_run() - hand each row of @query to @visit.  Return: SQLite's code, 0 when all were. */
int reader_query_run(struct ledger_file *file, const struct reader_query *query,
		     reader_visit *visit, void *context);

/** reader_query_lost() - how many sockets of the range and its apps ended unseen.  Return: as above. */
int reader_query_lost(struct ledger_file *file, const struct reader_query *query, uint64_t *lost);

/* One app's bytes in one slot of the time line. */
typedef void reader_visit_slot(void *context, int64_t slot, const char *app, uint64_t bytes_sent);

/**
 * reader_query_course() - the time line from @begin up to @end (Unix seconds), of the apps of
 * @query alone; its other filters are not known there.  Return: as above.
 */
int reader_query_course(struct ledger_file *file, const struct reader_query *query, int64_t begin,
			int64_t end, reader_visit_slot *visit, void *context);

#endif
