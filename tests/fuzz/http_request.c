/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of requests on any bytes, in pieces whose size the first byte says: what it takes it takes
 * in whatever pieces, and is in the strict form.
 */
#include "fuzz.h"
#include "urlfetch/reader.h"

#include <stdlib.h>
#include <string.h>

struct outcome {
	size_t requests, bytes;
	enum reader_state state;
	int status;
};

static void check_request(const struct reader_request *request)
{
	if (!request->connect && !rules_method_is_taken(request->method))
		abort();
	if (!rules_port_is_taken(request->url.port) || !*request->url.host)
		abort();
	for (size_t i = 0; i < request->n_fields; i++)
		if (strpbrk(request->fields[i].name, "\r\n: \t") ||
		    strpbrk(request->fields[i].value, "\r\n"))
			abort();
	if (request->length > RULES_OUT_MAX || (request->chunked && request->length))
		abort();
}

/* One client's bytes, @step at a time. */
static struct outcome read_all(const uint8_t *data, size_t size, size_t step)
{
	struct reader *reader = malloc(sizeof(*reader));
	struct outcome outcome = {0};
	char *out = malloc(step), *piece = malloc(step);
	size_t written;

	if (!reader || !out || !piece)
		abort();
	reader_init(reader);
	for (size_t at = 0; at < size && reader->state != READER_FAILED;) {
		size_t n = size - at < step ? size - at : step, used;

		memcpy(piece, data + at, n);
		written = 0;
		used = reader->state == READER_HEAD ? reader_head(reader, piece, n)
						    : reader_body(reader, piece, n, out, &written);
		if (used > n || written > n || (used == 0 && reader->state != READER_DONE))
			abort();
		at += used;
		outcome.bytes += written;
		if (reader->state == READER_BODY || reader->state == READER_DONE)
			check_request(&reader->request);
		if (reader->state != READER_DONE)
			continue;
		outcome.requests++;
		reader_next(reader);
	}
	outcome.state = reader->state;
	outcome.status = reader->status;
	free(reader);
	free(out);
	free(piece);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;

	if (size == 0)
		return 0;
	whole = read_all(data + 1, size - 1, size);
	pieces = read_all(data + 1, size - 1, (size_t)data[0] + 1);
	/* A refusal in the middle may come with a few more bytes of the body read. */
	if (whole.requests != pieces.requests || whole.state != pieces.state)
		abort();
	return 0;
}
