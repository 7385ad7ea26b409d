/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_NAMES_H
#define NET_NAMES_H

#include "net/addr.h"

/*
 * The addresses behind the host names of a policy: looked up by the supervisor
 * itself with c-ares, from the system's resolver and /etc/hosts, never taken from
 * what the program says.  Nothing is looked up before a decision needs it, or the
 * program asks a name server for it.
 *
 * A wildcard (`*.example.com`) cannot be looked up.  It has the addresses of the names
 * below it that the program has asked for (names_observe()), each looked up here as any other.
 *
 * Threads: what is marked "any" from any; all else from the thread that runs the event
 * loop.  The resolver's sockets are in an epoll set of their own, whose one
 * descriptor the loop watches.
 *
 * Names are numbers: those of the policy by their place in names_config.names, observed
 * ones behind them.
 */
struct names;

#define NAMES_NONE UINT32_MAX
#define NAMES_TEXT_MAX 256

enum names_answer { NAMES_NO, NAMES_YES, NAMES_UNKNOWN, NAMES_FAILED };

struct names_config {
	const char *const *names; /* kept, not copied; lower case, "host.example" or "*.example" */
	size_t n_names;
	const char *servers;       /* "ADDRESS[:PORT],..." for tests; NULL: /etc/resolv.conf */
	unsigned int ttl_min_s;    /* floor of a TTL in seconds, 0: 5 */
	unsigned int ttl_max_s;    /* ceiling, 0: 3600 */
	unsigned int grace_s;      /* an address stays valid so long after its TTL, 0: 300 */
	unsigned int fail_s;       /* a failed look-up is not tried again for so long, 0: 5 */
	unsigned int timeout_ms;   /* one look-up takes no longer, 0: 5000 */
	unsigned int observed_max; /* names below wildcards that are remembered, 0: 1024 */
	bool
	    renew; /* look names that are in use up again before their TTL ends; needs names_run() in time */
	/* Called by names_run() and names_wait() when a look-up has ended, well or not; for the wildcards above, too. */
	void (*done)(void *context, uint32_t name);
	/*
	 * NULL, or which of these @n addresses have a connection: they stay valid.  Sorted by
	 * net_addr_compare(); sets @used[i].  Asked by names_run() where .renew.
	 */
	void (*in_use)(void *context, const struct net_addr *addrs, size_t n, bool *used);
	void *context;
};

/** names_new() - no traffic, no file is read yet.  Return: NULL when out of memory. */
struct names *names_new(const struct names_config *config);
void names_free(struct names *names);

/**
 * names_ask() - does @addr belong to one of these names?  (Any thread.)
 * @list: numbers of @n names of the policy, ascending
 * @which: NAMES_YES: the name; NAMES_UNKNOWN: the last one that must be looked up;
 *         NAMES_FAILED: one that nobody knows enough of; NAMES_NO: one that has no address, or NAMES_NONE
 * Return: NAMES_YES/NO from look-ups that are fresh (a YES also within the grace
 * period, and while a connection lives); NAMES_UNKNOWN when look-ups are needed: call
 * names_start() and ask again after done(); NAMES_FAILED while it is remembered that no
 * name server said whether one of them has an address of this family.
 */
enum names_answer names_ask(struct names *names, const uint32_t *list, size_t n,
			    const struct net_addr *addr, uint32_t *which);

/** names_want() - queue @name unless it is fresh or queued; the next names_start() or names_run() begins.  (Any thread.) */
void names_want(struct names *names, uint32_t name);

/** names_start() - begin looking up (A and AAAA) unless one is under way or what is known is fresh, which is reported; begin what is queued, too. */
void names_start(struct names *names, uint32_t name);

enum names_seen {
	NAMES_FOREIGN, /* no name of the policy */
	NAMES_FRESH,   /* what is known of it is good */
	NAMES_STALE, /* it is queued: wait for done(@name) before the program learns more than is known here */
	NAMES_CROWDED, /* below a wildcard, but too many are being looked up already */
};

/**
 * names_observe() - the program asks a name server for @text.  (Any thread.)
 * @text: lower case, without the dot of the root
 * @name: its number, for NAMES_FRESH and NAMES_STALE
 */
enum names_seen names_observe(struct names *names, const char *text, uint32_t *name);

/** names_lists() - is @text a name of the policy, or below a wildcard of it?  (Any thread.) */
bool names_lists(struct names *names, const char *text);

/** names_has() - does @addr belong to @name, observed or of the policy, for all that is known?  (Any thread.) */
bool names_has(struct names *names, uint32_t name, const struct net_addr *addr);

/** names_error() - why the last look-up failed, or half of it, "" if it did not (static text, or lives as long as @names).  (Any thread.) */
const char *names_error(struct names *names, uint32_t name);

/**
 * names_of() - the name that @addr belongs to at the moment, never a wildcard; of several the one
 * that the program asked for last.  (Any thread.)
 * @out: NAMES_TEXT_MAX bytes
 * Return: @out, or NULL: none.
 */
const char *names_of(struct names *names, const struct net_addr *addr, char *out);

int names_fd(struct names *names);
/** names_timeout_ms() - how long the loop may sleep, -1 for ever. */
int names_timeout_ms(struct names *names);
/** names_run() - the descriptor is readable or the time is up. */
void names_run(struct names *names);

/** names_wait() - for programs without a loop: run until @name is known or @timeout_ms passed.  Return: 0 or -ETIMEDOUT. */
int names_wait(struct names *names, uint32_t name, int timeout_ms);

/** names_system_resolvers() - the name servers of @resolv_conf (NULL: /etc/resolv.conf); 127.0.0.1 where it names none (resolv.conf(5)).  Return: how many, at most @max. */
size_t names_system_resolvers(const char *resolv_conf, struct net_addr *out, size_t max);

#define NAMES_SEARCH_MAX 16
/**
 * names_system_search() - the search list of @resolv_conf (NULL: /etc/resolv.conf), lower case, without
 * the dot of the root.  Return: how many, at most NAMES_SEARCH_MAX.
 */
size_t names_system_search(const char *resolv_conf, char out[NAMES_SEARCH_MAX][NAMES_TEXT_MAX]);

#endif
