/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include <signal.h>
#include <stdbool.h>

struct supervisor;

/*
 * The program and everything it starts, seen as processes; and the front, which
 * wants to know how the program fares.
 *
 *   starting -> running -> ended                       the supervisor ends with the last process
 *      |           |         `-> lingering              daemons are left: the front has gone, the supervisor stays for them
 *      |           `-> front gone: everything is killed
 *      `-> exec failed: told to the front
 */
struct child;

/* What the kernel sends us when the guard dies (PR_SET_PDEATHSIG): nobody would end the tree after us. */
#define CHILD_ORPHANED SIGUSR2

/** child_new() - @control: socket to the front.  Blocks SIGCHLD and CHILD_ORPHANED in the calling thread (start the crew afterwards). */
struct child *child_new(struct supervisor *sup, int control);

/** child_fd() - readable when child_run() has something to do. */
int child_fd(const struct child *child);

void child_run(struct child *child);

/**
 * child_meet() - wait until the launcher stage has looked at what it inherited.
 * @stage: socket to it, owned from now on
 * @local_sockets: whether connected AF_UNIX sockets are among it
 * Return: as child_install().
 */
int child_meet(struct child *child, int stage, bool *local_sockets);

/**
 * child_install() - hand the filter to the launcher stage, which puts up its fences with it.
 * @program: sealed memfd with the BPF bytes
 * @landlock: the stage shall put up the Landlock fence
 * Return: 0; -1 when it failed and the front was told why.
 */
int child_install(struct child *child, int program, bool landlock);

/**
 * child_go() - take the listener, lead on it, and let the stage start the program.
 * Sets sup->listener.  Return: as child_install().
 */
int child_go(struct child *child);

/**
 * child_finish() - the program and all it started has ended, and is accounted for: tell the front,
 * if it was not told before.
 * @lingering: we stay a while, and the front does not wait for us
 */
void child_finish(struct child *child, bool lingering);

/** child_fail() - tell the front that the supervisor gives up (it has logged why). */
void child_fail(struct child *child);

/** child_is_over() - nothing is left to do.  @listener_over: no process with our filter is left. */
bool child_is_over(const struct child *child, bool listener_over);

/** child_result() - exit status for the supervisor itself. */
int child_result(const struct child *child);

#endif
