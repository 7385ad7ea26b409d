/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_LEDGER_FIXTURE_H
#define UNIT_LEDGER_FIXTURE_H

#include "ledger/ledger.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A directory of the test's own, and a ledger's place in it. */
struct place {
	char directory[64], path[96], error[1024];
};

static inline void place_make(struct place *place)
{
	snprintf(place->directory, sizeof(place->directory), "/tmp/gae-ledger-XXXXXX");
	cr_assert_not_null(mkdtemp(place->directory));
	snprintf(place->path, sizeof(place->path), "%s/ledger.db", place->directory);
	*place->error = '\0';
}

static inline void place_clean(struct place *place)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", place->directory);
	cr_expect_eq(system(command), 0); // NOLINT(cert-env33-c): a path that the test made itself
}

static inline struct ledger *place_open(struct place *place)
{
	struct ledger *ledger = ledger_open(place->path, place->error, sizeof(place->error));

	cr_assert_not_null(ledger, "%s", place->error);
	return ledger;
}

static inline int place_write(struct place *place, struct ledger *ledger,
			      const struct ledger_batch *batch)
{
	*place->error = '\0';
	return ledger_write(ledger, batch, place->error, sizeof(place->error));
}

/* The number that @sql gives, asked on a connection of its own; -1 without an answer. */
static inline int64_t place_ask(const struct place *place, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t value = -1;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(place->path, &db), 0);
	sqlite3_busy_timeout(db, 5000);
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == 0 &&
	    sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

static inline void place_exec(const struct place *place, const char *sql)
{
	char *error = NULL;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(place->path, &db), 0);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &error), 0, "%s: %s", sql, error);
	sqlite3_close(db);
}

/* One row of each count different, so that a mix-up of columns is seen. */
#define SAMPLE_USAGE                                                                               \
	((struct usage){.connects = 1,                                                             \
			.denied = 2,                                                               \
			.bytes_sent = 3000,                                                        \
			.bytes_received = 4000,                                                    \
			.datagrams_sent = 5,                                                       \
			.datagrams_received = 6})
#define SAMPLE_ROW                                                                                 \
	((struct ledger_row){"curl", "api.example.com", "192.0.2.7", 443, "tcp", SAMPLE_USAGE})
#define SAMPLE_BATCH(list, count)                                                                  \
	((struct ledger_batch){.day = 20261125,                                                    \
			       .time = 1795600000,                                                 \
			       .app = "shop",                                                      \
			       .rows = (list),                                                     \
			       .n_rows = (count)})

#endif
