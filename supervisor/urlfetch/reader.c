/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/reader.h"

#include "urlfetch/syntax.h"

#include <string.h>
#include <strings.h>

enum {
	BAD_REQUEST = 400,
	NOT_ALLOWED = 405,
	TOO_LARGE = 413,
	URI_TOO_LONG = 414,
	HEADERS_TOO_LARGE = 431,
	NOT_IMPLEMENTED = 501,
	BAD_VERSION = 505
};

static int reader_fail(struct reader *reader, int status, const char *why)
{
	reader->state = READER_FAILED;
	reader->status = status;
	reader->why = why;
	return -1;
}

/* --- llhttp: the framing of the body --- */

static int on_headers_complete(llhttp_t *parser)
{
	(void)parser;
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
	struct reader *reader = parser->data;

	memmove(reader->out + reader->out_used, at, size);
	reader->out_used += size;
	return 0;
}

static int on_message_complete(llhttp_t *parser)
{
	struct reader *reader = parser->data;

	reader->state = READER_DONE;
	return HPE_PAUSED; /* what follows is the next request's */
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void reader_init(struct reader *reader)
{
	reader_next(reader);
}

void reader_next(struct reader *reader)
{
	reader->state = READER_HEAD;
	reader->status = 0;
	reader->why = NULL;
	reader->body_read = 0;
	reader->head_size = 0;
	reader->line_ends = 0;
	reader->request.n_fields = 0;
	llhttp_init(&reader->parser, HTTP_REQUEST, &settings);
	reader->parser.data = reader;
}

const char *reader_field(const struct reader_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_fields; i++)
		if (!strcasecmp(request->fields[i].name, name))
			return request->fields[i].value;
	return NULL;
}

/* --- our own reading of the head: lines, NUL-terminated in place --- */

/* Cuts the line at *@at, whose end is a CRLF.  Return: the line, or NULL: it has a bare CR, LF or NUL in it. */
static char *cut_line(char **at, const char *end)
{
	char *line = *at;
	size_t n = strcspn(line, "\r\n");

	if (line + n + 1 >= end || line[n] != '\r' || line[n + 1] != '\n')
		return NULL;
	line[n] = '\0';
	*at = line + n + 2;
	return line;
}

static int read_version(struct reader *reader, const char *version)
{
	if (strncmp(version, "HTTP/", 5) != 0 || strlen(version) != 8)
		return reader_fail(reader, BAD_REQUEST, "the request line is none of HTTP");
	reader->request.http10 = !strcmp(version, "HTTP/1.0");
	if (!reader->request.http10 && strcmp(version, "HTTP/1.1") != 0)
		return reader_fail(reader, BAD_VERSION, "expected HTTP/1.0 or HTTP/1.1");
	return 0;
}

static int read_target(struct reader *reader)
{
	struct reader_request *request = &reader->request;
	size_t size = strlen(request->target);
	int status;

	if (request->connect) {
		request->url = (struct rules_url){.https = true, .path = ""};
		status = size > RULES_HOST_MAX + 8
			     ? URI_TOO_LONG
			     : rules_read_authority(request->target, size, 0, &request->url,
						    &reader->why);
		if (status == URI_TOO_LONG)
			reader->why = "a host that is too long";
	} else if (request->target[0] == '/' || !strcmp(request->target, "*")) {
		return reader_fail(reader, BAD_REQUEST,
				   "this is a proxy: expected a whole URL in the request line");
	} else {
		status = rules_read_url(request->target, size, &request->url, &reader->why);
	}
	return status ? reader_fail(reader, status, reader->why) : 0;
}

static int read_request_line(struct reader *reader, char *line)
{
	struct reader_request *request = &reader->request;
	size_t method = syntax_token_size(line);
	char *target = line + method + 1, *space;

	if (method == 0 || line[method] != ' ')
		return reader_fail(reader, BAD_REQUEST, "the request line is none of HTTP");
	space = strchr(target, ' ');
	if (!space)
		return reader_fail(reader, BAD_REQUEST, "the request line is none of HTTP");
	line[method] = *space = '\0';
	request->method = line;
	request->target = target;
	request->connect = !strcmp(line, "CONNECT");
	if (read_version(reader, space + 1) < 0)
		return -1;
	if (!request->connect && !rules_method_is_taken(line))
		return reader_fail(reader, NOT_ALLOWED,
				   "URL Fetch knows GET, POST, HEAD, PUT, DELETE and PATCH alone");
	return read_target(reader);
}

