/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/unix_path.h"

#include <criterion/criterion.h>

#include <string.h>

TestSuite(unix_path, .timeout = 10);

static bool matches(const char *pattern, const char *name)
{
	return unix_pattern_matches(pattern, name, strlen(name));
}

Test(unix_path, a_pattern_is_the_name_itself_or_a_beginning_with_a_star)
{
	cr_assert(matches("/run/log", "/run/log"));
	cr_assert_not(matches("/run/log", "/run/log2"));
	cr_assert_not(matches("/run/log", "/run/lo"));
	cr_assert(matches("/run/app/*", "/run/app/a"));
	cr_assert(matches("/run/app/*", "/run/app/"));
	cr_assert_not(matches("/run/app/*", "/run/app"));
	cr_assert_not(matches("/run/a*b", "/run/axb"));
	cr_assert_not(matches("", "/run"));
}

Test(unix_path, an_abstract_name_is_compared_beyond_a_nul)
{
	cr_assert_not(unix_pattern_matches("@app", "@app\0x", 6));
	cr_assert_not(unix_pattern_matches("@app", "@app\0", 5));
	cr_assert_not(unix_pattern_matches("@app.*", "@app\0.x", 7));
	cr_assert(unix_pattern_matches("@app*", "@app\0x", 6));
	cr_assert(unix_pattern_matches("@*", "@", 1));
}
