/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_GUARD_H
#define LAUNCHER_GUARD_H

#include <sys/types.h>

/* How the guard tells the front how the supervisor ended: its exit status, or this plus the signal. */
#define GUARD_SIGNALLED 128

/** guard_prepare() - before the supervisor is forked: keep every orphan below, close the memory to the program. */
void guard_prepare(void);

/** guard_run() - wait for the @supervisor, end whatever it leaves, exit with how it ended. */
_Noreturn void guard_run(pid_t supervisor);

#endif
