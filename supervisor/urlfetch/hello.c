/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/hello.h"

#include "shared/base/compiler.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>

enum {
	RECORD_CHANGE_CIPHER_SPEC = 20,
	RECORD_HANDSHAKE = 22,
	RECORD_APPLICATION_DATA = 23,
	HANDSHAKE_CLIENT_HELLO = 1,
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_EARLY_DATA = 42,
	NAME_HOST = 0
};
#define RECORD_HEADER 5
#define RECORD_MAX (16 << 10) /* RFC 8446 5.1 */

/* What is left of the bytes; taking more than there is makes it bad for good. */
struct view {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static const uint8_t *take(struct view *view, size_t n)
{
	const uint8_t *at = view->at;

	if (view->bad || n > view->left) {
		view->bad = true;
		return NULL;
	}
	view->at += n;
	view->left -= n;
	return at;
}

/* A big-endian number of @n bytes. */
static size_t take_number(struct view *view, size_t n)
{
	const uint8_t *at = take(view, n);
	size_t value = 0;

	for (size_t i = 0; at && i < n; i++)
		value = value << 8 | at[i];
	return value;
}

/* A vector with its length in @n bytes in front. */
static struct view take_vector(struct view *view, size_t n)
{
	size_t size = take_number(view, n);
	const uint8_t *at = take(view, size);

	return (struct view){at, at ? size : 0, at == NULL};
}

static bool is_whole(const uint8_t *message, size_t size)
{
	struct view view = {message, size, false};
	size_t need;

	take(&view, 1);
	need = take_number(&view, 3);
	return !view.bad && view.left >= need;
}

/*
 * The handshake message may come in several records: joins them in @out.
 * @behind: gets the type of the record behind the last one of the message; 0: there is none yet
 * Return: bytes joined, or -EPROTO.
 */
static ssize_t join_records(const uint8_t *bytes, size_t size, uint8_t out[HELLO_MAX],
			    uint8_t *behind)
{
	struct view view = {bytes, size, false};
	size_t used = 0;

	*behind = 0;
	while (view.left >= RECORD_HEADER && !is_whole(out, used)) {
		size_t type = take_number(&view, 1), major = take_number(&view, 1), n;

		take(&view, 1);
		n = take_number(&view, 2);
		if (type != RECORD_HANDSHAKE || major != 3 || n == 0 || n > RECORD_MAX)
			return -EPROTO;
		n = n < view.left ? n : view.left; /* the rest is on its way */
		if (n > HELLO_MAX - used)
			return -EPROTO;
		memcpy(out + used, take(&view, n), n);
		used += n;
	}
	/* The beginning of a record shows soon enough what it is. */
	if (view.left > 0 && is_whole(out, used))
		*behind = view.at[0] ? view.at[0] : UINT8_MAX;
	else if (view.left > 0 && view.at[0] != RECORD_HANDSHAKE)
		return -EPROTO;
	return (ssize_t)used;
}

static int read_name(struct view name, char *out)
{
	/* RFC 6066 knows none, clients do: a dot at the end says nothing. */
	if (!name.bad && name.left > 1 && name.at[name.left - 1] == '.')
		name.left--;
	if (name.bad || name.left == 0 || name.left >= HELLO_NAME_MAX ||
	    name.at[name.left - 1] == '.')
		return -EPROTO;
	for (size_t i = 0; i < name.left; i++) {
		char c = (char)name.at[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!c || !strchr("abcdefghijklmnopqrstuvwxyz0123456789-._", c))
			return -EPROTO;
		out[i] = c;
	}
	out[name.left] = '\0';
	return 0;
}

/* ServerNameList: exactly one, a host's. */
static int read_server_name(struct view extension, char *name)
{
	struct view list = take_vector(&extension, 2);
	size_t type = take_number(&list, 1);
	struct view host = take_vector(&list, 2);

	if (list.bad || extension.left > 0 || list.left > 0 || type != NAME_HOST)
		return -EPROTO;
	return read_name(host, name);
}

static int read_extensions(struct view extensions, char *name, bool *early_data)
{
	bool seen = false;

	while (extensions.left > 0) {
		size_t type = take_number(&extensions, 2);
		struct view extension = take_vector(&extensions, 2);

		if (extensions.bad)
			return -EPROTO;
		*early_data |= type == EXTENSION_EARLY_DATA;
		if (type != EXTENSION_SERVER_NAME)
			continue;
		if (seen || read_server_name(extension, name) < 0)
			return -EPROTO;
		seen = true;
	}
	return 0;
}

static int read_hello(struct view hello, char *name, bool *early_data)
{
	struct view extensions;

	take(&hello, 2 + 32);   /* legacy_version, random */
	take_vector(&hello, 1); /* legacy_session_id */
	take_vector(&hello, 2); /* cipher_suites */
	take_vector(&hello, 1); /* legacy_compression_methods */
	if (hello.bad)
		return -EPROTO;
	if (hello.left == 0) /* before TLS 1.2 a client may have no extensions */
		return 0;
	extensions = take_vector(&hello, 2);
	if (hello.bad || hello.left > 0)
		return -EPROTO;
	return read_extensions(extensions, name, early_data);
}

int hello_read(const uint8_t *bytes, size_t size, char *name)
{
	UNINITIALIZED uint8_t message[HELLO_MAX]; /* join_records() writes what is read */
	uint8_t behind;
	ssize_t n = join_records(bytes, size, message, &behind);
	struct view view = {message, n > 0 ? (size_t)n : 0, false};
	bool early_data = false;
	size_t type, need;

	name[0] = '\0';
	if (n < 0)
		return -EPROTO;
	if (view.left > 0 && message[0] != HANDSHAKE_CLIENT_HELLO)
		return -EPROTO;
	if (view.left < 4)
		return 0;
	type = take_number(&view, 1);
	need = take_number(&view, 3);
	if (type != HANDSHAKE_CLIENT_HELLO || need > HELLO_MAX - 4)
		return -EPROTO;
	if (view.left < need)
		return 0;
	if (view.left > need || read_hello(view, name, &early_data) < 0)
		return -EPROTO;
	/*
	 * What may be sent behind it before the server has answered: data for which it has announced
	 * itself, and the ChangeCipherSpec of RFC 8446 D.4 in front of them.
	 */
	if (behind && !(early_data &&
			(behind == RECORD_CHANGE_CIPHER_SPEC || behind == RECORD_APPLICATION_DATA)))
		return -EPROTO;
	return 1;
}
