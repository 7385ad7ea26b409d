/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/guard.h"

#include "launcher/spawn.h"
#include "shared/base/tree.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What hangs in the kernel for longer is left to die when it comes out: SIGKILL is pending. */
#define KILL_MS 10000

void guard_prepare(void)
{
	tree_adopt();
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

_Noreturn void guard_run(pid_t supervisor)
{
	int status = 0;
	pid_t pid;

	spawn_release_stdio(false);
	close_range(3, ~0U, 0);
	do
		pid = waitpid(-1, &status, 0);
	while (pid != supervisor && (pid > 0 || errno == EINTR));
	tree_kill(KILL_MS);
	_exit(WIFSIGNALED(status) ? GUARD_SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status));
}
