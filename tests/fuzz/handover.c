/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token that a program shows, and a message that another supervisor sends.  The first byte
 * chooses.  What is taken has one spelling: written again it is the same bytes.
 */
#include "fuzz.h"
#include "handover/exchange.h"
#include "handover/token.h"
#include "shared/gae_sockets.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[TOKEN_KEY_SIZE] = "the key of the corpus";

static void try_token(const char *text, size_t size)
{
	struct token_app app = token_app("fuzz", 1000);
	struct token token;
	char again[GAE_DESCRIPTOR_MAX];
	int rc = token_parse(text, size, &app, key, &token);

	if (rc < 0)
		return;
	expect(strnlen(token.instance, sizeof(token.instance)) < sizeof(token.instance));
	expect(strchr(token.instance, '/') == NULL);
	expect(token_format(&token, &app, key, again) == size - (text[size - 1] == '\0'));
	expect(memcmp(text, again, strlen(again)) == 0);
}

static void try_message(const uint8_t *bytes, size_t size)
{
	struct exchange_message message;
	uint8_t again[EXCHANGE_SIZE];

	if (exchange_parse(bytes, size, &message) < 0)
		return;
	expect(size == sizeof(again));
	exchange_format(&message, again);
	expect(memcmp(bytes, again, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size == 0)
		return 0;
	copy = malloc(size); /* exact, so that one byte too far is seen */
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 1)
		try_token((const char *)copy, size - 1);
	else
		try_message(copy, size - 1);
	free(copy);
	return 0;
}
