/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_RELAY_H
#define WIRE_RELAY_H

#include <stdint.h>

/*
 * What gae-supervisor and gae-urlfetch say to each other, over a SOCK_SEQPACKET pair that the
 * supervisor makes.  gae-urlfetch knows no policy: it asks about every name before it looks it
 * up and about every address before it connects, and the supervisor answers at once.
 *
 *   gae-urlfetch -> supervisor   READY                          no memory of it can be read any more
 *   supervisor -> gae-urlfetch   CLIENT cookie, from            a connection of the program's to the gateway
 *                                SHUT cookie, a: how            shutdown(2) one of its own: idle, or quota
 *   gae-urlfetch -> supervisor   ASK_NAME text: host            may it be looked up?
 *                                ASK_ADDRESS cookie, to, text: host
 *   supervisor -> gae-urlfetch   ANSWER a: 0, RELAY_WAIT or errno, text: which rule
 *   gae-urlfetch -> supervisor   CONNECTED cookie, from, to     what was asked for is connected now
 *                                REFUSED text                   for the trace: a rule of URL Fetch's own
 *
 * One question is asked at a time, and its answer has the same number: what comes after the asker has
 * given up is nobody's.  End of file: the other one is gone.
 */
#define RELAY_VERSION 2
#define RELAY_TEXT_MAX 700 /* a rule may have a long reason */
#define RELAY_WAIT (-1)    /* ANSWER.a: a name of the policy is being looked up, ask again */

enum relay_type {
	RELAY_READY = 1,
	RELAY_CLIENT,
	RELAY_SHUT,
	RELAY_ASK_NAME,
	RELAY_ASK_ADDRESS,
	RELAY_ANSWER,
	RELAY_CONNECTED,
	RELAY_REFUSED,
};

/* An address and port, in the form of struct net_endpoint. */
struct relay_place {
	uint16_t family; /* AF_INET: the first four bytes; AF_INET6; 0: none */
	uint16_t port;
	uint32_t scope;
	uint8_t bytes[16];
};

struct relay_message {
	uint32_t version;
	uint32_t type;
	int32_t a;
	uint32_t text_size; /* set by relay_send() */
	uint64_t number;    /* of a question and its answer */
	uint64_t cookie;    /* SO_COOKIE */
	struct relay_place from, to;
	char text[RELAY_TEXT_MAX]; /* NUL-terminated; only what is used goes over the wire */
};

/**
 * relay_send() - send one message; fills .version and .text_size.
 * @flags: MSG_DONTWAIT or 0.  Never raises SIGPIPE.
 * Return: 0 or -errno.
 */
int relay_send(int socket, struct relay_message *message, int flags);

/**
 * relay_receive() - receive one message.  @flags: MSG_DONTWAIT or 0.
 * Return: 1; 0 at end of file; -errno (-EPROTO: not one of these).
 */
int relay_receive(int socket, struct relay_message *message, int flags);

#endif
