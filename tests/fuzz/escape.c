/* SPDX-License-Identifier: Apache-2.0 */
/* escape_text(), escape_json() and escape_name() on any bytes: bounds, and nothing dangerous comes out. */
#include "shared/base/escape.h"
#include "fuzz.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void check(const char *out, size_t length, size_t room, int json)
{
	if (length >= room || strlen(out) != length)
		abort();
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)out[i];

		if (c < 0x20 || c == 0x7f || (!json && c > 0x7f))
			abort();
		if (c != '"' && c != '\\')
			continue;
		if (c == '"' || !out[i + 1])
			abort(); /* a bare quote, or half an escape */
		i++;
	}
}

/* What is escaped stays as it is. */
static void check_name(char *out, size_t length, size_t room)
{
	char *again = malloc(length + 1);

	if (length >= room || strlen(out) != length)
		abort();
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
			abort();
	if (again && (escape_name(again, length + 1, out, length) != length || strcmp(again, out)))
		abort();
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room;
	char *out;

	if (size < 1)
		return 0;
	room = 1 + data[0];
	out = malloc(room); /* on the heap and exact, so that one byte too many is seen */
	if (!out)
		return 0;
	check(out, escape_text(out, room, (const char *)data + 1, size - 1), room, 0);
	check(out, escape_json(out, room, (const char *)data + 1, size - 1), room, 1);
	check_name(out, escape_name(out, room, (const char *)data + 1, size - 1), room);
	free(out);
	return 0;
}
