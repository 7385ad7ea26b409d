/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/request_head.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define AGENT_MAX 1024

/* Where the next bytes go.  What is longer than there is room, which reader.h excludes, is cut. */
struct text {
	char *at, *end;
};

static void put(struct text *text, const char *bytes, size_t size)
{
	size_t room = (size_t)(text->end - text->at);

	size = size < room ? size : room;
	memcpy(text->at, bytes, size);
	text->at += size;
}

static void put_string(struct text *text, const char *string)
{
	put(text, string, strlen(string));
}

static bool is_credential(const char *name)
{
	return !strcasecmp(name, "authorization") || !strcasecmp(name, "cookie");
}

/* The app's own that go out. */
static void put_fields(struct text *text, const struct request_head *head)
{
	const struct reader_request *from = head->from;
	const char *connection = reader_field(from, "connection");

	for (size_t i = 0; i < from->n_fields; i++) {
		const struct reader_field *field = &from->fields[i];

		if (!rules_header_goes_out(field->name) ||
		    (connection && rules_token_list_has(connection, field->name)) ||
		    (head->strips && is_credential(field->name)) ||
		    (head->becomes_get && !strncasecmp(field->name, "content-", 8)))
			continue;
		put_string(text, field->name);
		put(text, ": ", *field->value ? 2 : 1);
		put_string(text, field->value);
		put(text, "\r\n", 2);
	}
}

/* RFC 9110, 8.6: servers want a length from these, if only 0. */
static bool has_length(const char *method)
{
	return !strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH");
}

static void put_framing(struct text *text, const struct request_head *head, const char *method)
{
	char line[64];
	int n;

	if (head->has_body && head->from->chunked) {
		put_string(text, "Transfer-Encoding: chunked\r\n");
	} else if (head->has_body || has_length(method)) {
		n = snprintf(line, sizeof(line), "Content-Length: %" PRIu64 "\r\n",
			     head->has_body ? head->from->length : 0);
		put(text, line, (size_t)n);
	}
	if (head->has_body && !strcmp(method, "POST") && !reader_field(head->from, "content-type"))
		put_string(text, "Content-Type: application/x-www-form-urlencoded\r\n");
}

static void put_host(struct text *text, const struct rules_url *url)
{
	char port[8];

	put(text, "[", url->bracketed);
	put_string(text, url->host);
	put(text, "]", url->bracketed);
	if (url->port != (url->https ? 443 : 80)) {
		snprintf(port, sizeof(port), ":%u", url->port);
		put_string(text, port);
	}
}

size_t request_head_write(const struct request_head *head, char *out)
{
	const char *method = head->becomes_get ? "GET" : head->from->method;
	struct text text = {out, out + REQUEST_HEAD_MAX};
	const struct rules_url *url = head->url;
	char agent[AGENT_MAX];

	put_string(&text, method);
	put(&text, " /", url->path_size > 0 && url->path[0] == '/' ? 1 : 2);
	put(&text, url->path, url->path_size);
	put_string(&text, " HTTP/1.1\r\nHost: ");
	put_host(&text, url);
	put_string(&text, "\r\n");
	put_fields(&text, head);
	put_string(&text, "User-Agent: ");
	put_string(&text, rules_user_agent(reader_field(head->from, "user-agent"), head->app, agent,
					   sizeof(agent)));
	put_string(&text, "\r\n");
	put_framing(&text, head, method);
	put_string(&text, "\r\n");
	return (size_t)(text.at - out);
}
