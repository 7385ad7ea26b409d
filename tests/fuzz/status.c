/* SPDX-License-Identifier: Apache-2.0 */
/* status_parse_json() on any bytes: what it takes, written and read once more, becomes the same text. */
#include "status/status.h"
#include "fuzz.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static char *write_text(const struct status *status, size_t *size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	if (!out || status_write_json(status, out) || fclose(out))
		abort();
	for (size_t i = 0; i + 1 < *size; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			abort();
	return text;
}

/* Takes @text over.  The picture in it as text again. */
static char *read_and_write(char *text, size_t *size)
{
	char error[64];
	struct status *status = status_parse_json(text, *size, error, sizeof(error));

	if (!status)
		abort();
	free(text);
	text = write_text(status, size);
	status_free(status);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[64], *copy = malloc(size ? size : 1), *text, *last;
	size_t text_size, last_size;
	struct status *status;

	if (!copy)
		return 0;
	memcpy(copy, data, size); /* exact, so that one byte too far is seen */
	status = status_parse_json(copy, size, error, sizeof(error));
	free(copy);
	if (!status)
		return 0;
	text = write_text(status, &text_size);
	status_free(status);
	/* The first round replaces what is no UTF-8 and cuts what got too long by it. */
	text = read_and_write(text, &text_size);
	last_size = text_size;
	last = strdup(text);
	text = read_and_write(text, &text_size);
	if (!last || last_size != text_size || memcmp(last, text, last_size) != 0)
		abort();
	free(last);
	free(text);
	return 0;
}
