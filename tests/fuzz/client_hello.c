/* SPDX-License-Identifier: Apache-2.0 */
/* hello_read() on any bytes: what it says of all of them it does not take back for fewer. */
#include "fuzz.h"
#include "urlfetch/hello.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[HELLO_NAME_MAX], part_name[HELLO_NAME_MAX];
	uint8_t *copy = malloc(size ? size : 1); /* exact, so that one byte too far is seen */
	int whole, part;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	whole = hello_read(copy, size, name);
	if (whole == 1 && strlen(name) >= HELLO_NAME_MAX)
		abort();
	part = hello_read(copy, size / 2, part_name);
	/* A beginning that is refused is refused with more as well. */
	if (part < 0 && whole >= 0)
		abort();
	free(copy);
	return 0;
}
