/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/answer.h"

#include "urlfetch/rules.h"
#include "urlfetch/syntax.h"

#include <string.h>
#include <strings.h>

static const char too_large[] = "the answer is larger than 32 MB";

static int answer_fail(struct answer *answer, const char *why)
{
	answer->state = ANSWER_FAILED;
	answer->why = why;
	return -1;
}

/* It was HTTP so far. */
static int answer_break_off(struct answer *answer, const char *why)
{
	answer->is_http = true;
	return answer_fail(answer, why);
}

/* --- llhttp: the head once more, and the framing of chunks --- */

static int on_headers_complete(llhttp_t *parser)
{
	struct answer *answer = parser->data;

	answer->flags = parser->flags;
	answer->llhttp_length = parser->content_length;
	if (answer->to_head)
		parser->flags |= F_SKIPBODY;
	answer->keep_alive = llhttp_should_keep_alive(parser);
	return answer->to_head;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
	struct answer *answer = parser->data;

	memmove(answer->out + answer->out_used, at, size);
	answer->out_used += size;
	return 0;
}

static int on_chunk_header(llhttp_t *parser)
{
	struct answer *answer = parser->data;

	answer->in_trailer = parser->content_length == 0;
	return 0;
}

static int on_message_complete(llhttp_t *parser)
{
	(void)parser;
	return HPE_PAUSED; /* what follows is none of this answer */
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

static void init_parser(struct answer *answer)
{
	llhttp_init(&answer->parser, HTTP_RESPONSE, &settings);
	answer->parser.data = answer;
}

void answer_init(struct answer *answer, bool to_head)
{
	*answer = (struct answer){.to_head = to_head};
	init_parser(answer);
}

static int read_by_llhttp(struct answer *answer, const char *bytes, size_t size)
{
	enum llhttp_errno error = llhttp_execute(&answer->parser, bytes, size);

	if (error == HPE_PAUSED && llhttp_get_error_pos(&answer->parser) == bytes + size)
		return 0;
	return error == HPE_OK ? 0 : answer_fail(answer, "its head is none");
}

/* --- our own reading of the head --- */

/* What the lines say of the body. */
struct framing {
	bool has_length, chunked, http10;
	uint64_t length;
};

/* The line at *@at, without the CRLF that it must end in, or NULL. */
static char *next_line(char **at, const char *end, size_t *size)
{
	char *line = *at, *lf = memchr(line, '\n', (size_t)(end - line));

	if (!lf || lf == line || lf[-1] != '\r')
		return NULL;
	*size = (size_t)(lf - line) - 1;
	*at = lf + 1;
	return line;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9112, 4: HTTP/1.1 200 OK; the blank may be missing where the reason is. */
static int read_status_line(struct answer *answer, struct framing *framing, const char *line,
			    size_t size)
{
	size_t n = 0;

	if (size < 12 || strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
	    line[8] != ' ' || line[9] < '1' || line[9] > '9' || !is_digit(line[10]) ||
	    !is_digit(line[11]) || (size > 12 && line[12] != ' ') || !syntax_is_value(line, size))
		return answer_fail(answer, "its status line is none of HTTP/1.1");
	framing->http10 = line[7] == '0';
	answer->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	for (size_t i = 13; i < size && n + 1 < sizeof(answer->reason); i++)
		if (line[i] >= ' ' && line[i] <= '~')
			answer->reason[n++] = line[i];
	answer->reason[n] = '\0';
	return answer->status == 101
		   ? answer_fail(answer, "it changes to another protocol, which nobody asked for")
		   : 0;
}

static bool has_no_body(const struct answer *answer)
{
	return answer->to_head || answer->status < 200 || answer->status == 204 ||
	       answer->status == 304;
}

static int read_length(struct answer *answer, struct framing *framing, const char *value,
		       size_t size)
{
	if (framing->has_length)
		return answer_fail(answer, "Content-Length twice");
	framing->has_length = true;
	if (size == 0)
		return answer_fail(answer, "a Content-Length that is no number");
	for (size_t i = 0; i < size; i++) {
		if (!is_digit(value[i]))
			return answer_fail(answer, "a Content-Length that is no number");
		/* Beyond the limit it is as good as any other. */
		if (framing->length <= RULES_IN_MAX)
			framing->length = framing->length * 10 + (uint64_t)(value[i] - '0');
	}
	return 0;
}

static int read_encoding(struct answer *answer, struct framing *framing, const char *value,
			 size_t size)
{
	if (framing->chunked)
		return answer_fail(answer, "Transfer-Encoding twice");
	framing->chunked = true;
	return size == 7 && !strncasecmp(value, "chunked", 7)
		   ? 0
		   : answer_fail(answer, "a Transfer-Encoding other than chunked");
}

static bool is_name(const char *line, size_t size, const char *name)
{
	return size == strlen(name) && !strncasecmp(line, name, size);
}

/* Line @line of @size bytes, whose name has @name bytes, may come in: moves it to the end of .lines. */
static void keep_line(struct answer *answer, char *line, size_t size, size_t name)
{
	char *to = (char *)(uintptr_t)answer->lines + answer->lines_size;

	if (to != line)
		memmove(to, line, size + 2);
	answer->lines_size += size + 2;
	if (answer->location || !is_name(to, name, "location"))
		return;
	answer->location = to + name + 1;
	answer->location_size = size - name - 1;
	while (answer->location_size > 0 &&
	       (*answer->location == ' ' || *answer->location == '\t')) {
		answer->location++;
		answer->location_size--;
	}
}

static int read_field(struct answer *answer, struct framing *framing, char *line, size_t size)
{
	size_t name = syntax_token_size(line), value = name + 1;
	char end;
	bool comes_in;

	if (line[0] == ' ' || line[0] == '\t')
		return answer_fail(answer, "a header that goes on in a second line");
	if (name == 0 || line[name] != ':')
		return answer_fail(answer, "a header line without a name and colon");
	if (!syntax_is_value(line + value, size - value))
		return answer_fail(answer, "a control character in a header");
	while (size > value && (line[size - 1] == ' ' || line[size - 1] == '\t'))
		size--;
	while (value < size && (line[value] == ' ' || line[value] == '\t'))
		value++;
	/* The end of the line without the blanks in front of it. */
	line[size] = '\r';
	line[size + 1] = '\n';
	if (is_name(line, name, "content-length")) {
		/* The length of what a GET would give is a header like any other. */
		if (has_no_body(answer) && answer->status != 204)
			keep_line(answer, line, size, name);
		return read_length(answer, framing, line + value, size - value);
	}
	if (is_name(line, name, "transfer-encoding"))
		return read_encoding(answer, framing, line + value, size - value);
	end = line[name];
	line[name] = '\0';
	comes_in = rules_header_comes_in(line);
	line[name] = end;
	if (comes_in)
		keep_line(answer, line, size, name);
	return 0;
}

/* RFC 9112, 6.3; llhttp must have found the same. */
static int read_framing(struct answer *answer, const struct framing *framing)
{
	if (framing->has_length && framing->chunked)
		return answer_fail(answer, "both Content-Length and Transfer-Encoding");
	answer->length = framing->length;
	if (has_no_body(answer))
		answer->framing = ANSWER_NO_BODY;
	else if (framing->chunked)
		answer->framing = ANSWER_CHUNKED;
	else if (framing->has_length)
		answer->framing = ANSWER_LENGTH;
	else
		answer->framing = ANSWER_UNTIL_CLOSE;
	/* 6.1: an old server's framing by chunks may be a proxy's in between. */
	if (answer->framing == ANSWER_UNTIL_CLOSE || (framing->http10 && framing->chunked))
		answer->keep_alive = false;
	if (answer->framing == ANSWER_LENGTH && answer->length > RULES_IN_MAX)
		return answer_break_off(answer, too_large);
	if (framing->chunked != ((answer->flags & F_CHUNKED) != 0) ||
	    framing->has_length != ((answer->flags & F_CONTENT_LENGTH) != 0) ||
	    (framing->has_length && framing->length <= RULES_IN_MAX &&
	     framing->length != answer->llhttp_length))
		return answer_fail(answer, "a body whose length is not clear");
	return 0;
}

static int read_lines(struct answer *answer, char *bytes, size_t head)
{
	struct framing framing = {0};
	char *at = bytes, *line;
	const char *end = bytes + head;
	size_t size = 0;

	line = next_line(&at, end, &size);
	if (line && read_status_line(answer, &framing, line, size) < 0)
		return -1;
	answer->lines = at;
	answer->lines_size = 0;
	answer->location = NULL;
	while (line && (line = next_line(&at, end, &size)) && size > 0)
		if (read_field(answer, &framing, line, size) < 0)
			return -1;
	if (!line || at != end)
		return answer_fail(answer, "a line that does not end in CRLF");
	return read_framing(answer, &framing);
}

static void finish_head(struct answer *answer, char *bytes, size_t size)
{
	int theirs = read_by_llhttp(answer, bytes, size);
	const char *why = answer->why;

	answer->state = ANSWER_HEAD;
	answer->why = NULL;
	/* Our own reason says more. */
	if (read_lines(answer, bytes, size) < 0)
		return;
	if (theirs < 0)
		answer_fail(answer, why);
	else if (answer->status < 200)
		init_parser(answer);
	else if (answer->framing == ANSWER_NO_BODY ||
		 (answer->framing == ANSWER_LENGTH && answer->length == 0))
		answer->state = ANSWER_DONE;
	else
		answer->state = ANSWER_BODY;
}

size_t answer_head(struct answer *answer, char *bytes, size_t size)
{
	size_t head = syntax_head_size(bytes, size, answer->seen, &answer->seen);

	if ((head ? head : size + 1) > ANSWER_HEAD_MAX - answer->head_read) {
		answer_fail(answer, "headers of more than 32 KB");
		return 0;
	}
	/* Most of what is no HTTP has no empty line. */
	if (size > 0 && strncmp(bytes, "HTTP/", size < 5 ? size : 5) != 0) {
		answer_fail(answer, "its status line is none of HTTP/1.1");
		return 0;
	}
	if (head == 0)
		return 0;
	answer->seen = 0;
	answer->head_read += head;
	finish_head(answer, bytes, head);
	return answer->state == ANSWER_FAILED ? 0 : head;
}

/* --- the body --- */

size_t answer_chunked(struct answer *answer, char *bytes, size_t size, size_t *written)
{
	bool was_in_trailer = answer->in_trailer;
	enum llhttp_errno error;
	size_t taken = size;

	answer->out = bytes;
	answer->out_used = 0;
	error = llhttp_execute(&answer->parser, bytes, size);
	*written = answer->out_used;
	answer->body_read += answer->out_used;
	if (error == HPE_PAUSED) {
		taken = (size_t)(llhttp_get_error_pos(&answer->parser) - bytes);
		answer->state = ANSWER_DONE;
	} else if (error != HPE_OK) {
		answer_fail(answer, "its body is badly chunked");
	}
	if (was_in_trailer)
		answer->head_read += taken;
	if (answer->body_read > RULES_IN_MAX)
		answer_break_off(answer, too_large);
	else if (answer->head_read > ANSWER_HEAD_MAX)
		answer_fail(answer, "headers of more than 32 KB");
	return taken;
}

size_t answer_count(struct answer *answer, size_t size)
{
	uint64_t left = answer->length - answer->body_read;

	if (answer->framing == ANSWER_LENGTH && size > left)
		size = (size_t)left;
	answer->body_read += size;
	if (answer->framing == ANSWER_LENGTH && size == left)
		answer->state = ANSWER_DONE;
	if (answer->framing == ANSWER_UNTIL_CLOSE && answer->body_read > RULES_IN_MAX)
		answer_break_off(answer, too_large);
	return size;
}

void answer_end(struct answer *answer)
{
	if (answer->state == ANSWER_BODY && answer->framing == ANSWER_UNTIL_CLOSE)
		answer->state = ANSWER_DONE;
	else if (answer->state == ANSWER_HEAD)
		answer_break_off(answer, "the server closed the connection before it had answered");
	else if (answer->state == ANSWER_BODY)
		answer_break_off(answer,
				 "the server closed the connection in the middle of its answer");
}