static int read_field(struct reader *reader, char *line)
{
	struct reader_request *request = &reader->request;
	size_t name = syntax_token_size(line), size;
	char *value = line + name + 1;

	if (line[0] == ' ' || line[0] == '\t')
		return reader_fail(reader, BAD_REQUEST, "a header that goes on in a second line");
	if (name == 0 || line[name] != ':')
		return reader_fail(reader, BAD_REQUEST, "a header line without a name and colon");
	if (request->n_fields == READER_FIELDS_MAX)
		return reader_fail(reader, HEADERS_TOO_LARGE, "more than 100 headers");
	line[name] = '\0';
	value += strspn(value, " \t");
	size = strlen(value);
	while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
		value[--size] = '\0';
	if (!syntax_is_value(value, size))
		return reader_fail(reader, BAD_REQUEST, "a control character in a header");
	request->fields[request->n_fields++] = (struct reader_field){line, value};
	return 0;
}

/* The only field of this name into *@value, NULL where there is none. */
static int single_field(struct reader *reader, const char *name, const char **value)
{
	const struct reader_request *request = &reader->request;

	*value = NULL;
	for (size_t i = 0; i < request->n_fields; i++) {
		if (strcasecmp(request->fields[i].name, name) != 0)
			continue;
		if (*value)
			return reader_fail(reader, BAD_REQUEST,
					   "a header twice that a request has once: Host, "
					   "Content-Length or Transfer-Encoding");
		*value = request->fields[i].value;
	}
	return 0;
}

static int read_length(struct reader *reader, const char *value)
{
	uint64_t length = 0;

	if (!*value || value[strspn(value, "0123456789")])
		return reader_fail(reader, BAD_REQUEST, "a Content-Length that is no number");
	for (; *value; value++) {
		length = length * 10 + (uint64_t)(*value - '0');
		if (length > RULES_OUT_MAX)
			return reader_fail(reader, TOO_LARGE, "a body of more than 10 MB");
	}
	reader->request.length = length;
	return 0;
}

/* RFC 9112, 6.3 and 11.2: where a body's end could be read in two ways, it is not read. */
static int read_framing(struct reader *reader)
{
	struct reader_request *request = &reader->request;
	const char *length, *encoding;

	request->length = 0;
	request->chunked = false;
	if (single_field(reader, "content-length", &length) < 0 ||
	    single_field(reader, "transfer-encoding", &encoding) < 0)
		return -1;
	if (length && encoding)
		return reader_fail(reader, BAD_REQUEST,
				   "both Content-Length and Transfer-Encoding");
	if (request->connect && (length || encoding))
		return reader_fail(reader, BAD_REQUEST, "CONNECT with a body");
	if (length)
		return read_length(reader, length);
	if (!encoding)
		return 0;
	if (request->http10)
		return reader_fail(reader, BAD_REQUEST, "Transfer-Encoding in HTTP/1.0");
	if (strcasecmp(encoding, "chunked") != 0)
		return reader_fail(reader, NOT_IMPLEMENTED,
				   "a Transfer-Encoding other than chunked");
	request->chunked = true;
	return 0;
}

/* RFC 9112, 3.2.2: the URL counts; but a Host that says otherwise is somebody's mistake or trick. */
static int check_host(struct reader *reader)
{
	struct reader_request *request = &reader->request;
	const struct rules_url *url = &request->url;
	struct rules_url host = {.path = ""};
	const char *value, *why;
	int status;

	if (single_field(reader, "host", &value) < 0)
		return -1;
	if (!value)
		return request->http10 ? 0 : reader_fail(reader, BAD_REQUEST, "no Host header");
	status = rules_read_authority(value, strlen(value), url->https ? 443 : 80, &host, &why);
	/* Clients leave the port out of CONNECT's Host, too. */
	if (status || strcmp(host.host, url->host) != 0 ||
	    (host.port != url->port && !(request->connect && !strchr(value, ':'))))
		return reader_fail(reader, BAD_REQUEST, "a Host header that is not the URL's");
	return 0;
}

static void read_persistence(struct reader_request *request)
{
	const char *connection = reader_field(request, "connection");
	const char *proxy = reader_field(request, "proxy-connection");

	request->keep_alive = !request->http10;
	if (!connection)
		connection = proxy; /* what older clients say to a proxy */
	if (connection && rules_token_list_has(connection, "close"))
		request->keep_alive = false;
	else if (connection && request->http10)
		request->keep_alive = rules_token_list_has(connection, "keep-alive");
}

