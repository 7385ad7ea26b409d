/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/fetch.h"

#include "shared/base/clock.h"
#include "urlfetch/client.h"
#include "urlfetch/tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECOND_NS UINT64_C(1000000000)
/* A name of the policy's is being looked up: mostly some milliseconds. */
#define RETRY_NS UINT64_C(15000000)

void fetch_refuse(struct fetch *fetch, int status, const char *why)
{
	/* Of several addresses that are refused the first says it. */
	if (fetch->refused)
		return;
	fetch->refused = status;
	snprintf(fetch->why, sizeof(fetch->why), "%s", why);
}

/* Takes the easy handle out of libcurl's hands. */
static void stop(struct fetch *fetch)
{
	if (fetch->running)
		curl_multi_remove_handle(fetch->gateway->multi, fetch->easy);
	fetch->running = false;
	if (fetch->only_connects) { /* the handle keeps its connection to itself */
		curl_easy_cleanup(fetch->easy);
		fetch->easy = NULL;
	} else if (fetch->headers) {
		curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, NULL);
	}
	curl_slist_free_all(fetch->headers);
	fetch->headers = NULL;
}

/* A fetch is large, and an easy handle dear: the next request takes them over. */
static struct fetch *fetch_new(struct gateway *gateway)
{
	struct fetch *fetch;

	if (gateway->n_spare_fetches > 0)
		return gateway->spare_fetches[--gateway->n_spare_fetches];
	fetch = malloc(sizeof(*fetch));
	if (fetch)
		fetch->easy = NULL;
	return fetch;
}

static void fetch_keep(struct fetch *fetch)
{
	struct gateway *gateway = fetch->gateway;

	if (gateway->n_spare_fetches < GATEWAY_SPARE_MAX) {
		gateway->spare_fetches[gateway->n_spare_fetches++] = fetch;
		return;
	}
	curl_easy_cleanup(fetch->easy);
	free(fetch);
}

void fetch_end(struct fetch *fetch)
{
	if (!fetch)
		return;
	stop(fetch);
	fetch_keep(fetch);
}

/* Answers with an error and frees the fetch. */
static void fail(struct fetch *fetch, int status, const char *why)
{
	struct client *client = fetch->client;

	client_fail(client, status, why);
	fetch_end(fetch);
}

/* Return: 0; -1: there is no memory, and the client was told. */
static int start(struct fetch *fetch)
{
	uint64_t now = clock_now_ns();

	fetch_answer_reset(fetch);
	fetch->refused = 0;
	fetch->waits = fetch->waits_body = fetch->waits_room = false;
	fetch->retry_ns = 0;
	if (!fetch->easy)
		fetch->easy = fetch_easy_new(fetch);
	if (fetch->easy && fetch_easy_set(fetch, now) == 0 &&
	    curl_multi_add_handle(fetch->gateway->multi, fetch->easy) == CURLM_OK) {
		fetch->running = true;
		return 0;
	}
	fail(fetch, 503, "out of memory");
	return -1;
}

/* The request's own wishes.  Return: 0 or -1: they are none. */
static int read_wishes(struct fetch *fetch, const struct reader_request *request)
{
	const struct gateway *gateway = fetch->gateway;
	const char *wish = reader_field(request, RULES_HEADER_FOLLOW);
	const char *seconds = reader_field(request, RULES_HEADER_DEADLINE);
	uint64_t deadline = gateway->deadline_s;

	if (wish && strcasecmp(wish, "true") != 0 && strcasecmp(wish, "false") != 0)
		return -1;
	fetch->follows = wish && !strcasecmp(wish, "true");
	if (seconds) {
		if (strlen(seconds) > 5 || !*seconds || seconds[strspn(seconds, "0123456789")])
			return -1;
		deadline = strtoul(seconds, NULL, 10);
		if (deadline == 0)
			return -1;
		if (deadline > gateway->deadline_max_s)
			deadline = gateway->deadline_max_s;
	}
	fetch->deadline_ns = clock_now_ns() + deadline * SECOND_NS;
	return 0;
}

/* Makes @url the fetch's own.  Return: 0, or a status with *@why. */
static int set_url(struct fetch *fetch, const struct rules_url *url, const char **why)
{
	size_t size;

	*why = "a URL that is too long";
	size = rules_write_url(url, fetch->text, sizeof(fetch->text));
	return size ? rules_read_url(fetch->text, size, &fetch->url, why) : 414;
}

struct fetch *fetch_begin(struct client *client)
{
	const struct reader_request *request = &client->reader.request;
	struct fetch *fetch = fetch_new(client->gateway);
	struct rules_url url = request->url;
	const char *why;
	int status;

