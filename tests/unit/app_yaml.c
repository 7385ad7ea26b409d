/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/app_yaml.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct app_yaml yaml;
static char error[512], name[256];

static int parse(const char *text)
{
	error[0] = '\0';
	app_yaml_fini(&yaml);
	return app_yaml_parse("app.yaml", text, strlen(text), &yaml, error, sizeof(error));
}

static void tear_down(void)
{
	app_yaml_fini(&yaml);
}

TestSuite(app_yaml, .fini = tear_down, .timeout = 30);

Test(app_yaml, takes_variables_and_passes_over_the_rest)
{
	cr_assert_eq(parse("runtime: python27\n"
			   "handlers:\n- url: /.*\n  script: main.app\n"
			   "env_variables:\n  ONE: '1'\n  _two2: \"a b\"\n"
			   "libraries: [ {name: ssl, version: latest} ]\n"),
		     0, "%s", error);
	cr_expect_eq(yaml.n_variables, 2UL);
	cr_expect_str_eq(app_yaml_get(&yaml, "ONE"), "1");
	cr_expect_str_eq(app_yaml_get(&yaml, "_two2"), "a b");
	cr_expect_null(app_yaml_get(&yaml, "_two"));
	cr_expect_null(yaml.variables[2]);
	cr_expect_eq(yaml.n_ignored, 3UL);
}

Test(app_yaml, plain_values_are_their_text)
{
	cr_assert_eq(parse("env_variables: {A: 12, B: true, C: 0x1F, D: 2026-11-25, E: yes}"), 0);
	cr_expect_str_eq(app_yaml_get(&yaml, "A"), "12");
	cr_expect_str_eq(app_yaml_get(&yaml, "B"), "true");
	cr_expect_str_eq(app_yaml_get(&yaml, "C"), "0x1F");
	cr_expect_str_eq(app_yaml_get(&yaml, "D"), "2026-11-25");
	cr_expect_str_eq(app_yaml_get(&yaml, "E"), "yes");
}

Test(app_yaml, an_empty_value_is_there)
{
	cr_assert_eq(parse("env_variables:\n  GAE_USE_SOCKETS_HTTPLIB: ''\n"), 0);
	cr_expect_str_eq(app_yaml_get(&yaml, "GAE_USE_SOCKETS_HTTPLIB"), "");
}

Test(app_yaml, a_quoted_null_is_text)
{
	cr_assert_eq(parse("env_variables: {A: 'null', B: \"~\"}"), 0);
	cr_expect_str_eq(app_yaml_get(&yaml, "A"), "null");
	cr_expect_str_eq(app_yaml_get(&yaml, "B"), "~");
}

Test(app_yaml, no_variables_are_no_mistake)
{
	cr_assert_eq(parse("env_variables:\nruntime: go\n"), 0, "%s", error);
	cr_expect_eq(yaml.n_variables, 0UL);
}

Test(app_yaml, names_the_app)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
	    {"application: shop\n", "shop"},
	    {"application: shop\nservice: default\n", "shop"},
	    {"application: shop\nservice: worker\n", "shop:worker"},
	    {"application: s~shop\n", "s~shop"},
	    {"service: worker\n", "worker"},
	    {"service: default\n", NULL},
	    {"runtime: go\n", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(parse(rows[i].text), 0, "%s", error);
		if (rows[i].name)
			cr_expect_str_eq(app_yaml_name(&yaml, name, sizeof(name)), rows[i].name);
		else
			cr_expect_null(app_yaml_name(&yaml, name, sizeof(name)));
	}
}

Test(app_yaml, a_null_byte_in_a_value_is_refused)
{
	cr_expect_eq(parse("env_variables: {A: \"a\\0b\"}"), -EINVAL);
	cr_expect_not_null(strstr(error, "app.yaml:1:20: the value of A has a NUL"), "%s", error);
}

Test(app_yaml, eight_levels_are_taken_and_nine_are_not)
{
	cr_expect_eq(parse("a: [[[[[[[x]]]]]]]"), 0, "%s", error);
	cr_expect_eq(parse("a: [[[[[[[[x]]]]]]]]"), -EINVAL);
	cr_expect_str_eq(error, "app.yaml:1:11: too deep; expected at most 8 levels");
}

Test(app_yaml, too_long_a_value_is_refused_by_its_place)
{
	char *text = malloc((256 << 10) + 64);
	size_t used = (size_t)sprintf(text, "env_variables:\n  A: ");

	memset(text + used, 'x', 256 << 10);
	text[used + (256 << 10)] = '\0';
	cr_expect_eq(parse(text), -EINVAL);
	cr_expect_str_eq(error, "app.yaml:2:6: the value of A has 262144 bytes; a variable has "
				"room for 131072");
	free(text);
}

Test(app_yaml, a_megabyte_of_keys_is_read_in_no_time)
{
	char *text = malloc(2 << 20);
	size_t used = 0;

	for (int i = 0; used + 16 < APP_YAML_SIZE_MAX; i++)
		used += (size_t)sprintf(text + used, "k%d: 1\n", i);
	cr_expect_eq(parse(text), 0, "%s", error);
	cr_expect_gt(yaml.n_ignored, 80000UL);
	memset(text, 'x', 2 << 20);
	text[(2 << 20) - 1] = '\0';
	cr_expect_eq(parse(text), -EINVAL);
	cr_expect_str_eq(error, "app.yaml: larger than 1 MiB");
	free(text);
}

Test(app_yaml, too_many_variables_are_refused)
{
	char *text = malloc(1 << 20);
	size_t used = (size_t)sprintf(text, "env_variables:\n");

	for (int i = 0; i <= APP_YAML_VARIABLES_MAX; i++)
		used += (size_t)sprintf(text + used, "  V%d: x\n", i);
	cr_expect_eq(parse(text), -EINVAL);
	cr_expect_not_null(strstr(error, "more than 10000 variables"), "%s", error);
	free(text);
}

Test(app_yaml, a_missing_file_says_so)
{
	cr_expect_eq(app_yaml_load("/nonexistent/app.yaml", &yaml, error, sizeof(error)), -ENOENT);
	cr_expect_str_eq(error, "/nonexistent/app.yaml: No such file or directory");
}
