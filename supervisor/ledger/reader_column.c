/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/reader_column.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *heading;
} columns[] = {
    [READER_APP] = {"app", "APP"},
    [READER_DAY] = {"day", "DAY"},
    [READER_PROCESS] = {"process", "PROCESS"},
    [READER_HOST] = {"host", "HOST"},
    [READER_ADDRESS] = {"address", "ADDRESS"},
    [READER_PORT] = {"port", "PORT"},
    [READER_TRANSPORT] = {"transport", "VIA"},
    [READER_CONNECTS] = {"connects", "CONNECTS"},
    [READER_DENIED] = {"denied", "DENIED"},
    [READER_BYTES_SENT] = {"bytes_sent", "SENT"},
    [READER_BYTES_RECEIVED] = {"bytes_received", "RECEIVED"},
    [READER_DATAGRAMS_SENT] = {"datagrams_sent", "UDP OUT"},
    [READER_DATAGRAMS_RECEIVED] = {"datagrams_received", "UDP IN"},
};
_Static_assert(sizeof(columns) / sizeof(columns[0]) == READER_COLUMNS, "each column has a name");

#define BIT(column) (1U << READER_##column)

static const struct {
	const char *name;
	unsigned int keys; /* bits */
} groups[] = {
    [READER_BY_DESTINATION] = {"destination", BIT(APP) | BIT(DAY) | BIT(HOST) | BIT(ADDRESS) |
						  BIT(PORT) | BIT(TRANSPORT)},
    [READER_BY_APP] = {"app", BIT(APP)},
    [READER_BY_DAY] = {"day", BIT(DAY)},
    [READER_BY_HOST] = {"host", BIT(HOST)},
    [READER_BY_PORT] = {"port", BIT(PORT) | BIT(TRANSPORT)},
    [READER_BY_PROCESS] = {"process", BIT(PROCESS)},
    [READER_BY_DAY_AND_APP] = {"", BIT(DAY) | BIT(APP)},
};
_Static_assert(sizeof(groups) / sizeof(groups[0]) == READER_GROUPS + 1, "each group has a name");

const char *reader_column_name(enum reader_column column)
{
	return columns[column].name;
}

const char *reader_column_heading(enum reader_column column)
{
	return columns[column].heading;
}

bool reader_column_is_text(enum reader_column column)
{
	return column < READER_KEYS && column != READER_DAY && column != READER_PORT;
}

bool reader_column_is_bytes(enum reader_column column)
{
	return column == READER_BYTES_SENT || column == READER_BYTES_RECEIVED;
}

int reader_column_parse(const char *name)
{
	for (int i = 0; i < READER_COLUMNS; i++)
		if (!strcmp(columns[i].name, name))
			return i;
	return -1;
}

const char *reader_group_name(enum reader_group group)
{
	return groups[group].name;
}

int reader_group_parse(const char *name)
{
	for (int i = 0; i < READER_GROUPS; i++)
		if (!strcmp(groups[i].name, name))
			return i;
	return -1;
}

bool reader_group_has(enum reader_group group, enum reader_column column)
{
	return column >= READER_KEYS || groups[group].keys & 1U << column;
}

char *reader_day_format(int64_t day, char *out)
{
	int number = day < 0 || day > 99999999 ? 0 : (int)day;

	snprintf(out, READER_DAY_ROOM, "%04d-%02d-%02d", number / 10000, number / 100 % 100,
		 number % 100);
	return out;
}
