/* SPDX-License-Identifier: Apache-2.0 */
/* How gae-run starts a program, what that gets, and what is said when it cannot be. */
#include "launcher_fixture.h"

#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/socket.h>

TestSuite(launcher, .init = set_up, .fini = tear_down, .timeout = 60);

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

Test(launcher, check_says_what_the_kernel_has_and_whether_it_is_enough)
{
	struct run run;

	cr_expect_eq(run_to_end(&run, W("--check")), 0);
	cr_expect(strstr(run.text, "user notification    ok"), "%s", run.text);
	cr_expect_eq(run_to_end(&run, launcher, W("--check")), 125);
	cr_expect(strstr(run.text, "a seccomp listener is already installed"), "%s", run.text);
}
