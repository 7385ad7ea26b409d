/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the lines of a trace, the first byte chooses --allowed-only: what is learnt is a policy that parses. */
#include "policy/learn.h"
#include "fuzz.h"
#include "policy/policy.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int no_file(void *context, const char *from, const char *name, char **path, char **text,
		   size_t *size)
{
	(void)context, (void)from, (void)name, (void)path, (void)text, (void)size;
	return -ENOENT;
}

static struct plan *parse(const char *text, size_t size)
{
	struct policy_parser *parser = policy_parser_new(no_file, NULL);
	struct policy_error error;

	policy_parser_file(parser, "learnt.conf", text, size, &error);
	return policy_parser_finish(parser, &error);
}

static void take_lines(struct learn *learn, const uint8_t *data, size_t size)
{
	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size, step = length + (end != NULL);
		char *line =
		    malloc(length ? length : 1); /* exact, so that one byte too far is seen */

		if (!line)
			abort();
		memcpy(line, data, length);
		learn_line(learn, line, length);
		free(line);
		data += step;
		size -= step;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char base_text[] = "gae-policy 1\nallow tcp to any\nunix pair\nidle 5m\n";
	struct plan *base, *learnt;
	struct learn *learn;
	char *text = NULL;
	size_t room;
	FILE *out;

	if (size == 0 || size > 8192)
		return 0;
	base = parse(base_text, strlen(base_text));
	learn = learn_new(data[0] & 1);
	if (!base || !learn)
		abort();
	take_lines(learn, data + 1, size - 1);
	out = open_memstream(&text, &room);
	if (!out)
		abort();
	learn_print(learn, base, out);
	fclose(out);
	learnt = parse(text, room);
	if (!learnt)
		abort();
	free(text);
	plan_free(learnt);
	plan_free(base);
	learn_free(learn);
	return 0;
}
