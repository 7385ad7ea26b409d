/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/escape.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char *text(const char *in, size_t size)
{
	static char out[256];

	cr_assert_eq(escape_text(out, sizeof(out), in, size), strlen(out));
	return out;
}

static const char *json(const char *in, size_t size)
{
	static char out[256];

	cr_assert_eq(escape_json(out, sizeof(out), in, size), strlen(out));
	return out;
}

static const char *name(const char *in, size_t size)
{
	static char out[256], again[256];

	cr_assert_eq(escape_name(out, sizeof(out), in, size), strlen(out));
	escape_name(again, sizeof(again), out, strlen(out));
	cr_expect_str_eq(again, out);
	return out;
}

#define NAME(in, want) cr_expect_str_eq(name(in, sizeof(in) - 1), want)
#define TEXT(in, want) cr_expect_str_eq(text(in, sizeof(in) - 1), want)
#define JSON(in, want) cr_expect_str_eq(json(in, sizeof(in) - 1), want)

Test(escape_text, keeps_printable_ascii)
{
	TEXT("", "");
	TEXT("abc XYZ 019 ~!#$%&'()[]{}", "abc XYZ 019 ~!#$%&'()[]{}");
}

Test(escape_text, puts_a_backslash_before_quote_and_backslash)
{
	TEXT("a\"b\\c", "a\\\"b\\\\c");
}

Test(escape_text, writes_control_characters_as_letters_or_three_octal_digits)
{
	TEXT("\n\t\r", "\\n\\t\\r");
	TEXT("\033[2J", "\\033[2J");
	TEXT("\0001", "\\0001"); /* NUL, then '1': three digits keep them apart */
	TEXT("\177\200\377", "\\177\\200\\377");
}

Test(escape_text, escapes_valid_utf8_too)
{
	TEXT("\xc3\xa9", "\\303\\251");
}

Test(escape_text, marks_a_cut_with_three_dots_between_whole_units)
{
	char out[8];

	cr_expect_eq(escape_text(out, sizeof(out), "1234567", 7), 7);
	cr_expect_str_eq(out, "1234567");
	cr_expect_eq(escape_text(out, sizeof(out), "12345678", 8), 7);
	cr_expect_str_eq(out, "1234...");
	cr_expect_eq(escape_text(out, sizeof(out), "12\0335678", 8), 5);
	cr_expect_str_eq(out, "12...");
}

Test(escape_text, lives_with_any_room)
{
	static const char *const want[] = {NULL, "", ".", "..", "...", "a..."};
	char out[8];

	for (size_t room = 1; room <= 5; room++) {
		memset(out, 'x', sizeof(out));
		cr_expect_eq(escape_text(out, room, "abcdefgh", 8), room - 1);
		cr_expect_str_eq(out, want[room]);
		cr_expect_eq(out[room], 'x');
	}
}

Test(escape_json, keeps_valid_utf8_of_every_length)
{
	JSON("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	JSON("\xc2\xa0\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
	     "\xc2\xa0\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf");
}

Test(escape_json, escapes_quote_backslash_and_control_characters)
{
	JSON("\"\\", "\\\"\\\\");
	JSON("\0\n\037\177", "\\u0000\\u000a\\u001f\\u007f");
	JSON("\xc2\x80\xc2\x9b\xc2\x9f", "\\u0080\\u009b\\u009f");
}

Test(escape_json, replaces_each_byte_that_is_not_utf8)
{
	JSON("\xff", "\xef\xbf\xbd");
	JSON("\x80"
	     "a",
	     "\xef\xbf\xbd"
	     "a");
	JSON("\xc3", "\xef\xbf\xbd");
	JSON("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd");
	JSON("\xe2\x82"
	     "a",
	     "\xef\xbf\xbd\xef\xbf\xbd"
	     "a");
}

Test(escape_json, refuses_overlong_forms_surrogates_and_what_is_above_unicode)
{
	JSON("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");
	JSON("\xc1\xbf", "\xef\xbf\xbd\xef\xbf\xbd");
	JSON("\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	JSON("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	JSON("\xf0\x8f\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	JSON("\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	JSON("\xf5\x80\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

Test(escape_json, cuts_only_between_characters)
{
	char out[16];

	cr_expect_eq(escape_json(out, 8, "abc\xe2\x82\xac\xe2\x82\xac", 9), 6);
	cr_expect_str_eq(out, "abc...");
	cr_expect_eq(escape_json(out, 10, "abc\xe2\x82\xac\xe2\x82\xac", 9), 9);
	cr_expect_str_eq(out, "abc\xe2\x82\xac\xe2\x82\xac");
	cr_expect_eq(escape_json(out, 9, "ab\n\n", 4), 5);
	cr_expect_str_eq(out, "ab...");
	for (size_t room = 1; room < 5; room++) {
		memset(out, 'x', sizeof(out));
		cr_expect_eq(escape_json(out, room, "\001\001", 2), room - 1);
		cr_expect_eq(out[room], 'x');
	}
}

Test(escape_name, keeps_what_can_be_read)
{
	NAME("", "");
	NAME("a\\b\"c d", "a\\b\"c d");
	NAME("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

Test(escape_name, escapes_control_characters_and_what_is_not_utf8)
{
	NAME("\n\t\r\033[2J\177", "\\n\\t\\r\\033[2J\\177");
	NAME("\0001", "\\0001");
	NAME("\xff\xc3(", "\\377\\303(");
	NAME("\xc2\x9b\xc2\xa0", "\\302\\233\xc2\xa0");
	NAME("\xed\xa0\x80", "\\355\\240\\200");
}

Test(escape_name, escapes_what_cannot_be_seen_or_turns_the_direction)
{
	NAME("a\xe2\x80\x8b"
	     "b\xe2\x80\x8f\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xac\xe2\x81\xa0\xe2\x81\xa9\xef\xbb\xbf"
	     "\xd8\x9c",
	     "a\\342\\200\\213b\\342\\200\\217\\342\\200\\250\\342\\200\\256\\342\\200\\254"
	     "\\342\\201\\240\\342\\201\\251\\357\\273\\277\\330\\234");
	/* Their neighbours. */
	NAME("\xe2\x80\x8a\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\x9f\xe2\x81\xaa\xef\xbb\xbe"
	     "\xd8\x9b\xd8\x9d",
	     "\xe2\x80\x8a\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\x9f\xe2\x81\xaa\xef\xbb\xbe"
	     "\xd8\x9b\xd8\x9d");
}

Test(escape_name, cuts_only_between_characters)
{
	char out[16];

	cr_expect_eq(escape_name(out, 8, "abc\xe2\x82\xac\xe2\x82\xac", 9), 6);
	cr_expect_str_eq(out, "abc...");
	cr_expect_eq(escape_name(out, 9, "a\xc2\x9b", 3), 4);
	cr_expect_str_eq(out, "a...");
	for (size_t room = 1; room < 5; room++) {
		memset(out, 'x', sizeof(out));
		cr_expect_eq(escape_name(out, room, "\xc2\x9b\xc2\x9b", 4), room - 1);
		cr_expect_eq(out[room], 'x');
	}
}
