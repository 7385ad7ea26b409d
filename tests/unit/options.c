/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/options.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct options options;
static char error[256];

#define parse(...)                                                                                 \
	parse_line((char *[]){(char *)"gae-run", __VA_ARGS__, NULL},                               \
		   (int)(sizeof((const char *[]){"gae-run", __VA_ARGS__}) / sizeof(char *)))
#define W(text) ((char *)(text))

/* options.argv points into the line, which must outlive the assertion around parse(). */
static int parse_line(char **argv, int argc)
{
	static char *line[16];

	memcpy(line, argv, ((size_t)argc + 1) * sizeof(*line));
	error[0] = '\0';
	return options_parse(argc, line, &options, error, sizeof(error));
}

static void tear_down(void)
{
	options_fini(&options);
}

TestSuite(options, .fini = tear_down);

Test(options, the_first_word_that_is_no_option_is_the_program)
{
	cr_assert_eq(parse(W("-v"), W("ls"), W("-v"), W("--help")), 0);
	cr_expect_eq(options.verbose, 1U);
	cr_expect_eq(options.mode, OPTIONS_RUN);
	cr_expect_str_eq(options.argv[0], "ls");
	cr_expect_str_eq(options.argv[2], "--help");
}

Test(options, two_dashes_end_the_options)
{
	cr_assert_eq(parse(W("--"), W("-v")), 0);
	cr_expect_str_eq(options.argv[0], "-v");
}

Test(options, policies_add_up_in_their_order)
{
	cr_assert_eq(parse(W("-p"), W("a.conf"), W("--policy=b"), W("ls")), 0);
	cr_assert_eq(options.policies.count, 2UL);
	cr_expect_str_eq(options.policies.items[0], "a.conf");
	cr_expect_str_eq(options.policies.items[1], "b");
	cr_expect_null(options.policies.items[2]);
}

Test(options, the_environment_gives_lists_and_levels)
{
	setenv("GAE_RUN_POLICY", "a:b::c", 1);
	setenv("GAE_RUN_KEEP_CAP", "net_admin,CAP_NET_RAW", 1);
	setenv("GAE_RUN_VERBOSE", "2", 1);
	cr_assert_eq(parse(W("ls")), 0, "%s", error);
	cr_assert_eq(options.policies.count, 3UL);
	cr_expect_str_eq(options.policies.items[2], "c");
	cr_assert_eq(options.keep_caps.count, 2UL);
	cr_expect_str_eq(options.keep_caps.items[0], "cap_net_admin");
	cr_expect_eq(options.verbose, 2U);
}

Test(options, the_command_line_replaces_the_environment)
{
	setenv("GAE_RUN_POLICY", "a:b", 1);
	setenv("GAE_RUN_APP", "one", 1);
	cr_assert_eq(parse(W("-pc"), W("--app"), W("two"), W("ls")), 0);
	cr_assert_eq(options.policies.count, 1UL);
	cr_expect_str_eq(options.policies.items[0], "c");
	cr_expect_str_eq(options.app, "two");
	cr_expect_str_eq(getenv("GAE_RUN_APP"), "one");
}

Test(options, a_bad_variable_is_named)
{
	setenv("GAE_RUN_TRACE_FORMAT", "xml", 1);
	cr_assert_eq(parse(W("ls")), -EINVAL);
	cr_expect_str_eq(error,
			 "GAE_RUN_TRACE_FORMAT: 'xml' is no trace format; expected text or json");
}

Test(options, a_bad_value_names_its_option)
{
	cr_assert_eq(parse(W("--keep-cap=fly"), W("ls")), -EINVAL);
	cr_expect(strstr(error, "--keep-cap: 'fly' is no capability"), "%s", error);
	cr_assert_eq(parse(W("--app="), W("ls")), -EINVAL);
	cr_expect_str_eq(error, "--app: empty value");
}

Test(options, a_metrics_file_has_a_name_that_is_read)
{
	static const char *const bad[] = {"a.txt",   "d/.prom",  ".a.prom",
					  "x.prom/", "x.prom/a", ".prom"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char expected[128];

		setenv("GAE_RUN_METRICS_FILE", bad[i], 1);
		cr_expect_eq(parse(W("ls")), -EINVAL, "%s", bad[i]);
		snprintf(
		    expected, sizeof(expected),
		    "GAE_RUN_METRICS_FILE: '%s' is no metrics file; expected a name that ends in "
		    ".prom and begins with no dot",
		    bad[i]);
		cr_expect_str_eq(error, expected);
	}
	cr_assert_eq(parse(W("--metrics-file"), W("d.x/a.prom"), W("ls")), 0, "%s", error);
	cr_expect_str_eq(options.metrics, "d.x/a.prom");
}

