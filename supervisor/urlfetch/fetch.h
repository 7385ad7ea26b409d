/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_FETCH_H
#define URLFETCH_FETCH_H

#include "urlfetch/gateway.h"
#include "urlfetch/rules.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct client;

/*
 * One request on its way to its server and back, by libcurl.  Of the request nothing but method,
 * URL, headers that may go out and body reach libcurl; of the answer nothing but status, headers
 * that may come in and body reach the client.
 *
 * libcurl's hooks ask the supervisor: before a name is looked up, and with the very address that
 * is connected to (CURLOPT_OPENSOCKETFUNCTION), so that no second look-up comes in between.
 * Redirects are followed here, where each one is a request like the first.
 */
struct fetch {
	CURL *easy; /* belongs to it for good; NULL: not made yet */
	/* From here on all is cleared for a new request. */
	struct client *client;
	struct gateway *gateway;
	struct curl_slist *headers;
	bool running; /* in the multi handle */
	bool waits_body,
	    waits_room; /* libcurl waits: for the body, or for the client to take the answer */
	bool only_connects;
	bool follows;
	bool has_body;
	bool sent_body;   /* part of it is gone: no second try */
	bool waits;       /* the policy waits for a name */
	bool becomes_get; /* redirected */
	bool strips;      /* redirected to another server: no credentials */
	unsigned int redirects;
	uint64_t deadline_ns, retry_ns;
	struct rules_url url; /* of the current request; .path inside .text */
	/* Refused on the way: status for the client, 0: not. */
	int refused;
	/* The answer. */
	int status;
	bool head_done, swallow, chunked_in, bad_answer, broken;
	int64_t in_length; /* -1: not known */
	uint64_t in_read;
	size_t lines_size;
	/* From here on nothing is cleared for a new request. */
	char lines[32 << 10]; /* the headers that come in, CRLF-terminated */
	char reason[64];
	char why[900];
	char text[RULES_URL_MAX + 16];
};

/** fetch_begin() - serve the client's request.  Return: NULL: it was answered with an error already, or there is no memory. */
struct fetch *fetch_begin(struct client *client);

/** fetch_resume() - the client has more body, or room for more answer. */
void fetch_resume(struct fetch *fetch);

/** fetch_tick() - try again what waits. */
void fetch_tick(struct fetch *fetch, uint64_t now_ns);

/** fetch_done() - libcurl has finished with it: answer the client. */
void fetch_done(struct fetch *fetch, CURLcode code);

/** fetch_end() - stop and free.  NULL allowed. */
void fetch_end(struct fetch *fetch);

/* --- fetch_easy.c: what is set on an easy handle --- */

/** fetch_easy_new() - a handle with all that is the same for every request of @fetch.  Return: NULL: there is no memory. */
CURL *fetch_easy_new(struct fetch *fetch);

/** fetch_easy_set() - the request on fetch->easy.  Return: 0 or -ENOMEM. */
int fetch_easy_set(struct fetch *fetch, uint64_t now_ns);

/** fetch_refuse() - note why no connection is made. */
void fetch_refuse(struct fetch *fetch, int status, const char *why);

/* --- fetch_answer.c: from libcurl to the client --- */

/** fetch_answer_reset() - before each request. */
void fetch_answer_reset(struct fetch *fetch);

size_t fetch_on_header(char *line, size_t one, size_t size, void *context);
size_t fetch_on_body(char *data, size_t one, size_t size, void *context);

/** fetch_answer_end() - the last bytes of an answer that came whole.  Return: 0 or -ENOMEM. */
int fetch_answer_end(struct fetch *fetch);

#endif
