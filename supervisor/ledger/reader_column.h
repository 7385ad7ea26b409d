/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_READER_COLUMN_H
#define LEDGER_READER_COLUMN_H

#include <stdbool.h>
#include <stdint.h>

/* The columns of what gae-usage shows, in the order in which they are shown. */
enum reader_column {
	READER_APP,
	READER_DAY,
	READER_PROCESS,
	READER_HOST,
	READER_ADDRESS,
	READER_PORT,
	READER_TRANSPORT,
	READER_CONNECTS, /* from here on: sums */
	READER_DENIED,
	READER_BYTES_SENT,
	READER_BYTES_RECEIVED,
	READER_DATAGRAMS_SENT,
	READER_DATAGRAMS_RECEIVED,
	READER_COLUMNS,
};

#define READER_KEYS READER_CONNECTS /* how many are keys: they come first */
#define READER_DAY_ROOM 24          /* for reader_day_format() */

/* What a row stands for. */
enum reader_group {
	READER_BY_DESTINATION,
	READER_BY_APP,
	READER_BY_DAY,
	READER_BY_HOST,
	READER_BY_PORT,
	READER_BY_PROCESS,
	READER_GROUPS,
	READER_BY_DAY_AND_APP = READER_GROUPS, /* of charts, not to be asked for */
};

/** reader_column_name() - as in the data base, in JSON and in CSV. */
const char *reader_column_name(enum reader_column column);

/** reader_column_heading() - as above a table. */
const char *reader_column_heading(enum reader_column column);

/** reader_column_is_text() - text, where the others are numbers. */
bool reader_column_is_text(enum reader_column column);

/** reader_column_is_bytes() - a number of bytes. */
bool reader_column_is_bytes(enum reader_column column);

/** reader_column_parse() - Return: the column with this name, or -1. */
int reader_column_parse(const char *name);

/** reader_group_name() - the word behind --by. */
const char *reader_group_name(enum reader_group group);

/** reader_group_parse() - Return: the group with this name, or -1. */
int reader_group_parse(const char *name);

/** reader_group_has() - does a row of @group have @column?  Sums are in every one. */
bool reader_group_has(enum reader_group group, enum reader_column column);

/** reader_day_format() - YYYYMMDD as "YYYY-MM-DD".  Return: @out, READER_DAY_ROOM bytes. */
char *reader_day_format(int64_t day, char *out);

#endif
