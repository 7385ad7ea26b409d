/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/reader_query.h"

#include <stdio.h>
#include <stdlib.h>

/* Nothing of the user's gets into the text: values are bound to its question marks. */
static void print_filter(FILE *out, enum reader_column column, const struct reader_filter *filter)
{
	if (!filter->n)
		return;
	fprintf(out, " AND %s IN (", reader_column_name(column));
	for (size_t i = 0; i < filter->n; i++)
		fputs(i ? ",?" : "?", out);
	fputc(')', out);
}

/* One day as "=": then the app, which is next in the primary key, is looked up there too. */
static void print_where(FILE *out, const struct reader_query *query, const char *day, bool all)
{
	fprintf(out, " WHERE %s%s", day, query->from == query->to ? "=?" : " BETWEEN ? AND ?");
	for (enum reader_column i = 0; i < READER_KEYS; i++)
		if (all || i == READER_APP)
			print_filter(out, i, &query->filters[i]);
}

static void print_keys(FILE *out, const struct reader_query *query, const char *before,
		       const char *between)
{
	for (enum reader_column i = 0; i < READER_KEYS; i++) {
		if (!reader_group_has(query->group, i))
			continue;
		fprintf(out, "%s%s", before, reader_column_name(i));
		before = between;
	}
}

static void print_query(FILE *out, const struct reader_query *query)
{
	print_keys(out, query, "SELECT ", ",");
	for (enum reader_column i = READER_KEYS; i < READER_COLUMNS; i++)
		fprintf(out, ",sum(%s)", reader_column_name(i));
	fputs(" FROM usage", out);
	print_where(out, query, "day", true);
	print_keys(out, query, " GROUP BY ", ",");
	if (query->sort >= READER_KEYS)
		fprintf(out, " ORDER BY sum(%s) DESC", reader_column_name(query->sort));
	else
		fprintf(out, " ORDER BY %s", reader_column_name(query->sort));
	print_keys(out, query, ",", ",");
	if (query->limit >= 0)
		fputs(" LIMIT ?", out);
}

char *reader_query_text(const struct reader_query *query)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	print_query(out, query);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

/* The values in the order of print_where().  Return: the number of the next question mark. */
static int bind_where(sqlite3_stmt *statement, const struct reader_query *query, bool all)
{
	int at = 1;

	sqlite3_bind_int(statement, at++, query->from);
	if (query->from != query->to)
		sqlite3_bind_int(statement, at++, query->to);
	for (enum reader_column i = 0; i < READER_KEYS; i++)
		for (size_t j = 0; (all || i == READER_APP) && j < query->filters[i].n; j++)
			sqlite3_bind_text(statement, at++, query->filters[i].values[j], -1,
					  SQLITE_STATIC);
	return at;
}

static uint64_t read_count(sqlite3_stmt *statement, int at)
{
	int64_t value = sqlite3_column_int64(statement, at);

	return value < 0 ? 0 : (uint64_t)value;
}

static void read_row(sqlite3_stmt *statement, const struct reader_query *query,
		     struct reader_row *row)
{
	int at = 0;

	*row = (struct reader_row){0};
	for (enum reader_column i = 0; i < READER_COLUMNS; i++) {
		if (!reader_group_has(query->group, i))
			continue;
		if (reader_column_is_text(i)) {
			const void *text = sqlite3_column_text(statement, at);

			row->text[i] = text ? text : "";
		} else {
			row->number[i] = read_count(statement, at);
		}
		at++;
	}
}

/*
 * SQLite's own sum() fails where the sum has no room; this one takes its place and stays at the
 * largest, as the sums in the ledger do.  What is below zero, and so was never written, is zero.
 */
static void sum_step(sqlite3_context *context, int n, sqlite3_value **values)
{
	int64_t *sum = sqlite3_aggregate_context(context, sizeof(*sum));
	int64_t value = sqlite3_value_int64(values[0]);

	(void)n;
	if (sum && value > 0 && __builtin_add_overflow(*sum, value, sum))
		*sum = INT64_MAX;
}

static void sum_final(sqlite3_context *context)
{
	const int64_t *sum = sqlite3_aggregate_context(context, 0); /* NULL: of no rows */

	sqlite3_result_int64(context, sum ? *sum : 0);
}

/* Return: SQLite's code. */
static int prepare(struct ledger_file *file, char *sql, sqlite3_stmt **statement)
{
	int rc = sqlite3_create_function(file->db, "sum", 1,
					 SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
					 NULL, NULL, sum_step, sum_final);

	if (!rc)
		rc = sql ? sqlite3_prepare_v2(file->db, sql, -1, statement, NULL) : SQLITE_NOMEM;
	free(sql);
	return rc;
}

int reader_query_run(struct ledger_file *file, const struct reader_query *query,
		     reader_visit *visit, void *context)
{
	sqlite3_stmt *statement = NULL;
	struct reader_row row;
	int rc = prepare(file, reader_query_text(query), &statement), at;

	if (rc)
		return rc;
	at = bind_where(statement, query, true);
	if (query->limit >= 0)
		sqlite3_bind_int64(statement, at, query->limit);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		read_row(statement, query, &row);
		visit(context, &row);
	}
	sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? 0 : rc;
}

/* "SELECT @columns FROM @table" where the app and the day or slot fit, and @rest. */
static char *side_text(const struct reader_query *query, const char *select, const char *key,
		       const char *rest)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs(select, out);
	print_where(out, query, key, false);
	fputs(rest, out);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

int reader_query_lost(struct ledger_file *file, const struct reader_query *query, uint64_t *lost)
{
	static const char select[] = "SELECT sum(sockets) FROM lost";
	sqlite3_stmt *statement = NULL;
	int rc = prepare(file, side_text(query, select, "day", ""), &statement);

	*lost = 0;
	if (rc)
		return rc;
	bind_where(statement, query, false);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*lost = read_count(statement, 0);
	sqlite3_finalize(statement);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : rc;
}

int reader_query_course(struct ledger_file *file, const struct reader_query *query, int64_t begin,
			int64_t end, reader_visit_slot *visit, void *context)
{
	static const char select[] = "SELECT slot,app,bytes_sent FROM course";
	/* Two days, so that there are two question marks; the slots take their place. */
	struct reader_query slots = {.from = 0, .to = 1};
	sqlite3_stmt *statement = NULL;
	int rc;

	slots.filters[READER_APP] = query->filters[READER_APP];
	rc = prepare(file, side_text(&slots, select, "slot", " ORDER BY slot,app"), &statement);
	if (rc)
		return rc;
	bind_where(statement, &slots, false);
	sqlite3_bind_int64(statement, 1, begin);
	sqlite3_bind_int64(statement, 2, end - 1);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		const void *app = sqlite3_column_text(statement, 1);

		visit(context, sqlite3_column_int64(statement, 0), app ? app : "",
		      read_count(statement, 2));
	}
	sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? 0 : rc;
}
