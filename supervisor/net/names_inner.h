/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_NAMES_INNER_H
#define NET_NAMES_INNER_H

#include "net/names.h"

#include <pthread.h>

/*
 * What the names_*.c files share; nobody else includes this.
 *
 *   names.c         the table of names; asking; what the program asks for
 *   names_keep.c    addresses, by address and by name
 *   names_lookup.c  c-ares; the loop's side
 *
 *     idle ──want──▶ queued ──start──▶ pending ──▶ ended: fresh or failed, for a time ──▶ idle
 *
 * One lock over all of it, held for a hash look-up.  One thread decides at a time, as a rule, so
 * nobody waits for it; and reader-writer locks cost more than what it protects.
 */
#define LOOKUPS_MAX 64          /* under way at once */
#define LOOKUPS_OBSERVED_MAX 32 /* of these for names that the program made up, perhaps */
/* What a hostile resolver can make us keep: of one name, of one below a wildcard, of all. */
#define ADDRESSES_MAX 512
#define ADDRESSES_OBSERVED_MAX 64
#define ADDRESSES_ALL_MAX (1u << 17)

/* One address of one name. */
struct names_address {
	struct names_address *next;    /* in its bucket */
	struct names_address *sibling; /* of the same name */
	struct net_addr addr;
	uint32_t name;
	int64_t expires_ms; /* end of its time to live */
	int64_t held_ms;    /* a connection lives: valid until then in any case */
};

enum names_state { NAME_IDLE, NAME_QUEUED, NAME_PENDING };

/* Bits: of one name's addresses each kind is asked for by itself. */
enum names_family { NAMES_V4 = 1, NAMES_V6 = 2 };

struct names_entry {
	char *text;         /* NULL: a free place for an observed name */
	uint32_t same_hash; /* next in the table of texts */
	uint32_t *above;    /* wildcards of the policy that it is below, owned */
	size_t n_above;
	struct names_address *addresses;
	size_t n;
	enum names_state state;
	uint32_t next_queued;
	uint32_t generation;     /* of the place: an answer for who was here before is dropped */
	uint32_t round;          /* number of the look-up, tells late answers apart */
	unsigned int queries;    /* of the look-up under way, not ended */
	unsigned int waited_for; /* a wildcard: look-ups below it that decisions wait for */
	bool waits;              /* counted in .waited_for of those above */
	bool report;             /* its end is to be reported */
	uint32_t next_report;
	bool ok; /* one query of this look-up gave addresses */
	unsigned int
	    unclear; /* families of which it gave neither addresses nor a clear no, so far */
	bool used;   /* asked for, or connected to, since the last look-up */
	bool late;   /* it failed for its time */
	int status;  /* why it failed, of c-ares */
	int64_t deadline_ms; /* of the look-up under way */
	int64_t until_ms;    /* soonest end of a time to live in this look-up */
	int64_t renew_ms;    /* when to look it up again if it is in use; 0: not */
	uint64_t asked;      /* larger: asked for later by the program */
};

/* Until when a no is certain; apart, for a decision goes through many of them. */
struct names_certainty {
	int64_t until_ms;
	bool failed;          /* it has no address, for all that is known */
	unsigned int unclear; /* families that nobody knows */
};

struct names_queue {
	uint32_t first, last;
};

struct names {
	struct names_config config;
	int epoll_fd;
	void *channel; /* of c-ares; NULL before the first look-up */
	bool closing;
	char late_text[64];

	pthread_mutex_t lock; /* everything below */
	struct names_entry *entries;
	struct names_certainty *certain;
	size_t n_entries; /* those of the policy, then places for observed ones */
	bool wildcards;
	uint32_t *texts; /* table of texts: first of each bucket */
	size_t n_texts;  /* a power of two */
	uint64_t seed[2];
	uint64_t asked;

	struct names_address **buckets;
	size_t n_buckets; /* a power of two */
	size_t n_addresses;

	struct names_queue queue, observed_queue;
	uint32_t pending[LOOKUPS_MAX];
	size_t n_pending, n_observed_pending;
	uint32_t report; /* first of those whose end is to be reported, by .next_report */
	int64_t tick_ms; /* next housekeeping; INT64_MAX: none */
};

static inline bool names_is_observed(const struct names *names, uint32_t name)
{
	return name >= names->config.n_names;
}

/* --- names.c; the lock is held --- */
void names_queue_add(struct names *names, uint32_t name, int64_t now);
uint32_t names_queue_take(struct names *names);
void names_report(struct names *names, uint32_t name);
/** names_settle() - a look-up ended: nobody waits for it any more. */
void names_settle(struct names *names, struct names_entry *entry);

/* --- names_lookup.c --- */
/** names_lookup_fini() - ends every look-up. */
void names_lookup_fini(struct names *names);

/* --- names_keep.c; the lock is held --- */
bool names_keep_init(struct names *names);
void names_keep_fini(struct names *names);
/** names_first() - the first of the bucket of @addr; others than @addr are in it as well. */
struct names_address *names_first(const struct names *names, const struct net_addr *addr);
bool names_is_valid(const struct names *names, const struct names_address *address, int64_t now);
/** names_keep() - @addr is @name's until @expires; one that ends before may go for it. */
void names_keep(struct names *names, uint32_t name, const struct net_addr *addr, int64_t expires,
		int64_t now);
/** names_drop() - those that are not valid any more, or @all. */
void names_drop(struct names *names, uint32_t name, bool all, int64_t now);
/** names_tick() - renewals, and addresses that are about to end; takes the lock itself. */
void names_tick(struct names *names);

#endif
