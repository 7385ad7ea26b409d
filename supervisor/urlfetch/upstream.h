/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_UPSTREAM_H
#define URLFETCH_UPSTREAM_H

#include "urlfetch/gateway.h"
#include "urlfetch/rules.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fetch;

/*
 * A connection to a server: of one fetch, or kept for the next one to the same scheme, host and port.
 *
 * libcurl has made it.  Where nothing is between us and the socket it is ours from then on; TLS
 * stays libcurl's, and the descriptor with it.
 * On one that is kept nothing may come: a byte there, as the end, ends it.  So does whatever is
 * found on it when a fetch takes it: those bytes were sent before anything was asked.
 */
#define UPSTREAM_KEPT_S 118 /* so long it waits for its next request; most servers close earlier */

struct upstream {
	struct source source; /* registered for as long as it is open */
	struct gateway *gateway;
	struct fetch *fetch; /* NULL: kept */
	CURL *easy;          /* TLS; NULL: plain */
	bool reused;
	uint64_t kept_ns; /* since when */
	struct upstream *newer, *older;
	bool https, bracketed;
	uint16_t port;
	char host[RULES_HOST_MAX];
};

/**
 * upstream_new() - a connection to the server of @url.
 * @fd: owned from now on, unless @easy has it
 * @easy: owned from now on; NULL: plain
 * Return: NULL: there is no memory, and nothing has changed hands.
 */
struct upstream *upstream_new(struct gateway *gateway, const struct rules_url *url, int fd,
			      CURL *easy);

/** upstream_take() - one that is kept, the one used last.  Return: NULL: there is none. */
struct upstream *upstream_take(struct gateway *gateway, const struct rules_url *url);

/** upstream_keep() - for the next fetch; the one that waited longest may have to go for it. */
void upstream_keep(struct upstream *upstream);

/** upstream_free() - close it.  NULL allowed. */
void upstream_free(struct upstream *upstream);

/** upstream_expire() - close those that waited too long.  Return: when the next of them has; UINT64_MAX: none. */
uint64_t upstream_expire(struct gateway *gateway, uint64_t now_ns);

/** upstream_send(), upstream_receive() - Return: bytes; 0 (receive alone) the end; -EAGAIN not now; else it is broken. */
ssize_t upstream_send(struct upstream *upstream, const void *bytes, size_t size);
ssize_t upstream_receive(struct upstream *upstream, void *out, size_t room);

#endif
