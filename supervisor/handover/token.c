/* SPDX-License-Identifier: Apache-2.0 */
#include "handover/token.h"

#include "handover/blake2s.h"
#include "shared/gae_sockets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "gae1-"
#define TAG_SIZE 8 /* of the app's hash, in the text */
#define MAC_SIZE 16
/* "-", app, "-", id, "-", authenticator */
#define TAIL (3 + 2 * (TAG_SIZE + TOKEN_ID_SIZE + MAC_SIZE))
_Static_assert(sizeof(PREFIX) + RUNTIME_NAME_MAX + TAIL <= GAE_DESCRIPTOR_MAX, "a token has room");

struct token_app token_app(const char *name, uid_t uid)
{
	uint8_t key[4] = {(uint8_t)uid, (uint8_t)(uid >> 8), (uint8_t)(uid >> 16),
			  (uint8_t)(uid >> 24)};
	struct token_app app = {.bytes = {0}};

	blake2s(app.bytes, sizeof(app.bytes), key, sizeof(key), name, strlen(name));
	return app;
}

static char *put_hex(char *out, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	*out++ = '-';
	for (size_t i = 0; i < size; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	return out;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "-" and the digits of @size bytes. */
static bool get_hex(const char *text, uint8_t *bytes, size_t size)
{
	if (*text++ != '-')
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* The key is one app's and user's; who has a copy of the file must still not make another's. */
static void authenticate(const char *text, size_t size, const struct token_app *app,
			 const uint8_t key[TOKEN_KEY_SIZE], uint8_t mac[MAC_SIZE])
{
	uint8_t data[TOKEN_APP_SIZE + GAE_DESCRIPTOR_MAX];

	memcpy(data, app->bytes, TOKEN_APP_SIZE);
	memcpy(data + TOKEN_APP_SIZE, text, size);
	blake2s(mac, MAC_SIZE, key, TOKEN_KEY_SIZE, data, TOKEN_APP_SIZE + size);
}

size_t token_format(const struct token *token, const struct token_app *app,
		    const uint8_t key[TOKEN_KEY_SIZE], char *text)
{
	char *at = text + snprintf(text, sizeof(PREFIX) + RUNTIME_NAME_MAX, PREFIX "%.*s",
				   RUNTIME_NAME_MAX - 1, token->instance);
	uint8_t mac[MAC_SIZE];

	at = put_hex(at, app->bytes, TAG_SIZE);
	at = put_hex(at, token->id, TOKEN_ID_SIZE);
	authenticate(text, (size_t)(at - text), app, key, mac);
	at = put_hex(at, mac, MAC_SIZE);
	*at = '\0';
	return (size_t)(at - text);
}

int token_parse(const char *text, size_t size, const struct token_app *app,
		const uint8_t key[TOKEN_KEY_SIZE], struct token *token)
{
	const size_t front = sizeof(PREFIX) - 1;
	uint8_t tag[TAG_SIZE], mac[MAC_SIZE], right[MAC_SIZE];
	const char *at;
	size_t name;

	if (size > 0 && text[size - 1] == '\0')
		size--;
	if (size <= front + TAIL || size >= GAE_DESCRIPTOR_MAX || memcmp(text, PREFIX, front) != 0)
		return -EINVAL;
	name = size - front - TAIL;
	if (name >= sizeof(token->instance))
		return -EINVAL;
	memcpy(token->instance, text + front, name);
	token->instance[name] = '\0';
	at = text + front + name;
	if (strlen(token->instance) != name ||
	    !runtime_name_is(token->instance, RUNTIME_HANDOVER) || !get_hex(at, tag, TAG_SIZE) ||
	    !get_hex(at + 1 + 2 * TAG_SIZE, token->id, TOKEN_ID_SIZE) ||
	    !get_hex(at + 2 + 2 * (TAG_SIZE + TOKEN_ID_SIZE), mac, MAC_SIZE))
		return -EINVAL;
	if (!bytes_equal(tag, app->bytes, TAG_SIZE))
		return -EACCES;
	authenticate(text, size - 1 - 2 * MAC_SIZE, app, key, right);
	return bytes_equal(mac, right, MAC_SIZE) ? 0 : -EINVAL;
}
