/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_SPAWN_H
#define LAUNCHER_SPAWN_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct options;
struct resolved;

/* How the caller of gae-run had set up signals; the program gets it back. */
struct spawn_caller {
	sigset_t mask;
	bool no_children; /* SIGCHLD was ignored */
};

struct spawned {
	pid_t guard;
	pid_t program;
	int control; /* wire to the supervisor */
};

/** spawn_find_supervisor() - gae-supervisor beside our own executable.  @path: PATH_MAX bytes.  Return: 0 or -errno. */
int spawn_find_supervisor(char *path);

/**
 * spawn_tree() - start guard, supervisor and launcher stage.  All signals must
 * be blocked.  When it returns, the front's memory is closed to the program and
 * a signal of the terminal that came meanwhile has reached the stage.
 * Return: 0; -errno, and what was started is gone.  Whoever failed has logged it.
 */
int spawn_tree(const struct options *options, const struct resolved *program,
	       const char *supervisor, const struct spawn_caller *caller, struct spawned *out);

/** spawn_release_stdio() - point 0 and 1 (and 2 unless @keep_errors) at /dev/null, so that no pipe of the program's stays open here. */
void spawn_release_stdio(bool keep_errors);

#endif
