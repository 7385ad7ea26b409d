/* SPDX-License-Identifier: Apache-2.0 */
#include "quotas.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A minute that turns within a test would begin its counts anew. */
static void wait_for_minute(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec % 60 >= 45)
		nanosleep(&(struct timespec){.tv_sec = 60 - now.tv_sec % 60, .tv_nsec = 1000000},
			  NULL);
}

TestSuite(quotas, .timeout = 40, .init = wait_for_minute);

/* As in quotas.c: the windows' numbers stand above so many bits of count. */
#define MINUTE_BITS 38
#define DAY_BITS 48

static char directory[64], path[128], error[512];

static void limit(struct quota *limits, uint64_t per_minute, uint64_t per_day)
{
	for (int i = 0; i < QUOTA_KINDS; i++)
		limits[i] = (struct quota){.per_minute = per_minute, .per_day = per_day};
}

static void make_place(void)
{
	strcpy(directory, "/tmp/gae-quotas-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	quotas_path(directory, "app", path, sizeof(path));
}

static void clean_place(void)
{
	unlink(path);
	cr_expect_eq(rmdir(directory), 0);
}

static struct quotas *open_with(uint64_t per_minute, uint64_t per_day)
{
	struct quota limits[QUOTA_KINDS];
	struct quotas *quotas;

	limit(limits, per_minute, per_day);
	quotas = quotas_open(*path ? path : NULL, limits, DAY_UTC, error, sizeof(error));
	cr_assert_not_null(quotas);
	return quotas;
}

/* The clock is moved by moving the windows against it. */
static void move_windows(enum quota_kind kind, int64_t minutes, int64_t days)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint64_t words[2];
	off_t at = 16 + 16 * (off_t)kind;

	cr_assert_eq(pread(fd, words, sizeof(words), at), sizeof(words));
	words[0] += (uint64_t)(minutes * (INT64_C(1) << MINUTE_BITS));
	words[1] += (uint64_t)(days * (INT64_C(1) << DAY_BITS));
	cr_assert_eq(pwrite(fd, words, sizeof(words), at), sizeof(words));
	close(fd);
}

static unsigned int take_all(struct quotas *quotas, enum quota_kind kind)
{
	unsigned int n = 0;

	while (n < 1000 && quotas_take(quotas, kind, 1))
		n++;
	return n;
}

Test(quotas, a_limit_is_kept_to_the_last_unit)
{
	struct quotas *quotas = open_with(100, 1000);
	uint64_t minute, day;

	cr_expect(quotas_take(quotas, QUOTA_BYTES_SENT, 99));
	cr_expect_not(quotas_take(quotas, QUOTA_BYTES_SENT, 2));
	cr_expect_eq(quotas_left(quotas, QUOTA_BYTES_SENT), 1);
	cr_expect(quotas_take(quotas, QUOTA_BYTES_SENT, 1));
	cr_expect_not(quotas_take(quotas, QUOTA_BYTES_SENT, 1));
	cr_expect(quotas_take(quotas, QUOTA_BYTES_SENT, 0));
	quotas_give(quotas, QUOTA_BYTES_SENT, 10);
	cr_expect_eq(quotas_left(quotas, QUOTA_BYTES_SENT), 10);
	quotas_used(quotas, QUOTA_BYTES_SENT, &minute, &day);
	cr_expect_eq(minute, 90);
	cr_expect_eq(day, 90);
	cr_expect_eq(quotas_left(quotas, QUOTA_CONNECTS), 100, "each kind for itself");
	cr_expect_not(quotas_take(quotas, QUOTA_SENDS, UINT64_MAX));
	quotas_free(quotas);
}

Test(quotas, what_the_day_refuses_the_minute_does_not_keep)
{
	struct quotas *quotas = open_with(100, 5);
	uint64_t minute, day;

	cr_expect_eq(take_all(quotas, QUOTA_BINDS), 5);
	quotas_used(quotas, QUOTA_BINDS, &minute, &day);
	cr_expect_eq(minute, 5);
	cr_expect_eq(day, 5);
	quotas_free(quotas);
}

Test(quotas, counted_beyond_a_limit_and_given_back_below_zero)
{
	struct quotas *quotas = open_with(100, 1000);
	uint64_t minute, day;

	quotas_add(quotas, QUOTA_BYTES_SENT, 300);
	cr_expect_eq(quotas_left(quotas, QUOTA_BYTES_SENT), 0);
	cr_expect_not(quotas_take(quotas, QUOTA_BYTES_SENT, 1));
	quotas_give(quotas, QUOTA_BYTES_SENT, 1000000);
	cr_expect_eq(quotas_left(quotas, QUOTA_BYTES_SENT), 100);
	quotas_add(quotas, QUOTA_BYTES_SENT, UINT64_MAX);
	quotas_used(quotas, QUOTA_BYTES_SENT, &minute, &day);
	cr_expect_eq(minute, (UINT64_C(1) << MINUTE_BITS) - 1);
	cr_expect_eq(day, (UINT64_C(1) << DAY_BITS) - 1);
	quotas_free(quotas);
}

Test(quotas, unlimited)
{
	struct quotas *quotas = open_with(QUOTA_UNLIMITED, QUOTA_UNLIMITED);

	cr_expect_not(quotas_limited(quotas, QUOTA_SENDS));
	cr_expect_eq(quotas_left(quotas, QUOTA_SENDS), QUOTA_UNLIMITED);
	cr_expect(quotas_take(quotas, QUOTA_SENDS, UINT64_MAX));
	cr_expect(quotas_take(quotas, QUOTA_SENDS, UINT64_MAX));
	quotas_free(quotas);
}

