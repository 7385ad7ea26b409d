/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/fetch.h"

#include "shared/base/clock.h"
#include "urlfetch/client.h"
#include "urlfetch/connect.h"
#include "urlfetch/tunnel.h"
#include "urlfetch/upstream.h"

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

static void stop(struct fetch *fetch)
{
	connect_stop(fetch);
	upstream_free(fetch->upstream);
	fetch->upstream = NULL;
}

/* A fetch is large: the next request takes it over. */
static struct fetch *fetch_new(struct gateway *gateway)
{
	if (gateway->n_spare_fetches > 0)
		return gateway->spare_fetches[--gateway->n_spare_fetches];
	return malloc(sizeof(struct fetch));
}

void fetch_end(struct fetch *fetch)
{
	struct gateway *gateway;

	if (!fetch)
		return;
	stop(fetch);
	gateway = fetch->gateway;
	if (gateway->n_spare_fetches < GATEWAY_SPARE_MAX)
		gateway->spare_fetches[gateway->n_spare_fetches++] = fetch;
	else
		free(fetch);
}

void fetch_fail(struct fetch *fetch, int status, const char *why)
{
	/* The reason may be in the fetch; what is put is a copy. */
	client_fail(fetch->client, status, why);
	fetch_end(fetch);
}

/* On its way, or failed: then the fetch is gone. */
static void start(struct fetch *fetch)
{
	struct upstream *upstream = NULL;

	fetch->refused = 0;
	fetch->waits = false;
	fetch->retry_ns = 0;
	if (!fetch->only_connects && !fetch->retried)
		upstream = upstream_take(fetch->gateway, &fetch->url);
	if (upstream)
		exchange_begin(fetch, upstream);
	else if (connect_begin(fetch) < 0)
		fetch_fail(fetch, 503, "out of memory");
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

void fetch_begin(struct client *client)
{
	const struct reader_request *request = &client->reader.request;
	struct fetch *fetch = fetch_new(client->gateway);

	if (!fetch) {
		client_fail(client, 503, "out of memory");
		return;
	}
	memset(fetch, 0, offsetof(struct fetch, why));
	client->fetch = fetch;
	fetch->client = client;
	fetch->gateway = client->gateway;
	fetch->only_connects = request->connect;
	fetch->has_body = request->chunked || request->length > 0;
	fetch->url = request->url;
	if (read_wishes(fetch, request) < 0)
		fetch_fail(fetch, 400,
			   "X-Urlfetch-Follow-Redirects is true or false, X-Urlfetch-Deadline is "
			   "seconds");
	else if (fetch->has_body && !strcmp(request->method, "HEAD"))
		fetch_fail(fetch, 400, "HEAD with a body");
	else
		start(fetch);
}

uint64_t fetch_due(const struct fetch *fetch)
{
	return fetch->retry_ns && fetch->retry_ns < fetch->deadline_ns ? fetch->retry_ns
								       : fetch->deadline_ns;
}

void fetch_tick(struct fetch *fetch, uint64_t now_ns)
{
	const struct gateway *gateway = fetch->gateway;
	char why[128];

	if (now_ns >= fetch->deadline_ns) {
		snprintf(why, sizeof(why),
			 "the deadline is over (%u seconds, up to %u by X-Urlfetch-Deadline)",
			 gateway->deadline_s, gateway->deadline_max_s);
		fetch_fail(fetch, 504, why);
	} else if (fetch->retry_ns && now_ns >= fetch->retry_ns) {
		start(fetch);
	}
}

/* --- the connection --- */

static void describe(const struct fetch *fetch, CURLcode code, char *why, size_t room)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		snprintf(why, room, "%s: the name cannot be resolved", fetch->url.host);
		break;
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT: /* libcurl's own patience, of minutes */
		snprintf(why, room, "%s port %u: the connection failed", fetch->url.host,
			 fetch->url.port);
		break;
	default:
		snprintf(why, room, "%s: %s", fetch->url.host, curl_easy_strerror(code));
	}
}

