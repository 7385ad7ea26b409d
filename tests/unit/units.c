/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/units.h"

#include <criterion/criterion.h>
#include <string.h>

Test(units, a_value_is_printed_in_the_largest_unit_that_is_exact)
{
	static const struct {
		enum units kind;
		uint64_t value;
		const char *text;
	} rows[] = {
	    {UNITS_TIME, 0, "0ms"},
	    {UNITS_TIME, 999, "999ms"},
	    {UNITS_TIME, 1000, "1s"},
	    {UNITS_TIME, 90000, "90s"},
	    {UNITS_TIME, 600000, "10m"},
	    {UNITS_TIME, UINT64_C(8760) * 3600000, "8760h"},
	    {UNITS_BYTES, 0, "0B"},
	    {UNITS_BYTES, 999, "999B"},
	    {UNITS_BYTES, 113000000, "113MB"},
	    {UNITS_BYTES, UINT64_C(20000000000), "20GB"},
	    {UNITS_BYTES, UINT64_C(3000000000000000), "3000TB"},
	    {UNITS_BYTES, UINT64_C(1) << 40, "1099511627776B"},
	    {UNITS_BYTES, UINT64_MAX, "18446744073709551615B"},
	};
	char text[UNITS_TEXT_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_str_eq(units_format(rows[i].kind, rows[i].value, text), rows[i].text);
}

Test(units, a_number_beyond_64_bits_is_the_greatest_one)
{
	static const struct {
		const char *digits;
		uint64_t factor, value;
	} rows[] = {
	    {"", 1, 0},
	    {"007", 1000, 7000},
	    {"18446744073709551614", 1, UINT64_MAX - 1},
	    {"18446744073709551616", 1, UINT64_MAX},
	    {"184467440737095516150", 1, UINT64_MAX},
	    {"18446744073709551614", 2, UINT64_MAX},
	    {"99999999999999999999999999999999", 0, UINT64_MAX},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(units_scale(rows[i].digits, strlen(rows[i].digits), rows[i].factor),
			     rows[i].value, "%s", rows[i].digits);
}

Test(units, names_and_factors_go_together)
{
	const char *names[UNITS_MAX + 1];

	units_names(UNITS_BYTES, names);
	cr_assert_str_eq(names[2], "MB");
	cr_assert_eq(units_factor(UNITS_BYTES, 2), 1000000);
	cr_assert_str_eq(names[8], "TiB");
	cr_assert_eq(units_factor(UNITS_BYTES, 8), UINT64_C(1) << 40);
	cr_assert_null(names[9]);
	units_names(UNITS_TIME, names);
	cr_assert_str_eq(names[3], "h");
	cr_assert_eq(units_factor(UNITS_TIME, 3), 3600000);
	cr_assert_null(names[4]);
}
