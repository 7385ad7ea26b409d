/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SELF_H
#define SUPERVISOR_SELF_H

#include <stdbool.h>

/*
 * The supervisor guards itself, so that a fault in it is worth little to who finds it.
 *
 *   self_prepare()   first thing: not dumpable (nobody of the same user takes its descriptors or
 *                    reads its memory), deaf to the terminal's signals, limits
 *   self_drop()      before the first thread: capabilities that it does not need
 *   self_confine()   before the program starts: a seccomp filter of its own, for all threads
 *
 * The filter allows the system calls that notes beside the code name ("#syscalls:"), gathered by
 * scripts/make-self-calls into self_calls.def; any other one gives ENOSYS, so that a C library
 * falls back to an older call.
 */

/** self_prepare() - @orphaned: signal for the death of the parent. */
void self_prepare(int orphaned);

/** self_drop() - @bind_any: the policy lets low ports be bound.  Return: 0 or -errno. */
int self_drop(bool bind_any);

/** self_confine() - Return: 0 or -errno. */
int self_confine(void);

#endif
