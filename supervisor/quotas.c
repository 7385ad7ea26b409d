/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: fallocate ftruncate geteuid */
#include "quotas.h"

#include "shared/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_SIZE 4096u
static const char magic[16] = "gae-run quota 1\n";

/* Bits of a word for the count; above them the window: minutes or days since 1970. */
#define MINUTE_BITS 38
#define DAY_BITS 48
/*
 * A window that begins up to so many windows ahead goes on: two instances at a minute's edge, a clock that
 * jitters, a day of another zone.  One further ahead is of a clock that was wrong, and would keep the app
 * from its quota until time has caught up.
 */
#define BACK_MINUTES 2
#define BACK_DAYS 1

struct counters {
	char magic[sizeof(magic)];
	_Atomic uint64_t words[QUOTA_KINDS][2]; /* minute, day */
};

struct quotas {
	struct quota limits[QUOTA_KINDS];
	enum day_zone zone;
	struct counters *counters;
	_Atomic uint64_t
	    today; /* minute << 32 | day, so that the calendar is asked once a minute */
};

struct window {
	unsigned int bits;
	uint64_t back;
};
static const struct window windows[2] = {{MINUTE_BITS, BACK_MINUTES}, {DAY_BITS, BACK_DAYS}};

/* --- the file --- */

/* The one mapping of this process, for the handler. */
static void *volatile mapped;

