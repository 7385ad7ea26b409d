/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_GATEWAY_H
#define URLFETCH_GATEWAY_H

#include "urlfetch/channel.h"
#include "urlfetch/outgoing.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * gae-urlfetch in one thread: an epoll loop over the listener, the clients, the servers, what
 * libcurl is connecting to, and the supervisor.
 *
 *   listener ─accept─▶ client ─▶ request ─┬─▶ fetch   (http and https URLs) ─▶ upstream ─▶ answer
 *                                         └─▶ tunnel  (CONNECT: bytes both ways)
 *
 * Nothing but the question to the supervisor is ever waited for, which takes microseconds.
 * Memory is bounded by GATEWAY_CLIENTS_MAX times what one client may hold; where the limit on open
 * files allows fewer clients, the others wait in the listener's queue.
 */
#define GATEWAY_CLIENTS_MAX 512
#define GATEWAY_ABANDONED_MAX 32 /* see connect_stop() */
#define GATEWAY_SPARE_MAX 32     /* fetches kept for the next requests */

struct client;
struct fetch;
struct upstream;

/* Something with a descriptor in the loop. */
struct source {
	void (*run)(struct source *source, uint32_t events);
	int fd;
	uint32_t events;     /* registered; 0: is not */
	struct source *next; /* among the dead */
	void *memory;
};

struct gateway {
	int epoll;
	struct source listener, supervisor;
	struct channel channel;
	struct outgoing outgoing;
	CURLM *multi;  /* makes connections */
	CURLSH *share; /* what they have learnt of TLS: sessions that may be resumed */
	struct upstream *kept_newest, *kept_oldest; /* that wait for their next request */
	size_t n_kept, kept_max;
	uint64_t abandoned_ns[GATEWAY_ABANDONED_MAX]; /* when look-ups were given up, in a ring */
	size_t n_abandoned;
	struct fetch *spare_fetches[GATEWAY_SPARE_MAX];
	size_t n_spare_fetches;
	uint64_t curl_at_ns; /* when libcurl wants to be called; UINT64_MAX: never */
	struct client *clients;
	size_t n_clients, clients_max;
	uint64_t accept_at_ns; /* no descriptor was to be had: none is taken before this */
	bool spins;            /* something was to do, for few clients: see await() */
	struct source *dead;   /* freed when the events at hand are dealt with */
	/* What the command line says. */
	const char *app;
	uint32_t deadline_s, deadline_max_s;
};

/**
 * gateway_init() - gateway->channel is initialised already.
 * @listener, @supervisor: descriptors, owned from now on.
 * Return: 0 or -errno.
 */
int gateway_init(struct gateway *gateway, int listener, int supervisor);

/** gateway_run() - until the supervisor is gone. */
void gateway_run(struct gateway *gateway);

/** gateway_watch() - have source->run called on @events, and on errors and hang-ups; 0: never. */
void gateway_watch(struct gateway *gateway, struct source *source, uint32_t events);

/**
 * gateway_relax() - @events are enough, but what is registered already may stay until it is
 * heard of: most often it is wanted again by then, and two system calls are saved.
 */
void gateway_relax(struct gateway *gateway, struct source *source, uint32_t events);

/** gateway_unwatch() - before the descriptor is closed: source->run is never called again. */
void gateway_unwatch(struct gateway *gateway, struct source *source);

/** gateway_bury() - free @memory, which has @source in it, when no event can point to it any more. */
void gateway_bury(struct gateway *gateway, struct source *source, void *memory);
#endif
