/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/tree.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 5000

static void set_up(void)
{
	cr_assert_eq(tree_adopt(), 0);
}

TestSuite(tree, .init = set_up, .timeout = 20);

/* A daemon that forked twice and left its session; its pid once it stands. */
static pid_t start_daemon(void)
{
	pid_t pid;
	int ready[2];

	cr_assert_eq(pipe(ready), 0);
	if (fork() == 0) {
		setsid();
		if (fork())
			_exit(0);
		pid = getpid();
		if (write(ready[1], &pid, sizeof(pid)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	cr_assert_eq(read(ready[0], &pid, sizeof(pid)), (ssize_t)sizeof(pid));
	return pid;
}

Test(tree, nothing_below_is_nothing_to_kill)
{
	cr_expect_eq(tree_kill(DEADLINE_MS), 0);
}

Test(tree, children_grandchildren_and_daemons_are_all_killed_and_reaped)
{
	pid_t daemon = start_daemon();

	if (fork() == 0) {
		if (fork() == 0)
			raise(SIGSTOP);
		for (;;)
			pause();
	}
	cr_assert_eq(tree_kill(DEADLINE_MS), 0);
	cr_expect_eq(kill(daemon, 0), -1);
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_expect_eq(errno, ECHILD);
}

Test(tree, a_process_that_keeps_forking_does_not_get_away)
{
	if (fork() == 0) {
		for (;;) {
			if (fork() == 0)
				continue;
			_exit(0);
		}
	}
	cr_assert_eq(tree_kill(DEADLINE_MS), 0);
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
}

Test(tree, the_list_holds_who_is_alive)
{
	pid_t child = fork(), *pids;

	if (child == 0)
		for (;;)
			pause();
	cr_assert_eq(tree_list(&pids), 1);
	cr_expect_eq(pids[0], child);
	free(pids);
	kill(child, SIGKILL);
	cr_assert_eq(waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT), 0);
	cr_expect_eq(tree_list(&pids), 0, "a zombie is not alive");
	cr_expect_null(pids);
}

Test(tree, a_name_with_parentheses_and_blanks_does_not_hide_the_state)
{
	pid_t parent = 0, child = fork();
	int status;

	if (child == 0) {
		prctl(PR_SET_NAME, "a) Z 1 (b");
		raise(SIGSTOP);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, WUNTRACED), child);
	cr_expect_eq(tree_state(child, &parent), 'T');
	cr_expect_eq(parent, getpid());
	kill(child, SIGKILL);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(tree_state(child, NULL), -ENOENT);
}
