/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: access fcntl pread64 pwrite64 ftruncate fallocate fdatasync fsync unlink */
/* #syscalls: geteuid fchown fchmod readlink mkdir rmdir getppid utimensat */
#include "ledger/ledger_file.h"

#include "ledger/ledger_schema.h"
#include "shared/base/clock.h"
#include "shared/base/escape.h"
#include "shared/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEADER_SIZE 100 /* https://sqlite.org/fileformat.html#the_database_header */
#define HEADER_VERSION 60
#define HEADER_APPLICATION_ID 68
#define PAUSE_MS 5
#define DAMAGED "the file is damaged; move it away with its -wal and -shm, and a new one is made"

/* Return: @rc. */
static int fail(const struct ledger_file *file, int rc, const char *what, char *error, size_t room)
{
	char path[512];

	escape_name(path, sizeof(path), file->path, strlen(file->path));
	snprintf(error, room, "%s: %s", path, what);
	return rc;
}

static int fail_errno(const struct ledger_file *file, const char *what, int number, char *error,
		      size_t room)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(number));
	return fail(file, -EIO, text, error, room);
}

void ledger_file_wait(struct ledger_file *file, int ms)
{
	file->deadline_ms = clock_now_ms() + ms;
}

static bool pause_until(int64_t deadline_ms)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};

	if (clock_now_ms() >= deadline_ms)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

static int on_busy(void *context, int times)
{
	const struct ledger_file *file = context;

	(void)times;
	return pause_until(file->deadline_ms);
}

/* SQLite returns some locks' SQLITE_BUSY without asking on_busy(), to avoid deadlocks. */
int ledger_file_exec(struct ledger_file *file, const char *sql)
{
	int rc;

	do {
		rc = sqlite3_exec(file->db, sql, NULL, NULL, NULL);
	} while ((rc & 0xff) == SQLITE_BUSY && pause_until(file->deadline_ms));
	return rc;
}

int ledger_file_int(struct ledger_file *file, const char *sql, int64_t *value)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(file->db, sql, -1, &statement, NULL);

	*value = 0;
	if (!rc)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		*value = sqlite3_column_int64(statement, 0);
		rc = 0;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_CORRUPT;
	}
	sqlite3_finalize(statement);
	return rc;
}

/* What SQLite's code means to the user; the system's errno is added to the codes that have one. */
static const char *fault_text(const struct ledger_file *file, int rc, bool *has_errno)
{
	*has_errno = false;
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return "the file system is full (or the quota used up); make room";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_SCHEMA:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return DAMAGED;
	case SQLITE_ERROR:
		return file->is_checked
			   ? "a fault of gae-run's, not of the file's: please report it"
			   : DAMAGED;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return "not writable; check the permissions of file and directory";
	case SQLITE_NOMEM:
		return "out of memory";
	default:
		*has_errno = true;
		return (rc & 0xff) == SQLITE_IOERR ? "input/output error" : "cannot be opened";
	}
}

int ledger_file_fault(struct ledger_file *file, int rc, char *error, size_t room)
{
	bool has_errno;
	const char *what = fault_text(file, rc, &has_errno);
	int number = file->db ? sqlite3_system_errno(file->db) : 0;
	char text[512];

	if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED ||
	    (rc & 0xff) == SQLITE_PROTOCOL)
		return fail(file, -EAGAIN, "in use by others for too long", error, room);
	snprintf(text, sizeof(text), "%s (%s)", what,
		 has_errno && number ? strerror(number) : sqlite3_errstr(rc));
	return fail(file, -EIO, text, error, room);
}

/*
 * SQLite would make it readable for others.  Never on a file that is there: closing any
 * descriptor of it drops the locks that this process holds through SQLite (fcntl(2)).
 */
static int make_file(struct ledger_file *file, char *error, size_t room)
{
	int rc = fd_make_parents(file->path), fd;

	if (rc)
		return fail_errno(file, "its directory cannot be made", -rc, error, room);
	fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (fd < 0)
		return fail_errno(file, "cannot be made", errno, error, room);
	close(fd);
	return 0;
}

/* Before anything is opened: a FIFO would block, a device act. */
static int check_place(struct ledger_file *file, enum ledger_access access, char *error,
		       size_t room)
{
	struct stat status;

	if (stat(file->path, &status) < 0) {
		if (errno == ENOENT && access == LEDGER_WRITE)
			return make_file(file, error, room);
		if (errno == ENOENT)
			return fail(file, -ENOENT, "there is no ledger", error, room);
		return fail_errno(file, "cannot be opened", errno, error, room);
	}
	if (S_ISDIR(status.st_mode))
		return fail(file, -EIO, "is a directory; name a file", error, room);
	if (!S_ISREG(status.st_mode))
		return fail(file, -EIO, "is no regular file", error, room);
	return 0;
}