Test(options, mistakes_of_usage_are_told_apart)
{
	cr_assert_eq(parse(W("--nonsense"), W("ls")), -EINVAL);
	cr_expect_str_eq(error, "unknown option --nonsense");
	cr_assert_eq(parse(W("-z"), W("ls")), -EINVAL);
	cr_expect_str_eq(error, "unknown option -z");
	cr_assert_eq(parse(W("--trace")), -EINVAL);
	cr_expect_str_eq(error, "option --trace needs an argument");
	cr_assert_eq(parse(W("--check=yes")), -EINVAL);
	cr_expect_str_eq(error, "option --check takes no argument");
	/* Whatever the letter behind the name, and however it is cut short. */
	cr_expect_eq(parse(W("--verbose=2"), W("ls")), -EINVAL);
	cr_expect_str_eq(error, "option --verbose takes no argument");
	cr_expect_eq(parse(W("--qui=1"), W("ls")), -EINVAL);
	cr_expect_str_eq(error, "option --quiet takes no argument");
	cr_expect_eq(parse(W("--ver"), W("ls")), -EINVAL);
	cr_expect_str_eq(error, "option --ver is ambiguous: --verbose --version");
	cr_expect_eq(parse(W("-vzq"), W("ls")), -EINVAL);
	cr_expect_str_eq(error, "unknown option -z");
	cr_expect_eq(parse(W("-vp")), -EINVAL);
	cr_expect_str_eq(error, "option -p needs an argument");
	cr_expect_eq(parse(W("--policy")), -EINVAL);
	cr_expect_str_eq(error, "option --policy needs an argument");
	cr_expect_eq(parse(W("-\xc3\xa9"), W("ls")), -EINVAL);
	cr_expect_str_eq(error, "unknown option -\\303");
	cr_expect_eq(parse(W("--\033[2J"), W("ls")), -EINVAL);
	cr_expect_str_eq(error, "unknown option --\\033[2J");
	cr_assert_eq(parse(W("-v")), -EINVAL);
	cr_expect_str_eq(error, "no program given");
}

Test(options, help_needs_nothing_else_to_be_right)
{
	setenv("GAE_RUN_QUIET", "perhaps", 1);
	cr_assert_eq(parse(W("--help")), 0);
	cr_expect_eq(options.mode, OPTIONS_HELP);
}

Test(options, help_names_every_variable)
{
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	cr_assert(out);
	options_print_help(out);
	fclose(out);
	cr_expect(strstr(text, "-p, --policy FILE|DIR"));
	cr_expect(strstr(text, "GAE_RUN_TRACE_FORMAT"));
}

Test(options, an_app_yaml_is_named_or_looked_for)
{
	cr_assert_eq(parse(W("--config"), W("a.yaml"), W("ls")), 0);
	cr_expect_str_eq(options.config, "a.yaml");
	cr_expect_not(options.app_yaml_auto);
	options_fini(&options);
	cr_assert_eq(parse(W("--app-yaml=auto"), W("ls")), 0);
	cr_expect(options.app_yaml_auto);
	options_fini(&options);
	setenv("GAE_RUN_APP_YAML", "auto", 1);
	cr_assert_eq(parse(W("--app-yaml"), W("none"), W("ls")), 0);
	cr_expect_not(options.app_yaml_auto);
	options_fini(&options);
	cr_assert_lt(parse(W("--app-yaml"), W("yes"), W("ls")), 0);
	cr_expect_str_eq(error, "--app-yaml: 'yes' is no word; expected auto or none");
}

Test(options, a_deadline_is_one_or_two_numbers_of_seconds)
{
	static char good[][8] = {"1", "10,60", "600", "600,600", "5,5"};
	static char bad[][8] = {"0", "601", "10,", "10,5", "10,601", "a", "-1", " 1", "1s"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_expect_eq(parse(W("--urlfetch-deadline"), good[i], W("ls")), 0, "%s", error);
		cr_expect_str_eq(options.urlfetch_deadline, good[i]);
		options_fini(&options);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_lt(parse(W("--urlfetch-deadline"), bad[i], W("ls")), 0, "%s", bad[i]);
		options_fini(&options);
	}
}
