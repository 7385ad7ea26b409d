/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of answers on any bytes, in pieces whose size the first byte says (its highest bit: to HEAD):
 * what it takes it takes in whatever pieces, and what is handed on is in the strict form.
 */
#include "urlfetch/answer.h"

#include "urlfetch/rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	size_t taken, body, lines;
	enum answer_state state;
	int status;
	bool keep_alive;
	uint32_t sum; /* of lines and body */
};

static void add(struct outcome *outcome, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		outcome->sum = outcome->sum * 31 + (unsigned char)bytes[i];
}

static void check_head(const struct answer *answer, const char *head, size_t size)
{
	const char *at = answer->lines, *end = at + answer->lines_size;

	if (answer->status < 200 || answer->status > 999 || strpbrk(answer->reason, "\r\n"))
		abort();
	if (at < head || end > head + size)
		abort();
	while (at < end) {
		const char *line = at, *cr = memchr(at, '\r', (size_t)(end - at));

		if (!cr || cr + 2 > end || cr[1] != '\n' ||
		    memchr(line, '\n', (size_t)(cr - line)) ||
		    memchr(line, '\0', (size_t)(cr - line)) || line[0] == ' ' || line[0] == '\t' ||
		    !memchr(line, ':', (size_t)(cr - line)))
			abort();
		if (!strncasecmp(line, "transfer-encoding", 17) && line[17] == ':')
			abort();
		at = cr + 2;
	}
	if (answer->location &&
	    (answer->location < answer->lines || answer->location + answer->location_size > end))
		abort();
	if (answer->framing == ANSWER_LENGTH && answer->length > RULES_IN_MAX)
		abort();
	if (answer->framing == ANSWER_UNTIL_CLOSE && answer->keep_alive)
		abort();
}

/* The bytes of a body, as exchange.c takes them. */
static size_t read_body(struct answer *answer, char *bytes, size_t size, struct outcome *outcome)
{
	size_t taken, written;

	if (answer->framing == ANSWER_CHUNKED)
		taken = answer_chunked(answer, bytes, size, &written);
	else
		taken = written = answer_count(answer, size);
	if (taken > size || written > taken)
		abort();
	if (answer->state != ANSWER_FAILED) {
		add(outcome, bytes, written);
		outcome->body += written;
	}
	return taken;
}

/* Heads of which nothing is taken come again with more. */
static struct outcome read_all(const uint8_t *data, size_t size, size_t step, bool to_head)
{
	struct outcome outcome = {0};
	struct answer answer;
	/* Of this size exactly, so that what is read or written behind it is found. */
	char *in = NULL;
	size_t at = 0, held = 0;

	answer_init(&answer, to_head);
	while (at < size && (answer.state == ANSWER_HEAD || answer.state == ANSWER_BODY)) {
		size_t n = size - at < step ? size - at : step, used = 1, from = 0;
		bool in_head = answer.state == ANSWER_HEAD;
		char *grown = malloc(held + n);

		if (!grown)
			abort();
		if (held)
			memcpy(grown, in, held);
		free(in);
		in = grown;
		memcpy(in + held, data + at, n);
		at += n;
		held += n;
		while (answer.state == ANSWER_HEAD && used > 0) {
			used = answer_head(&answer, in + from, held - from);
			if (used > held - from)
				abort();
			if (answer.state == ANSWER_BODY || answer.state == ANSWER_DONE) {
				check_head(&answer, in + from, used);
				add(&outcome, answer.lines, answer.lines_size);
				outcome.lines = answer.lines_size;
			}
			from += used;
		}
		if (answer.state == ANSWER_BODY && (from < held || !in_head))
			from += read_body(&answer, in + from, held - from, &outcome);
		outcome.taken += from;
		held -= from;
		memmove(in, in + from, held);
	}
	free(in);
	if (answer.state == ANSWER_HEAD || answer.state == ANSWER_BODY)
		answer_end(&answer);
	outcome.state = answer.state;
	outcome.status = answer.status;
	outcome.keep_alive = answer.keep_alive;
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;
	bool to_head;

	if (size == 0)
		return 0;
	to_head = data[0] & 0x80;
	whole = read_all(data + 1, size - 1, size, to_head);
	pieces = read_all(data + 1, size - 1, (size_t)(data[0] & 0x7f) + 1, to_head);
	if (whole.state != pieces.state)
		abort();
	/* Before a refusal in the middle more of the body may be read. */
	if (whole.state == ANSWER_DONE &&
	    (whole.taken != pieces.taken || whole.body != pieces.body || whole.sum != pieces.sum ||
	     whole.status != pieces.status || whole.keep_alive != pieces.keep_alive ||
	     whole.lines != pieces.lines))
		abort();
	return 0;
}
