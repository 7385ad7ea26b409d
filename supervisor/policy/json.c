/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/json.h"

#include "shared/base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct reader {
	const char *at, *end;
	json_visit *visit;
	json_item *item; /* NULL: nobody asks where records begin */
	void *context;
	unsigned int depth;
};

struct name {
	char text[64];
};

static int read_value(struct reader *reader, const char *parent, const char *name);

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && memchr(" \t\r\n", *reader->at, 4))
		reader->at++;
}

static bool take(struct reader *reader, char c)
{
	skip_space(reader);
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

/* Four digits behind \u. */
static int read_hex(struct reader *reader, uint32_t *code)
{
	int digit;

	*code = 0;
	if (reader->end - reader->at < 4)
		return -EINVAL;
	for (int i = 0; i < 4; i++) {
		digit = text_hex_digit(*reader->at++);
		if (digit < 0)
			return -EINVAL;
		*code = *code << 4 | (uint32_t)digit;
	}
	return 0;
}

/* A character outside ASCII becomes '?': no host name or address has one. */
static int read_escape(struct reader *reader, char *c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	uint32_t code;

	if (reader->at == reader->end)
		return -EINVAL;
	*c = *reader->at++;
	if (*c == 'u') {
		if (read_hex(reader, &code))
			return -EINVAL;
		*c = (char)(code && code < 0x80 ? code : '?');
		return 0;
	}
	found = *c ? strchr(from, *c) : NULL;
	if (!found)
		return -EINVAL;
	*c = to[found - from];
	return 0;
}

/* Behind the opening quote. */
static int read_string(struct reader *reader, char *out, size_t room)
{
	size_t used = 0;

	for (;;) {
		char c;

		if (reader->at == reader->end)
			return -EINVAL;
		c = *reader->at++;
		if (c == '"')
			break;
		if ((unsigned char)c < 0x20 || (c == '\\' && read_escape(reader, &c)))
			return -EINVAL;
		if (used < room - 1)
			out[used++] = c;
	}
	out[used] = '\0';
	return 0;
}

static int report(struct reader *reader, const char *parent, const char *name, const char *text)
{
	struct json_value value = {parent, name, text, reader->depth};

	reader->visit(reader->context, &value);
	return 0;
}

static int read_text(struct reader *reader, const char *parent, const char *name)
{
	char text[JSON_STRING_MAX];

	if (read_string(reader, text, sizeof(text)))
		return -EINVAL;
	return report(reader, parent, name, text);
}

/* A number, true, false, null: the letters are checked only as far as nothing else can be meant. */
static int read_scalar(struct reader *reader, const char *parent, const char *name)
{
	static const char *const words[] = {"true", "false", "null"};
	char text[64];
	size_t size = 0;

	while (reader->at < reader->end && size < sizeof(text) - 1 && *reader->at &&
	       strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *reader->at))
		text[size++] = *reader->at++;
	text[size] = '\0';
	if (size && strspn(text, "+-.0123456789eE") == size && text[0] != '+' && text[0] != '.' &&
	    text[0] != 'e' && text[0] != 'E')
		return report(reader, parent, name, text);
	for (int i = 0; i < 3; i++)
		if (!strcmp(text, words[i]))
			return report(reader, parent, name, text);
	return -EINVAL;
}

static int read_array(struct reader *reader, const char *name)
{
	if (take(reader, ']'))
		return 0;
	do {
		skip_space(reader);
		if (reader->item && reader->at < reader->end && *reader->at == '{')
			reader->item(reader->context, name, reader->depth);
		if (read_value(reader, "", reader->item ? name : ""))
			return -EINVAL;
	} while (take(reader, ','));
	return take(reader, ']') ? 0 : -EINVAL;
}

static int read_object(struct reader *reader, const char *name)
{
	struct name key;

	if (take(reader, '}'))
		return 0;
	do {
		if (!take(reader, '"') || read_string(reader, key.text, sizeof(key.text)) ||
		    !take(reader, ':') || read_value(reader, name, key.text))
			return -EINVAL;
	} while (take(reader, ','));
	return take(reader, '}') ? 0 : -EINVAL;
}

static int read_value(struct reader *reader, const char *parent, const char *name)
{
	int status;

	skip_space(reader);
	if (take(reader, '"'))
		return read_text(reader, parent, name);
	if (reader->depth == JSON_DEPTH_MAX)
		return -EINVAL;
	if (reader->at == reader->end || (*reader->at != '{' && *reader->at != '['))
		return read_scalar(reader, parent, name);
	reader->depth++;
	status = *reader->at++ == '{' ? read_object(reader, name) : read_array(reader, name);
	reader->depth--;
	return status;
}

int json_read_items(const char *text, size_t size, json_visit *visit, json_item *item,
		    void *context)
{
	struct reader reader = {text, text + size, visit, item, context, 0};

	if (read_value(&reader, "", ""))
		return -EINVAL;
	skip_space(&reader);
	return reader.at == reader.end ? 0 : -EINVAL;
}

int json_read(const char *text, size_t size, json_visit *visit, void *context)
{
	return json_read_items(text, size, visit, NULL, context);
}