void fetch_connected(struct fetch *fetch, CURLcode code)
{
	struct upstream *upstream;
	char text[512];

	fetch->looks_up = false;
	if (code == CURLE_OK && fetch->only_connects) {
		tunnel_begin(fetch);
	} else if (code == CURLE_OK) {
		upstream = connect_take(fetch);
		connect_stop(fetch);
		if (upstream)
			exchange_begin(fetch, upstream);
		else
			fetch_fail(fetch, 503, "out of memory");
	} else if (fetch->waits && clock_now_ns() < fetch->deadline_ns) {
		stop(fetch);
		fetch->retry_ns = clock_now_ns() + RETRY_NS;
	} else if (fetch->refused) {
		fetch_fail(fetch, fetch->refused, fetch->why);
	} else {
		describe(fetch, code, text, sizeof(text));
		fetch_fail(fetch, 502, text);
	}
}

void fetch_retry(struct fetch *fetch)
{
	stop(fetch);
	fetch->retried = true;
	start(fetch);
}

/* --- redirects --- */

/* RFC 9110, 10.2.2: where @location leads to from @url.  Return: false: nowhere. */
static bool resolve(const struct rules_url *url, const char *location, size_t size, char *out,
		    size_t room)
{
	char text[RULES_URL_MAX + 16], *to = NULL;
	CURLU *parts = curl_url();
	bool done = false;

	if (parts && size < sizeof(text) && rules_write_url(url, text, sizeof(text)) &&
	    curl_url_set(parts, CURLUPART_URL, text, CURLU_PATH_AS_IS) == CURLUE_OK) {
		memcpy(text, location, size);
		text[size] = '\0';
		text[strcspn(text, "#")] = '\0'; /* a fragment is for the client */
		done = curl_url_set(parts, CURLUPART_URL, text,
				    CURLU_PATH_AS_IS | CURLU_URLENCODE |
					CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		       curl_url_get(parts, CURLUPART_URL, &to, 0) == CURLUE_OK && strlen(to) < room;
	}
	if (done)
		snprintf(out, room, "%s", to);
	curl_free(to);
	curl_url_cleanup(parts);
	return done;
}

bool fetch_is_followed(struct fetch *fetch)
{
	const struct answer *answer = &fetch->answer;
	int status = answer->status;

	if (!fetch->follows || !answer->location ||
	    (status != 301 && status != 302 && status != 303 && status != 307))
		return false;
	if (!resolve(&fetch->url, answer->location, answer->location_size, fetch->text,
		     sizeof(fetch->text)))
		fetch->text[0] = '\0';
	return true;
}

/* Return: 0: fetch->url is where it leads to; else a status and *@why. */
static int follow(struct fetch *fetch, const char **why)
{
	const char *method = fetch->client->reader.request.method;
	struct rules_url from = fetch->url;
	int status;

	*why = "more than five redirects";
	if (fetch->redirects++ == RULES_REDIRECTS_MAX)
		return 502;
	*why = "a redirect that would need the body of the request a second time";
	if (fetch->answer.status == 307 && fetch->has_body)
		return 502;
	*why = "a redirect to nowhere";
	if (!fetch->text[0])
		return 502;
	status = rules_read_url(fetch->text, strlen(fetch->text), &fetch->url, why);
	if (status)
		return status;
	/* urlfetch_stub.py: a POST becomes a GET, but for 307. */
	if (fetch->answer.status != 307 && strcmp(method, "HEAD") != 0) {
		fetch->has_body = false;
		fetch->becomes_get = true;
	}
	fetch->strips |= !rules_is_same_origin(&from, &fetch->url);
	fetch->retried = false;
	return 0;
}

void fetch_answered(struct fetch *fetch)
{
	struct client *client = fetch->client;
	const char *why;
	int status;

	if (fetch->swallow) {
		status = follow(fetch, &why);
		if (status)
			fetch_fail(fetch, status, why);
		else
			start(fetch);
		return;
	}
	if (fetch_put_end(client) < 0)
		client->close_then = true;
	client_done(client);
	fetch_end(fetch);
}
