/* SPDX-License-Identifier: Apache-2.0 */
/* Who ends with whom, and what is left: front, guard, supervisor, program and its daemons. */
#include "launcher_fixture.h"

#include <signal.h>

TestSuite(launcher_end, .init = set_up, .fini = tear_down, .timeout = 60);

Test(launcher_end, an_ended_program_leaves_no_process_behind)
{
	struct run run;

	cr_expect_eq(run_to_end(&run, W("true")), 0);
	/* The test is a subreaper: what were left, zombie or not, would be its child now. */
	cr_expect_eq(waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT), -1);
}

static void read_pids(struct run *run, int *program, int *daemon, int *supervisor)
{
	const char *line = read_until(run, "ready");

	cr_assert_eq(sscanf(line, "ready %d daemon %d supervisor %d", program, daemon, supervisor),
		     3);
}

static void drop_errors(void)
{
	dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
	dup2(1, 9);
}

Test(launcher_end, daemons_left_behind_delay_neither_the_front_nor_the_end_of_its_output)
{
	int program, daemon, supervisor;
	struct run run;

	start(&run, drop_errors, launched, W("daemon"));
	read_pids(&run, &program, &daemon, &supervisor);
	cr_expect_eq(finish(&run), 0);
	cr_expect_eq(kill(daemon, 0), 0);
	kill(daemon, SIGKILL);
	await_process(supervisor);
}

Test(launcher_end, daemons_end_with_a_killed_supervisor_when_the_front_is_gone)
{
	int program, daemon, supervisor;
	struct run run;

	start(&run, NULL, launched, W("daemon"));
	read_pids(&run, &program, &daemon, &supervisor);
	cr_expect_eq(WEXITSTATUS(wait_status(&run)), 0);
	kill(supervisor, SIGKILL);
	await_process(daemon);
}

Test(launcher_end, everything_ends_with_a_killed_supervisor)
{
	int program, daemon, supervisor;
	struct run run;

	start(&run, NULL, launched, W("tree"));
	read_pids(&run, &program, &daemon, &supervisor);
	kill(supervisor, SIGKILL);
	cr_expect_eq(finish(&run), 125);
	cr_expect(strstr(run.text, "the supervisor died (killed by SIGKILL)"), "%s", run.text);
	cr_expect_eq(kill(program, 0), -1);
	cr_expect_eq(kill(daemon, 0), -1);
}

Test(launcher_end, everything_ends_with_a_killed_guard)
{
	int program, daemon, supervisor;
	pid_t guard;
	struct run run;

	start(&run, NULL, launched, W("tree"));
	read_pids(&run, &program, &daemon, &supervisor);
	cr_assert_gt(tree_state(supervisor, &guard), 0);
	kill(guard, SIGKILL);
	cr_expect_eq(finish(&run), 125);
	cr_expect_eq(kill(program, 0), -1);
	cr_expect_eq(kill(daemon, 0), -1);
}

Test(launcher_end, everything_ends_with_a_killed_front)
{
	int program, daemon, supervisor;
	struct run run;

	start(&run, NULL, launched, W("tree"));
	read_pids(&run, &program, &daemon, &supervisor);
	kill(run.pid, SIGKILL);
	await_process(program);
	await_process(daemon);
	await_process(supervisor);
}

static void die_before_go(void)
{
	setenv("FAKE_DIE", "1", 1);
}

Test(launcher_end, nothing_runs_when_the_supervisor_dies_before_go)
{
	struct run run;

	start(&run, die_before_go, W("echo"), W("ran"));
	cr_expect_eq(finish(&run), 125);
	cr_expect(!strstr(run.text, "ran\n"), "%s", run.text);
}
