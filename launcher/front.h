/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_FRONT_H
#define LAUNCHER_FRONT_H

#include <stdbool.h>
#include <sys/types.h>

struct options;
struct resolved;
struct signalfd_siginfo;

/** front_run() - run the program and stand in for it towards the caller.  Return: the exit status; does not return when the program was killed by a signal. */
int front_run(const struct options *options, const struct resolved *program);

/**
 * front_forwards() - whether a signal that the front got is passed on to the program.
 * Not what the program got itself: signals of the terminal go to the whole
 * group; but a hang-up goes to the session leader alone (tty_io.c).
 * @program: pid of the program, whose own signals to its group are not sent back
 */
bool front_forwards(const struct signalfd_siginfo *info, pid_t program, bool session_leader);

#endif
