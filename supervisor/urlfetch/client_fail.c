/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/client.h"

#include <stdio.h>
#include <string.h>

#define ERROR_MAX 1024

/* Reason phrase of a status that we send ourselves. */
static const char *status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
	    {400, "Bad Request"},
	    {403, "Forbidden"},
	    {405, "Method Not Allowed"},
	    {408, "Request Timeout"},
	    {413, "Content Too Large"},
	    {414, "URI Too Long"},
	    {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {501, "Not Implemented"},
	    {502, "Bad Gateway"},
	    {503, "Service Unavailable"},
	    {504, "Gateway Timeout"},
	    {505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Error";
}

void client_fail(struct client *client, int status, const char *why)
{
	char body[ERROR_MAX], head[ERROR_MAX];
	bool no_body =
	    client->reader.state != READER_FAILED && !strcmp(client->reader.request.method, "HEAD");
	int n = snprintf(body, sizeof(body), "gae-urlfetch: %s\n", why);
	int m;

	n = n < (int)sizeof(body) ? n : (int)sizeof(body) - 1;
	client->close_then |= client->reader.state != READER_DONE;
	/* An answer that has begun can only be broken off, so that nobody takes it for whole. */
	if (client->answered) {
		client->close_then = true;
		client->broken_off = client->until_close;
		client_done(client);
		return;
	}
	client->answered = true;
	m = snprintf(head, sizeof(head),
		     "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
		     "Content-Length: %d\r\nX-Urlfetch-Error: %d\r\n%s\r\n",
		     status, status_text(status), n, status,
		     client->close_then || !client->reader.request.keep_alive
			 ? "Connection: close\r\n"
			 : "");
	if (client_put(client, head, (size_t)m) < 0 ||
	    (!no_body && client_put(client, body, (size_t)n) < 0))
		client->close_then = true;
	client_done(client);
}