static void repair(int signal, siginfo_t *info, void *context)
{
	char *at = info->si_addr, *begin = mapped;

	(void)context;
	/* mmap(2) is no listed async-signal-safe function, but a plain system call here. */
	if (begin && at >= begin && at < begin + FILE_SIZE &&
	    mmap(begin, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) != MAP_FAILED)
		return;
	sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

static int open_file(const char *path)
{
	CLEANUP_FD int fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;
	int out;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	/* Whole pages from the disk now, not a fault later. */
	if (st.st_size < (off_t)FILE_SIZE && posix_fallocate(fd, 0, FILE_SIZE) != 0)
		return -ENOSPC;
	out = fd;
	fd = -1;
	return out;
}

/* Something of another kind, and not what another instance has begun this moment. */
static bool is_garbage(const struct counters *counters)
{
	uint64_t any = 0;

	if (memcmp(counters->magic, magic, sizeof(magic)) == 0)
		return false;
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		any |=
		    atomic_load(&counters->words[kind][0]) | atomic_load(&counters->words[kind][1]);
	/* Who counts in it has written the magic before. */
	return any && memcmp(counters->magic, magic, sizeof(magic)) != 0;
}

static int map_file(struct quotas *quotas, const char *path)
{
	CLEANUP_FD int fd = open_file(path);
	struct sigaction action = {.sa_sigaction = repair, .sa_flags = SA_SIGINFO};
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	mapped = memory;
	sigaction(SIGBUS, &action, NULL);
	quotas->counters = memory;
	if (is_garbage(quotas->counters))
		memset(quotas->counters, 0, sizeof(*quotas->counters));
	memcpy(quotas->counters->magic, magic, sizeof(magic));
	atomic_thread_fence(memory_order_seq_cst);
	return 0;
}

struct quotas *quotas_open(const char *path, const struct quota *limits, enum day_zone zone,
			   char *error, size_t room)
{
	struct quotas *quotas = calloc(1, sizeof(*quotas));
	int rc = path ? 0 : -ENOENT;

	if (!quotas)
		return NULL;
	*error = '\0';
	memcpy(quotas->limits, limits, sizeof(quotas->limits));
	quotas->zone = zone;
	if (path)
		rc = map_file(quotas, path);
	if (rc == 0)
		return quotas;
	if (path)
		snprintf(error, room,
			 "%s: %s; the quotas hold for this run alone, not over all runs of the app",
			 path, strerror(-rc));
	quotas->counters = calloc(1, sizeof(*quotas->counters));
	if (!quotas->counters) {
		free(quotas);
		return NULL;
	}
	return quotas;
}

void quotas_free(struct quotas *quotas)
{
	if (!quotas)
		return;
	if (quotas->counters == mapped) {
		mapped = NULL;
		munmap(quotas->counters, FILE_SIZE);
	} else {
		free(quotas->counters);
	}
	free(quotas);
}

char *quotas_path(const char *directory, const char *app, char *out, size_t room)
{
	uint64_t hash =
	    14695981039346656037u; /* FNV-1a: two names that look the same below differ in it */
	char name[65];
	size_t n = 0;

	for (const char *at = app; *at; at++) {
		bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
			     (*at >= '0' && *at <= '9') || *at == '-' || *at == '_';

		hash = (hash ^ (unsigned char)*at) * 1099511628211u;
		if (n < sizeof(name) - 1)
			name[n++] = (char)(plain ? *at : '_');
	}
	name[n] = '\0';
	snprintf(out, room, "%s/quota-%s-%016llx", directory, name, (unsigned long long)hash);
	return out;
}

/* --- counting --- */

static void read_clock(struct quotas *quotas, uint64_t now[2])
{
	uint64_t today = atomic_load_explicit(&quotas->today, memory_order_relaxed);
	struct timespec clock;

	clock_gettime(CLOCK_REALTIME_COARSE, &clock);
	now[0] = (uint64_t)clock.tv_sec / 60;
	if (today >> 32 != now[0]) {
		int day = day_of(clock.tv_sec, quotas->zone);

		today = now[0] << 32 | (uint64_t)(day_begin(day, DAY_UTC) / 86400);
		atomic_store_explicit(&quotas->today, today, memory_order_relaxed);
	}
	now[1] = today & UINT32_MAX;
}

static uint64_t count_mask(const struct window *window)
{
	return (UINT64_C(1) << window->bits) - 1;
}

/* The word as it is at @now: a window that is over counts nothing. */
static uint64_t renew(const struct window *window, uint64_t word, uint64_t now)
{
	uint64_t begun = word >> window->bits;

	if (begun == now || (begun > now && begun - now <= window->back))
		return word;
	return now << window->bits;
}

/* Adds @n unless that goes beyond @limit.  Return: whether it did. */
static bool add(_Atomic uint64_t *at, const struct window *window, uint64_t now, uint64_t n,
		uint64_t limit)
{
	uint64_t word = atomic_load_explicit(at, memory_order_relaxed), next, count;

	do {
		next = renew(window, word, now);
		count = next & count_mask(window);
		if (limit != QUOTA_UNLIMITED && (count > limit || n > limit - count))
			return false;
		count = n > count_mask(window) - count ? count_mask(window) : count + n;
		next = (next & ~count_mask(window)) | count;
	} while (!atomic_compare_exchange_weak(at, &word, next));
	return true;
}

static void subtract(_Atomic uint64_t *at, const struct window *window, uint64_t now, uint64_t n)
{
	uint64_t word = atomic_load_explicit(at, memory_order_relaxed), next, count;

	do {
		next = renew(window, word, now);
		count = next & count_mask(window);
		next -= n < count ? n : count;
	} while (!atomic_compare_exchange_weak(at, &word, next));
}

bool quotas_take(struct quotas *quotas, enum quota_kind kind, uint64_t n)
{
	_Atomic uint64_t *words = quotas->counters->words[kind];
	const struct quota *limit = &quotas->limits[kind];
	uint64_t now[2];

	read_clock(quotas, now);
	if (!add(&words[0], &windows[0], now[0], n, limit->per_minute))
		return false;
	if (add(&words[1], &windows[1], now[1], n, limit->per_day))
		return true;
	subtract(&words[0], &windows[0], now[0], n);
	return false;
}

void quotas_give(struct quotas *quotas, enum quota_kind kind, uint64_t n)
{
	uint64_t now[2];

	read_clock(quotas, now);
	for (int i = 0; i < 2; i++)
		subtract(&quotas->counters->words[kind][i], &windows[i], now[i], n);
}

void quotas_add(struct quotas *quotas, enum quota_kind kind, uint64_t n)
{
	uint64_t now[2];

	if (n == 0) /* the words are shared with other processors, and other instances */
		return;
	read_clock(quotas, now);
	for (int i = 0; i < 2; i++)
		add(&quotas->counters->words[kind][i], &windows[i], now[i], n, QUOTA_UNLIMITED);
}

void quotas_used(struct quotas *quotas, enum quota_kind kind, uint64_t *minute, uint64_t *day)
{
	uint64_t now[2], used[2];

	read_clock(quotas, now);
	for (int i = 0; i < 2; i++)
		used[i] =
		    renew(&windows[i], atomic_load(&quotas->counters->words[kind][i]), now[i]) &
		    count_mask(&windows[i]);
	*minute = used[0];
	*day = used[1];
}

static uint64_t left(uint64_t limit, uint64_t used)
{
	if (limit == QUOTA_UNLIMITED)
		return QUOTA_UNLIMITED;
	return used < limit ? limit - used : 0;
}

uint64_t quotas_left(struct quotas *quotas, enum quota_kind kind)
{
	const struct quota *limit = &quotas->limits[kind];
	uint64_t minute, day;

	quotas_used(quotas, kind, &minute, &day);
	minute = left(limit->per_minute, minute);
	day = left(limit->per_day, day);
	return minute < day ? minute : day;
}

bool quotas_limited(const struct quotas *quotas, enum quota_kind kind)
{
	return quotas->limits[kind].per_minute != QUOTA_UNLIMITED ||
	       quotas->limits[kind].per_day != QUOTA_UNLIMITED;
}
