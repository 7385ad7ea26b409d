/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/reader_print.h"

#include "shared/base/escape.h"

#include <inttypes.h>
#include <string.h>

#define CELL_MAX (4 * LEDGER_NAME_MAX)
#define GAP 2       /* blanks between columns */
#define NARROWEST 8 /* no column of names is cut to less */

/*
 * The rows are read twice, so that none has to be kept: first for the widths and the totals,
 * then to be printed.
 */
struct table {
	const struct reader_query *query;
	FILE *out;
	uint64_t rows;     /* seen so far; in the first pass all, in the second those shown */
	uint64_t all_rows; /* known after the first pass */
	struct reader_row total;
	unsigned int width[READER_COLUMNS]; /* in characters */
	bool filled[READER_COLUMNS];        /* there is something to see in it */
};

/* Characters, not bytes: whatever does not continue one (UTF-8) begins one. */
static unsigned int count_characters(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* Cuts @text to @width characters, the last two of them dots. */
static void cut(char *text, unsigned int width)
{
	unsigned int n = 0;

	if (count_characters(text) <= width)
		return;
	while (*text && n < width - 1) {
		n += ((unsigned char)*text & 0xc0) != 0x80;
		if (n < width - 1)
			text++;
	}
	memcpy(text, "..", 3);
}

static const char *cell(const struct reader_row *row, enum reader_column column, char *out)
{
	const char *text = row->text[column];

	if (reader_column_is_text(column))
		escape_name(out, CELL_MAX, text, strlen(text));
	else if (column == READER_DAY)
		reader_day_format((int64_t)row->number[column], out);
	else if (reader_column_is_bytes(column))
		reader_bytes_format(row->number[column], out);
	else
		snprintf(out, CELL_MAX, "%" PRIu64, row->number[column]);
	return out;
}

static void widen(struct table *table, enum reader_column column, const char *text)
{
	unsigned int width = count_characters(text);

	if (table->width[column] < width)
		table->width[column] = width;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static void measure_row(void *context, const struct reader_row *row)
{
	struct table *table = context;
	bool is_shown = table->query->limit < 0 || table->rows < (uint64_t)table->query->limit;
	char text[CELL_MAX];

	table->rows++;
	for (enum reader_column i = 0; i < READER_COLUMNS; i++) {
		if (!reader_group_has(table->query->group, i))
			continue;
		if (i >= READER_KEYS)
			table->total.number[i] = add(table->total.number[i], row->number[i]);
		if (!is_shown)
			continue;
		widen(table, i, cell(row, i, text));
		table->filled[i] |= reader_column_is_text(i) ? *row->text[i] : row->number[i] != 0;
	}
}

/* A column that says the same in all rows, or nothing, only makes the line longer. */
static bool is_left_out(const struct table *table, enum reader_column column)
{
	if (!reader_group_has(table->query->group, column))
		return true;
	if (table->query->group != READER_BY_DESTINATION && column < READER_KEYS)
		return false;
	switch (column) {
	case READER_DAY:
		return table->query->from == table->query->to;
	case READER_HOST:
		return !table->filled[column];
	case READER_DENIED:
	case READER_DATAGRAMS_SENT:
	case READER_DATAGRAMS_RECEIVED:
		return !table->total.number[column];
	default:
		return false;
	}
}

/* Numbers to the right, so that their digits stand below each other. */
static bool is_right(enum reader_column column)
{
	return !reader_column_is_text(column) && column != READER_DAY;
}

/* @texts: one for each column; a line has no blanks at its end. */
static void print_line(const struct table *table, const char *const *texts)
{
	unsigned int blanks = 0;

	for (enum reader_column i = 0; i < READER_COLUMNS; i++) {
		unsigned int width, pad;

		if (is_left_out(table, i))
			continue;
		width = count_characters(texts[i]);
		pad = table->width[i] > width ? table->width[i] - width : 0;
		if (is_right(i))
			blanks += pad;
		if (*texts[i]) {
			fprintf(table->out, "%*s%s", (int)blanks, "", texts[i]);
			blanks = 0;
		}
		blanks += GAP + (is_right(i) ? 0 : pad);
	}
	fputc('\n', table->out);
}

static void print_row(void *context, const struct reader_row *row)
{
	struct table *table = context;
	char cells[READER_COLUMNS][CELL_MAX];
	const char *texts[READER_COLUMNS];

	for (enum reader_column i = 0; i < READER_COLUMNS; i++) {
		texts[i] = "";
		if (is_left_out(table, i))
			continue;
		texts[i] = cell(row, i, cells[i]);
		if (reader_column_is_text(i))
			cut(cells[i], table->width[i]);
	}
	print_line(table, texts);
}

static const char *total_label(const struct table *table, char *out, size_t room)
{
	int64_t limit = table->query->limit;

	if (limit >= 0 && table->all_rows > (uint64_t)limit)
		snprintf(out, room, "total of %" PRIu64, table->all_rows);
	else
		snprintf(out, room, "total");
	return out;
}

static enum reader_column first_column(const struct table *table)
{
	enum reader_column i = 0;

	while (is_left_out(table, i))
		i++;
	return i;
}

static void print_total(const struct table *table)
{
	char cells[READER_COLUMNS][READER_BYTES_ROOM + 24], label[40];
	const char *texts[READER_COLUMNS];

	for (enum reader_column i = 0; i < READER_COLUMNS; i++) {
		texts[i] = "";
		if (i < READER_KEYS)
			continue;
		texts[i] = cells[i];
		if (reader_column_is_bytes(i))
			reader_bytes_format(table->total.number[i], cells[i]);
		else
			snprintf(cells[i], sizeof(cells[i]), "%" PRIu64, table->total.number[i]);
	}
	texts[first_column(table)] = total_label(table, label, sizeof(label));
	print_line(table, texts);
}

static void print_header(const struct table *table)
{
	const char *texts[READER_COLUMNS];

	for (enum reader_column i = 0; i < READER_COLUMNS; i++)
		texts[i] = reader_column_heading(i);
	print_line(table, texts);
}

static unsigned int line_width(const struct table *table)
{
	unsigned int width = 0;

	for (enum reader_column i = 0; i < READER_COLUMNS; i++)
		if (!is_left_out(table, i))
			width += table->width[i] + (width ? GAP : 0);
	return width;
}

/* Takes from the widest column of names, one character at a time. */
static void fit(struct table *table, unsigned int width)
{
	unsigned int now = line_width(table);

	for (; width && now > width; now--) {
		enum reader_column widest = READER_APP;

		for (enum reader_column i = 0; i < READER_KEYS; i++)
			if (reader_column_is_text(i) && !is_left_out(table, i) &&
			    table->width[i] > table->width[widest])
				widest = i;
		if (table->width[widest] <= NARROWEST || is_left_out(table, widest))
			return;
		table->width[widest]--;
	}
}

static void make_room(struct table *table, bool header, unsigned int width)
{
	char label[40], text[CELL_MAX];

	table->all_rows = table->rows;
	for (enum reader_column i = 0; i < READER_COLUMNS; i++) {
		if (header)
			widen(table, i, reader_column_heading(i));
		if (i >= READER_KEYS)
			widen(table, i, cell(&table->total, i, text));
	}
	widen(table, first_column(table), total_label(table, label, sizeof(label)));
	fit(table, width);
}

int reader_print_table(struct ledger_file *file, const struct reader_query *query, bool header,
		       unsigned int width, FILE *out)
{
	struct table table = {.query = query, .out = out};
	struct reader_query all = *query;
	int rc = ledger_file_exec(file, "BEGIN"); /* both passes see the same */

	all.limit = -1;
	if (!rc)
		rc = reader_query_run(file, &all, measure_row, &table);
	if (!rc) {
		make_room(&table, header, width);
		if (header)
			print_header(&table);
		rc = reader_query_run(file, query, print_row, &table);
	}
	if (!rc)
		print_total(&table);
	ledger_file_exec(file, "COMMIT");
	return rc;
}
