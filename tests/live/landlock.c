/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/landlock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(landlock, .timeout = 20);

static pid_t outsider(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static int open_memory(pid_t pid)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Inside the fence of @abi: what went wrong, 0 nothing. */
static int inside(int abi, pid_t other, const char *directory)
{
	char from[64], to[64];

	snprintf(from, sizeof(from), "%s/a/file", directory);
	snprintf(to, sizeof(to), "%s/b/file", directory);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (landlock_fence(abi) != abi)
		return 1;
	if (open_memory(other) >= 0)
		return 2;
	close(open(from, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	if (rename(from, to) < 0 || unlink(to) < 0)
		return 3;
	return open_memory(getpid()) >= 0 ? 0 : 4;
}

static void expect_fence(int abi)
{
	char directory[] = "/tmp/landlock.XXXXXX", path[64];
	pid_t other = outsider(), child;
	int status = -1;

	cr_assert_not_null(mkdtemp(directory));
	for (const char *name = "ab"; *name; name++) {
		snprintf(path, sizeof(path), "%s/%c", directory, *name);
		cr_assert_eq(mkdir(path, 0700), 0);
	}
	cr_expect_geq(open_memory(other), 0, "without the fence it is open: %d", errno);
	child = fork();
	if (child == 0)
		_exit(inside(abi, other, directory));
	waitpid(child, &status, 0);
	cr_expect_eq(status, 0, "inside the fence of ABI %d: step %d", abi, WEXITSTATUS(status));
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	for (const char *name = "ab"; *name; name++) {
		snprintf(path, sizeof(path), "%s/%c", directory, *name);
		rmdir(path);
	}
	rmdir(directory);
}

/* As on 5.19 to 6.6, whose Landlock knows files alone. */
Test(landlock, keeps_the_memory_of_outsiders_closed_on_older_kernels)
{
	if (landlock_abi() < 2)
		cr_skip_test("this kernel has no Landlock of ABI 2");
	expect_fence(2);
}

Test(landlock, keeps_the_memory_of_outsiders_closed)
{
	if (landlock_abi() < 4)
		cr_skip_test("this kernel has no Landlock of ABI 4");
	expect_fence(4);
}
