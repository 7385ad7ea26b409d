/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIVE_LAUNCHER_FIXTURE_H
#define TESTS_LIVE_LAUNCHER_FIXTURE_H

/* gae-run with a supervisor that has no policy (tests/programs/fake_supervisor.c) beside it. */
#include "shared/base/fd.h"
#include "shared/base/tree.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 10000

static char dir[PATH_MAX], launcher[PATH_MAX + 16], launched[PATH_MAX];

struct run {
	pid_t pid;
	int out; /* its standard output and error; or the terminal */
	char text[16384];
	size_t used;
};

static inline void copy(const char *from, const char *to)
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
static inline void set_up(void)
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

static inline void tear_down(void)
{
	char path[PATH_MAX + 32];

	tree_kill(DEADLINE_MS);
	snprintf(path, sizeof(path), "%s/gae-supervisor", dir);
	unlink(path);
	unlink(launcher);
	rmdir(dir);
}

static inline void start_with(struct run *run, void (*prepare)(void), char *const *argv)
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
static inline const char *read_until(struct run *run, const char *wanted)
{
	const char *name = wanted ? wanted : "end of file";
	const char *found = NULL;

	while (!(wanted && (found = strstr(run->text, wanted)) && strchr(found, '\n'))) {
		struct pollfd polled = {.fd = run->out, .events = POLLIN};
		ssize_t n;

		cr_assert_eq(poll(&polled, 1, DEADLINE_MS), 1, "no '%s' in '%s'", name, run->text);
		n = read(run->out, run->text + run->used, sizeof(run->text) - 1 - run->used);
		if (n <= 0)
			break;
		run->used += (size_t)n;
		run->text[run->used] = '\0';
	}
	cr_assert(!wanted || found, "no '%s' in '%s'", name, run->text);
	return found;
}

static inline void await_process(pid_t pid)
{
	struct pollfd polled = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

	if (polled.fd >= 0)
		cr_assert_eq(poll(&polled, 1, DEADLINE_MS), 1, "process %d lives on", pid);
	fd_close(&polled.fd);
}

static inline int wait_status(struct run *run)
{
	int status;

	await_process(run->pid);
	cr_assert_eq(waitpid(run->pid, &status, 0), run->pid);
	return status;
}

static inline int finish(struct run *run)
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

#endif
