/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TREE_H
#define BASE_TREE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * The processes below the caller.  A process that is a child subreaper
 * (prctl(2)) gets every orphan below it, so that nothing below ever leaves its
 * reach: what is not found now is found in the next round.
 */

/** tree_adopt() - make the calling process a child subreaper.  Return: 0 or -errno. */
int tree_adopt(void);

/**
 * tree_kill() - SIGKILL every descendant and reap every child, again and again
 * until none is left.  The caller must have called tree_adopt() before it
 * started anything, and must have no child that it wants to keep.
 * @timeout_ms: how long to wait for the last one, which may hang in the kernel
 * Return: 0; -ETIMEDOUT; -ENOENT when /proc does not show the caller's own
 *         process namespace, so that nothing could be found (nothing was killed).
 */
int tree_kill(int timeout_ms);

/**
 * tree_list() - the living descendants of the calling process, zombies left out.
 * @pids: from malloc, the caller frees; NULL when there are none
 * Return: their number; -ENOENT as for tree_kill(); -ENOMEM or another -errno.
 */
ssize_t tree_list(pid_t **pids);

/**
 * tree_state() - the state letter of process @pid as in /proc/PID/stat ('R', 'T', 'Z', ...).
 * @parent: where not NULL, its parent
 * Return: the letter, or -errno (-ENOENT: no such process).
 */
int tree_state(pid_t pid, pid_t *parent);

#endif
