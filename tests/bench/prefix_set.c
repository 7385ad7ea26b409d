/* SPDX-License-Identifier: Apache-2.0 */
/* prefix_set: time to build a set of N prefixes (default 100,000) of each family and to look up an address in it. */
#include "net/prefix_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOOKUPS 2000000u

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct net_addr random_addr(uint64_t *state, bool v6, unsigned int length)
{
	uint8_t bytes[16] = {0};

	for (unsigned int i = 0; i < length / 8; i++)
		bytes[i] = (uint8_t)(next_random(state) >> 24);
	return v6 ? net_addr_from_v6(bytes, 0) : net_addr_from_v4(bytes);
}

static void bench_family(bool v6, size_t n)
{
	struct prefix_set *set = prefix_set_new();
	uint64_t state = 88172645463325252u, hits = 0;
	unsigned int length = v6 ? 48 : 24;
	double start = now_s(), built, found;

	if (!set)
		exit(1);
	for (size_t i = 0; i < n; i++) {
		/* Multiplied by an odd number: distinct, and in no order. */
		uint32_t number = (uint32_t)i * 0x9e3779b1u & 0xffffff;
		uint8_t bytes[16] = {(uint8_t)(number >> 16), (uint8_t)(number >> 8),
				     (uint8_t)number};
		struct net_addr addr = v6 ? net_addr_from_v6(bytes, 0) : net_addr_from_v4(bytes);

		prefix_set_add(set, &addr, length, true, (uint32_t)i);
	}
	if (prefix_set_finish(set, NULL))
		fprintf(stderr, "prefix_set: a prefix came twice; the set stays empty\n");
	built = now_s();
	for (size_t i = 0; i < LOOKUPS; i++) {
		struct net_addr addr = random_addr(&state, v6, 32);

		hits += prefix_set_contains(set, &addr, NULL);
	}
	found = now_s();
	printf("%s: %zu prefixes, built in %.1f ms, %.0f ns a look-up (%llu hits)\n",
	       v6 ? "IPv6" : "IPv4", n, (built - start) * 1e3, (found - built) * 1e9 / LOOKUPS,
	       (unsigned long long)hits);
	prefix_set_free(set);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;

	bench_family(false, n);
	bench_family(true, n);
	return 0;
}
