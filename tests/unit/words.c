/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/words.h"

#include "policy/json.h"
#include "policy/lex.h"
#include "policy/policy.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

Test(words, the_closest_name_is_found_across_one_typing_mistake)
{
	static const char *const names[] = {"allow", "deny", "port", "SO_KEEPALIVE", "s", NULL};
	static const struct {
		const char *word, *closest;
	} rows[] = {
	    {"alow", "allow"}, {"denny", "deny"}, {"prot", "port"}, {"so_keepalve", "SO_KEEPALIVE"},
	    {"because", NULL}, {"xyz", NULL},     {"S", "s"},       {"d", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *closest = words_closest(rows[i].word, names);

		cr_expect_str_eq(closest ? closest : "-", rows[i].closest ? rows[i].closest : "-",
				 "%s", rows[i].word);
	}
}

Test(words, an_index_finds_what_was_added_and_nothing_else)
{
	struct word_index index = {0};
	char words[1000][8];

	cr_assert_eq(word_index_find(&index, "w0"), WORD_NONE);
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(words[i], sizeof(words[i]), "w%u", i);
		cr_assert_eq(word_index_add(&index, words[i], i), 0);
	}
	for (uint32_t i = 0; i < 1000; i++)
		cr_assert_eq(word_index_find(&index, words[i]), i);
	cr_assert_eq(word_index_find(&index, "w1000"), WORD_NONE);
	word_index_fini(&index);
}

static int check(const char *bytes, size_t size)
{
	struct lex_error error;

	return lex_check(bytes, size, &error);
}

Test(lex, utf8_is_accepted_in_its_shortest_form_only)
{
	cr_expect_eq(check("\xc3\xbc", 2), 0);
	cr_expect_eq(check("\xe2\x82\xac", 3), 0);
	cr_expect_eq(check("\xf0\x9f\x98\x80", 4), 0);
	cr_expect_eq(check("\xc0\x80", 2), -1);
	cr_expect_eq(check("\xe0\x80\x80", 3), -1);
	cr_expect_eq(check("\xf0\x80\x80\x80", 4), -1);
	cr_expect_eq(check("\xed\xa0\x80", 3), -1);
	cr_expect_eq(check("\xf4\x90\x80\x80", 4), -1);
	cr_expect_eq(check("\xe2\x82", 2), -1);
	cr_expect_eq(check("\x80", 1), -1);
}

Test(lex, a_byte_is_judged_the_same_wherever_it_stands)
{
	char text[27];

	for (unsigned int byte = 0; byte < 256; byte++) {
		int alone = check((char[]){(char)byte}, 1);

		for (size_t at = 0; at < sizeof(text); at++) {
			memset(text, ' ', sizeof(text));
			text[(at + 13) % sizeof(text)] = '~';
			text[at] = (char)byte;
			cr_expect_eq(check(text, sizeof(text)), alone, "%#x at %zu", byte, at);
		}
	}
}

Test(lex, where_the_fault_is_does_not_depend_on_what_is_before_it)
{
	struct lex_error error;

	cr_expect_eq(lex_check("0123456789abcdef0123\n0123456789ab\x01", 34, &error), -1);
	cr_expect_eq(error.line, 2);
	cr_expect_eq(error.col, 13);
}

Test(lex, a_line_may_be_as_long_as_the_limit_and_no_longer)
{
	char *text = malloc(POLICY_LINE_MAX + 2);

	cr_assert_not_null(text);
	memset(text, 'x', POLICY_LINE_MAX + 2);
	text[POLICY_LINE_MAX] = '\n';
	cr_expect_eq(check(text, POLICY_LINE_MAX + 2), 0);
	text[POLICY_LINE_MAX] = 'x';
	cr_expect_eq(check(text, POLICY_LINE_MAX + 1), -1);
	free(text);
}

/* "parent.name=text;" of each value. */
static void collect(void *context, const struct json_value *value)
{
	char *out = context;

	snprintf(out + strlen(out), 256 - strlen(out), "%s.%s=%s;", value->parent, value->name,
		 value->text);
}

Test(json, values_come_with_their_names)
{
	static const char text[] =
	    " {\"a\":1, \"b\":{\"c\":\"x\\n\\u0041\\u00e9\",\"d\":[true,-2.5e3]},\"e\":null} ";
	char out[256] = "";

	cr_assert_eq(json_read(text, strlen(text), collect, out), 0);
	cr_assert_str_eq(out, ".a=1;b.c=x\nA?;.=true;.=-2.5e3;.e=null;");
}

static void collect_item(void *context, const char *array, unsigned int depth)
{
	char *out = context;

	snprintf(out + strlen(out), 256 - strlen(out), "[%s@%u]", array, depth);
}

Test(json, records_of_an_array_are_told_apart)
{
	static const char text[] = "{\"a\":[{\"b\":1},{\"b\":[{\"c\":2}]},[{\"d\":3}],4]}";
	char out[256] = "";

	cr_assert_eq(json_read_items(text, strlen(text), collect, collect_item, out), 0);
	cr_assert_str_eq(out, "[a@2]a.b=1;[a@2][b@4]b.c=2;[a@3]a.d=3;.a=4;");
}

Test(json, what_is_no_json_is_refused)
{
	static const char *const texts[] = {
	    "",
	    "{",
	    "{\"a\"}",
	    "{\"a\":}",
	    "{\"a\":1,}",
	    "[1",
	    "\"open",
	    "\"\\x\"",
	    "\"\\u12\"",
	    "{\"a\":1} x",
	    "{\"a\":\"\n\"}",
	    "truth",
	    "[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]",
	};
	char out[256] = "";

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_eq(json_read(texts[i], strlen(texts[i]), collect, out), -EINVAL, "%s",
			     texts[i]);
}
