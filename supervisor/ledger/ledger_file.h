/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_LEDGER_FILE_H
#define LEDGER_LEDGER_FILE_H

#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The ledger as an SQLite file: opened, checked and made.  The file may have been damaged,
 * replaced or made by somebody hostile, so nothing in it is believed: it must carry our
 * application_id, a schema version that we know, and exactly the tables of that version.
 * Whatever does not is refused before it is written to.
 */
#define LEDGER_APPLICATION_ID 0x6761656c /* "gael" */
#define LEDGER_SCHEMA_VERSION 1
#define LEDGER_SLOT 300      /* seconds: the time line's resolution */
#define LEDGER_WAIT_MS 1000  /* at most, for other processes, in one call */
#define LEDGER_NAME_MAX 1024 /* bytes of a name, with its NUL; longer ones are cut */

enum ledger_access { LEDGER_READ, LEDGER_WRITE };

struct ledger_file {
	sqlite3 *db; /* NULL: not open */
	char path[PATH_MAX];
	bool is_checked;     /* its tables are those of a ledger */
	int64_t deadline_ms; /* CLOCK_MONOTONIC, until when other processes are waited for */
};

/**
 * ledger_file_open() - open and check @path; for writing, make what is missing.
 * @file: stays where it is while open; to be zeroed before
 * @error: one line: the path, what is wrong, what to do
 * Return: 0; -EAGAIN other processes kept it too long; -ENOENT (reading) it is not there;
 *         -EIO otherwise.
 */
int ledger_file_open(struct ledger_file *file, const char *path, enum ledger_access access,
		     char *error, size_t room);

/** ledger_file_close() - every statement has been finalized.  May be closed already. */
void ledger_file_close(struct ledger_file *file);

/** ledger_file_wait() - from now on other processes are waited for for @ms in total. */
void ledger_file_wait(struct ledger_file *file, int ms);

/** ledger_file_is_moved() - the path no longer leads to the open file. */
bool ledger_file_is_moved(struct ledger_file *file);

/** ledger_file_fault() - put SQLite's failure @rc into @error.  Return: -EAGAIN or -EIO. */
int ledger_file_fault(struct ledger_file *file, int rc, char *error, size_t room);

/** ledger_file_exec() - run @sql, waiting for others where SQLite does not.  Return: SQLite's code. */
int ledger_file_exec(struct ledger_file *file, const char *sql);

/** ledger_file_int() - the number that @sql gives first.  Return: SQLite's code. */
int ledger_file_int(struct ledger_file *file, const char *sql, int64_t *value);

#endif
