/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_FD_WINDOW_H
#define POLICY_FD_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

/*
 * The UDP window: the descriptor numbers that UDP sockets live in.  A filter cannot see what
 * a descriptor is, but it sees its number.  The supervisor makes every UDP socket and puts it
 * into a slot of the window; every call that could renumber one (dup, F_DUPFD, SCM_RIGHTS) is
 * the supervisor's as well.  So what is outside is no UDP socket, and its writes need no look.
 *
 * Two ranges: one just below 1024, where select(2) still works, and one high up, for programs
 * that have raised their limit and filled the first.  An ordinary file that lands in the window
 * is slower, never wrong.
 */
struct fd_window {
	uint32_t low, low_end;   /* [low, low_end) */
	uint32_t high, high_end; /* [high, high_end); equal: there is none */
};

#define FD_WINDOW_SELECT 1024u /* FD_SETSIZE, select(2) */
#define FD_WINDOW_SLOTS 8704u  /* at most, of both ranges: 512 and 8,192 */

/**
 * fd_window_fit() - the window for a program with these limits on open files (RLIMIT_NOFILE).
 * The range below 1024 takes the upper half of what the soft limit leaves there, for most
 * programs fill the numbers from below.
 */
struct fd_window fd_window_fit(const struct rlimit *files);

/** fd_window_has() - is the number in it?  What the filter asks, with the same answer. */
bool fd_window_has(const struct fd_window *window, uint32_t fd);

/** fd_window_slots() - how many numbers it has, at most FD_WINDOW_SLOTS. */
uint32_t fd_window_slots(const struct fd_window *window);

/** fd_window_number() - the number of slot @slot: 0 is the highest of the low range, then down, then the high range. */
uint32_t fd_window_number(const struct fd_window *window, uint32_t slot);

/** fd_window_slot() - the slot of number @fd, which must be in it. */
uint32_t fd_window_slot(const struct fd_window *window, uint32_t fd);

#endif
