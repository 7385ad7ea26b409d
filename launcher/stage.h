/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_STAGE_H
#define LAUNCHER_STAGE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct options;
struct resolved;

/* What the stage needs to become the program. */
struct stage {
	const struct options *options;
	const struct resolved *program;
	int socket;       /* wire to the supervisor */
	pid_t front;      /* the pid that the caller of gae-run knows */
	sigset_t mask;    /* the caller's signal mask */
	bool no_children; /* the caller ignored SIGCHLD */
};

/** stage_run() - confine this process and become the program.  On failure the supervisor is told why; ends with 125 to 127. */
_Noreturn void stage_run(const struct stage *stage);

#endif
