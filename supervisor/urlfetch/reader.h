/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_READER_H
#define URLFETCH_READER_H

#include "urlfetch/rules.h"

#include <llhttp/llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads the requests of one client, one after the other.  Pure: knows no sockets.
 *
 *   READER_HEAD --- the empty line ---> READER_BODY --- its last byte ---> READER_DONE
 *       ^                                                                      |
 *       '------------------------------- reader_next() ------------------------'
 *
 * The head is collected whole and read twice: by our own reader, which takes the strict form of
 * RFC 9112 alone (CRLF, no folded lines, no blank before a colon, each framing header once), and by
 * llhttp, which then also reads the body.  Both must agree that it is a request, and nothing of
 * its bytes is ever passed on: what goes out is written anew (request_head.h).
 */
#define READER_HEAD_MAX (RULES_URL_MAX + RULES_HEADERS_MAX + 64)
#define READER_FIELDS_MAX 100

struct reader_field {
	const char *name, *value; /* NUL-terminated, inside the head */
};

enum reader_state { READER_HEAD, READER_BODY, READER_DONE, READER_FAILED };

/* A request as its head says; valid until reader_next(). */
struct reader_request {
	const char *method, *target;
	bool connect;         /* method CONNECT: .url has host and port alone */
	struct rules_url url; /* .path points into the head */
	struct reader_field fields[READER_FIELDS_MAX];
	size_t n_fields;
	bool chunked;
	uint64_t length; /* of the body, unless .chunked */
	bool http10;
	bool keep_alive;
	bool wants_continue; /* Expect: 100-continue */
};

struct reader {
	enum reader_state state;
	int status;      /* READER_FAILED: HTTP status of the answer */
	const char *why; /* and static text */
	struct reader_request request;
	uint64_t body_read;
	/* Our own. */
	llhttp_t parser;
	char *out; /* where reader_body() puts what it decodes */
	size_t out_used;
	size_t head_size;
	unsigned int line_ends; /* one behind the other at the end of what is collected */
	char head[READER_HEAD_MAX + 1];
};

void reader_init(struct reader *reader);

/** reader_next() - after READER_DONE: begin with the next request. */
void reader_next(struct reader *reader);

/**
 * reader_head() - take bytes of a head, up to its end.
 * Return: bytes taken; .state tells whether it is complete.
 */
size_t reader_head(struct reader *reader, const char *bytes, size_t size);

/**
 * reader_body() - decode bytes of the body.
 * @out: room for @size bytes; decoding never makes more of them
 * @written: gets the bytes of the body in @out
 * Return: bytes taken, fewer than @size where the body ends.
 */
size_t reader_body(struct reader *reader, const char *bytes, size_t size, char *out,
		   size_t *written);

/** reader_field() - value of a field of the request by its lower-case name, or NULL. */
const char *reader_field(const struct reader_request *request, const char *name);

#endif
