/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/reader_print.h"

#include "shared/base/escape.h"

#include <inttypes.h>
#include <string.h>

/* A name has LEDGER_NAME_MAX bytes; each may become six. */
#define ESCAPED_MAX (6 * LEDGER_NAME_MAX)

struct printer {
	const struct reader_query *query;
	FILE *out;
	size_t rows;
};

char *reader_bytes_format(uint64_t bytes, char *out)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 999.5 && unit < sizeof(units) / sizeof(units[0]) - 1) {
		value /= 1000;
		unit++;
	}
	/* As printf() rounds, so that 9.996 is "10.0". */
	snprintf(out, READER_BYTES_ROOM, "%.*f %s",
		 unit == 0       ? 0
		 : value < 9.995 ? 2
		 : value < 99.95 ? 1
				 : 0,
		 value, units[unit]);
	return out;
}

static void print_json_text(FILE *out, const char *text)
{
	char escaped[ESCAPED_MAX];

	escape_json(escaped, sizeof(escaped), text, strlen(text));
	fprintf(out, "\"%s\"", escaped);
}

static void print_json_row(void *context, const struct reader_row *row)
{
	struct printer *printer = context;
	const char *before = printer->rows++ ? ",\n  {" : "\n  {";
	char day[READER_DAY_ROOM];

	for (enum reader_column i = 0; i < READER_COLUMNS; i++) {
		if (!reader_group_has(printer->query->group, i))
			continue;
		fprintf(printer->out, "%s\"%s\": ", before, reader_column_name(i));
		before = ", ";
		if (i == READER_DAY)
			fprintf(printer->out, "\"%s\"",
				reader_day_format((int64_t)row->number[i], day));
		else if (reader_column_is_text(i))
			print_json_text(printer->out, row->text[i]);
		else
			fprintf(printer->out, "%" PRIu64, row->number[i]);
	}
	fputc('}', printer->out);
}

int reader_print_json(struct ledger_file *file, const struct reader_query *query, FILE *out)
{
	struct printer printer = {query, out, 0};
	int rc;

	fputc('[', out);
	rc = reader_query_run(file, query, print_json_row, &printer);
	fputs(printer.rows ? "\n]\n" : "]\n", out);
	return rc;
}

/* Control characters are escaped; what is left to be quoted are commas, quotes and blanks at an end. */
static void print_csv_text(FILE *out, const char *text)
{
	char escaped[ESCAPED_MAX];
	size_t size = escape_name(escaped, sizeof(escaped), text, strlen(text));

	if (!strpbrk(escaped, ",\"") && (!size || (*escaped != ' ' && escaped[size - 1] != ' '))) {
		fputs(escaped, out);
		return;
	}
	fputc('"', out);
	for (const char *c = escaped; *c; c++)
		fputs(*c == '"' ? "\"\"" : (const char[]){*c, '\0'}, out);
	fputc('"', out);
}

static void print_csv_row(void *context, const struct reader_row *row)
{
	const struct printer *printer = context;
	const char *before = "";
	char day[READER_DAY_ROOM];

	for (enum reader_column i = 0; i < READER_COLUMNS; i++) {
		if (!reader_group_has(printer->query->group, i))
			continue;
		fputs(before, printer->out);
		before = ",";
		if (i == READER_DAY)
			fputs(reader_day_format((int64_t)row->number[i], day), printer->out);
		else if (reader_column_is_text(i))
			print_csv_text(printer->out, row->text[i]);
		else
			fprintf(printer->out, "%" PRIu64, row->number[i]);
	}
	fputc('\n', printer->out);
}

int reader_print_csv(struct ledger_file *file, const struct reader_query *query, bool header,
		     FILE *out)
{
	struct printer printer = {query, out, 0};
	const char *before = "";

	for (enum reader_column i = 0; header && i < READER_COLUMNS; i++) {
		if (!reader_group_has(query->group, i))
			continue;
		fprintf(out, "%s%s", before, reader_column_name(i));
		before = ",";
	}
	if (header)
		fputc('\n', out);
	return reader_query_run(file, query, print_csv_row, &printer);
}