static uint32_t big_endian(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* Why the file with this header is not for us; NULL: go on, SQLite has to say. */
static const char *refuse_header(const unsigned char *header, sqlite3_int64 size)
{
	if (size == 0)
		return NULL;
	if (size < HEADER_SIZE || memcmp(header, "SQLite format 3", 16) != 0)
		return "not a ledger (no SQLite file, or damaged); name another file, or move it "
		       "away and a new one is made";
	if (big_endian(header + HEADER_APPLICATION_ID) != LEDGER_APPLICATION_ID)
		return "an SQLite file, but not a ledger of gae-run; name another file";
	if (big_endian(header + HEADER_VERSION) > LEDGER_SCHEMA_VERSION)
		return "written by a later version of gae-run, and left as it is; use that "
		       "version, or name another file";
	return NULL;
}

/*
 * Looks at the header through SQLite's own descriptor, before SQLite itself does: it would
 * recover the file's journal first, and so change a file that is not ours.
 * *@empty: nothing is in it yet.
 */
static int check_header(struct ledger_file *file, bool *empty, char *error, size_t room)
{
	unsigned char header[HEADER_SIZE] = {0};
	sqlite3_file *raw = NULL;
	sqlite3_int64 size = 0;
	const char *why;
	int rc = sqlite3_file_control(file->db, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&raw);

	if (rc || !raw || !raw->pMethods)
		return ledger_file_fault(file, SQLITE_CANTOPEN, error, room);
	rc = raw->pMethods->xFileSize(raw, &size);
	if (!rc && size > 0)
		rc = raw->pMethods->xRead(raw, header, HEADER_SIZE, 0);
	if (rc && rc != SQLITE_IOERR_SHORT_READ)
		return ledger_file_fault(file, rc, error, room);
	*empty = size == 0;
	why = refuse_header(header, size);
	return why ? fail(file, -EIO, why, error, room) : 0;
}

/* The file may be hostile: what SQLite can be made to do by a schema is turned off. */
static void set_defences(sqlite3 *db)
{
	static const int off[] = {
	    SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_ENABLE_TRIGGER,
	    SQLITE_DBCONFIG_ENABLE_VIEW,    SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
	    SQLITE_DBCONFIG_DQS_DML,        SQLITE_DBCONFIG_DQS_DDL,
	};

	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		sqlite3_db_config(db, off[i], 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/*
	 * Moving the WAL into the file takes two fsyncs, and each run's end would wait for them; of a
	 * file that turns out not to be ours it would be wrong.  Who writes the 1,000th page does it.
	 */
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1000000);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
}

static int open_db(struct ledger_file *file, enum ledger_access access, char *error, size_t room)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE, rc;
	char name[PATH_MAX + 2];

	/* "file:..." and ":memory:" mean something to SQLite; with a directory in front they do not. */
	snprintf(name, sizeof(name), "%s%s", *file->path == '/' ? "" : "./", file->path);
	flags |= access == LEDGER_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
	rc = sqlite3_open_v2(name, &file->db, flags, NULL);
	if (rc)
		return ledger_file_fault(file, rc, error, room);
	if (access == LEDGER_WRITE && sqlite3_db_readonly(file->db, "main"))
		return fail_errno(file, "not writable",
				  faccessat(AT_FDCWD, file->path, W_OK, AT_EACCESS) ? errno : EROFS,
				  error, room);
	sqlite3_busy_handler(file->db, on_busy, file);
	set_defences(file->db);
	return 0;
}

/* WAL, so that readers and writers do not wait for each other.  Return: SQLite's code. */
static int set_journal(struct ledger_file *file)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(file->db, "PRAGMA journal_mode=WAL", -1, &statement, NULL);

	if (rc)
		return rc;
	do {
		sqlite3_reset(statement);
		rc = sqlite3_step(statement);
	} while ((rc & 0xff) == SQLITE_BUSY && pause_until(file->deadline_ms));
	if (rc == SQLITE_ROW) /* its answer is the mode that it is in now */
		rc = strcmp((const char *)sqlite3_column_text(statement, 0), "wal")
			 ? SQLITE_CANTOPEN
			 : 0;
	sqlite3_finalize(statement);
	return rc;
}

