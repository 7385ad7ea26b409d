/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

struct unit {
	const char *name;
	uint64_t factor;
	bool read_only; /* understood, never printed */
};

/* The smallest first, those for reading only last. */
static const struct unit tables[][UNITS_MAX + 1] = {
    [UNITS_TIME] = {{"ms", 1, false},
		    {"s", 1000, false},
		    {"m", 60000, false},
		    {"h", 3600000, false}},
    [UNITS_BYTES] = {{"B", 1, false},
		     {"KB", 1000, false},
		     {"MB", 1000000, false},
		     {"GB", 1000000000, false},
		     {"TB", 1000000000000, false},
		     {"KiB", UINT64_C(1) << 10, true},
		     {"MiB", UINT64_C(1) << 20, true},
		     {"GiB", UINT64_C(1) << 30, true},
		     {"TiB", UINT64_C(1) << 40, true}},
};

void units_names(enum units kind, const char *names[UNITS_MAX + 1])
{
	for (size_t i = 0; i <= UNITS_MAX; i++)
		names[i] = tables[kind][i].name;
}

uint64_t units_factor(enum units kind, int index)
{
	return tables[kind][index].factor;
}

uint64_t units_scale(const char *digits, size_t size, uint64_t factor)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(digits[i] - '0'), &value))
			return UINT64_MAX;
	return __builtin_mul_overflow(value, factor, &value) ? UINT64_MAX : value;
}

char *units_format(enum units kind, uint64_t value, char *out)
{
	const struct unit *unit = tables[kind];

	/* Nought is a multiple of every unit; the smallest says it best. */
	while (value && unit[1].name && !unit[1].read_only && value % unit[1].factor == 0)
		unit++;
	snprintf(out, UNITS_TEXT_MAX, "%" PRIu64 "%s", value / unit->factor, unit->name);
	return out;
}
