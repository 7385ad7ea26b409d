/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

static struct place place;

static void set_up(void)
{
	place_make(&place);
}

static void tear_down(void)
{
	place_clean(&place);
}

TestSuite(ledger, .init = set_up, .fini = tear_down);

#define SUM(column) place_ask(&place, "SELECT sum(" column ") FROM usage")

static void write_one(struct ledger *ledger)
{
	struct ledger_row row = SAMPLE_ROW;
	struct ledger_batch batch = SAMPLE_BATCH(&row, 1);

	cr_assert_eq(place_write(&place, ledger, &batch), 0, "%s", place.error);
}

/* @sql on a new ledger with one row in it. */
static void make_and(const char *sql)
{
	struct ledger *ledger = place_open(&place);

	write_one(ledger);
	ledger_close(ledger);
	if (sql)
		place_exec(&place, sql);
}

static void expect_refused(const char *why)
{
	struct ledger *ledger = ledger_open(place.path, place.error, sizeof(place.error));

	cr_expect_null(ledger);
	cr_expect_eq(strncmp(place.error, place.path, strlen(place.path)), 0, "%s", place.error);
	cr_expect_not_null(strstr(place.error, why), "%s", place.error);
	cr_expect_null(strchr(place.error, '\n'), "%s", place.error);
	ledger_close(ledger);
}

/* No -wal, -shm or -journal: SQLite was not let near the file. */
static void expect_alone(void)
{
	DIR *directory = opendir(place.directory);
	int n = 0;

	cr_assert_not_null(directory);
	while (readdir(directory))
		n++;
	closedir(directory);
	cr_expect_eq(n, 3, "%d entries with . and ..", n);
}

Test(ledger, default_path_follows_the_environment)
{
	char path[64];

	setenv("HOME", "/home/x", 1);
	unsetenv("XDG_STATE_HOME");
	cr_expect_str_eq(ledger_default_path(path, sizeof(path)),
			 "/home/x/.local/state/gae-run/ledger.db");
	setenv("XDG_STATE_HOME", "relative", 1);
	cr_expect_str_eq(ledger_default_path(path, sizeof(path)),
			 "/home/x/.local/state/gae-run/ledger.db");
	setenv("XDG_STATE_HOME", "/state", 1);
	cr_expect_str_eq(ledger_default_path(path, sizeof(path)), "/state/gae-run/ledger.db");
	cr_expect_null(ledger_default_path(path, 24));
	setenv("HOME", "", 1);
	unsetenv("XDG_STATE_HOME");
	cr_expect_null(ledger_default_path(path, sizeof(path)));
}

