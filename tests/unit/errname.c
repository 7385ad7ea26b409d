/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/errname.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(errname, agrees_with_the_c_library_on_every_number)
{
	unsigned int named = 0;

	for (int number = 1; number < 256; number++) {
		const char *name = strerrorname_np(number);

		if (!name)
			continue;
		cr_expect_str_eq(errname(number), name);
		cr_expect_eq(errname_parse(name), number, "%s", name);
		named++;
	}
	cr_expect_gt(named, 100);
}

Test(errname, writes_a_number_without_a_name_as_such)
{
	cr_expect_str_eq(errname(999), "E999");
	cr_expect_eq(errname_parse("E999"), 0);
	cr_expect_eq(errname_parse("eacces"), 0);
	cr_expect_eq(errname_parse(""), 0);
}

Test(errname, reads_both_names_of_a_number)
{
	cr_expect_eq(errname_parse("EWOULDBLOCK"), EAGAIN);
	cr_expect_eq(errname_parse("ENOTSUP"), EOPNOTSUPP);
}

Test(errname, lists_names_that_all_parse)
{
	unsigned int n = 0;

	for (; errname_all(n); n++)
		cr_expect_neq(errname_parse(errname_all(n)), 0);
	cr_expect_gt(n, 100);
	cr_expect_null(errname_all(n + 1));
}
