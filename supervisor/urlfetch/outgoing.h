/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_OUTGOING_H
#define URLFETCH_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct channel;

/*
 * Our connections to the world, by descriptor: the supervisor knows them by their cookies, is told
 * when they are connected, and may have them shut.
 */
struct outgoing_socket {
	uint64_t cookie; /* 0: none of ours */
	bool connected;  /* and the supervisor knows */
};

struct outgoing {
	struct outgoing_socket *sockets; /* by descriptor */
	size_t n;
};

/** outgoing_add() - @fd was allowed and will be connected.  Return: 0 or -ENOMEM. */
int outgoing_add(struct outgoing *outgoing, int fd, uint64_t cookie);

/** outgoing_look() - tell the supervisor once @fd is connected; nothing happens on other descriptors. */
void outgoing_look(struct outgoing *outgoing, int fd, struct channel *channel);

/** outgoing_remove() - before @fd is closed. */
void outgoing_remove(struct outgoing *outgoing, int fd);

/** outgoing_shut() - shutdown(2) the connection with this cookie. */
void outgoing_shut(struct outgoing *outgoing, uint64_t cookie, int how);

#endif