Test(ledger, makes_directories_and_file_for_the_owner_alone)
{
	struct stat status;
	char parent[80];

	umask(0);
	snprintf(parent, sizeof(parent), "%s/a/b", place.directory);
	snprintf(place.path, sizeof(place.path), "%s/ledger.db", parent);
	ledger_close(place_open(&place));
	cr_assert_eq(stat(place.path, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0600, "%o", status.st_mode);
	cr_assert_eq(stat(parent, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0700, "%o", status.st_mode);
}

Test(ledger, adds_up_each_column_under_its_key)
{
	struct ledger *ledger = place_open(&place);
	struct ledger_row rows[] = {SAMPLE_ROW, SAMPLE_ROW, SAMPLE_ROW};
	struct ledger_batch batch = SAMPLE_BATCH(rows, 3);

	rows[1].port = 80;
	rows[2].usage = (struct usage){0};
	rows[2].port = 1;
	batch.lost = 7;
	cr_assert_eq(place_write(&place, ledger, &batch), 0, "%s", place.error);
	cr_assert_eq(place_write(&place, ledger, &batch), 0, "%s", place.error);
	ledger_close(ledger);
	cr_expect_eq(place_ask(&place, "SELECT count(*) FROM usage"), 2);
	cr_expect_eq(place_ask(&place, "SELECT bytes_sent FROM usage WHERE day=20261125 AND "
				       "app='shop' AND process='curl' AND host='api.example.com' "
				       "AND address='192.0.2.7' AND port=443 AND transport='tcp'"),
		     6000);
	cr_expect_eq(SUM("connects"), 4);
	cr_expect_eq(SUM("denied"), 8);
	cr_expect_eq(SUM("bytes_received"), 16000);
	cr_expect_eq(SUM("datagrams_sent"), 20);
	cr_expect_eq(SUM("datagrams_received"), 24);
	cr_expect_eq(place_ask(&place, "SELECT slot FROM course"), 1795599900);
	cr_expect_eq(place_ask(&place, "SELECT bytes_sent FROM course"), 12000);
	cr_expect_eq(place_ask(&place, "SELECT sockets FROM lost"), 14);
	cr_expect_eq(place_ask(&place, "SELECT count(*) FROM writer"), 0);
}

/* Spread over all numbers, as writers' are. */
#define OLD_MARKS                                                                                  \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300) "               \
	"INSERT INTO writer SELECT (i-150)*60000000000000000, 1, 1795600000-86400*31 FROM n; "     \
	"INSERT INTO writer SELECT 7, 1, 1795600000-86400*29"

/* Of killed writers there may be very many, and all others wait. */
Test(ledger, forgets_old_marks_a_few_at_a_time)
{
	int opens = 0;

	make_and(OLD_MARKS);
	make_and(NULL);
	cr_expect_geq(place_ask(&place, "SELECT count(*) FROM writer"), 301 - 64);
	while (place_ask(&place, "SELECT count(*) FROM writer") > 1 && opens++ < 400)
		make_and(NULL);
	cr_expect_eq(place_ask(&place, "SELECT count(*) FROM writer"), 1, "after %d", opens);
	cr_expect_eq(place_ask(&place, "SELECT id FROM writer"), 7);
}

Test(ledger, stores_any_bytes_as_text)
{
	struct ledger *ledger = place_open(&place);
	struct ledger_row row = SAMPLE_ROW, second = SAMPLE_ROW;
	struct ledger_batch batch = SAMPLE_BATCH(&row, 1);
	char longest[3000];

	row.process = "a\xff'\n\033[2J\"";
	row.host = NULL;
	batch.app = "caf\xc3\xa9";
	cr_assert_eq(place_write(&place, ledger, &batch), 0, "%s", place.error);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	second.process = longest;
	batch.rows = &second;
	cr_assert_eq(place_write(&place, ledger, &batch), 0, "%s", place.error);
	ledger_close(ledger);
	cr_expect_eq(place_ask(&place,
			       "SELECT count(*) FROM usage WHERE process = "
			       "'a\\377''\\n\\033[2J\"' AND host = '' AND app = 'caf\xc3\xa9'"),
		     1);
	cr_expect_eq(place_ask(&place, "SELECT max(length(process)) FROM usage"), 1023);
}

Test(ledger, stays_at_the_largest_number)
{
	struct ledger *ledger = place_open(&place);
	struct ledger_row row = SAMPLE_ROW;
	struct ledger_batch batch = SAMPLE_BATCH(&row, 1);

	row.usage.bytes_sent = UINT64_MAX;
	batch.lost = UINT64_MAX;
	for (int i = 0; i < 3; i++)
		cr_assert_eq(place_write(&place, ledger, &batch), 0, "%s", place.error);
	ledger_close(ledger);
	cr_expect_eq(place_ask(&place, "SELECT bytes_sent FROM usage"), INT64_MAX);
	cr_expect_eq(place_ask(&place, "SELECT sockets FROM lost"), INT64_MAX);
	cr_expect_eq(SUM("connects"), 3);
}

Test(ledger, opens_what_was_left_half_made)
{
	place_exec(&place, "PRAGMA application_id=1734436204");
	make_and(NULL);
	cr_expect_eq(SUM("connects"), 1);
	place_exec(&place, "ANALYZE");
	make_and(NULL);
	cr_expect_eq(SUM("connects"), 2);
}

Test(ledger, refuses_what_is_no_ledger)
{
	place_exec(&place, "PRAGMA journal_mode=WAL; CREATE TABLE t(a)");
	expect_refused("not a ledger of gae-run");
	expect_alone();
	cr_assert_eq(truncate(place.path, 50), 0);
	expect_refused("not a ledger");
	unlink(place.path);
	mkdir(place.path, 0700);
	expect_refused("is a directory");
	rmdir(place.path);
	mkfifo(place.path, 0600);
	expect_refused("is no regular file");
}

Test(ledger, refuses_a_later_version)
{
	make_and("PRAGMA user_version=2");
	expect_refused("written by a later version");
	expect_alone();
}

/* The version stands only in the write-ahead log, where another process has it open. */
Test(ledger, refuses_a_later_version_that_is_not_in_the_file_yet)
{
	struct stat before, after;
	sqlite3 *db;

	make_and(NULL);
	cr_assert_eq(sqlite3_open(place.path, &db), 0);
	cr_assert_eq(sqlite3_exec(db, "PRAGMA user_version=2", NULL, NULL, NULL), 0);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(db);
	stat(place.path, &before);
	expect_refused("written by a later version");
	stat(place.path, &after);
	cr_expect_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	cr_expect_eq(place_ask(&place, "PRAGMA user_version"), 2);
}

Test(ledger, refuses_triggers_and_views)
{
	make_and("CREATE TRIGGER t AFTER INSERT ON usage BEGIN DELETE FROM usage; END");
	expect_refused("not those of a ledger");
	place_exec(&place,
		   "DROP TRIGGER t; ALTER TABLE usage RENAME TO u; CREATE VIEW usage AS SELECT "
		   "day, app, process, host, address, port, transport, connects, denied, "
		   "0 AS bytes_sent, bytes_received, datagrams_sent, datagrams_received FROM u");
	expect_refused("not those of a ledger");
}

Test(ledger, refuses_tables_that_are_not_as_it_made_them)
{
	make_and("DROP TABLE lost");
	expect_refused("not those of a ledger");
	place_exec(&place, "CREATE TABLE lost(day, app, sockets)");
	expect_refused("not those of a ledger");
}

Test(ledger, a_name_that_sqlite_would_read_as_something_else_is_a_name)
{
	struct stat status;

	cr_assert_eq(chdir(place.directory), 0);
	snprintf(place.path, sizeof(place.path), ":memory:");
	ledger_close(place_open(&place));
	cr_expect_eq(stat("./:memory:", &status), 0);
	snprintf(place.path, sizeof(place.path), "file:x?mode=memory");
	ledger_close(place_open(&place));
	cr_expect_eq(stat("./file:x?mode=memory", &status), 0);
	snprintf(place.path, sizeof(place.path), "%s", "");
	cr_expect_null(ledger_open("", place.error, sizeof(place.error)));
}

Test(ledger, writes_to_a_new_file_where_the_old_one_was_deleted)
{
	struct ledger *ledger = place_open(&place);

	write_one(ledger);
	unlink(place.path);
	write_one(ledger);
	cr_expect_eq(SUM("connects"), 1);
	write_one(ledger);
	ledger_close(ledger);
	cr_expect_eq(SUM("connects"), 2);
}

Test(ledger, goes_on_when_what_took_its_place_is_gone)
{
	struct ledger *ledger = place_open(&place);
	struct ledger_row row = SAMPLE_ROW;
	struct ledger_batch batch = SAMPLE_BATCH(&row, 1);

	write_one(ledger);
	unlink(place.path);
	mkdir(place.path, 0700);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(place_write(&place, ledger, &batch), -EIO);
	cr_expect_not_null(strstr(place.error, "is a directory"), "%s", place.error);
	rmdir(place.path);
	cr_expect_eq(place_write(&place, ledger, &batch), 0, "%s", place.error);
	ledger_close(ledger);
	cr_expect_eq(SUM("connects"), 1);
}

Test(ledger, says_that_the_file_is_damaged_and_goes_on_with_a_new_one)
{
	struct ledger *ledger = place_open(&place);
	struct ledger_row row = SAMPLE_ROW;
	struct ledger_batch batch = SAMPLE_BATCH(&row, 1);
	char junk[4096], moved[128];
	int fd;

	write_one(ledger);
	ledger_close(ledger);
	cr_expect_eq(SUM("connects"), 1); /* and what it read goes from the -wal into the file */
	memset(junk, 0xa5, sizeof(junk));
	fd = open(place.path, O_WRONLY);
	for (int page = 1; page < 6; page++)
		cr_assert_eq(pwrite(fd, junk, sizeof(junk), page * 4096), sizeof(junk));
	close(fd);
	ledger = place_open(&place);
	cr_expect_eq(place_write(&place, ledger, &batch), -EIO);
	cr_expect_not_null(strstr(place.error, "the file is damaged"), "%s", place.error);
	snprintf(moved, sizeof(moved), "%s.bad", place.path);
	rename(place.path, moved);
	cr_expect_eq(place_write(&place, ledger, &batch), 0, "%s", place.error);
	ledger_close(ledger);
	cr_expect_eq(SUM("connects"), 1);
}

Test(ledger, waits_for_others_for_a_second_at_most)
{
	struct ledger *ledger = place_open(&place);
	struct ledger_row row = SAMPLE_ROW;
	struct ledger_batch batch = SAMPLE_BATCH(&row, 1);
	struct timespec begin, end;
	int64_t ms;
	sqlite3 *db;

	write_one(ledger);
	cr_assert_eq(sqlite3_open(place.path, &db), 0);
	cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	cr_expect_eq(place_write(&place, ledger, &batch), -EAGAIN);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
	cr_expect(ms >= 900 && ms < 3000, "%lld ms", (long long)ms);
	cr_expect_not_null(strstr(place.error, "in use by others"), "%s", place.error);
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(db);
	cr_expect_eq(place_write(&place, ledger, &batch), 0, "%s", place.error);
	ledger_close(ledger);
	cr_expect_eq(SUM("connects"), 2);
}
