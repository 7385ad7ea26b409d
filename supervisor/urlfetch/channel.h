/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_CHANNEL_H
#define URLFETCH_CHANNEL_H

#include "net/addr.h"
#include "shared/wire/relay.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr_storage;

/*
 * Our side of the wire to the supervisor (shared/wire/relay.h), and the connections that it has
 * announced: those of the program it supervises.  Nobody else on the machine is served: who is not
 * announced within CHANNEL_ANNOUNCE_MS of being accepted is closed.  That the connection is the
 * very one that was announced, and not another with the same port afterwards, the kernel says by
 * its socket cookie.
 */
#define CHANNEL_ANNOUNCE_MS 1000

#define CHANNEL_SILENT (-2) /* no answer came, beside the supervisor's RELAY_WAIT */

#define CHANNEL_BUCKETS 4096

struct channel_client {
	struct net_endpoint from; /* no two have the same */
	uint64_t cookie;
	uint64_t heard_ns;
	struct channel_client *next;            /* of those with the same hash */
	struct channel_client *older, *younger; /* by .heard_ns */
};

struct channel {
	int fd;
	int questions;                                     /* sock_diag */
	struct net_endpoint own;                           /* where we listen */
	struct channel_client *announced[CHANNEL_BUCKETS]; /* by .from */
	struct channel_client *oldest, *youngest;
	size_t n_announced;
	bool heard_client; /* since this was cleared, perhaps while an answer was awaited */
	/* Called for what the supervisor says by itself: SHUT; and CLIENT, which is kept before. */
	void (*heard)(void *context, const struct relay_message *message);
	void *context;
	uint64_t asked; /* number of the last question */
	bool over;      /* the supervisor is gone */
};

/** channel_init() - @fd: the wire, not owned; @listener: to learn where we listen.  Return: 0 or -errno. */
int channel_init(struct channel *channel, int fd, int listener);

/** channel_ready() - tell the supervisor that the program may be started. */
int channel_ready(struct channel *channel);

/** channel_run() - the wire is readable. */
void channel_run(struct channel *channel);

/** channel_take() - was a connection from @from announced, and is it that one?  It is announced no more then. */
bool channel_take(struct channel *channel, const struct net_endpoint *from);

/** channel_forget() - what was announced long ago and never came. */
void channel_forget(struct channel *channel, uint64_t now_ns);

/**
 * channel_ask_name(), channel_ask_address() - ask the policy.
 * @host: that the program named; @to: where a socket with @cookie is to be connected
 * @answer: the supervisor's; where it cannot be had, a refusal
 * Return: 0 allowed; RELAY_WAIT; CHANNEL_SILENT; else an errno, and @answer says why.
 */
int channel_ask_name(struct channel *channel, const char *host, struct relay_message *answer);
int channel_ask_address(struct channel *channel, const char *host, uint64_t cookie,
			const struct sockaddr_storage *to, struct relay_message *answer);

/** channel_connected() - tell that what was asked for is connected. */
void channel_connected(struct channel *channel, uint64_t cookie,
		       const struct sockaddr_storage *from, const struct sockaddr_storage *to);

/** channel_refused() - a refusal that is not the policy's, for the trace. */
void channel_refused(struct channel *channel, const char *host, const char *why);

/** channel_endpoint() - in normal form.  Return: false: neither IPv4 nor IPv6. */
bool channel_endpoint(const struct sockaddr_storage *address, struct net_endpoint *out);

#endif
