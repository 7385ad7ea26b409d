/* SPDX-License-Identifier: Apache-2.0 */
/* Signals, stops and the keys of a terminal between who calls gae-run and the program. */
#include "launcher_fixture.h"

#include <pty.h>
#include <signal.h>

TestSuite(launcher_signals, .init = set_up, .fini = tear_down, .timeout = 60);

Test(launcher_signals, a_program_killed_by_a_signal_ends_the_front_by_the_same_signal)
{
	struct run run;
	int status;

	start(&run, NULL, W("sh"), W("-c"), W("kill -USR1 $$"));
	status = wait_status(&run);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1, "status %x", status);
}

Test(launcher_signals, signals_reach_the_program)
{
	struct run run;

	start(&run, NULL, launched, W("catch"));
	read_until(&run, "ready");
	kill(run.pid, SIGUSR1);
	read_until(&run, "signal 10");
	kill(run.pid, SIGHUP);
	read_until(&run, "signal 1\n");
	kill(run.pid, SIGTERM);
	cr_expect_eq(finish(&run), 9);
}

static void send_early_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTERM);
}

Test(launcher_signals, a_signal_from_before_the_start_is_not_lost)
{
	struct run run;

	start(&run, send_early_signal, launched, W("catch"));
	cr_expect_eq(finish(&run), 9);
	cr_expect(strstr(run.text, "signal 15"));
}

static void like_nohup(void)
{
	sigset_t set;

	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

Test(launcher_signals, mask_and_ignored_signals_are_the_callers)
{
	struct run run;

	start(&run, like_nohup, launched, W("signals"));
	cr_expect_eq(finish(&run), 0);
	cr_expect(strstr(run.text, "SigBlk:\t0000000000000800"), "%s", run.text);
	cr_expect(strstr(run.text, "SigIgn:\t0000000000010001"), "%s", run.text);
	cr_expect(strstr(run.text, "NoNewPrivs:\t1"));
}

Test(launcher_signals, a_stopped_program_stops_the_front_until_it_is_continued)
{
	struct run run;
	int status;

	start(&run, NULL, launched, W("catch"));
	int program = atoi(read_until(&run, "ready") + 6);
	kill(program, SIGSTOP);
	cr_assert_eq(waitpid(run.pid, &status, WUNTRACED), run.pid);
	cr_expect(WIFSTOPPED(status));
	kill(run.pid, SIGCONT);
	read_until(&run, "signal 18");
	kill(run.pid, SIGTERM);
	cr_expect_eq(finish(&run), 9);
}

/* A terminal of its own; the child is its session's leader, as after ssh -t. */
static void start_on_terminal(struct run *run, char *const *argv)
{
	*run = (struct run){0};
	run->pid = forkpty(&run->out, NULL, NULL, NULL);
	if (run->pid == 0) {
		execv(argv[0], argv);
		_exit(99);
	}
}

Test(launcher_signals, keys_of_the_terminal_reach_the_program_once)
{
	struct run run;

	start_on_terminal(&run, (char *[]){launcher, launched, W("catch"), NULL});
	read_until(&run, "ready");
	cr_assert_eq(write(run.out, "\003", 1), 1);
	read_until(&run, "signal 2");
	kill(run.pid, SIGTERM);
	read_until(&run, "signal 15");
	cr_expect_eq(WEXITSTATUS(wait_status(&run)), 9);
	cr_expect_null(strstr(strstr(run.text, "signal 2") + 8, "signal 2\r"), "%s", run.text);
}

Test(launcher_signals, a_shell_stops_and_continues_the_job)
{
	char command[3 * PATH_MAX];
	struct run run;

	snprintf(command, sizeof(command),
		 "set -m; %s sh -c 'echo begun; read word; echo got $word'; echo stopped $?; fg; "
		 "echo done $?",
		 launcher);
	start_on_terminal(&run, (char *[]){W("/bin/bash"), W("-c"), command, NULL});
	read_until(&run, "begun");
	cr_assert_eq(write(run.out, "\032", 1), 1);
	read_until(&run, "stopped 148");
	cr_assert_eq(write(run.out, "word\n", 5), 5);
	read_until(&run, "got word");
	read_until(&run, "done 0");
}

static void unshare_pids(void)
{
	execlp("unshare", "unshare", "-p", "-f", "--mount-proc", launcher, "sh", "-c",
	       "true & kill -TERM $$", NULL);
}

Test(launcher_signals, as_process_1_it_ends_with_128_and_the_signal)
{
	struct run run;

	if (geteuid())
		cr_skip_test("needs root for a process namespace");
	start(&run, unshare_pids, W("true"));
	cr_expect_eq(finish(&run), 128 + SIGTERM, "%s", run.text);
}
