/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/ledger.h"

#include "ledger/ledger_file.h"
#include "shared/base/escape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MARK_DAYS 30 /* marks of handles that ended without a word are kept so long */

/*
 * Exactly once.  When COMMIT fails its outcome is open: the batch may be in the file's log
 * whole, and be found there when the file is next opened.  So each handle has a number of its
 * own, and each transaction leaves the batch's number under it.  A batch that is offered again
 * and is there already is not added again.
 */
enum statement {
	BEGIN,
	COMMIT,
	MARK_GET,
	MARK_SET,
	MARK_DROP,
	MARK_EXPIRE,
	ADD_USAGE,
	ADD_COURSE,
	ADD_LOST,
	N_STATEMENTS,
};

/* A sum that has no room stays at the largest: adding would turn it into a floating point number. */
#define ADD(column) #column "=min(9223372036854775807," #column "+excluded." #column ")"
#define ADD_ALL                                                                                    \
	"DO UPDATE SET " ADD(connects) "," ADD(denied) "," ADD(bytes_sent) "," ADD(                \
	    bytes_received) "," ADD(datagrams_sent) "," ADD(datagrams_received)

static const char *const texts[N_STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [MARK_GET] = "SELECT batch FROM writer WHERE id=?1",
    [MARK_SET] = "INSERT INTO writer VALUES(?1,?2,?3) ON CONFLICT DO UPDATE SET "
		 "batch=excluded.batch, time=excluded.time",
    [MARK_DROP] = "DELETE FROM writer WHERE id=?1",
    [MARK_EXPIRE] = "DELETE FROM writer WHERE time<?1 AND id IN "
		    "(SELECT id FROM writer WHERE id>=?2 ORDER BY id LIMIT 64)",
    [ADD_USAGE] = "INSERT INTO usage VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13) "
		  "ON CONFLICT " ADD_ALL,
    [ADD_COURSE] = "INSERT INTO course VALUES(?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT " ADD_ALL,
    [ADD_LOST] = "INSERT INTO lost VALUES(?1,?2,?3) ON CONFLICT DO UPDATE SET " ADD(sockets),
};

struct ledger {
	struct ledger_file file;
	sqlite3_stmt *statements[N_STATEMENTS];
	int64_t id;
	int64_t batch; /* number of the next batch */
	int wait_ms;
	char path[PATH_MAX];
};

char *ledger_default_path(char *out, size_t room)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int used;

	if (state && *state == '/')
		used = snprintf(out, room, "%s/gae-run/ledger.db", state);
	else if (home && *home == '/')
		used = snprintf(out, room, "%s/.local/state/gae-run/ledger.db", home);
	else
		return NULL;
	return used > 0 && (size_t)used < room ? out : NULL;
}

static void disconnect(struct ledger *ledger)
{
	for (size_t i = 0; i < N_STATEMENTS; i++) {
		sqlite3_finalize(ledger->statements[i]);
		ledger->statements[i] = NULL;
	}
	ledger_file_close(&ledger->file);
}

static int connect_file(struct ledger *ledger, char *error, size_t room)
{
	int rc = ledger_file_open(&ledger->file, ledger->path, LEDGER_WRITE, error, room);

	for (size_t i = 0; !rc && i < N_STATEMENTS; i++) {
		rc = sqlite3_prepare_v3(ledger->file.db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					&ledger->statements[i], NULL);
		if (rc)
			rc = ledger_file_fault(&ledger->file, rc, error, room);
	}
	if (rc)
		disconnect(ledger);
	return rc;
}

struct ledger *ledger_open(const char *path, char *error, size_t room)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	int rc;

	if (!ledger || getrandom(&ledger->id, sizeof(ledger->id), 0) != sizeof(ledger->id)) {
		snprintf(error, room, "the ledger cannot be opened: %s", strerror(errno));
		free(ledger);
		errno = EIO;
		return NULL;
	}
	/* A path that does not fit is refused by ledger_file_open(), for it fits there neither. */
	snprintf(ledger->path, sizeof(ledger->path), "%s", strlen(path) < PATH_MAX ? path : "");
	ledger->wait_ms = LEDGER_WAIT_MS;
	rc = connect_file(ledger, error, room);
	if (!rc)
		return ledger;
	free(ledger);
	errno = rc == -EAGAIN ? EAGAIN : EIO;
	return NULL;
}

void ledger_wait(struct ledger *ledger, int ms)
{
	ledger->wait_ms = ms;
}

/* Runs a statement that gives no row.  Return: SQLite's code, 0 when done. */
static int run(struct ledger *ledger, enum statement which)
{
	sqlite3_stmt *statement = ledger->statements[which];
	int rc = sqlite3_step(statement);

	sqlite3_reset(statement);
	return rc == SQLITE_DONE ? 0 : rc;
}

/* Names come from the fenced program and may be any bytes. */
static void bind_name(sqlite3_stmt *statement, int at, const char *name)
{
	char text[LEDGER_NAME_MAX];
	size_t size = name ? escape_name(text, sizeof(text), name, strlen(name)) : 0;

	sqlite3_bind_text(statement, at, size ? text : "", (int)size, SQLITE_TRANSIENT);
}

static void bind_count(sqlite3_stmt *statement, int at, uint64_t count)
{
	sqlite3_bind_int64(statement, at, count > INT64_MAX ? INT64_MAX : (int64_t)count);
}

static void bind_usage(sqlite3_stmt *statement, int at, const struct usage *usage)
{
	const uint64_t counts[] = {usage->connects,       usage->denied,
				   usage->bytes_sent,     usage->bytes_received,
				   usage->datagrams_sent, usage->datagrams_received};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		bind_count(statement, at + (int)i, counts[i]);
}

