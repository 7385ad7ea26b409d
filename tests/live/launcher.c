/* SPDX-License-Identifier: Apache-2.0 */
/* gae-run with a supervisor that has no policy (tests/programs/fake_supervisor.c) beside it. */
#include "shared/base/fd.h"
#include "shared/base/tree.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_MS 10000

static char dir[PATH_MAX], launcher[PATH_MAX + 16], launched[PATH_MAX];

struct run {
	pid_t pid;
	int out; /* its standard output and error; or the terminal */
	char text[16384];
	size_t used;
};

static void copy(const char *from, const char *to)
{
	char *data;
	size_t size;
	int fd;

	cr_assert_eq(fd_read_file(from, 64 << 20, &data, &size), 0, "%s", from);
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	cr_assert_eq(fd_write_full(fd, data, size), 0);
	close(fd);
	free(data);
}

/* The programs are found beside the test itself: BUILD/tests/live. */
static void set_up(void)
{
	char base[PATH_MAX - 64], path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", base, sizeof(base) - 1);

	cr_assert_gt(n, 0);
	base[n] = '\0';
	*strrchr(base, '/') = '\0';
	snprintf(dir, sizeof(dir), "%s/gae-run-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	cr_assert(mkdtemp(dir));
	snprintf(launcher, sizeof(launcher), "%s/gae-run", dir);
	snprintf(path, sizeof(path), "%s/../gae-run", base);
	copy(path, launcher);
	snprintf(path, sizeof(path), "%s/programs/fake_supervisor", base);
	char to[PATH_MAX + 32];
	snprintf(to, sizeof(to), "%s/gae-supervisor", dir);
	copy(path, to);
	snprintf(launched, sizeof(launched), "%s/programs/launched", base);
	tree_adopt();
}

static void tear_down(void)
{
	char path[PATH_MAX + 32];

	tree_kill(DEADLINE_MS);
	snprintf(path, sizeof(path), "%s/gae-supervisor", dir);
	unlink(path);
	unlink(launcher);
	rmdir(dir);
}

TestSuite(launcher, .init = set_up, .fini = tear_down, .timeout = 60);

static void start_with(struct run *run, void (*prepare)(void), char *const *argv)
{
	int ends[2];

	*run = (struct run){0};
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	run->pid = fork();
	if (run->pid == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		if (prepare)
			prepare();
		execv(launcher, argv);
		_exit(99);
	}
	close(ends[1]);
	run->out = ends[0];
}

#define start(run, prepare, ...)                                                                   \
	start_with(run, prepare, (char *[]){(char *)"gae-run", __VA_ARGS__, NULL})

/* Reads until @wanted is there, or with NULL until the end of file. */
static const char *read_until(struct run *run, const char *wanted)
{
	const char *found = NULL;

	while (!(wanted && (found = strstr(run->text, wanted)) && strchr(found, '\n'))) {
		struct pollfd polled = {.fd = run->out, .events = POLLIN};
		ssize_t n;

		cr_assert_eq(poll(&polled, 1, DEADLINE_MS), 1, "no '%s' in '%s'",
			     wanted ? wanted : "end of file", run->text);
		n = read(run->out, run->text + run->used, sizeof(run->text) - 1 - run->used);
		if (n <= 0)
			break;
		run->used += (size_t)n;
		run->text[run->used] = '\0';
	}
	cr_assert(!wanted || found, "no '%s' in '%s'", wanted, run->text);
	return found;
}

static void await_process(pid_t pid)
{
	struct pollfd polled = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

	if (polled.fd >= 0)
		cr_assert_eq(poll(&polled, 1, DEADLINE_MS), 1, "process %d lives on", pid);
	fd_close(&polled.fd);
}

static int wait_status(struct run *run)
{
	int status;

	await_process(run->pid);
	cr_assert_eq(waitpid(run->pid, &status, 0), run->pid);
	return status;
}

static int finish(struct run *run)
{
	int status;

	read_until(run, NULL);
	close(run->out);
	status = wait_status(run);
	cr_assert(WIFEXITED(status), "status %x: %s", status, run->text);
	return WEXITSTATUS(status);
}

#define run_to_end(run, ...) (start(run, NULL, __VA_ARGS__), finish(run))
#define W(text) ((char *)(text))

Test(launcher, the_exit_status_is_the_programs)
{
	struct run run;

	cr_expect_eq(run_to_end(&run, W("true")), 0);
	cr_expect_eq(run_to_end(&run, W("sh"), W("-c"), W("exit 7")), 7);
	cr_expect_eq(run_to_end(&run, W("/nonexistent/program")), 127);
	cr_expect(strstr(run.text, "gae-run: /nonexistent/program: not found"));
	cr_expect_eq(run_to_end(&run, W("/")), 126);
	cr_expect_eq(run_to_end(&run, W("--nonsense"), W("true")), 125);
	cr_expect(strstr(run.text, "unknown option --nonsense\nTry gae-run --help\n"));
}

Test(launcher, a_program_killed_by_a_signal_ends_the_front_by_the_same_signal)
{
	struct run run;
	int status;

	start(&run, NULL, W("sh"), W("-c"), W("kill -USR1 $$"));
	status = wait_status(&run);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1, "status %x", status);
}

