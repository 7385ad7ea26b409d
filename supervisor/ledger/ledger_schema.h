/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_LEDGER_SCHEMA_H
#define LEDGER_LEDGER_SCHEMA_H

#include "ledger/ledger_file.h"

/*
 * Version 1.  usage: sums per day (YYYYMMDD) and destination.  course: per app in slots of
 * LEDGER_SLOT seconds, begin in Unix time.  lost: sockets that ended unseen.  writer: the
 * last batch of each handle, so that one whose COMMIT failed half-way is never added twice.
 */

/** ledger_schema_make() - the tables, where there are none yet; one transaction.  Return: SQLite's code. */
int ledger_schema_make(struct ledger_file *file);

/**
 * ledger_schema_check() - is it a ledger of a version that we know, and nothing else?
 * @fault: what it is instead, for an error message
 * Return: 0; -EINVAL; or SQLite's code (positive) when it cannot be read.
 */
int ledger_schema_check(struct ledger_file *file, const char **fault);

#endif
