/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_KEEPER_SEARCH_H
#define SUPERVISOR_KEEPER_SEARCH_H

#include "account.h"

struct supervisor;
struct target_cache;

/* Finding a socket of the program's again, to shut it.  For the keeper. */

/** keeper_take() - a duplicate of the socket from the process that used it last, or from the porter.  Return: descriptor; -ENOENT it no longer has it. */
int keeper_take(struct supervisor *sup, struct target_cache *targets,
		const struct account_look *look);

/** keeper_shut() - shut it there and tell the account.  Return: false: it is not there. */
bool keeper_shut(struct supervisor *sup, struct target_cache *targets,
		 const struct account_look *look, enum account_todo todo);

/*
 * A search through all processes below us, which a hostile program can make long; so it has a
 * thread of its own, one at most, which ends when nothing is looked for.
 */
struct keeper_search;

struct keeper_search *keeper_search_new(struct supervisor *sup);

/** keeper_search_add() - look for it, and shut it.  When too much is looked for, the next look tries again. */
void keeper_search_add(struct keeper_search *search, const struct account_look *look,
		       enum account_todo todo);

#endif
