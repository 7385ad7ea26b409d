/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_READER_PRINT_H
#define LEDGER_READER_PRINT_H

#include "ledger/reader_query.h"

#include <stdio.h>

#define READER_BYTES_ROOM 16 /* for reader_bytes_format() */

/** reader_bytes_format() - "0 B", "1.23 kB", "45.6 MB": three digits, powers of 1,000. */
char *reader_bytes_format(uint64_t bytes, char *out);

/** reader_print_json() - an array of objects, one a line.  Return: SQLite's code. */
int reader_print_json(struct ledger_file *file, const struct reader_query *query, FILE *out);

/** reader_print_csv() - RFC 4180 with LF, the names in the first line if @header.  Return: as above. */
int reader_print_csv(struct ledger_file *file, const struct reader_query *query, bool header,
		     FILE *out);

/**
 * reader_print_table() - for people: columns in line, a line of totals of all rows, also of those
 * that the limit leaves out.  Columns in which there is nothing to see are left out.
 * @width: names are cut so that lines are no longer, where that can be; 0: as long as needed
 * Return: as above.
 */
int reader_print_table(struct ledger_file *file, const struct reader_query *query, bool header,
		       unsigned int width, FILE *out);

#endif