Test(launcher, a_program_that_the_kernel_cannot_run_is_126_with_the_reason)
{
	char path[PATH_MAX + 32];
	struct run run;
	int fd;

	snprintf(path, sizeof(path), "%s/bytes", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	cr_assert_eq(fd_write_full(fd, "\1\2\0\3\n", 5), 0);
	close(fd);
	cr_expect_eq(run_to_end(&run, path), 126);
	cr_expect(strstr(run.text, "bad format"), "%s", run.text);
	cr_expect_eq(waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT), -1,
		     "a process is left behind");
	unlink(path);
}

Test(launcher, a_text_without_interpreter_is_run_by_the_shell)
{
	char path[PATH_MAX + 32];
	struct run run;
	int fd;

	snprintf(path, sizeof(path), "%s/words", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	cr_assert_eq(fd_write_full(fd, "echo $1; exit 4\n", 16), 0);
	close(fd);
	cr_expect_eq(run_to_end(&run, path, W("word")), 4);
	cr_expect_str_eq(run.text, "word\n");
	unlink(path);
}

Test(launcher, an_ended_program_leaves_no_process_behind)
{
	struct run run;

	cr_expect_eq(run_to_end(&run, W("true")), 0);
	/* The test is a subreaper: what were left, zombie or not, would be its child now. */
	cr_expect_eq(waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT), -1);
}

Test(launcher, a_missing_supervisor_is_named)
{
	char path[PATH_MAX + 32];
	struct run run;

	snprintf(path, sizeof(path), "%s/gae-supervisor", dir);
	unlink(path);
	cr_expect_eq(run_to_end(&run, W("true")), 125);
	cr_expect(strstr(run.text, path), "%s", run.text);
}

/* Its message overtakes the stage's, or the other way round. */
Test(launcher, a_supervisor_that_cannot_be_started_is_named_once)
{
	static const char script[] = "#!/no/such/interpreter\n";
	char path[PATH_MAX + 32];
	struct run run;
	int fd;

	snprintf(path, sizeof(path), "%s/gae-supervisor", dir);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	cr_assert_eq(fd_write_full(fd, script, sizeof(script) - 1), 0);
	close(fd);
	for (int i = 0; i < 50; i++) {
		start(&run, NULL, W("true"));
		cr_assert_eq(finish(&run), 125);
		cr_assert_not_null(strstr(run.text, "cannot be started"), "%s", run.text);
		cr_assert_eq(strchr(run.text, '\n'), run.text + run.used - 1, "%s", run.text);
	}
}

Test(launcher, signals_reach_the_program)
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

Test(launcher, a_signal_from_before_the_start_is_not_lost)
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

Test(launcher, mask_and_ignored_signals_are_the_callers)
{
	struct run run;

	start(&run, like_nohup, launched, W("signals"));
	cr_expect_eq(finish(&run), 0);
	cr_expect(strstr(run.text, "SigBlk:\t0000000000000800"), "%s", run.text);
	cr_expect(strstr(run.text, "SigIgn:\t0000000000010001"), "%s", run.text);
	cr_expect(strstr(run.text, "NoNewPrivs:\t1"));
}

static unsigned long effective_caps(const struct run *run)
{
	const char *line = strstr(run->text, "CapEff:");

	cr_assert(line);
	return strtoul(line + 7, NULL, 16);
}

Test(launcher, capabilities_that_reach_around_are_dropped_unless_kept)
{
	struct run run;

	if (geteuid())
		cr_skip_test("only root has capabilities to drop");
	cr_expect_eq(run_to_end(&run, launched, W("signals")), 0);
	cr_expect_eq(effective_caps(&run) & (1UL << 12), 0UL, "CAP_NET_ADMIN");
	cr_expect(effective_caps(&run) & 1UL, "CAP_CHOWN");
	cr_expect_eq(run_to_end(&run, W("--keep-cap=net_admin"), launched, W("signals")), 0);
	cr_expect(effective_caps(&run) & (1UL << 12));
}

static void lose_setpcap(void)
{
	prctl(PR_CAPBSET_DROP, 8 /* CAP_SETPCAP */);
}

Test(launcher, capabilities_are_dropped_where_the_bounding_set_cannot_be_changed)
{
	struct run run;

	if (geteuid())
		cr_skip_test("only root has capabilities to drop");
	start(&run, lose_setpcap, launched, W("signals"));
	cr_expect_eq(finish(&run), 0);
	cr_expect_eq(effective_caps(&run) & (1UL << 12), 0UL, "CAP_NET_ADMIN");
}