Test(quotas, a_new_minute_and_a_new_day, .init = make_place, .fini = clean_place)
{
	struct quotas *quotas = open_with(5, 12);

	cr_assert_str_empty(error);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5);
	move_windows(QUOTA_CONNECTS, -1, 0);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5);
	move_windows(QUOTA_CONNECTS, -100000, 0);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 2, "the day is used up");
	move_windows(QUOTA_CONNECTS, -1, -1);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5);
	quotas_free(quotas);
}

Test(quotas, a_clock_set_back_a_little_goes_on_and_much_begins_anew, .init = make_place,
     .fini = clean_place)
{
	struct quotas *quotas = open_with(5, QUOTA_UNLIMITED);

	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5);
	move_windows(QUOTA_CONNECTS, 1, 1);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 0);
	move_windows(QUOTA_CONNECTS, 29, 0);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5, "half an hour ahead is no jitter");
	move_windows(QUOTA_CONNECTS, 100000, 100);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5);
	quotas_free(quotas);
}

Test(quotas, a_day_one_ahead_is_another_zone_and_two_are_a_wrong_clock, .init = make_place,
     .fini = clean_place)
{
	struct quotas *quotas = open_with(QUOTA_UNLIMITED, 5);

	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5);
	move_windows(QUOTA_CONNECTS, 0, 1);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 0);
	move_windows(QUOTA_CONNECTS, 0, 1);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5);
	quotas_free(quotas);
}

Test(quotas, outlive_their_instance, .init = make_place, .fini = clean_place)
{
	struct quotas *quotas = open_with(5, 12);

	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5);
	quotas_free(quotas);
	quotas = open_with(6, 12);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 1);
	quotas_free(quotas);
}

Test(quotas, processes_together_never_take_more, .init = make_place, .fini = clean_place)
{
	struct quotas *quotas = open_with(QUOTA_UNLIMITED, 100000);
	unsigned int sum = 0;
	int pipes[2];

	cr_assert_eq(pipe(pipes), 0);
	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			struct quotas *own = open_with(QUOTA_UNLIMITED, 100000);
			unsigned int n = 0;

			while (quotas_take(own, QUOTA_SENDS, 1))
				n++;
			_exit(write(pipes[1], &n, sizeof(n)) != sizeof(n));
		}
	}
	close(pipes[1]);
	for (unsigned int n; read(pipes[0], &n, sizeof(n)) == sizeof(n);)
		sum += n;
	while (wait(NULL) > 0)
		;
	cr_expect_eq(sum, 100000);
	cr_expect_eq(quotas_left(quotas, QUOTA_SENDS), 0);
	close(pipes[0]);
	quotas_free(quotas);
}

Test(quotas, opened_at_once_nothing_is_forgotten, .init = make_place, .fini = clean_place)
{
	struct quotas *quotas;
	uint64_t minute, day;

	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 4; i++)
			if (fork() == 0)
				_exit(
				    !quotas_take(open_with(QUOTA_UNLIMITED, 1000), QUOTA_BINDS, 1));
		while (wait(NULL) > 0)
			;
		quotas = open_with(QUOTA_UNLIMITED, 1000);
		quotas_used(quotas, QUOTA_BINDS, &minute, &day);
		cr_expect_eq(day, 4, "%llu in round %d", (unsigned long long)day, round);
		quotas_free(quotas);
		unlink(path);
	}
}

Test(quotas, a_file_truncated_under_us_is_repaired, .init = make_place, .fini = clean_place)
{
	struct quotas *quotas = open_with(5, 12);

	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5);
	cr_assert_eq(truncate(path, 0), 0);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5, "counts go on, from zero");
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 0);
	quotas_free(quotas);
}

Test(quotas, garbage_is_no_count, .init = make_place, .fini = clean_place)
{
	FILE *file = fopen(path, "w");
	struct quotas *quotas;

	cr_assert_not_null(file);
	for (int i = 0; i < 5000; i++)
		fputc(0xff, file);
	cr_assert_eq(fclose(file), 0);
	quotas = open_with(5, 12);
	cr_expect_str_empty(error);
	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5);
	quotas_free(quotas);
}

/* Return: the error of opening it; the quotas count all the same. */
static const char *open_badly(void)
{
	struct quotas *quotas = open_with(5, 12);

	cr_expect_eq(take_all(quotas, QUOTA_CONNECTS), 5);
	quotas_free(quotas);
	return error;
}

Test(quotas, what_is_no_file_of_ours_is_refused, .init = make_place, .fini = clean_place)
{
	char other[160];

	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_not_null(strstr(open_badly(), "this run alone"));
	unlink(path);
	snprintf(other, sizeof(other), "%s/other", directory);
	cr_assert_eq(symlink(other, path), 0);
	cr_expect_str_not_empty(open_badly());
	cr_expect_eq(access(other, F_OK), -1, "it was made behind the link");
	unlink(path);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_str_not_empty(open_badly());
	rmdir(path);
	if (geteuid() != 0)
		return;
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
	cr_assert_eq(chown(path, 65534, 65534), 0);
	cr_expect_str_not_empty(open_badly());
}

Test(quotas, no_room_on_the_disk)
{
	if (access("/dev/full", F_OK) < 0)
		cr_skip_test("no /dev/full");
	/* A device, and none of ours. */
	strcpy(path, "/dev/full");
	cr_expect_str_not_empty(open_badly());
	strcpy(path, "/no/such/directory/quota");
	cr_expect_str_not_empty(open_badly());
}

Test(quotas, names_of_apps_are_no_paths)
{
	char one[256], two[256];

	quotas_path("/d", "../../etc/passwd", one, sizeof(one));
	cr_expect_null(strstr(one + 3, "/"), "%s", one);
	quotas_path("/d", "a/b", one, sizeof(one));
	quotas_path("/d", "a_b", two, sizeof(two));
	cr_expect_str_neq(one, two);
}
