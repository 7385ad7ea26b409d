/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PORTER_H
#define SUPERVISOR_PORTER_H

#include "handover/exchange.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct supervisor;

/*
 * The porter: has the sockets that this instance has put on offer, and gives them to who shows
 * their token.  It is the one place where we hold a socket of the program's.
 *
 *                 porter_publish()          porter_take()                porter_settle(kept)
 *   PREPARED ─────────────────────▶ OFFERED ────────────▶ CLAIMED ─────────────────────────▶ gone
 *      │ porter_cancel()             │    ▲                  │
 *      ▼                             │    └──────────────────┘ porter_settle(returned), importer died
 *     gone                           ▼
 *                                  gone  porter_drop(): idle; porter_withdraw(): who asked is dead
 *
 *   state      who has the socket              whose account    a claim gives
 *   PREPARED   the program                     ours, as before  EPIPE
 *   OFFERED    we (shared: the program, too)   ours, on offer   the socket
 *   CLAIMED    we, and the importer            the importer's   EPIPE
 *   gone       the importer alone, or nobody                    EPIPE
 *
 * Claims of other instances are answered by a thread of its own, begun with the first offer, that
 * waits in poll(2) alone; those of this instance by the thread that has the call.
 */
struct porter;

#define PORTER_OFFERS_MAX 1024 /* and no more than half of our limit on descriptors */

/** porter_new() - Return: NULL when out of memory. */
struct porter *porter_new(struct supervisor *sup);

/* Who we are: opened when it is first needed. */
struct porter_identity {
	int directory; /* open; owned by who asked */
	struct token_app app;
	uint8_t key[TOKEN_KEY_SIZE];
};

/** porter_identity() - Return: 0; -EIO and one line in @error: the runtime directory cannot be used. */
int porter_identity(struct porter *porter, struct porter_identity *identity, char *error,
		    size_t room);

/**
 * porter_prepare() - a place and a token for a socket.
 * @text: gets the token, GAE_DESCRIPTOR_MAX bytes; @size: its length
 * @error: gets one line for -EIO
 * Return: the place; -ENOBUFS too many are on offer; -EIO as porter_identity().
 */
int porter_prepare(struct porter *porter, char *text, size_t *size, char *error, size_t room);

/* Whose socket it was. */
struct porter_owner {
	pid_t pid;
	char process[16];
	uint64_t cookie;
	int domain;
	enum transport transport;
};

/** porter_publish() - the socket of @place is on offer from now on.  @fd: owned from now on. */
void porter_publish(struct porter *porter, int place, int fd, const struct porter_owner *owner);

/** porter_cancel() - the place that porter_prepare() gave is not used. */
void porter_cancel(struct porter *porter, int place);

/** porter_withdraw() - nobody has got the token of @place: let go of the socket. */
void porter_withdraw(struct porter *porter, int place, uint64_t cookie);

/**
 * porter_take() - claim the socket with this @id.
 * @fd: gets a descriptor, owned by the porter until porter_settle()
 * @moved: what goes with it; our account has let go of it
 * Return: its place; -EPIPE: claimed, expired or unknown.
 */
int porter_take(struct porter *porter, const uint8_t id[TOKEN_ID_SIZE], int *fd,
		struct moved_socket *moved);

/**
 * porter_settle() - what became of a claim.
 * @kept: the importer has it, and we let go of it; else it is on offer again, with @moved
 * @by: process that kept it, for the trace; 0: of this instance
 */
void porter_settle(struct porter *porter, int place, bool kept, const struct moved_socket *moved,
		   pid_t by);

/** porter_duplicate() - a duplicate of a socket on offer, for the caller.  Return: descriptor or -ENOENT. */
int porter_duplicate(struct porter *porter, uint64_t cookie);

/** porter_drop() - a socket on offer, if it is one, has been idle for too long: let go of it. */
void porter_drop(struct porter *porter, uint64_t cookie);

/** porter_held() - sockets on offer, or claimed and not settled. */
size_t porter_held(struct porter *porter);

/** porter_wait_fd() - readable when anything has changed; porter_changed() makes it unreadable. */
int porter_wait_fd(const struct porter *porter);
void porter_changed(struct porter *porter);

/** porter_claim_failed() - one more claim of this instance's failed. */
void porter_claim_failed(struct porter *porter);

/** porter_may_claim() - may another be tried?  Each may ask another instance, so that not too many in a second may fail. */
bool porter_may_claim(struct porter *porter);

/** porter_close() - take the name in the runtime directory away; what is still on offer is lost, and traced. */
void porter_close(struct porter *porter);

/* For the thread, in porter_serve.c. */
/** porter_serve() - answer claims for ever. */
_Noreturn void porter_serve(struct porter *porter, const struct token_app *app);

/** porter_next_listener() - a listener to go on with, owned by the caller; -1: that which it has. */
int porter_next_listener(struct porter *porter);

#endif
