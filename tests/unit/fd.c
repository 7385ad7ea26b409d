/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/fd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE_S 20

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

Test(fd, close_marks_the_variable_and_keeps_errno)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), number = fd;

	errno = EACCES;
	fd_close(&fd);
	cr_expect_eq(fd, -1);
	cr_expect_not(is_open(number));
	errno = EACCES;
	fd_close(&fd);
	cr_expect_eq(errno, EACCES, "closing nothing is no error");
	fd = number;
	fd_close(&fd);
	cr_expect_eq(errno, EACCES, "nor is a failed close(2)");
}

Test(fd, cleanup_ends_with_the_scope_unless_handed_out)
{
	int kept, number;

	{
		CLEANUP_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		CLEANUP_FD int out = open("/dev/null", O_RDONLY | O_CLOEXEC);

		number = fd;
		kept = out;
		out = -1;
	}
	cr_expect_not(is_open(number));
	cr_expect(is_open(kept));
	close(kept);
}

static void *write_in_parts(void *argument)
{
	int fd = *(int *)argument;

	for (int i = 0; i < 100; i++)
		if (write(fd, "0123456789", 10) != 10)
			break;
	close(fd);
	return NULL;
}

Test(fd, read_full_goes_on_over_short_reads_to_the_end, .timeout = DEADLINE_S)
{
	char buf[700];
	pthread_t thread;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(pthread_create(&thread, NULL, write_in_parts, &ends[1]), 0);
	cr_expect_eq(fd_read_full(ends[0], buf, 700), 700);
	cr_expect_eq(buf[699], '9');
	cr_expect_eq(fd_read_full(ends[0], buf, 700), 300, "end of file");
	cr_expect_eq(fd_read_full(-1, buf, 1), -EBADF);
	pthread_join(thread, NULL);
	close(ends[0]);
}

static void *read_all(void *argument)
{
	int fd = *(int *)argument;
	static char buf[1024];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		total += (size_t)n;
	return (void *)(uintptr_t)total;
}

Test(fd, write_full_goes_on_over_short_writes, .timeout = DEADLINE_S)
{
	static char data[300000];
	pthread_t thread;
	void *total;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(pthread_create(&thread, NULL, read_all, &ends[0]), 0);
	cr_expect_eq(fd_write_full(ends[1], data, sizeof(data)), 0);
	close(ends[1]);
	pthread_join(thread, &total);
	cr_expect_eq((uintptr_t)total, sizeof(data));
	cr_expect_eq(fd_write_full(-1, data, 1), -EBADF);
}

/* A file of @size bytes; the caller unlinks it. */
static void make_file(char *path, size_t size)
{
	char *bytes = calloc(1, size + 1);
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	memset(bytes, 'a', size);
	cr_assert_eq(fd_write_full(fd, bytes, size), 0);
	close(fd);
	free(bytes);
}

Test(fd, read_file_takes_exactly_what_fits)
{
	for (size_t size = 0; size <= 12; size++) {
		char path[] = "/tmp/gae-fd-XXXXXX", *data = NULL;
		size_t got = 99;
		int ret;

		make_file(path, size);
		ret = fd_read_file(path, 10, &data, &got);
		unlink(path);
		cr_expect_eq(ret, size <= 10 ? 0 : -EFBIG, "%zu bytes: %d", size, ret);
		if (ret == 0) {
			cr_expect_eq(got, size);
			cr_expect_eq(data[size], '\0');
		}
		free(data);
	}
}

Test(fd, read_file_reads_files_that_tell_no_size)
{
	size_t size = 0;
	char *data = NULL;

	cr_assert_eq(fd_read_file("/proc/self/status", 1 << 20, &data, &size), 0);
	cr_expect_gt(size, 100);
	cr_expect(strstr(data, "Name:"));
	free(data);
	cr_expect_eq(fd_read_file("/dev/zero", 100000, &data, &size), -EFBIG);
}

Test(fd, read_file_says_what_is_wrong)
{
	size_t size;
	char *data;

	cr_expect_eq(fd_read_file("/nonexistent", 10, &data, &size), -ENOENT);
	cr_expect_eq(fd_read_file("/", 10, &data, &size), -EISDIR);
}

Test(fd, move_high_moves_and_sets_cloexec)
{
	int fd = open("/dev/null", O_RDONLY), before = fd;

	cr_expect_eq(fd_move_high(&fd, 100), 0);
	cr_expect_geq(fd, 100);
	cr_expect(is_cloexec(fd));
	cr_expect_not(is_open(before));
	close(fd);
	fd = -1;
	cr_expect_eq(fd_move_high(&fd, 100), -EBADF);
}
