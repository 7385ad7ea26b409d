/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "ledger/usage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The ledger: what each app used, per day and destination, in one SQLite file (WAL) that
 * several instances write at once.  Blocking: called from the clerk's thread and from
 * gae-usage, never from the loop or the crew.
 */
struct ledger;

/* Sums of one destination since the last write. */
struct ledger_row {
	const char *process;   /* name of the process (comm), "" unknown */
	const char *host;      /* name where known, else "" */
	const char *address;   /* text without port; "*": what no longer had a row of its own */
	uint16_t port;         /* host order */
	const char *transport; /* "tcp" or "udp" */
	struct usage usage;
};

struct ledger_batch {
	int day;      /* YYYYMMDD, of the ledger's time zone: day_of() */
	int64_t time; /* Unix seconds: where it goes in the course of the day */
	const char *app;
	const struct ledger_row *rows;
	size_t n_rows;
	uint64_t lost; /* sockets that ended unseen: their last bytes are in no row */
};

/**
 * ledger_default_path() - XDG_STATE_HOME/gae-run/ledger.db, or below HOME/.local/state.
 * Return: @out, or NULL when neither variable is an absolute path.
 */
char *ledger_default_path(char *out, size_t room);

/**
 * ledger_open() - for writing; makes file and directory (0600, 0700) where they are missing.
 * @error: gets one line: the path, what is wrong, what to do
 * Return: NULL when it cannot be used: no directory, not writable, no ledger, damaged, in use
 *         for more than a second (errno is EAGAIN then, else EIO), or written by a later version
 *         (which is left as it is).  It may be tried again at any time.
 */
struct ledger *ledger_open(const char *path, char *error, size_t room);

/** ledger_wait() - from now on each write, and the end, waits for other writers for at most @ms, at first a second. */
void ledger_wait(struct ledger *ledger, int ms);

/**
 * ledger_write() - add @batch in one transaction: all of it or nothing.
 * Waits for other writers as ledger_wait() says.  A file that was deleted or replaced is
 * opened, or made, anew.
 *
 * A batch that failed is to be offered again as it was before any other: whether a failed
 * COMMIT reached the file may be known only then.  It is never added twice.
 * Return: 0; -EAGAIN the others took too long, try again; -EIO it did not work (disk full,
 *         file damaged or gone) and @error says why in one line.
 */
int ledger_write(struct ledger *ledger, const struct ledger_batch *batch, char *error, size_t room);

/**
 * ledger_close() - waits for other writers as ledger_wait() says.  Cheap: no fsync, so that what was
 * written may stay in the -wal beside the file.  NULL allowed.
 */
void ledger_close(struct ledger *ledger);

#endif
