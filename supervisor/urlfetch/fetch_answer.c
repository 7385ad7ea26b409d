/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/client.h"
#include "urlfetch/fetch.h"

#include <inttypes.h>
#include <stdio.h>

/* How the client finds the end of the body.  Return: bytes in @out. */
static int write_framing(struct client *client, const struct answer *answer, char *out, size_t room)
{
	client->chunked_out = false;
	switch (answer->framing) {
	case ANSWER_NO_BODY:
		return 0;
	case ANSWER_LENGTH:
		return snprintf(out, room, "Content-Length: %" PRIu64 "\r\n", answer->length);
	case ANSWER_CHUNKED:
	case ANSWER_UNTIL_CLOSE:
		break;
	}
	client->chunked_out = !client->reader.request.http10;
	if (client->chunked_out)
		return snprintf(out, room, "Transfer-Encoding: chunked\r\n");
	client->close_then = client->until_close = true;
	return 0;
}

int fetch_put_head(struct fetch *fetch)
{
	struct client *client = fetch->client;
	const struct answer *answer = &fetch->answer;
	const struct reader_request *request = &client->reader.request;
	char head[160];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\n", answer->status, answer->reason);

	if (client_put(client, head, (size_t)n) < 0 ||
	    client_put(client, answer->lines, answer->lines_size) < 0)
		return -1;
	n = write_framing(client, answer, head, sizeof(head));
	if (client->reader.state != READER_DONE || !request->keep_alive)
		client->close_then = true;
	n += snprintf(head + n, sizeof(head) - (size_t)n, "%s\r\n",
		      client->close_then ? "Connection: close\r\n"
		      : request->http10  ? "Connection: keep-alive\r\n"
					 : "");
	client->answered = true;
	return client_put(client, head, (size_t)n);
}

int fetch_put_body(struct client *client, const char *bytes, size_t size)
{
	char chunk[24];
	int n;

	/* A chunk of no bytes would be the last. */
	if (size == 0)
		return 0;
	if (!client->chunked_out)
		return client_put(client, bytes, size);
	n = snprintf(chunk, sizeof(chunk), "%zx\r\n", size);
	if (client_put(client, chunk, (size_t)n) < 0 || client_put(client, bytes, size) < 0)
		return -1;
	return client_put(client, "\r\n", 2);
}

int fetch_put_end(struct client *client)
{
	return client->chunked_out ? client_put(client, "0\r\n\r\n", 5) : 0;
}
