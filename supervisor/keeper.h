/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_KEEPER_H
#define SUPERVISOR_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct supervisor;

/*
 * The keeper: looks after open sockets, on the loop's thread.  It hears of every socket that
 * ends, looks at the numbers of those that are open when the account says so, and shuts the
 * ones that are idle or over quota.
 *
 * A socket is shut through a duplicate that is taken for that moment from the process that used
 * it last; when that one no longer has it, a thread of its own looks for it in all others.
 */
struct keeper;

/** keeper_new() - Return: NULL when out of memory. Without netlink it warns, and TCP's bytes are counted at looks alone. */
struct keeper *keeper_new(struct supervisor *sup);

/** keeper_fd() - readable when a socket has ended; -1: there is none. */
int keeper_fd(const struct keeper *keeper);

/** keeper_ready() - it is readable.  From now on the keeper goes there by itself, every few milliseconds. */
void keeper_ready(struct keeper *keeper);

/** keeper_next_ns() - when keeper_run() is wanted (CLOCK_MONOTONIC), UINT64_MAX: never. */
uint64_t keeper_next_ns(struct keeper *keeper, uint64_t now);

/**
 * keeper_run() - hear what has ended, look at what is due.
 * Return: true when the descriptor is to be watched again, for nothing ends any more.
 */
bool keeper_run(struct keeper *keeper, uint64_t now);

/**
 * keeper_settle() - the program has ended: wait for the last news, and count what is still open.
 * @ms: at most so long, and only while a connection is still open
 * Return: connections still open, whose bytes so far are counted: the kernel goes on sending them.
 */
size_t keeper_settle(struct keeper *keeper, int ms);

/**
 * keeper_stay() - the program has ended, and sockets are on offer still: look after them until
 * the next look is over, or @wake is readable.
 */
void keeper_stay(struct keeper *keeper, int wake);

#endif
