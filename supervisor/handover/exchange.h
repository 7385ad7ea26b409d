/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HANDOVER_EXCHANGE_H
#define HANDOVER_EXCHANGE_H

#include "handover/token.h"
#include "net/sock_diag.h"
#include "policy/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What two supervisors of one user say to each other, over a SOCK_SEQPACKET socket in the runtime
 * directory: one claim per connection.
 *
 *   importer                                   exporter
 *     CLAIM app, id             ──────────▶    on offer, and the same app?
 *     decide by its own policy  ◀──────────    OFFER moved +fd      or  REFUSED errno, end
 *     KEPT                      ──────────▶    lets go of it, end
 *     or RETURNED, or end of file ────────▶    on offer again
 *
 * Neither side waits for the other's time to run out between OFFER and KEPT: an importer that is
 * stopped there may go on much later, and a socket that had been put on offer again by then would have
 * two owners.  An importer that dies there takes the socket's new owner along, so the end of its
 * connection says for sure that nobody has it.
 *
 * Messages have one size and one version; whatever is otherwise is refused.
 */
#define EXCHANGE_VERSION 1

enum exchange_type {
	EXCHANGE_CLAIM = 1,
	EXCHANGE_OFFER,
	EXCHANGE_REFUSED,
	EXCHANGE_KEPT,
	EXCHANGE_RETURNED,
	EXCHANGE_TYPES
};

/* What of a socket's account goes with it. */
struct moved_socket {
	int domain; /* AF_INET or AF_INET6 */
	enum transport transport;
	bool has_to; /* it had a destination: .to */
	struct net_endpoint to;
	bool aimed;        /* UDP: it is connected to .to */
	bool aim_pending;  /* UDP: and its connect is not counted yet */
	bool write_closed; /* shut for writing by a quota */
	bool elsewhere;    /* TCP: shared, and billed by an instance that claimed it before */
	bool has_tuple;    /* TCP: .tuple */
	struct sock_tuple tuple;
	struct tcp_numbers counted; /* what has been billed of it; .bytes_* and .segments_* only */
	uint64_t age_ns, quiet_ns;  /* since it was made, and used */
};

struct exchange_message {
	enum exchange_type type;
	int error;                 /* REFUSED: positive errno */
	struct token_app app;      /* CLAIM */
	uint8_t id[TOKEN_ID_SIZE]; /* CLAIM */
	struct moved_socket moved; /* OFFER */
};

#define EXCHANGE_SIZE 256 /* bytes of a message */

/** exchange_format() - @message as bytes. */
void exchange_format(const struct exchange_message *message, uint8_t bytes[EXCHANGE_SIZE]);

/**
 * exchange_parse() - read a message that came as @size bytes.
 * Return: 0; -EPROTO: another version, size or type, or a value that no exporter sends.
 */
int exchange_parse(const uint8_t *bytes, size_t size, struct exchange_message *message);

/** exchange_send() - send a message, with descriptor @fd unless it is -1; never waits.  Return: 0 or -errno. */
int exchange_send(int socket, const struct exchange_message *message, int fd);

/** exchange_say() - a message that is nothing but its type and errno. */
int exchange_say(int socket, enum exchange_type type, int error);

/* Who sent a message. */
struct exchange_sender {
	pid_t pid; /* 0: unknown, or of another PID namespace */
	uid_t uid;
};

/**
 * exchange_receive() - receive one message; never waits.
 * @fd: the descriptor that came along, CLOEXEC, or -1; NULL: none may
 * @sender: NULL, or gets who sent it: the socket must have SO_PASSCRED
 * Return: 1; 0 at end of file; -EAGAIN; -EPROTO; -ENOBUFS: we have no number for @fd; other -errno.
 */
int exchange_receive(int socket, struct exchange_message *message, int *fd,
		     struct exchange_sender *sender);

#endif
