/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HANDOVER_TOKEN_H
#define HANDOVER_TOKEN_H

#include "status/runtime.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The text that stands for a socket on offer:
 *
 *   gae1-4711.handover-<app: 16 digits>-<id: 32 digits>-<authenticator: 32 digits>
 *
 * 4711.handover is the exporting instance's socket in the runtime directory.  All digits are hexadecimal,
 * in lower case, so that each token has one spelling.
 *
 * id             128 random bits: who knows it may have the socket, once.  It is the secret.
 * app            which app it belongs to, so that another's is told from a forged one.
 * authenticator  BLAKE2s of all before it and of the user, with the key of this app and user.  A text
 *                that nobody was given is refused where it is shown: guessing never reaches
 *                another instance.  The key is a file of the user's (runtime_key()), which a program of
 *                the user's could read; so the authenticator keeps noise out, and no more leans on it.
 *
 * All here is pure.
 */
#define TOKEN_ID_SIZE 16
#define TOKEN_KEY_SIZE 32
#define TOKEN_APP_SIZE 32

/* Which app of which user: a hash, so that it has a size. */
struct token_app {
	uint8_t bytes[TOKEN_APP_SIZE];
};

struct token {
	char instance[RUNTIME_NAME_MAX]; /* "4711.handover" */
	uint8_t id[TOKEN_ID_SIZE];
};

/** token_app() - @name of user @uid. */
struct token_app token_app(const char *name, uid_t uid);

/**
 * token_format() - the text of a token.
 * @text: at least GAE_DESCRIPTOR_MAX bytes
 * Return: its length, without the NUL.
 */
size_t token_format(const struct token *token, const struct token_app *app,
		    const uint8_t key[TOKEN_KEY_SIZE], char *text);

/**
 * token_parse() - read @size bytes, of which the last may be a NUL.
 * Return: 0; -EINVAL no token, or nobody with this key made it; -EACCES it looks like another app's.
 */
int token_parse(const char *text, size_t size, const struct token_app *app,
		const uint8_t key[TOKEN_KEY_SIZE], struct token *token);

#endif
