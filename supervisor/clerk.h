/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CLERK_H
#define SUPERVISOR_CLERK_H

#include "ledger/day.h"
#include "shared/wire/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

/*
 * The clerk: a thread of its own for all that may wait for a disk or for a person.  It writes to
 * the ledger what the account has more than before, answers gae-top on the runtime socket and
 * renews the metrics file.  It sleeps while nothing moves.
 *
 * What the account hands over is kept here until the ledger has it; a ledger that cannot be
 * written (disk full, damaged, a later version's) is warned of once and tried again, and
 * never holds up the program.
 */
struct clerk;

#define CLERK_FLUSH_MS (WIRE_ACCOUNT_S * 1000) /* what a kill -9 of everything can lose */

struct clerk_config {
	const char *ledger; /* path; NULL: no ledger */
	enum day_zone zone;
	const char *metrics; /* path; NULL: no metrics */
	bool report;         /* print one at the end */
	bool status;         /* be seen by gae-top */
	int flush_ms;        /* how often the ledger is written */
};

/** clerk_new() - Starts the thread.  @config is copied, its strings are not.  Return: NULL when out of memory or threads. */
struct clerk *clerk_new(struct supervisor *sup, const struct clerk_config *config);

/**
 * clerk_flush() - from the loop's thread: write all there is now.  A ledger that others hold is
 * tried again until @ms are over.
 * Return: false while something is not written (it goes on).
 */
bool clerk_flush(struct clerk *clerk, int ms);

/** clerk_finish() - the same for the last time; says what the ledger lacks, and closes it. */
void clerk_finish(struct clerk *clerk, int ms);

/** clerk_report() - print the report, where one is wanted. */
void clerk_report(struct clerk *clerk);

/** clerk_close() - take the runtime socket away. */
void clerk_close(struct clerk *clerk);

#endif