static int read_lines(struct reader *reader)
{
	char *at = reader->head, *end = at + reader->head_size, *line = cut_line(&at, end);
	char *fields;
	const char *expect;

	if (!line)
		return reader_fail(reader, BAD_REQUEST, "a line that does not end in CRLF");
	if (read_request_line(reader, line) < 0)
		return -1;
	fields = at;
	while ((line = cut_line(&at, end)) && *line)
		if (read_field(reader, line) < 0)
			return -1;
	if (!line || at != end)
		return reader_fail(reader, BAD_REQUEST, "a line that does not end in CRLF");
	if (end - fields > RULES_HEADERS_MAX)
		return reader_fail(reader, HEADERS_TOO_LARGE, "headers of more than 16 KB");
	if (read_framing(reader) < 0 || check_host(reader) < 0)
		return -1;
	read_persistence(&reader->request);
	expect = reader_field(&reader->request, "expect");
	/* RFC 9110, 10.1.1: HTTP/1.0 knows no answer before the answer. */
	reader->request.wants_continue =
	    expect && !reader->request.http10 && !strcasecmp(expect, "100-continue");
	return 0;
}

/* llhttp must read the same: before our own reading cuts the lines. */
static int read_by_llhttp(struct reader *reader)
{
	enum llhttp_errno error = llhttp_execute(&reader->parser, reader->head, reader->head_size);

	if (error != HPE_OK && error != HPE_PAUSED && error != HPE_PAUSED_UPGRADE)
		return reader_fail(reader, BAD_REQUEST, "this is no HTTP request");
	return 0;
}

static void finish_head(struct reader *reader)
{
	int rc = read_by_llhttp(reader), ours, status = reader->status;
	bool done = reader->state == READER_DONE;
	const char *why = reader->why;

	reader->state = READER_HEAD;
	/* Our own reason says more. */
	ours = read_lines(reader);
	if (rc == 0 && ours == 0)
		reader->state = done ? READER_DONE : READER_BODY;
	else if (ours == 0)
		reader_fail(reader, status, why);
	/* A body that one of them does not see would be the next request for the other. */
	if ((reader->state == READER_DONE &&
	     (reader->request.length > 0 || reader->request.chunked)) ||
	    (reader->state == READER_BODY && reader->request.length == 0 &&
	     !reader->request.chunked))
		reader_fail(reader, BAD_REQUEST, "a body whose length is not clear");
}

/*
 * How many of the new bytes belong to the head; @complete: the empty line is among them.  One that
 * ends in a bare LF, which is refused, is an end as well.
 */
static size_t find_end(struct reader *reader, const char *bytes, size_t size, bool *complete)
{
	size_t i = 0;

	for (; i < size && reader->line_ends < 2; i++) {
		if (bytes[i] == '\n')
			reader->line_ends++;
		else if (bytes[i] != '\r')
			reader->line_ends = 0;
	}
	*complete = reader->line_ends == 2;
	return i;
}

size_t reader_head(struct reader *reader, const char *bytes, size_t size)
{
	size_t skipped = 0, n;
	bool complete;

	/* RFC 9112, 2.2: an empty line before a request is a left-over of the last one. */
	while (reader->head_size == 0 && skipped < size &&
	       (bytes[skipped] == '\r' || bytes[skipped] == '\n'))
		skipped++;
	n = find_end(reader, bytes + skipped, size - skipped, &complete);
	if (n > READER_HEAD_MAX - reader->head_size) {
		reader_fail(reader,
			    memchr(reader->head, '\n', reader->head_size) ||
				    memchr(bytes + skipped, '\n', n)
				? HEADERS_TOO_LARGE
				: URI_TOO_LONG,
			    "the head of the request is too large");
		return size;
	}
	memcpy(reader->head + reader->head_size, bytes + skipped, n);
	reader->head_size += n;
	if (memchr(reader->head, '\0', reader->head_size)) {
		reader_fail(reader, BAD_REQUEST, "a NUL character in the head");
	} else if (complete) {
		reader->head[reader->head_size] = '\0';
		finish_head(reader);
	}
	return skipped + n;
}

size_t reader_body(struct reader *reader, const char *bytes, size_t size, char *out,
		   size_t *written)
{
	enum llhttp_errno error;
	const char *end;

	*written = 0;
	if (size == 0)
		return 0;
	reader->out = out;
	reader->out_used = 0;
	error = llhttp_execute(&reader->parser, bytes, size);
	if (error != HPE_OK && error != HPE_PAUSED) {
		reader_fail(reader, BAD_REQUEST, "a body that is badly chunked");
		return size;
	}
	reader->body_read += reader->out_used;
	if (reader->body_read > RULES_OUT_MAX) {
		reader_fail(reader, TOO_LARGE, "a body of more than 10 MB");
		return size;
	}
	*written = reader->out_used;
	end = error == HPE_PAUSED ? llhttp_get_error_pos(&reader->parser) : bytes + size;
	if (error == HPE_PAUSED)
		llhttp_resume(&reader->parser);
	return (size_t)(end - bytes);
}
