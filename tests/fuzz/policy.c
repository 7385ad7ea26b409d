/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes are two policy files, parted by a NUL byte; a data file is the whole
 * input.  What parses must decide, and what is printed must parse and print the same.
 */
#include "policy/policy.h"
#include "fuzz.h"
#include "policy/decide.h"
#include "policy/print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct input {
	const uint8_t *data;
	size_t size;
};

static int open_data(void *context, const char *from, const char *name, char **path, char **text,
		     size_t *size)
{
	const struct input *input = context;

	(void)from;
	if (name[0] == 'x')
		return -ENOENT;
	*text = calloc(1, input->size + 1);
	*path = strdup(name);
	if (!*text || !*path)
		abort();
	if (input->size)
		memcpy(*text, input->data, input->size);
	*size = input->size;
	return 0;
}

static struct plan *parse(const struct input *input, const char *text, size_t size)
{
	struct policy_parser *parser = policy_parser_new(open_data, (void *)(uintptr_t)input);
	const char *part = memchr(text, '\0', size);
	size_t first = part ? (size_t)(part - text) : size;
	struct policy_error error;

	policy_parser_file(parser, "dir/a.conf", text, first, &error);
	if (part)
		policy_parser_file(parser, "b.conf", part + 1, size - first - 1, &error);
	return policy_parser_finish(parser, &error);
}

static char *print(const struct plan *plan)
{
	char *text = NULL, *kept, *line, *rest;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	print_policy(plan, out);
	fclose(out);
	/* Without comments: they say where a line is from. */
	kept = calloc(1, size + 1);
	if (!kept)
		abort();
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (line[0] != '#')
			strcat(strcat(kept, line), "\n");
	free(text);
	return kept;
}

static void decide(const struct plan *plan)
{
	struct net_endpoint to = {.port = 443};

	for (unsigned int i = 0; i < 4; i++) {
		to.addr = net_addr_from_v4((const uint8_t[]){10, 0, 0, (uint8_t)i});
		decide_destination(plan, i % 2 ? TRANSPORT_TCP : TRANSPORT_UDP, &to, NULL);
		plan_sockopt(plan, SOCKOPT_GET, 1, (int)i);
	}
	net_addr_parse("2001:db8::1", &to.addr);
	decide_destination(plan, TRANSPORT_TCP, &to, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct plan *plan, *again;
	char *once, *twice;

	if (size > 4096)
		return 0;
	plan = parse(&input, (const char *)data, size);
	if (!plan)
		return 0;
	decide(plan);
	once = print(plan);
	again = parse(&input, once, strlen(once));
	if (!again)
		abort();
	twice = print(again);
	if (strcmp(once, twice) != 0)
		abort();
	free(once);
	free(twice);
	plan_free(again);
	plan_free(plan);
	return 0;
}
