/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/unix_path.h"

#include <criterion/criterion.h>

TestSuite(unix_path, .timeout = 10);

Test(unix_path, a_pattern_is_the_name_itself_or_a_beginning_with_a_star)
{
	cr_assert(unix_pattern_matches("/run/log", "/run/log"));
	cr_assert_not(unix_pattern_matches("/run/log", "/run/log2"));
	cr_assert_not(unix_pattern_matches("/run/log", "/run/lo"));
	cr_assert(unix_pattern_matches("/run/app/*", "/run/app/a"));
	cr_assert(unix_pattern_matches("/run/app/*", "/run/app/"));
	cr_assert_not(unix_pattern_matches("/run/app/*", "/run/app"));
	cr_assert_not(unix_pattern_matches("/run/a*b", "/run/axb"));
	cr_assert_not(unix_pattern_matches("", "/run"));
}
