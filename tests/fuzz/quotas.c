/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the file of the counters that all instances of an app share: limits hold, counts stay within their bits. */
#include "quotas.h"
#include "fuzz.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MINUTE_BITS 38
#define DAY_BITS 48
#define LIMIT 1000

static char path[64];

static void remove_file(void)
{
	unlink(path);
}

static void write_file(const uint8_t *data, size_t size)
{
	int fd;

	if (!*path) {
		/* No name leads to a memfd that may be opened without following a link. */
		strcpy(path, "/dev/shm/gae-fuzz-quota-XXXXXX");
		fd = mkstemp(path);
		atexit(remove_file);
	} else {
		fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	}
	expect(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static void use(struct quotas *quotas, enum quota_kind kind)
{
	uint64_t minute, day, left = quotas_left(quotas, kind), n = left;

	quotas_used(quotas, kind, &minute, &day);
	expect(minute < UINT64_C(1) << MINUTE_BITS && day < UINT64_C(1) << DAY_BITS);
	expect(left <= LIMIT);
	expect(minute + left <= LIMIT || left == 0);
	/* Another minute may begin between two calls: then there is more. */
	expect(n == 0 || quotas_take(quotas, kind, n));
	quotas_give(quotas, kind, n / 2);
	quotas_add(quotas, kind, UINT64_MAX);
	expect(!quotas_take(quotas, kind, LIMIT + 1));
	quotas_give(quotas, kind, UINT64_MAX);
	expect(quotas_left(quotas, kind) == LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct quota limits[QUOTA_KINDS];
	struct quotas *quotas;
	char error[512];

	if (size > 8192)
		return 0;
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		limits[kind] = (struct quota){.per_minute = LIMIT, .per_day = 2 * LIMIT};
	write_file(data, size);
	quotas = quotas_open(path, limits, DAY_UTC, error, sizeof(error));
	expect(quotas && !*error);
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		use(quotas, (enum quota_kind)kind);
	quotas_free(quotas);
	return 0;
}
