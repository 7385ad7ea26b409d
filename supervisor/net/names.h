/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_NAMES_H
#define NET_NAMES_H

#include "net/addr.h"

/*
 * The addresses behind the host names of a policy: looked up by the supervisor
 * itself with c-ares, from the system's resolver and /etc/hosts, never taken from
 * what the program says.  Nothing is looked up before a decision needs it.
 *
 * Threads: names_ask() from any; all else from the thread that runs the event
 * loop.  The resolver's sockets are in an epoll set of their own, whose one
 * descriptor the loop watches.
 */
struct names;

enum names_answer { NAMES_NO, NAMES_YES, NAMES_UNKNOWN };

struct names_config {
	const char *const *names; /* kept, not copied */
	size_t n_names;
	const char *servers;     /* "ADDRESS[:PORT],..." for tests; NULL: /etc/resolv.conf */
	unsigned int ttl_min_s;  /* floor of a TTL in seconds, 0: 5 */
	unsigned int ttl_max_s;  /* ceiling, 0: 3600 */
	unsigned int grace_s;    /* an address stays valid so long after its TTL, 0: 300 */
	unsigned int fail_s;     /* a failed look-up is not tried again for so long, 0: 5 */
	unsigned int timeout_ms; /* one look-up takes no longer, 0: 5000 */
	/* Called by names_run() and names_wait() when a look-up has ended, well or not; @name is an index. */
	void (*done)(void *context, uint32_t name);
	void *context;
};

/** names_new() - no traffic, no file is read yet.  Return: NULL when out of memory. */
struct names *names_new(const struct names_config *config);
void names_free(struct names *names);

/**
 * names_ask() - does @addr belong to the name?
 * Return: NAMES_YES/NO from a look-up that is fresh (a YES also within the grace
 * period); NAMES_NO also while a failed look-up is remembered; NAMES_UNKNOWN when
 * a look-up is needed: call names_start() and ask again after done().
 */
enum names_answer names_ask(struct names *names, uint32_t name, const struct net_addr *addr);

/** names_start() - begin looking up (A and AAAA) unless one is under way. */
void names_start(struct names *names, uint32_t name);

/** names_error() - why the last look-up failed, "" if it did not; valid until the next names_run(). */
const char *names_error(struct names *names, uint32_t name);

/** names_of() - the name that @addr belongs to at the moment, UINT32_MAX for none (any thread). */
uint32_t names_of(struct names *names, const struct net_addr *addr);

int names_fd(struct names *names);
/** names_timeout_ms() - how long the loop may sleep, -1 for ever. */
int names_timeout_ms(struct names *names);
/** names_run() - the descriptor is readable or the time is up. */
void names_run(struct names *names);

/** names_wait() - for programs without a loop: run until @name is known or @timeout_ms passed.  Return: 0 or -ETIMEDOUT. */
int names_wait(struct names *names, uint32_t name, int timeout_ms);

/** names_system_resolvers() - the name servers of @resolv_conf (NULL: /etc/resolv.conf); 127.0.0.1 where it names none (resolv.conf(5)).  Return: how many, at most @max. */
size_t names_system_resolvers(const char *resolv_conf, struct net_addr *out, size_t max);

#endif
