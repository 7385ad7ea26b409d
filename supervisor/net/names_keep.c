/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses belong to which names, found by address.
 *
 * Addresses of earlier look-ups stay until their own time to live and the grace
 * period are over, for CDN names rotate and programs cache; and as long as a connection
 * to them lives, for programs keep pools.
 */
#include "net/names_inner.h"

#include "shared/base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS_FIRST 256
#define TICK_MS 1000 /* from one housekeeping to the next, at least */
/* Who uses an address is asked so long before it ends: two ticks. */
#define ASK_AHEAD_MS (2 * TICK_MS)
#define HOLD_MS 30000 /* an address in use is good for so long */
#define ASK_MAX 256   /* addresses in one question */

bool names_keep_init(struct names *names)
{
	names->n_buckets = BUCKETS_FIRST;
	names->buckets = calloc(names->n_buckets, sizeof(*names->buckets));
	/* Without random numbers at start-up the tables work all the same. */
	if (getrandom(names->seed, sizeof(names->seed), GRND_NONBLOCK) < 0)
		names->seed[0] = (uint64_t)clock_now_ms();
	return names->buckets != NULL;
}

void names_keep_fini(struct names *names)
{
	for (size_t i = 0; names->buckets && i < names->n_buckets; i++) {
		struct names_address *address = names->buckets[i], *next;

		for (; address; address = next) {
			next = address->next;
			free(address);
		}
	}
	free(names->buckets);
}