	if (!fetch)
		return NULL;
	/* .lines goes by .lines_size. */
	memset(&fetch->client, 0, offsetof(struct fetch, lines) - offsetof(struct fetch, client));
	fetch->client = client;
	fetch->gateway = client->gateway;
	fetch->only_connects = request->connect;
	fetch->has_body = request->chunked || request->length > 0;
	/* libcurl shall connect, and not shake hands. */
	url.https = url.https && !request->connect;
	status = set_url(fetch, &url, &why);
	if (!status && read_wishes(fetch, request) < 0) {
		status = 400;
		why = "X-Urlfetch-Follow-Redirects is true or false, X-Urlfetch-Deadline is "
		      "seconds";
	}
	/* libcurl would send it as an upload, and then wait for the body of the answer. */
	if (!status && fetch->has_body && !strcmp(request->method, "HEAD")) {
		status = 400;
		why = "HEAD with a body";
	}
	if (status) {
		fail(fetch, status, why);
		return NULL;
	}
	return start(fetch) == 0 ? fetch : NULL;
}

void fetch_resume(struct fetch *fetch)
{
	bool body = fetch->waits_body && client_has_input(fetch->client);
	bool room = fetch->waits_room && client_has_room(fetch->client);

	if (!fetch->running || (!body && !room))
		return;
	fetch->waits_body = fetch->waits_room = false;
	curl_easy_pause(fetch->easy, CURLPAUSE_CONT);
}

void fetch_tick(struct fetch *fetch, uint64_t now_ns)
{
	if (fetch->retry_ns && now_ns >= fetch->retry_ns)
		start(fetch);
}

/* --- the end --- */

/* Return: 0: a new request is on its way; else a status and *@why. */
static int follow(struct fetch *fetch, const char **why)
{
	const char *method = fetch->client->reader.request.method;
	struct rules_url to, from = fetch->url;
	char *location = NULL, text[RULES_URL_MAX + 16];
	int status;

	*why = "more than five redirects";
	if (fetch->redirects++ == RULES_REDIRECTS_MAX)
		return 502;
	*why = "a redirect that would need the body of the request a second time";
	if (fetch->status == 307 && fetch->has_body)
		return 502;
	*why = "a redirect to nowhere";
	curl_easy_getinfo(fetch->easy, CURLINFO_REDIRECT_URL, &location);
	if (!location || strlen(location) >= sizeof(text))
		return 502;
	snprintf(text, sizeof(text), "%s", location);
	text[strcspn(text, "#")] = '\0'; /* a fragment is for the client */
	status = rules_read_url(text, strlen(text), &to, why);
	if (status)
		return status;
	/* urlfetch_stub.py: a POST becomes a GET, but for 307. */
	if (fetch->status != 307 && strcmp(method, "HEAD") != 0) {
		fetch->has_body = false;
		fetch->becomes_get = true;
	}
	fetch->strips |= !rules_is_same_origin(&from, &to);
	stop(fetch);
	status = set_url(fetch, &to, why);
	if (!status)
		start(fetch);
	return status;
}

static void finish(struct fetch *fetch)
{
	struct client *client = fetch->client;

	if (fetch_answer_end(fetch) < 0)
		client->close_then = true;
	client_done(client);
	fetch_end(fetch);
}

static void describe(const struct fetch *fetch, CURLcode code, char *why, size_t room)
{
	const struct gateway *gateway = fetch->gateway;

	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		snprintf(why, room,
			 "the deadline is over (%u seconds, up to %u by X-Urlfetch-Deadline)",
			 gateway->deadline_s, gateway->deadline_max_s);
		break;
	case CURLE_COULDNT_RESOLVE_HOST:
		snprintf(why, room, "%s: the name cannot be resolved", fetch->url.host);
		break;
	case CURLE_COULDNT_CONNECT:
		snprintf(why, room, "%s port %u: the connection failed", fetch->url.host,
			 fetch->url.port);
		break;
	default:
		snprintf(why, room, "%s: %s", fetch->url.host,
			 fetch->bad_answer ? "this is no answer that HTTP knows"
					   : curl_easy_strerror(code));
	}
}

void fetch_done(struct fetch *fetch, CURLcode code)
{
	struct client *client = fetch->client;
	const char *why = fetch->why;
	char text[512];
	int status;

	if (code == CURLE_OK && (fetch->broken || fetch->bad_answer))
		code = CURLE_WRITE_ERROR;
	if (code == CURLE_OK && !fetch->only_connects && fetch->swallow) {
		status = follow(fetch, &why);
		if (status)
			fail(fetch, status, why);
	} else if (code == CURLE_OK && fetch->only_connects) {
		tunnel_begin(fetch);
	} else if (code == CURLE_OK && fetch->head_done) {
		finish(fetch);
	} else if (fetch->waits && !fetch->sent_body && clock_now_ns() < fetch->deadline_ns) {
		stop(fetch);
		fetch->retry_ns = clock_now_ns() + RETRY_NS;
	} else if (fetch->refused) {
		fail(fetch, fetch->refused, fetch->why);
	} else if (client->reader.state == READER_FAILED) {
		fail(fetch, client->reader.status, client->reader.why);
	} else {
		describe(fetch, code, text, sizeof(text));
		fail(fetch, code == CURLE_OPERATION_TIMEDOUT ? 504 : 502, text);
	}
}
