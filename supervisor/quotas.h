/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_QUOTAS_H
#define SUPERVISOR_QUOTAS_H

#include "ledger/day.h"
#include "policy/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What an app has used up in this minute and on this day, over all its instances of one user:
 * counters in a file that each instance maps.  A window and its count are one 64-bit word, so
 * that "a new minute has begun" and "add" are one atomic step and two instances never both
 * begin it.  A count outlives its instance: who runs six and six connects in a minute has run twelve.
 *
 * The file belongs to the user, whose programs could write it; the counters are no fence against
 * them (SECURITY.md).  Truncated under us, the mapping would raise SIGBUS: a handler puts
 * anonymous memory in its place, and the counts go on for this instance alone.
 */
struct quotas;

/**
 * quotas_open() - @limits: QUOTA_KINDS of them; @path: the file, made 0600 where missing, or
 * NULL: this instance alone
 * @error: "" or one line why @path could not be used, so that this instance counts alone
 * Return: NULL when out of memory.
 */
struct quotas *quotas_open(const char *path, const struct quota *limits, enum day_zone zone,
			   char *error, size_t room);

/** quotas_take() - use @n of @kind.  Return: false when that would be too much; then nothing was used. */
bool quotas_take(struct quotas *quotas, enum quota_kind kind, uint64_t n);

/** quotas_give() - @n taken before were not used after all. */
void quotas_give(struct quotas *quotas, enum quota_kind kind, uint64_t n);

/** quotas_add() - @n of @kind were used, whether allowed or not. */
void quotas_add(struct quotas *quotas, enum quota_kind kind, uint64_t n);

/** quotas_left() - what may still be used in the window that is nearer to its end; QUOTA_UNLIMITED. */
uint64_t quotas_left(struct quotas *quotas, enum quota_kind kind);

/** quotas_limited() - is there a limit on @kind at all? */
bool quotas_limited(const struct quotas *quotas, enum quota_kind kind);

/** quotas_used() - in this minute, and on this day. */
void quotas_used(struct quotas *quotas, enum quota_kind kind, uint64_t *minute, uint64_t *day);

/** quotas_path() - "DIRECTORY/quota-APP-HASH": the file of @app beside the ledger in @directory. */
char *quotas_path(const char *directory, const char *app, char *out, size_t room);

/** quotas_free() - NULL allowed. */
void quotas_free(struct quotas *quotas);

#endif
