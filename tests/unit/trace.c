/* SPDX-License-Identifier: Apache-2.0 */
/* The ring and its writer. */
#include "trace_outputs.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- this process's threads --- */

struct tasks {
	int tids[64];
	size_t n;
};

static bool tasks_have(const struct tasks *tasks, int tid)
{
	for (size_t i = 0; i < tasks->n; i++)
		if (tasks->tids[i] == tid)
			return true;
	return false;
}

static struct tasks tasks_now(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct tasks tasks = {.n = 0};
	struct dirent *entry;

	cr_assert_not_null(dir);
	while ((entry = readdir(dir)) && tasks.n < 64)
		if (entry->d_name[0] != '.')
			tasks.tids[tasks.n++] = atoi(entry->d_name);
	closedir(dir);
	return tasks;
}

/* The thread that has come since @before. */
static int tasks_new(const struct tasks *before)
{
	struct tasks now = tasks_now();

	for (size_t i = 0; i < now.n; i++)
		if (!tasks_have(before, now.tids[i]))
			return now.tids[i];
	cr_assert_fail("no thread was started");
	return 0;
}

Test(trace, appends_to_its_file_and_creates_it_as_a_shell_would)
{
	struct scratch scratch;
	struct trace *trace;
	struct stat st;

	scratch_init(&scratch);
	unlink(scratch.path);
	umask(027);
	for (unsigned int i = 0; i < 2; i++) {
		trace = trace_open(&(struct trace_config){.path = scratch.path});
		cr_assert_not_null(trace);
		decide(trace, i);
		trace_close(trace);
	}
	cr_assert_eq(stat(scratch.path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	scratch_read(&scratch);
	cr_expect_eq(count(scratch.text).decisions, 2);
	scratch_fini(&scratch);
}

Test(trace, says_why_a_file_cannot_be_opened)
{
	errno = 0;
	cr_expect_null(trace_open(&(struct trace_config){.path = "/proc/self/none/trace"}));
	cr_expect_eq(errno, ENOENT);
}

Test(trace, null_is_allowed)
{
	trace_decided(NULL, &plain);
	trace_started(NULL, 1, (const char *const[]){NULL});
	trace_exited(NULL, 1, 0);
	trace_note(NULL, "x");
	cr_expect(trace_flush(NULL, 0));
	trace_close(NULL);
}

static void write_events(struct trace *trace)
{
	const char *argv[200];

	for (size_t i = 0; i < 199; i++)
		argv[i] = i == 1 ? "a \"b\"\n" : "an argument of ordinary length";
	argv[0] = "/bin/prog";
	argv[199] = NULL;
	cr_assert_not_null(trace);
	trace_started(trace, 42, argv);
	argv[2] = NULL;
	trace_started(trace, 42, argv);
	trace_note(trace, "a note\nof two lines");
	trace_exited(trace, 42, 3 << 8);
	trace_exited(trace, 42, SIGKILL);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	trace_close(trace);
}

Test(trace, writes_start_note_and_exit_as_text)
{
	struct scratch scratch;

	scratch_init(&scratch);
	write_events(trace_open(&(struct trace_config){.path = scratch.path}));
	scratch_read(&scratch);
	cr_expect(strstr(scratch.text, "length\" ... +++\n"));
	cr_expect(strstr(scratch.text, "[42] +++ started \"/bin/prog\" \"a \\\"b\\\"\\n\" +++\n"));
	cr_expect(strstr(scratch.text, " # a note\\nof two lines\n"));
	cr_expect(strstr(scratch.text, "[42] +++ exited with 3 +++\n"));
	cr_expect(strstr(scratch.text, "[42] +++ killed by SIGKILL +++\n"));
	scratch_fini(&scratch);
}

Test(trace, writes_start_note_and_exit_as_json, .timeout = DEADLINE_S)
{
	struct scratch scratch;

	scratch_init(&scratch);
	write_events(trace_open(
	    &(struct trace_config){.path = scratch.path, .format = TRACE_JSON, .app = "shop"}));
	scratch_read(&scratch);
	python_check(
	    scratch.text,
	    "e=[x[\"event_name\"] for x in r]; a=[x[\"attributes\"] for x in r]\n"
	    "assert e==[\"gae_run.\"+x for x in \"start start note exit exit\".split()], e\n"
	    "assert a[0][\"process.command_args\"][-1]==\"...\"\n"
	    "assert a[1][\"process.command_args\"]==[\"/bin/prog\",\"a \\\"b\\\"\\n\"]\n"
	    "assert r[2][\"body\"]==\"a note\\nof two lines\"\n"
	    "assert a[3][\"process.exit.code\"]==3 and a[3][\"process.pid\"]==42\n"
	    "assert a[4][\"process.exit.code\"]==137 and a[4][\"gae_run.signal\"]==\"SIGKILL\"\n"
	    "assert [x[\"gae_run.seq\"] for x in a]==[1,2,3,4,5]\n"
	    "assert all(x[\"service.name\"]==\"shop\" for x in a)\n");
	scratch_fini(&scratch);
}

Test(trace, closing_does_not_wait_for_a_reader_that_stands_still, .timeout = DEADLINE_S)
{
	struct pipe_reader reader;
	struct trace *trace;
	double before;

	pipe_reader_init(&reader, 0);
	trace = trace_open(&(struct trace_config){.path = reader.path});
	for (unsigned int i = 0; i < 1000; i++)
		decide(trace, i);
	before = seconds();
	trace_close(trace);
	cr_expect_lt(seconds() - before, 5.0);
	/* Now the writer, left alone, comes to its end by itself. */
	pipe_reader_start(&reader);
	pipe_reader_finish(&reader);
	cr_expect_eq(count(reader.text).decisions, 1000);
	free(reader.text);
}

Test(trace, a_closed_pipe_ends_the_trace_only, .timeout = DEADLINE_S)
{
	struct tasks tasks = tasks_now();
	struct pipe_reader reader;
	struct trace *trace;
	double before;
	int writer;

	signal(SIGPIPE, SIG_IGN);
	pipe_reader_init(&reader, 0);
	trace = trace_open(&(struct trace_config){.path = reader.path});
	writer = tasks_new(&tasks);
	fd_close(&reader.read_fd);
	decide(trace, 0);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	for (unsigned int i = 0; i < 100000; i++)
		decide(trace, i);
	cr_expect(trace_flush(trace, 0));
	do
		tasks = tasks_now();
	while (tasks_have(&tasks, writer));
	before = seconds();
	trace_close(trace);
	cr_expect_lt(seconds() - before, 0.5);
	fd_close(&reader.write_fd);
	free(reader.text);
}

Test(trace, a_closed_standard_error_ends_the_trace_only, .timeout = DEADLINE_S)
{
	struct trace *trace;
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);

	trace = trace_open(&(struct trace_config){0});
	close(STDERR_FILENO);
	decide(trace, 0);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	trace_close(trace);
	dup2(saved, STDERR_FILENO);
}

Test(trace, a_non_blocking_standard_error_loses_nothing, .timeout = DEADLINE_S)
{
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	struct pipe_reader reader;
	struct trace *trace;

	pipe_reader_init(&reader, O_NONBLOCK);
	dup2(reader.write_fd, STDERR_FILENO);
	trace = trace_open(&(struct trace_config){0});
	for (unsigned int i = 0; i < 1000; i++)
		decide(trace, i);
	pipe_reader_start(&reader);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	trace_close(trace);
	dup2(saved, STDERR_FILENO);
	pipe_reader_finish(&reader);
	cr_expect_eq(count(reader.text).decisions, 1000);
	free(reader.text);
}

Test(trace, an_idle_writer_sleeps_for_ever_with_all_signals_blocked, .timeout = DEADLINE_S)
{
	struct tasks before = tasks_now();
	struct trace *trace = trace_open(&(struct trace_config){.path = "/dev/null"});
	int writer = tasks_new(&before);
	CLEANUP_FREE char *status = NULL;
	unsigned long timeout = 1;
	unsigned long long blocked;
	char path[64];
	size_t size;
	long nr = -1;

	decide(trace, 0);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", writer);
	while (nr != SYS_futex) {
		CLEANUP_FREE char *text = NULL;

		cr_assert_eq(fd_read_file(path, 4096, &text, &size), 0);
		if (sscanf(text, "%ld %*x %*x %*x %lx", &nr, &timeout) < 1)
			nr = -1; /* "running" */
	}
	cr_expect_eq(timeout, 0, "futex(2) waits without a time-out");
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", writer);
	cr_assert_eq(fd_read_file(path, 65536, &status, &size), 0);
	cr_assert_eq(sscanf(strstr(status, "SigBlk:"), "SigBlk: %llx", &blocked), 1);
	/* All but SIGKILL, SIGSTOP and the two that belong to the C library. */
	cr_expect_eq(blocked | 1ull << 8 | 1ull << 18 | 3ull << 31, ~0ull);
	trace_close(trace);
}
