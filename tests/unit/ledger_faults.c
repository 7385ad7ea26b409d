/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each single call that SQLite makes to the file system fails once, or from then on, with and
 * without having done its work.  Whatever happens: nothing is lost, nothing is there twice.
 */
#include "ledger_fixture.h"

#include <errno.h>

enum when { ONCE, FROM_THEN_ON };
enum how { NOT_DONE, DONE_ALL_THE_SAME };

/* The faults: call number @at fails with @code. */
static struct {
	int at, calls, fired; /* at 0: none */
	int code;
	enum when when;
	enum how how;
} fault;

/* Our file, with SQLite's own behind it. */
struct shim {
	sqlite3_file base;
	sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;

static bool is_hit(void)
{
	fault.calls++;
	if (!fault.at || (fault.when == ONCE ? fault.calls != fault.at : fault.calls < fault.at))
		return false;
	fault.fired++;
	return true;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct shim *)file)->real;
}

#define TRY(call)                                                                                  \
	do {                                                                                       \
		int rc_;                                                                           \
                                                                                                   \
		if (!is_hit())                                                                     \
			return (call);                                                             \
		rc_ = fault.how == DONE_ALL_THE_SAME ? (call) : 0;                                 \
		return rc_ ? rc_ : fault.code;                                                     \
	} while (0)

static int shim_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *data, int size, sqlite3_int64 at)
{
	TRY(real_of(file)->pMethods->xRead(real_of(file), data, size, at));
}

static int shim_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
	TRY(real_of(file)->pMethods->xWrite(real_of(file), data, size, at));
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	TRY(real_of(file)->pMethods->xTruncate(real_of(file), size));
}

static int shim_sync(sqlite3_file *file, int flags)
{
	TRY(real_of(file)->pMethods->xSync(real_of(file), flags));
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
	TRY(real_of(file)->pMethods->xFileSize(real_of(file), size));
}

static int shim_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_is_reserved(sqlite3_file *file, int *out)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int shim_control(sqlite3_file *file, int op, void *argument)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

static int shim_sector(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_character(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
	TRY(real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out));
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void shim_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_unmap(sqlite3_file *file, int delete)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_is_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_character,
    .xShmMap = shim_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_barrier,
    .xShmUnmap = shim_unmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	struct shim *shim = (struct shim *)file;
	int rc;

	(void)vfs;
	shim->base.pMethods = NULL;
	shim->real = (sqlite3_file *)(shim + 1);
	if (is_hit())
		return SQLITE_CANTOPEN;
	rc = real_vfs->xOpen(real_vfs, name, shim->real, flags, out);
	if (shim->real->pMethods)
		shim->base.pMethods = &methods;
	return rc;
}

static struct place place;

static void set_up(void)
{
	static sqlite3_vfs shim;

	real_vfs = sqlite3_vfs_find(NULL);
	shim = *real_vfs;
	shim.zName = "shim";
	shim.szOsFile = (int)sizeof(struct shim) + real_vfs->szOsFile;
	shim.xOpen = shim_open;
	shim.pNext = NULL;
	cr_assert_eq(sqlite3_vfs_register(&shim, 1), 0);
}

TestSuite(ledger_faults, .init = set_up);

static void arm(int at, int code, enum when when, enum how how)
{
	fault.at = at;
	fault.calls = fault.fired = 0;
	fault.code = code;
	fault.when = when;
	fault.how = how;
}

static int disarm(void)
{
	fault.at = 0;
	return fault.fired;
}

#define N_ROWS 40

static int write_rows(struct ledger *ledger)
{
	struct ledger_row rows[N_ROWS];
	struct ledger_batch batch = SAMPLE_BATCH(rows, N_ROWS);

	for (int i = 0; i < N_ROWS; i++) {
		rows[i] = SAMPLE_ROW;
		rows[i].port = (uint16_t)i;
	}
	batch.lost = 1;
	return place_write(&place, ledger, &batch);
}

static void expect_sums(int batches, const char *what)
{
	cr_assert_eq(place_ask(&place, "SELECT sum(connects) FROM usage"), batches * N_ROWS,
		     "%s, call %d: %lld, not %d", what, fault.calls,
		     (long long)place_ask(&place, "SELECT sum(connects) FROM usage"),
		     batches * N_ROWS);
	cr_assert_eq(place_ask(&place, "SELECT sum(connects) FROM course"), batches * N_ROWS);
	cr_assert_eq(place_ask(&place, "SELECT sum(sockets) FROM lost"), batches);
}

/* The second of three batches meets the fault.  Return: whether the fault came to pass. */
static bool try_write(int at, int code, enum when when, enum how how)
{
	struct ledger *ledger;
	int rc, fired;

	place_make(&place);
	ledger = place_open(&place);
	cr_assert_eq(write_rows(ledger), 0);
	arm(at, code, when, how);
	rc = write_rows(ledger);
	if (rc) {
		cr_assert_neq(*place.error, '\0');
		cr_assert_null(strchr(place.error, '\n'));
	}
	if (rc && when == FROM_THEN_ON)
		cr_assert_neq(write_rows(ledger), 0);
	fired = disarm();
	if (rc)
		cr_assert_eq(write_rows(ledger), 0, "call %d: %s", at, place.error);
	expect_sums(2, "after the fault");
	cr_assert_eq(write_rows(ledger), 0, "call %d: %s", at, place.error);
	ledger_close(ledger);
	expect_sums(3, "at the end");
	place_clean(&place);
	return fired;
}

static void try_all(int code, enum when when, enum how how)
{
	int at = 1;

	while (try_write(at, code, when, how))
		at++;
	cr_expect_gt(at, 8, "only %d calls could fail", at - 1);
}

Test(ledger_faults, a_full_disk_for_a_moment)
{
	try_all(SQLITE_FULL, ONCE, NOT_DONE);
}

Test(ledger_faults, a_full_disk_for_long)
{
	try_all(SQLITE_FULL, FROM_THEN_ON, NOT_DONE);
}

Test(ledger_faults, an_error_for_a_moment_of_what_was_done)
{
	try_all(SQLITE_IOERR, ONCE, DONE_ALL_THE_SAME);
}

/* COMMIT fails and the batch is in the log all the same. */
Test(ledger_faults, an_error_for_long_of_what_was_done)
{
	try_all(SQLITE_IOERR, FROM_THEN_ON, DONE_ALL_THE_SAME);
}

/* Return: whether the fault came to pass. */
static bool try_open(int at, enum when when)
{
	struct ledger *ledger;
	int fired;

	place_make(&place);
	arm(at, SQLITE_IOERR, when, NOT_DONE);
	ledger = ledger_open(place.path, place.error, sizeof(place.error));
	cr_assert(ledger || *place.error);
	if (ledger)
		write_rows(ledger);
	fired = disarm();
	if (!ledger)
		ledger = place_open(&place);
	cr_assert_eq(write_rows(ledger), 0, "call %d: %s", at, place.error);
	ledger_close(ledger);
	cr_assert_geq(place_ask(&place, "SELECT sum(connects) FROM usage"), N_ROWS);
	cr_assert_eq(place_ask(&place, "SELECT sum(connects) FROM usage") % N_ROWS, 0);
	place_clean(&place);
	return fired;
}

Test(ledger_faults, while_the_file_is_being_made)
{
	for (int when = ONCE; when <= FROM_THEN_ON; when++) {
		int at = 1;

		while (try_open(at, (enum when)when))
			at++;
		cr_expect_gt(at, 20, "only %d calls could fail", at - 1);
	}
}
