/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_REQUEST_HEAD_H
#define URLFETCH_REQUEST_HEAD_H

#include "urlfetch/reader.h"

#include <stdbool.h>
#include <stddef.h>

/* Longest URL and headers of a request, what App Engine adds, and the lines about the connection. */
#define REQUEST_HEAD_MAX (RULES_URL_MAX + RULES_HEADERS_MAX + (4 << 10))

/* A request to a server, made of a client's. */
struct request_head {
	const struct reader_request *from;
	const struct rules_url *url; /* the client's, or where a redirect led to */
	const char *app;
	bool has_body;
	bool becomes_get; /* a redirect: the body is gone, and what was said of it */
	bool strips;      /* a redirect to another server: no credentials */
};

/**
 * request_head_write() - the request's line and headers, up to the empty line.
 * @out: REQUEST_HEAD_MAX bytes
 * Return: bytes written.
 */
size_t request_head_write(const struct request_head *head, char *out);

#endif
