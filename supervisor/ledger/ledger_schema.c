/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/ledger_schema.h"

#include <errno.h>
#include <string.h>

_Static_assert(SQLITE_VERSION_NUMBER >= 3037000, "for STRICT tables");

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x

#define SUMS                                                                                       \
	"connects INTEGER NOT NULL, denied INTEGER NOT NULL, "                                     \
	"bytes_sent INTEGER NOT NULL, bytes_received INTEGER NOT NULL, "                           \
	"datagrams_sent INTEGER NOT NULL, datagrams_received INTEGER NOT NULL, "

/* Compared with what the file says, letter by letter. */
static const struct {
	const char *name, *sql;
} tables[] = {
    {"usage", "CREATE TABLE usage(day INTEGER NOT NULL, app TEXT NOT NULL, process TEXT NOT NULL, "
	      "host TEXT NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL, "
	      "transport TEXT NOT NULL, " SUMS
	      "PRIMARY KEY(day, app, process, host, address, port, transport)) STRICT, "
	      "WITHOUT ROWID"},
    {"course", "CREATE TABLE course(slot INTEGER NOT NULL, app TEXT NOT NULL, " SUMS
	       "PRIMARY KEY(slot, app)) STRICT, WITHOUT ROWID"},
    {"lost", "CREATE TABLE lost(day INTEGER NOT NULL, app TEXT NOT NULL, sockets INTEGER NOT NULL, "
	     "PRIMARY KEY(day, app)) STRICT, WITHOUT ROWID"},
    {"writer", "CREATE TABLE writer(id INTEGER NOT NULL, batch INTEGER NOT NULL, "
	       "time INTEGER NOT NULL, PRIMARY KEY(id)) STRICT, WITHOUT ROWID"},
};
#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

static int make_tables(struct ledger_file *file)
{
	int64_t version;
	int rc = ledger_file_int(file, "PRAGMA user_version", &version);

	if (rc || version)
		return rc; /* another process was first */
	for (size_t i = 0; i < N_TABLES && !rc; i++)
		rc = ledger_file_exec(file, tables[i].sql);
	return rc ? rc : ledger_file_exec(file, "PRAGMA user_version=" TEXT(LEDGER_SCHEMA_VERSION));
}

int ledger_schema_make(struct ledger_file *file)
{
	int rc = ledger_file_exec(file, "BEGIN IMMEDIATE");

	if (rc)
		return rc;
	rc = make_tables(file);
	if (!rc)
		rc = ledger_file_exec(file, "COMMIT");
	if (rc)
		ledger_file_exec(file, "ROLLBACK");
	return rc;
}

/* Which of our tables the row of sqlite_schema is; -1 for anything else. */
static int table_of(sqlite3_stmt *row)
{
	const char *type = (const char *)sqlite3_column_text(row, 0);
	const char *sql = (const char *)sqlite3_column_text(row, 1);

	for (size_t i = 0; type && sql && !strcmp(type, "table") && i < N_TABLES; i++)
		if (!strcmp(sql, tables[i].sql))
			return (int)i;
	return -1;
}

/* A view or a trigger, an index on an expression or a column of another type would run what
 * its maker wants: so nothing but our tables.  (sqlite_stat1 comes of ANALYZE.) */
static int check_tables(struct ledger_file *file, const char **fault)
{
	static const char sql[] = "SELECT type, sql FROM sqlite_schema "
				  "WHERE NOT (type = 'table' AND name GLOB 'sqlite_stat[14]')";
	unsigned int seen = 0;
	sqlite3_stmt *rows = NULL;
	int rc = sqlite3_prepare_v2(file->db, sql, -1, &rows, NULL);

	while (!rc && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
		int table = table_of(rows);

		rc = table < 0 ? -EINVAL : 0;
		if (table >= 0)
			seen |= 1U << table;
	}
	sqlite3_finalize(rows);
	if (rc == SQLITE_DONE)
		rc = seen == (1U << N_TABLES) - 1 ? 0 : -EINVAL;
	if (rc == -EINVAL)
		*fault = "its tables are not those of a ledger";
	return rc;
}

int ledger_schema_check(struct ledger_file *file, const char **fault)
{
	int64_t id, version;
	int rc = ledger_file_int(file, "PRAGMA application_id", &id);

	if (!rc)
		rc = ledger_file_int(file, "PRAGMA user_version", &version);
	if (rc)
		return rc;
	if (id != LEDGER_APPLICATION_ID)
		*fault = "an SQLite file, but not a ledger of gae-run";
	else if (version > LEDGER_SCHEMA_VERSION || version < 0)
		*fault = "written by a later version of gae-run";
	else if (version == 0)
		*fault = "nothing has been written to it yet";
	else
		return check_tables(file, fault);
	return -EINVAL;
}