/*
 * Step by step, each safe to be killed after and safe to be done by several at once.  A file
 * that had something in it is empty again where SQLite took back what was left half-done.
 */
static int make_ledger(struct ledger_file *file)
{
	int64_t pages;
	char sql[64];
	int rc = ledger_file_int(file, "PRAGMA page_count", &pages);

	if (!rc && pages == 0) {
		snprintf(sql, sizeof(sql), "PRAGMA application_id=%d", LEDGER_APPLICATION_ID);
		rc = ledger_file_exec(file, sql);
	}
	if (!rc)
		rc = set_journal(file);
	return rc ? rc : ledger_schema_make(file);
}

static int check_schema(struct ledger_file *file, char *error, size_t room)
{
	const char *why = NULL;
	char text[256];
	int rc = ledger_schema_check(file, &why);

	if (rc > 0)
		return ledger_file_fault(file, rc, error, room);
	file->is_checked = rc == 0;
	snprintf(text, sizeof(text), "%s; name another file", why ? why : "");
	return rc ? fail(file, -EIO, text, error, room) : 0;
}

static int prepare_write(struct ledger_file *file, char *error, size_t room)
{
	static const char settings[] =
	    "PRAGMA synchronous=NORMAL; PRAGMA mmap_size=0; "
	    "PRAGMA journal_size_limit=4194304; PRAGMA cell_size_check=1";
	int64_t version = 0;
	bool empty;
	int rc = check_header(file, &empty, error, room);

	if (rc)
		return rc;
	rc = ledger_file_exec(file, settings);
	if (!rc)
		rc = ledger_file_int(file, "PRAGMA user_version", &version);
	if (!rc && version == 0)
		rc = make_ledger(file);
	if (rc)
		return ledger_file_fault(file, rc, error, room);
	rc = check_schema(file, error, room);
	if (rc)
		return rc;
	rc = set_journal(file);
	return rc ? ledger_file_fault(file, rc, error, room) : 0;
}

/* A file in WAL mode cannot be read without its -shm, which is made where it is missing. */
static int explain_unreadable(struct ledger_file *file, char *error, size_t room)
{
	char directory[PATH_MAX], *slash;

	snprintf(directory, sizeof(directory), "%s", file->path);
	slash = strrchr(directory, '/');
	snprintf(slash ? slash + 1 : directory, 2, slash ? "" : ".");
	if (faccessat(AT_FDCWD, directory, W_OK, AT_EACCESS) == 0)
		return ledger_file_fault(file, SQLITE_CANTOPEN, error, room);
	return fail(
	    file, -EIO,
	    "cannot be read where it is, for its directory is not writable and SQLite "
	    "needs its -shm file there; copy it (with -wal if there is one) and read the copy",
	    error, room);
}

static int prepare_read(struct ledger_file *file, char *error, size_t room)
{
	static const char settings[] = "PRAGMA mmap_size=0; PRAGMA query_only=1; "
				       "PRAGMA cell_size_check=1";
	int64_t version;
	bool empty;
	int rc = check_header(file, &empty, error, room);

	if (rc)
		return rc;
	if (empty)
		return fail(file, -EIO, "nothing has been written to it yet", error, room);
	rc = ledger_file_exec(file, settings);
	if (!rc)
		rc = ledger_file_int(file, "PRAGMA user_version", &version);
	if ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY)
		return explain_unreadable(file, error, room);
	return rc ? ledger_file_fault(file, rc, error, room) : check_schema(file, error, room);
}

int ledger_file_open(struct ledger_file *file, const char *path, enum ledger_access access,
		     char *error, size_t room)
{
	int rc, used = snprintf(file->path, sizeof(file->path), "%s", path);

	if (used <= 0 || (size_t)used >= sizeof(file->path))
		return fail(file, -EIO, used > 0 ? "the path is too long" : "the path is empty",
			    error, room);
	ledger_file_wait(file, LEDGER_WAIT_MS);
	file->is_checked = false;
	rc = check_place(file, access, error, room);
	if (!rc)
		rc = open_db(file, access, error, room);
	if (!rc)
		rc = access == LEDGER_WRITE ? prepare_write(file, error, room)
					    : prepare_read(file, error, room);
	if (rc)
		ledger_file_close(file);
	return rc;
}

void ledger_file_close(struct ledger_file *file)
{
	sqlite3_close(file->db);
	file->db = NULL;
}

bool ledger_file_is_moved(struct ledger_file *file)
{
	int moved = 0;

	return sqlite3_file_control(file->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != 0 || moved;
}
