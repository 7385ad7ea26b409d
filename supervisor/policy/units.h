/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_UNITS_H
#define POLICY_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* Numbers with a unit as a policy writes them: 10m, 113MB. */
enum units {
	UNITS_TIME, /* values are milliseconds */
	UNITS_BYTES,
};

#define UNITS_MAX 9       /* units of one kind */
#define UNITS_TEXT_MAX 24 /* 20 digits and a unit */

/** units_names() - the units of @kind, a NULL behind them. */
void units_names(enum units kind, const char *names[UNITS_MAX + 1]);

/** units_factor() - what one of the unit names[@index] is in the smallest one. */
uint64_t units_factor(enum units kind, int index);

/** units_scale() - @size digits at @digits, times @factor.  Return: UINT64_MAX for that and all above. */
uint64_t units_scale(const char *digits, size_t size, uint64_t factor);

/** units_format() - in the largest unit that is exact; bytes never in powers of 1024.  @out: UNITS_TEXT_MAX bytes.  Return: @out. */
char *units_format(enum units kind, uint64_t value, char *out);

#endif
