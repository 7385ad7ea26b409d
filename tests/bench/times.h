/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_TIMES_H
#define BENCH_TIMES_H

/* What scripts/bench reads of a program that it measures. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline int times_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Prints "p50 p99 mean" of @n > 0 times, in nanoseconds; sorts them. */
static inline void times_print(uint64_t *times, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += times[i];
	qsort(times, n, sizeof(*times), times_compare);
	printf("%ju %ju %ju\n", (uintmax_t)times[n / 2], (uintmax_t)times[n * 99 / 100],
	       (uintmax_t)(sum / n));
}

#endif
