/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CLAIM_H
#define SUPERVISOR_CLAIM_H

#include "handover/exchange.h"

#include <stdbool.h>

struct supervisor;

/*
 * The importer's side of handing a socket over: one claim, from the token to the program's descriptor.
 *
 *   asked ──▶ before us ──▶ kept         the program has it, the exporter has let go of it
 *     │           └───────▶ returned     refused by our policy, or the caller is gone: on offer again
 *     └▶ refused, or no answer in time
 *
 * A claim that ends in whatever way without claim_keep() has been returned.
 */
struct claim {
	struct supervisor *sup;
	int place;  /* at our own porter; -1: at another instance, over the request's .duplicate */
	int socket; /* before us: what was handed over, -1 not yet; ours unless it is the porter's */
	struct moved_socket moved;
	/* Of the fresh descriptor that it is to replace. */
	int domain, type;
	bool cloexec, nonblocking;
	uint64_t net; /* SO_NETNS_COOKIE, 0 unknown */
};

/** claim_new() - Return: NULL when out of memory. */
struct claim *claim_new(struct supervisor *sup);

/**
 * claim_ask() - show a token.
 * @text, @size: the program's, any bytes
 * @connection: gets the one on which the answer will come, the caller's; -1: the socket is before us already
 * @why: gets what is wrong, for the trace; static text, or in @room bytes of @line
 * Return: 0; -errno, as gae_sockets(3) has them.
 */
int claim_ask(struct claim *claim, const char *text, size_t size, int *connection, char *line,
	      size_t room, const char **why);

/**
 * claim_hear() - the exporter's answer on @connection, if it is there.
 * Return: 0 the socket is before us; -EAGAIN not yet; -EPIPE, -EACCES refused, and others; @why as above.
 */
int claim_hear(struct claim *claim, int connection, const char **why);

/** claim_keep() - the program has the socket.  @connection: as for claim_hear(), -1 where there is none. */
void claim_keep(struct claim *claim, int connection);

/** claim_return() - we do not want it: it is on offer again. */
void claim_return(struct claim *claim, int connection);

/** claim_free() - free a claim, returned unless kept; before its connection is closed. */
void claim_free(struct claim *claim);

#endif
