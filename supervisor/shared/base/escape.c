/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The longest unit, which is never cut in the middle: U+0080 to U+009F in a name, two bytes as \ooo each. */
#define UNIT_MAX 8

struct output {
	char *text;
	size_t limit; /* bytes without the NUL */
	size_t used;
	size_t keep; /* the longest whole part behind which "..." still fits */
};

static const char dots[] = "...";

static bool output_add(struct output *out, const char *unit, size_t size)
{
	if (size > out->limit - out->used)
		return false;
	memcpy(out->text + out->used, unit, size);
	out->used += size;
	if (out->limit - out->used >= sizeof(dots) - 1)
		out->keep = out->used;
	return true;
}

static size_t output_end(struct output *out, bool cut)
{
	if (cut) {
		size_t n = out->limit - out->keep;

		if (n > sizeof(dots) - 1)
			n = sizeof(dots) - 1;
		memcpy(out->text + out->keep, dots, n);
		out->used = out->keep + n;
	}
	out->text[out->used] = '\0';
	return out->used;
}

/* Writes one character from @s to @unit.  Return: bytes written; *@taken: bytes of @s. */
typedef size_t unit_function(const unsigned char *s, size_t size, char *unit, size_t *taken);

static size_t escape_units(char *out, size_t room, const char *text, size_t size,
			   unit_function *next)
{
	struct output output = {.text = out, .limit = room - 1};
	const unsigned char *s = (const unsigned char *)text;
	char unit[UNIT_MAX];
	size_t taken;

	for (size_t i = 0; i < size; i += taken) {
		size_t n = next(s + i, size - i, unit, &taken);

		if (!output_add(&output, unit, n))
			return output_end(&output, true);
	}
	return output_end(&output, false);
}

static size_t byte_unit(unsigned char c, char *unit)
{
	static const char letters[] = "\nn\tt\rr\"\"\\\\";

	for (size_t i = 0; i < sizeof(letters) - 1; i += 2) {
		if (c != (unsigned char)letters[i])
			continue;
		unit[0] = '\\';
		unit[1] = letters[i + 1];
		return 2;
	}
	if (c >= 0x20 && c < 0x7f) {
		unit[0] = (char)c;
		return 1;
	}
	unit[0] = '\\';
	unit[1] = (char)('0' + (c >> 6));
	unit[2] = (char)('0' + ((c >> 3) & 7));
	unit[3] = (char)('0' + (c & 7));
	return 4;
}

static size_t text_unit(const unsigned char *s, size_t size, char *unit, size_t *taken)
{
	(void)size;
	*taken = 1;
	return byte_unit(s[0], unit);
}

size_t escape_text(char *out, size_t room, const char *text, size_t size)
{
	return escape_units(out, room, text, size, text_unit);
}

/* Table 3-7 of the Unicode standard: the second byte's range shuts out overlong forms, surrogates and all above U+10FFFF. */
static size_t utf8_length(const unsigned char *s, size_t size)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (size < length || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

static size_t json_control(unsigned int code, char *unit)
{
	static const char hex[] = "0123456789abcdef";

	memcpy(unit, "\\u00", 4);
	unit[4] = hex[code >> 4];
	unit[5] = hex[code & 15];
	return 6;
}

/* One character from @s; *@taken is how many bytes it had. */
static size_t json_unit(const unsigned char *s, size_t size, char *unit, size_t *taken)
{
	size_t length = utf8_length(s, size);

	*taken = length ? length : 1;
	if (length == 0) {
		memcpy(unit, "\xef\xbf\xbd", 3);
		return 3;
	}
	/* U+0080..U+009F are control characters too: U+009B begins a terminal's escape sequences. */
	if (length == 2 && s[0] == 0xc2 && s[1] < 0xa0)
		return json_control(s[1], unit);
	if (s[0] < 0x20 || s[0] == 0x7f)
		return json_control(s[0], unit);
	if (s[0] == '"' || s[0] == '\\') {
		unit[0] = '\\';
		unit[1] = (char)s[0];
		return 2;
	}
	memcpy(unit, s, length);
	return length;
}

size_t escape_json(char *out, size_t room, const char *text, size_t size)
{
	return escape_units(out, room, text, size, json_unit);
}

static size_t name_unit(const unsigned char *s, size_t size, char *unit, size_t *taken)
{
	size_t length = utf8_length(s, size), n = 0;
	bool control = s[0] < 0x20 || s[0] == 0x7f || (length == 2 && s[0] == 0xc2 && s[1] < 0xa0);

	*taken = length ? length : 1;
	if (length && !control) {
		memcpy(unit, s, length);
		return length;
	}
	for (size_t i = 0; i < *taken; i++)
		n += byte_unit(s[i], unit + n);
	return n;
}

size_t escape_name(char *out, size_t room, const char *text, size_t size)
{
	return escape_units(out, room, text, size, name_unit);
}