static void close_stdin(void)
{
	close(0);
	open("/dev/zero", O_RDONLY | O_CLOEXEC);
	close(0);
}

Test(launcher, no_descriptor_of_ours_is_in_the_program)
{
	char line[64];
	struct run run;

	start(&run, close_stdin, launched, W("descriptors"));
	cr_expect_eq(finish(&run), 0);
	cr_expect(!strstr(run.text, "seccomp"), "%s", run.text);
	cr_expect(!strstr(run.text, "socket:"), "%s", run.text);
	cr_expect(!strstr(run.text, "/dev/null"), "%s", run.text);
	for (int fd = 60; fd < 100; fd++) {
		snprintf(line, sizeof(line), "\n%d ", fd);
		cr_expect(!strstr(run.text, line), "%s", run.text);
	}
}

static void open_socket(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || dup2(fd, 9) < 0)
		_exit(98);
}

Test(launcher, an_inherited_socket_is_refused_by_name)
{
	struct run run;

	start(&run, open_socket, W("true"));
	cr_expect_eq(finish(&run), 125);
	cr_expect(strstr(run.text, "is an inherited UDP socket to 127.0.0.1:80"), "%s", run.text);
	cr_expect(strstr(run.text, ">&-"), "%s", run.text);
}

static void trap_sendmsg(void)
{
	setenv("FAKE_TRAP", "sendmsg", 1);
}

Test(launcher, the_listener_is_handed_over_under_a_filter_that_traps_sendmsg)
{
	struct run run;

	start(&run, trap_sendmsg, W("true"));
	cr_expect_eq(finish(&run), 0, "%s", run.text);
}

static void leave_filter_unsealed(void)
{
	setenv("FAKE_UNSEALED", "1", 1);
}

Test(launcher, an_unsealed_filter_is_refused)
{
	struct run run;

	start(&run, leave_filter_unsealed, W("true"));
	cr_expect_eq(finish(&run), 125);
	cr_expect(strstr(run.text, "unusable"), "%s", run.text);
}

Test(launcher, gae_run_inside_gae_run_says_why_not)
{
	struct run run;

	cr_expect_eq(run_to_end(&run, launcher, W("true")), 125);
	cr_expect(strstr(run.text, "a seccomp listener is already installed"), "%s", run.text);
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

Test(launcher, daemons_left_behind_delay_neither_the_front_nor_the_end_of_its_output)
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

Test(launcher, daemons_end_with_a_killed_supervisor_when_the_front_is_gone)
{
	int program, daemon, supervisor;
	struct run run;

	start(&run, NULL, launched, W("daemon"));
	read_pids(&run, &program, &daemon, &supervisor);
	cr_expect_eq(WEXITSTATUS(wait_status(&run)), 0);
	kill(supervisor, SIGKILL);
	await_process(daemon);
}

Test(launcher, everything_ends_with_a_killed_supervisor)
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

Test(launcher, everything_ends_with_a_killed_guard)
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

Test(launcher, everything_ends_with_a_killed_front)
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

Test(launcher, nothing_runs_when_the_supervisor_dies_before_go)
{
	struct run run;

	start(&run, die_before_go, W("echo"), W("ran"));
	cr_expect_eq(finish(&run), 125);
	cr_expect(!strstr(run.text, "ran\n"), "%s", run.text);
}

static void name_listen_pid(void)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
}

Test(launcher, listen_pid_names_the_program)
{
	int program, named;
	struct run run;

	start(&run, name_listen_pid, launched, W("pid"));
	cr_expect_eq(finish(&run), 0);
	cr_assert_eq(sscanf(run.text, "%d %d", &program, &named), 2);
	cr_expect_eq(program, named);
}

Test(launcher, a_stopped_program_stops_the_front_until_it_is_continued)
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

Test(launcher, keys_of_the_terminal_reach_the_program_once)
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

Test(launcher, a_shell_stops_and_continues_the_job)
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

Test(launcher, check_says_what_the_kernel_has_and_whether_it_is_enough)
{
	struct run run;

	cr_expect_eq(run_to_end(&run, W("--check")), 0);
	cr_expect(strstr(run.text, "user notification    ok"), "%s", run.text);
	cr_expect_eq(run_to_end(&run, launcher, W("--check")), 125);
	cr_expect(strstr(run.text, "a seccomp listener is already installed"), "%s", run.text);
}

static void unshare_pids(void)
{
	execlp("unshare", "unshare", "-p", "-f", "--mount-proc", launcher, "sh", "-c",
	       "true & kill -TERM $$", NULL);
}

Test(launcher, as_process_1_it_ends_with_128_and_the_signal)
{
	struct run run;

	if (geteuid())
		cr_skip_test("needs root for a process namespace");
	start(&run, unshare_pids, W("true"));
	cr_expect_eq(finish(&run), 128 + SIGTERM, "%s", run.text);
}