static int add_row(struct ledger *ledger, const struct ledger_batch *batch,
		   const struct ledger_row *row)
{
	sqlite3_stmt *add = ledger->statements[ADD_USAGE];

	sqlite3_bind_int64(add, 1, batch->day);
	bind_name(add, 2, batch->app);
	bind_name(add, 3, row->process);
	bind_name(add, 4, row->host);
	bind_name(add, 5, row->address);
	sqlite3_bind_int64(add, 6, row->port);
	bind_name(add, 7, row->transport);
	bind_usage(add, 8, &row->usage);
	return run(ledger, ADD_USAGE);
}

static int add_course(struct ledger *ledger, const struct ledger_batch *batch,
		      const struct usage *total)
{
	sqlite3_stmt *add = ledger->statements[ADD_COURSE];
	int64_t past = batch->time % LEDGER_SLOT;

	sqlite3_bind_int64(add, 1, batch->time - (past < 0 ? past + LEDGER_SLOT : past));
	bind_name(add, 2, batch->app);
	bind_usage(add, 3, total);
	return run(ledger, ADD_COURSE);
}

static int add_lost(struct ledger *ledger, const struct ledger_batch *batch)
{
	sqlite3_stmt *add = ledger->statements[ADD_LOST];

	sqlite3_bind_int64(add, 1, batch->day);
	bind_name(add, 2, batch->app);
	bind_count(add, 3, batch->lost);
	return run(ledger, ADD_LOST);
}

static int add_batch(struct ledger *ledger, const struct ledger_batch *batch)
{
	struct usage total = {0};
	int rc = 0;

	for (size_t i = 0; i < batch->n_rows && !rc; i++) {
		if (usage_is_zero(&batch->rows[i].usage))
			continue;
		usage_add(&total, &batch->rows[i].usage);
		rc = add_row(ledger, batch, &batch->rows[i]);
	}
	if (!rc && !usage_is_zero(&total))
		rc = add_course(ledger, batch, &total);
	if (!rc && batch->lost)
		rc = add_lost(ledger, batch);
	return rc;
}

/* Is the batch in the file already?  Return: SQLite's code. */
static int read_mark(struct ledger *ledger, bool *is_there)
{
	sqlite3_stmt *get = ledger->statements[MARK_GET];
	int rc;

	sqlite3_bind_int64(get, 1, ledger->id);
	rc = sqlite3_step(get);
	*is_there = rc == SQLITE_ROW && sqlite3_column_int64(get, 0) >= ledger->batch;
	sqlite3_reset(get);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : rc;
}

static int set_mark(struct ledger *ledger, int64_t time)
{
	sqlite3_stmt *set = ledger->statements[MARK_SET], *expire = ledger->statements[MARK_EXPIRE];
	int rc = 0;

	/* Of the others' a few are looked at: from our own number on, which is random, or the first. */
	if (ledger->batch == 0) {
		sqlite3_bind_int64(expire, 1, time - INT64_C(86400) * MARK_DAYS);
		sqlite3_bind_int64(expire, 2, ledger->id % 2 ? ledger->id : INT64_MIN);
		rc = run(ledger, MARK_EXPIRE);
	}
	if (rc)
		return rc;
	sqlite3_bind_int64(set, 1, ledger->id);
	sqlite3_bind_int64(set, 2, ledger->batch);
	sqlite3_bind_int64(set, 3, time);
	return run(ledger, MARK_SET);
}

/* Return: SQLite's code; the caller disconnects after any but 0 and SQLITE_BUSY of BEGIN. */
static int transact(struct ledger *ledger, const struct ledger_batch *batch)
{
	bool is_there;
	int rc = read_mark(ledger, &is_there);

	if (!rc && !is_there)
		rc = add_batch(ledger, batch);
	if (!rc && !is_there)
		rc = set_mark(ledger, batch->time);
	return rc ? rc : run(ledger, COMMIT);
}

/* The file may have been deleted or replaced while we were not looking. */
static int connect_again(struct ledger *ledger, char *error, size_t room)
{
	if (ledger->file.db && ledger_file_is_moved(&ledger->file))
		disconnect(ledger);
	if (!ledger->file.db)
		return connect_file(ledger, error, room);
	ledger_file_wait(&ledger->file, ledger->wait_ms);
	return 0;
}

int ledger_write(struct ledger *ledger, const struct ledger_batch *batch, char *error, size_t room)
{
	int rc = connect_again(ledger, error, room);

	if (rc)
		return rc == -EAGAIN ? -EAGAIN : -EIO;
	rc = run(ledger, BEGIN);
	if ((rc & 0xff) == SQLITE_BUSY)
		return ledger_file_fault(&ledger->file, rc, error, room);
	if (!rc)
		rc = transact(ledger, batch);
	if (!rc) {
		ledger->batch++;
		return 0;
	}
	rc = ledger_file_fault(&ledger->file, rc, error, room);
	disconnect(ledger); /* rolls back; the next write opens anew, and sees what is there then */
	return rc;
}

void ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return;
	if (ledger->file.db && ledger->batch && !ledger_file_is_moved(&ledger->file)) {
		ledger_file_wait(&ledger->file, ledger->wait_ms);
		sqlite3_bind_int64(ledger->statements[MARK_DROP], 1, ledger->id);
		run(ledger, MARK_DROP); /* a mark that stays does no harm */
	}
	disconnect(ledger);
	free(ledger);
}
