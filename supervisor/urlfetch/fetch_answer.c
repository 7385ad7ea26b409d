/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/client.h"
#include "urlfetch/fetch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void fetch_answer_reset(struct fetch *fetch)
{
	fetch->status = 0;
	fetch->head_done = fetch->swallow = fetch->chunked_in = fetch->bad_answer = fetch->broken =
	    false;
	fetch->in_length = -1;
	fetch->in_read = 0;
	fetch->lines_size = 0;
	fetch->reason[0] = '\0';
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307;
}

static bool has_no_body(const struct fetch *fetch)
{
	return fetch->status == 204 || fetch->status == 304 ||
	       !strcmp(fetch->client->reader.request.method, "HEAD");
}

/* "HTTP/1.1 200 OK": begins a head, perhaps after one of 100. */
static void read_status_line(struct fetch *fetch, const char *line, size_t size)
{
	size_t n = 0;

	fetch_answer_reset(fetch);
	if (size < 12 || line[8] != ' ')
		return;
	fetch->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	for (size_t i = 13; i < size && n + 1 < sizeof(fetch->reason); i++)
		if (line[i] >= ' ' && line[i] <= '~')
			fetch->reason[n++] = line[i];
	fetch->reason[n] = '\0';
}

/* Keeps a header for the client.  Return: false: it is none. */
static bool keep_header(struct fetch *fetch, const char *line, size_t size)
{
	const char *colon = memchr(line, ':', size);
	char name[256];
	size_t n = colon ? (size_t)(colon - line) : 0;

	while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == '\n'))
		size--;
	if (n == 0 || n >= sizeof(name) || line[0] == ' ' || line[0] == '\t')
		return false;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return false;
	memcpy(name, line, n);
	name[n] = '\0';
	if (strcspn(name, " \t") != n)
		return false;
	if (!strcasecmp(name, "transfer-encoding"))
		fetch->chunked_in = true;
	/* The length of what a GET would give is a header like any other. */
	if (!rules_header_comes_in(name) &&
	    !(!strcasecmp(name, "content-length") && has_no_body(fetch) && fetch->status != 204))
		return true;
	if (size + 2 > sizeof(fetch->lines) - fetch->lines_size)
		return false;
	memcpy(fetch->lines + fetch->lines_size, line, size);
	memcpy(fetch->lines + fetch->lines_size + size, "\r\n", 2);
	fetch->lines_size += size + 2;
	return true;
}

/* Head and framing for the client.  Return: 0 or -ENOMEM. */
static int put_head(struct fetch *fetch)
{
	struct client *client = fetch->client;
	const struct reader_request *request = &client->reader.request;
	char head[320];
	int n;

	client->chunked_out = false;
	n = snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\n", fetch->status, fetch->reason);
	if (client_put(client, head, (size_t)n) < 0 ||
	    client_put(client, fetch->lines, fetch->lines_size) < 0)
		return -1;
	n = 0;
	if (has_no_body(fetch)) {
		head[0] = '\0';
	} else if (fetch->in_length >= 0) {
		n = snprintf(head, sizeof(head), "Content-Length: %" PRId64 "\r\n",
			     fetch->in_length);
	} else if (!request->http10) {
		client->chunked_out = true;
		n = snprintf(head, sizeof(head), "Transfer-Encoding: chunked\r\n");
	} else {
		client->close_then = client->until_close = true;
	}
	if (client->reader.state != READER_DONE || !request->keep_alive)
		client->close_then = true;
	n += snprintf(head + n, sizeof(head) - (size_t)n, "%s\r\n",
		      client->close_then ? "Connection: close\r\n"
		      : request->http10  ? "Connection: keep-alive\r\n"
					 : "");
	client->answered = true;
	return client_put(client, head, (size_t)n);
}

static bool is_followed(const struct fetch *fetch)
{
	const char *to = NULL;

	if (!fetch->follows || !is_redirect(fetch->status))
		return false;
	for (const char *line = fetch->lines; line < fetch->lines + fetch->lines_size && !to;
	     line = (const char *)memchr(line, '\n', sizeof(fetch->lines)) + 1)
		if (!strncasecmp(line, "location:", 9))
			to = line;
	return to != NULL;
}

/* The empty line.  Return: false: there will be no answer. */
static bool finish_head(struct fetch *fetch)
{
	curl_off_t length = -1;

	if (fetch->status < 200) /* 100, 103: another head follows */
		return fetch->status != 0;
	if (!fetch->chunked_in)
		curl_easy_getinfo(fetch->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	fetch->in_length = length;
	fetch->head_done = true;
	if (!has_no_body(fetch) && length > RULES_IN_MAX) {
		fetch_refuse(fetch, 502, "the answer is larger than 32 MB");
		return false;
	}
	fetch->swallow = is_followed(fetch);
	return fetch->swallow || put_head(fetch) == 0;
}

size_t fetch_on_header(char *line, size_t one, size_t size, void *context)
{
	struct fetch *fetch = context;
	bool ok;

	(void)one;
	if (fetch->head_done) /* trailers of a chunked body are not handed on */
		return size;
	if (size > 5 && !strncmp(line, "HTTP/", 5)) {
		read_status_line(fetch, line, size);
		return size;
	}
	ok = line[0] == '\r' || line[0] == '\n' ? finish_head(fetch)
						: keep_header(fetch, line, size);
	fetch->bad_answer |= !ok;
	return ok ? size : 0;
}

static int put_body(struct client *client, const char *data, size_t size)
{
	char chunk[24];
	int n;

	if (!client->chunked_out)
		return client_put(client, data, size);
	n = snprintf(chunk, sizeof(chunk), "%zx\r\n", size);
	if (client_put(client, chunk, (size_t)n) < 0 || client_put(client, data, size) < 0)
		return -1;
	return client_put(client, "\r\n", 2);
}

size_t fetch_on_body(char *data, size_t one, size_t size, void *context)
{
	struct fetch *fetch = context;

	(void)one;
	/* Behind a head without a body the client would take it for the next answer. */
	if (fetch->swallow || has_no_body(fetch))
		return size;
	if (client_is_full(fetch->client)) {
		fetch->waits_room = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	fetch->in_read += size;
	if (fetch->in_read > RULES_IN_MAX)
		fetch_refuse(fetch, 502, "the answer is larger than 32 MB");
	/* Called from curl_easy_pause(3) an error does not end the transfer: it is kept for fetch_done(). */
	fetch->broken |= fetch->in_read > RULES_IN_MAX || put_body(fetch->client, data, size) < 0;
	client_send_early(fetch->client);
	return fetch->broken ? 0 : size;
}

int fetch_answer_end(struct fetch *fetch)
{
	if (!fetch->client->chunked_out)
		return 0;
	return client_put(fetch->client, "0\r\n\r\n", 5);
}
