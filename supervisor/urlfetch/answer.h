/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_ANSWER_H
#define URLFETCH_ANSWER_H

#include <llhttp/llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads one answer of a server's.  Pure: knows no sockets.
 *
 *   ANSWER_HEAD --- the empty line ---> ANSWER_BODY --- its last byte ---> ANSWER_DONE
 *     ^     |                               |
 *     '-----'  of 100, 103, ...             '--- anything that is not in the strict form ---> ANSWER_FAILED
 *
 * As of a request, the head is read twice: by llhttp, and by our own reader, which takes the strict
 * form of RFC 9112 alone (CRLF, no folded lines, no blank before a colon, each framing header once).
 * Both must find the same end of the body, or it could be another answer's beginning.  A body of
 * known length, or one that ends with the connection, is nobody's to read but the client's: of it
 * the bytes are counted, so that they need not come through here.
 */
#define ANSWER_HEAD_MAX                                                                            \
	(32                                                                                        \
	 << 10) /* bytes of all heads of an answer, those of 100 among them, and of its trailers */

enum answer_state { ANSWER_HEAD, ANSWER_BODY, ANSWER_DONE, ANSWER_FAILED };
enum answer_framing { ANSWER_NO_BODY, ANSWER_LENGTH, ANSWER_CHUNKED, ANSWER_UNTIL_CLOSE };

struct answer {
	enum answer_state state;
	const char *why; /* ANSWER_FAILED: static text */
	bool is_http;    /* and it was HTTP as far as it came: it is too large, or ends early */
	/* What the head says, from ANSWER_BODY on. */
	int status;
	char reason[64];
	enum answer_framing framing;
	uint64_t length; /* of the body by ANSWER_LENGTH */
	bool keep_alive; /* the server says, and HTTP allows, that another answer may follow */
	/* Inside the bytes of the head, as long as they are there. */
	const char *lines; /* the headers that may come in, each with its CRLF */
	size_t lines_size;
	const char *location; /* inside .lines; NULL: none */
	size_t location_size;
	uint64_t body_read;
	/* Our own. */
	llhttp_t parser;
	bool to_head; /* the request was HEAD */
	bool in_trailer;
	size_t head_read, seen;
	uint16_t flags; /* llhttp's, and its length, at the end of the head */
	uint64_t llhttp_length;
	char *out; /* where answer_chunked() puts what it decodes */
	size_t out_used;
};

/** answer_init() - @to_head: the request's method was HEAD, so that there is no body. */
void answer_init(struct answer *answer, bool to_head);

/**
 * answer_head() - read a head, in ANSWER_HEAD.  Of one that is not whole nothing is taken: the same
 * bytes and more are to come again.
 * @bytes: are changed; the head's must stay as long as .lines is used
 * Return: bytes taken, 0: more are needed, or it failed.  Where it is still ANSWER_HEAD then, it was
 *         that of an interim answer (100, 103).
 */
size_t answer_head(struct answer *answer, char *bytes, size_t size);

/**
 * answer_chunked() - decode, in place, bytes of a body that is ANSWER_CHUNKED.
 * @written: gets the bytes of the body, from @bytes on
 * Return: bytes taken; fewer than @size where the answer ends or fails.
 */
size_t answer_chunked(struct answer *answer, char *bytes, size_t size, size_t *written);

/**
 * answer_count() - so many more bytes have come of a body that is ANSWER_LENGTH or ANSWER_UNTIL_CLOSE.
 * Return: how many of them are of the body; the rest is no part of the answer.
 */
size_t answer_count(struct answer *answer, size_t size);

/** answer_end() - the connection has ended. */
void answer_end(struct answer *answer);

#endif