/* Seeded: a resolver must not choose what collides. */
static size_t bucket_of(const struct names *names, const struct net_addr *addr)
{
	uint64_t half[2], hash = names->seed[0] ^ addr->family;

	memcpy(half, addr->bytes, sizeof(half));
	for (size_t i = 0; i < 2; i++) {
		hash = (hash ^ half[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
		hash += names->seed[1];
	}
	hash *= UINT64_C(0xbf58476d1ce4e5b9);
	return (size_t)(hash >> 32) & (names->n_buckets - 1);
}

struct names_address *names_first(const struct names *names, const struct net_addr *addr)
{
	return names->buckets[bucket_of(names, addr)];
}

static int64_t end_of(const struct names *names, const struct names_address *address)
{
	int64_t end = address->expires_ms + (int64_t)names->config.grace_s * 1000;

	return address->held_ms > end ? address->held_ms : end;
}

bool names_is_valid(const struct names *names, const struct names_address *address, int64_t now)
{
	return now < end_of(names, address);
}

static void grow(struct names *names)
{
	size_t before = names->n_buckets;
	struct names_address **old = names->buckets, **larger = calloc(2 * before, sizeof(*larger));

	if (!larger)
		return; /* longer chains */
	names->buckets = larger;
	names->n_buckets = 2 * before;
	for (size_t i = 0; i < before; i++) {
		struct names_address *address = old[i], *next;

		for (; address; address = next) {
			size_t bucket = bucket_of(names, &address->addr);

			next = address->next;
			address->next = larger[bucket];
			larger[bucket] = address;
		}
	}
	free(old);
}

static struct names_address *find(const struct names *names, uint32_t name,
				  const struct net_addr *addr)
{
	struct names_address *address = names_first(names, addr);

	while (address && (address->name != name || !net_addr_equal(&address->addr, addr)))
		address = address->next;
	return address;
}

/* @address is of its name's list no more. */
static void drop_address(struct names *names, struct names_entry *entry,
			 struct names_address *address)
{
	struct names_address **at = &names->buckets[bucket_of(names, &address->addr)];

	while (*at != address)
		at = &(*at)->next;
	*at = address->next;
	free(address);
	entry->n--;
	names->n_addresses--;
}

/*
 * Makes room for an address until @expires, of a name that has as many as it may: the one goes that would be
 * the first to end, for what was answered last is what the program uses; never one that a connection needs.
 */
static bool make_room(struct names *names, struct names_entry *entry, int64_t expires, int64_t now)
{
	struct names_address **first = NULL, *gone;

	for (struct names_address **at = &entry->addresses; *at; at = &(*at)->sibling)
		if ((*at)->held_ms <= now && (*at)->expires_ms < expires &&
		    (!first || (*at)->expires_ms < (*first)->expires_ms))
			first = at;
	if (!first)
		return false;
	gone = *first;
	*first = gone->sibling;
	drop_address(names, entry, gone);
	return true;
}

void names_keep(struct names *names, uint32_t name, const struct net_addr *addr, int64_t expires,
		int64_t now)
{
	struct names_entry *entry = &names->entries[name];
	struct names_address *address = find(names, name, addr);
	size_t max = names_is_observed(names, name) ? ADDRESSES_OBSERVED_MAX : ADDRESSES_MAX;
	size_t bucket;

	if (address) {
		if (address->expires_ms < expires)
			address->expires_ms = expires;
		return;
	}
	if ((entry->n >= max || names->n_addresses >= ADDRESSES_ALL_MAX) &&
	    !make_room(names, entry, expires, now))
		return;
	address = malloc(sizeof(*address));
	if (!address)
		return; /* the address stays unknown: denied */
	if (names->n_addresses >= names->n_buckets)
		grow(names);
	bucket = bucket_of(names, addr);
	*address = (struct names_address){.next = names->buckets[bucket],
					  .sibling = entry->addresses,
					  .addr = *addr,
					  .name = name,
					  .expires_ms = expires};
	names->buckets[bucket] = address;
	entry->addresses = address;
	entry->n++;
	names->n_addresses++;
}

void names_drop(struct names *names, uint32_t name, bool all, int64_t now)
{
	struct names_entry *entry = &names->entries[name];
	struct names_address **at = &entry->addresses;

	while (*at) {
		struct names_address *address = *at;

		if (!all && names_is_valid(names, address, now)) {
			at = &address->sibling;
			continue;
		}
		*at = address->sibling;
		drop_address(names, entry, address);
	}
}

/* --- housekeeping --- */

/* Addresses that are about to end, to be asked about without the lock. */
struct endangered {
	struct net_addr addrs[ASK_MAX];
	uint32_t names[ASK_MAX];
	size_t n;
};

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Return: when this name needs the next look. */
static int64_t tick_entry(struct names *names, uint32_t name, int64_t now, struct endangered *ask)
{
	struct names_entry *entry = &names->entries[name];
	int64_t next = INT64_MAX;

	if (entry->renew_ms && now >= entry->renew_ms) {
		if (entry->used && entry->state == NAME_IDLE)
			names_queue_add(names, name, now);
		entry->renew_ms = 0;
	} else if (entry->renew_ms) {
		next = entry->renew_ms;
	}
	names_drop(names, name, false, now);
	for (const struct names_address *a = entry->addresses; a; a = a->sibling) {
		int64_t end = end_of(names, a);

		if (now < end - ASK_AHEAD_MS) {
			next = sooner(next, end - ASK_AHEAD_MS);
			continue;
		}
		next = sooner(next, end);
		if (ask->n < ASK_MAX) {
			ask->addrs[ask->n] = a->addr;
			ask->names[ask->n++] = name;
		}
	}
	return next;
}

static int compare_addresses(const void *left, const void *right)
{
	return net_addr_compare(left, right);
}

static void hold(struct names *names, const struct endangered *ask, int64_t now)
{
	struct net_addr sorted[ASK_MAX];
	bool used[ASK_MAX] = {false};
	size_t n = ask->n, kept = 0;

	memcpy(sorted, ask->addrs, ask->n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_addresses);
	for (size_t i = 1; i < ask->n; i++)
		if (net_addr_compare(&sorted[kept], &sorted[i]) != 0)
			sorted[++kept] = sorted[i];
	n = kept + 1;
	names->config.in_use(names->config.context, sorted, n, used);
	pthread_mutex_lock(&names->lock);
	for (size_t i = 0; i < ask->n; i++) {
		const struct net_addr *at =
		    bsearch(&ask->addrs[i], sorted, n, sizeof(*sorted), compare_addresses);
		struct names_address *address = find(names, ask->names[i], &ask->addrs[i]);

		if (at && address && used[at - sorted])
			address->held_ms = now + HOLD_MS;
	}
	pthread_mutex_unlock(&names->lock);
}

void names_tick(struct names *names)
{
	struct endangered ask = {.n = 0};
	int64_t now = clock_now_ms(), next = INT64_MAX;

	pthread_mutex_lock(&names->lock);
	if (now < names->tick_ms) {
		pthread_mutex_unlock(&names->lock);
		return;
	}
	for (uint32_t i = 0; i < names->n_entries; i++)
		if (names->entries[i].renew_ms || names->entries[i].addresses)
			next = sooner(next, tick_entry(names, i, now, &ask));
	names->tick_ms = next < now + TICK_MS ? now + TICK_MS : next;
	pthread_mutex_unlock(&names->lock);
	if (ask.n && names->config.in_use)
		hold(names, &ask, now);
}
