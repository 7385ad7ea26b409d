/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/escape.h"

#include "shared/base/utf8.h"

#include <stdbool.h>
#include <string.h>

/* The longest unit, which is never cut in the middle: U+200B and its like in a name, three bytes as \ooo each. */
#define UNIT_MAX 12

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
	/* Of the two bytes of U+0080 to U+009F the second is the number. */
	if (utf8_is_control(s, length))
		return json_control(s[length - 1], unit);
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

	*taken = length ? length : 1;
	if (length && !utf8_is_control(s, length) && !utf8_is_invisible(s, length)) {
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
