/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_CLIENT_H
#define URLFETCH_CLIENT_H

#include "net/addr.h"
#include "urlfetch/gateway.h"
#include "urlfetch/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fetch;
struct tunnel;

/*
 * A connection of the program's.
 *
 *   WAITING   accepted, not announced by the supervisor yet    a second, then closed unheard
 *   READING   a request's head                                 so long from its first byte, longer before it
 *   SERVED    a fetch or a tunnel has it                       its own deadline
 *   ANSWERED  the rest of the answer is on its way             as long as it moves
 *   CLOSING   answered, and the connection ends: what the client still sends is thrown away
 *             for a moment, or it would lose the answer to a reset
 *
 * An answer to HTTP/1.0 may have no other end than the connection's: where it is not whole, the
 * connection is reset.
 * Half-closed clients get their answer: end of file alone ends nothing but a half-read request.
 */
enum client_state {
	CLIENT_WAITING,
	CLIENT_READING,
	CLIENT_SERVED,
	CLIENT_ANSWERED,
	CLIENT_CLOSING
};

#define CLIENT_IN_SIZE (16 << 10)
#define CLIENT_OUT_LIMIT (256 << 10) /* of an answer that is not taken: then no more is read */
/*
 * An answer goes on in pieces of this size: they come from and go to memory that the cache still has,
 * and the client reads while the server writes.  On loopback a segment takes 65483 bytes; of a
 * larger piece the rest would go in a small one of its own.
 */
#define CLIENT_OUT_EARLY (63 << 10)

struct client {
	struct client *next, *prev;
	struct gateway *gateway;
	struct source source;
	struct net_endpoint from;
	enum client_state state;
	uint64_t deadline_ns;
	bool end_of_input;
	bool unwanted;   /* input came that has to wait */
	bool answered;   /* the answer's head is in .out */
	bool close_then; /* the connection ends with this answer */
	bool chunked_out;
	bool
	    until_close; /* the end of the connection is all that tells the client that it is whole */
	bool broken_off;
	struct fetch *fetch;
	struct tunnel *tunnel;
	/* Input that is not read yet. */
	size_t in_at, in_end;
	char in[CLIENT_IN_SIZE];
	/* Output that is not sent yet. */
	char *out;
	size_t out_at, out_end, out_room;
	struct reader reader;
};

/** client_accept() - take connections from the listener until it has none. */
void client_accept(struct gateway *gateway);

/** client_admit() - begin to serve those that wait, where they are announced. */
void client_admit(struct gateway *gateway);

/** client_tick() - end what is over its time.  Return: false: the client is gone, and freed. */
bool client_tick(struct client *client, uint64_t now_ns);

/** client_free() - close it, with its fetch or tunnel. */
void client_free(struct client *client);

/* --- for fetch.c and tunnel.c --- */

/**
 * client_fail() - answer with an error, or, where an answer has begun, break it off.
 * @why: plain text, one line without newline
 */
void client_fail(struct client *client, int status, const char *why);

/** client_put() - add to the output; sent by client_flush().  Return: 0, or -ENOMEM. */
int client_put(struct client *client, const void *data, size_t size);

/** client_reserve() - room for @size bytes behind the output; .out_end says how many of them it is.  Return: NULL: there is no memory. */
char *client_reserve(struct client *client, size_t size);

/**
 * client_send_early() - send what goes where that is worth a call.  Where it fails nothing happens:
 * client_flush() meets the same error, and may free the client.
 */
void client_send_early(struct client *client);

/** client_flush() - send what goes.  Return: false: the client is gone, and freed. */
bool client_flush(struct client *client);

/** client_is_full() - too much of the answer waits for the client. */
bool client_is_full(const struct client *client);

/** client_has_room() - so much of it was taken that more may come. */
bool client_has_room(const struct client *client);

/** client_has_input() - client_read_body() has something to say. */
bool client_has_input(const struct client *client);

/** client_done() - the answer is complete in the output, and the fetch over. */
void client_done(struct client *client);

/**
 * client_read_body() - more of the request's body, decoded.
 * Return: bytes; 0 it has ended; -EAGAIN there is none yet; -EPROTO it is broken (.reader says how).
 */
ssize_t client_read_body(struct client *client, char *out, size_t room);

/** client_watch() - register what the loop shall tell of it, by its state. */
void client_watch(struct client *client);

#endif
