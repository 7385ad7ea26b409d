/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_FETCH_H
#define URLFETCH_FETCH_H

#include "urlfetch/answer.h"
#include "urlfetch/gateway.h"
#include "urlfetch/request_head.h"
#include "urlfetch/rules.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct client;
struct upstream;

/*
 * One request on its way to its server and back.
 *
 *   a connection that is kept ───────────┐
 *   connect.c: libcurl makes one ────────┴─▶ exchange.c: the request out, the answer in ─▶ kept, or closed
 *        ▲                    └─▶ tunnel.c (CONNECT)          │
 *        └────── fetch.c: a redirect that is followed ◀───────┘
 *
 * Of the request nothing but method, URL, headers that may go out and body reach the server; of the
 * answer nothing but status, headers that may come in and body reach the client.  Redirects are
 * followed here, where each one is a request like the first.
 */

/* Where the head of an answer is collected, and pieces of a body that is not handed on as it comes. */
#define FETCH_IN_SIZE ANSWER_HEAD_MAX
/* Head and a piece of the body go out together. */
#define FETCH_OUT_SIZE (REQUEST_HEAD_MAX + (16 << 10))

struct fetch {
	struct client *client;
	struct gateway *gateway;
	CURL *easy;                /* connects; NULL: does not */
	struct upstream *upstream; /* the exchange runs on it; NULL: none does */
	bool only_connects;
	bool looks_up; /* libcurl is asking a name server */
	bool follows;
	bool waits;   /* the policy waits for a name */
	bool retried; /* on a fresh connection, since the kept one was closed */
	unsigned int redirects;
	uint64_t deadline_ns, retry_ns;
	struct rules_url url; /* of the current request; .path in the client's, or in .text */
	/* The request. */
	bool has_body;
	bool becomes_get, strips; /* request_head.h */
	bool sent_body;           /* part of it is gone: no second try */
	bool waits_body;          /* for the client to send more of it */
	bool body_ended;
	bool sent; /* all of it, or no more will be */
	size_t out_at, out_end;
	/* Refused on the way: status for the client, 0: not. */
	int refused;
	/* The answer. */
	struct answer answer;
	bool heard;      /* a byte of it came */
	bool early;      /* before the request was sent */
	bool stray;      /* bytes came that are none of it */
	bool swallow;    /* it is a redirect that is followed */
	bool waits_room; /* for the client to take more of it */
	size_t in_at, in_end;
	/* From here on nothing is cleared for a new request. */
	char why[900];
	char text[RULES_URL_MAX + 16]; /* where the last redirect led to; "": nowhere */
	char out[FETCH_OUT_SIZE];
	char in[FETCH_IN_SIZE];
};

/** fetch_begin() - serve the client's request: client->fetch does, or it is answered with an error already. */
void fetch_begin(struct client *client);

/** fetch_due() - when fetch_tick() has something to do next. */
uint64_t fetch_due(const struct fetch *fetch);

/** fetch_tick() - try again what waits, give up what is over its time. */
void fetch_tick(struct fetch *fetch, uint64_t now_ns);

/** fetch_connected() - libcurl is done with fetch->easy. */
void fetch_connected(struct fetch *fetch, CURLcode code);

/** fetch_end() - stop and free.  NULL allowed. */
void fetch_end(struct fetch *fetch);

/** fetch_refuse() - note why no connection is made. */
void fetch_refuse(struct fetch *fetch, int status, const char *why);

/* --- for exchange.c: all but fetch_is_followed() free the fetch, or begin another request with it --- */

/** fetch_answered() - the answer has come whole; its connection is no more the fetch's. */
void fetch_answered(struct fetch *fetch);

/** fetch_fail() - answer with an error, or break off the answer that has begun. */
void fetch_fail(struct fetch *fetch, int status, const char *why);

/** fetch_is_followed() - is the answer a redirect that is followed?  Where to is noted in fetch->text. */
bool fetch_is_followed(struct fetch *fetch);

/** fetch_retry() - the kept connection had been closed: once more, on a fresh one. */
void fetch_retry(struct fetch *fetch);

/* --- exchange.c: the request out, the answer in; the fetch may be gone after each --- */

/** exchange_begin() - on @upstream, owned from now on. */
void exchange_begin(struct fetch *fetch, struct upstream *upstream);

/** exchange_run() - events on fetch->upstream. */
void exchange_run(struct fetch *fetch, uint32_t events);

/** exchange_resume() - the client has more of the body, or room for more of the answer. */
void exchange_resume(struct fetch *fetch);

/* --- fetch_answer.c: to the client; Return: 0 or -ENOMEM --- */

/** fetch_put_head() - what the answer's head says, and the framing of what follows. */
int fetch_put_head(struct fetch *fetch);

/** fetch_put_body() - bytes of the body. */
int fetch_put_body(struct client *client, const char *bytes, size_t size);

/** fetch_put_end() - the end of an answer that came whole. */
int fetch_put_end(struct client *client);

#endif
