/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: writev readv socket connect setsockopt getsockopt bind sendto recvfrom recvmsg sendmsg */
/* #syscalls: sendmmsg poll ppoll getsockname getpeername fcntl ioctl uname eventfd2 */
/* #syscalls: epoll_ctl epoll_wait epoll_create1 */
/*
 * The table of names: those of the policy, and observed ones below its wildcards.
 *
 * Observed names have a fixed number of places, for a program can ask for a million of
 * them: the one asked for longest ago gives way, unless it is being looked up; when all are,
 * a new one is not followed.
 */
#include "net/names_inner.h"

#include "shared/base/clock.h"
#include "shared/base/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define LABELS_MAX 128 /* a name has no more (RFC 1035: 255 bytes) */

/* --- texts --- */

static size_t bucket_of(const struct names *names, const char *text, size_t size)
{
	uint64_t hash = names->seed[0];

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	hash ^= names->seed[1];
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(hash >> 32) & (names->n_texts - 1);
}

static uint32_t text_find(const struct names *names, const char *text)
{
	uint32_t at = names->texts[bucket_of(names, text, strlen(text))];

	while (at != NAMES_NONE && strcmp(names->entries[at].text, text) != 0)
		at = names->entries[at].same_hash;
	return at;
}

static void text_add(struct names *names, uint32_t name)
{
	const char *text = names->entries[name].text;
	size_t bucket = bucket_of(names, text, strlen(text));

	names->entries[name].same_hash = names->texts[bucket];
	names->texts[bucket] = name;
}

static void text_remove(struct names *names, uint32_t name)
{
	const char *text = names->entries[name].text;
	uint32_t *at = &names->texts[bucket_of(names, text, strlen(text))];

	while (*at != name)
		at = &names->entries[*at].same_hash;
	*at = names->entries[name].same_hash;
}

/* The wildcards that @text is below, the nearest first.  Return: how many. */
static size_t find_above(const struct names *names, const char *text, uint32_t out[LABELS_MAX])
{
	char wildcard[NAMES_TEXT_MAX + 2] = "*";
	size_t n = 0;

	if (!names->wildcards || text[0] == '*' || strlen(text) >= NAMES_TEXT_MAX)
		return 0;
	for (const char *dot = strchr(text, '.'); dot && n < LABELS_MAX;
	     dot = strchr(dot + 1, '.')) {
		uint32_t found;

		snprintf(wildcard + 1, sizeof(wildcard) - 1, "%s", dot);
		found = text_find(names, wildcard);
		if (found != NAMES_NONE)
			out[n++] = found;
	}
	return n;
}

/* Return: false when out of memory. */
static bool keep_above(struct names_entry *entry, const uint32_t *above, size_t n)
{
	if (n == 0)
		return true;
	entry->above = malloc(n * sizeof(*above));
	if (!entry->above)
		return false;
	memcpy(entry->above, above, n * sizeof(*above));
	entry->n_above = n;
	return true;
}

/* --- making --- */

static void take_defaults(struct names_config *config)
{
	config->ttl_min_s = config->ttl_min_s ? config->ttl_min_s : 5;
	config->ttl_max_s = config->ttl_max_s ? config->ttl_max_s : 3600;
	config->grace_s = config->grace_s ? config->grace_s : 300;
	config->fail_s = config->fail_s ? config->fail_s : 5;
	config->timeout_ms = config->timeout_ms ? config->timeout_ms : 5000;
	config->observed_max = config->observed_max ? config->observed_max : 1024;
}

static bool make_tables(struct names *names)
{
	const struct names_config *config = &names->config;

	for (size_t i = 0; i < config->n_names; i++)
		names->wildcards |= config->names[i][0] == '*';
	names->n_entries = config->n_names + (names->wildcards ? config->observed_max : 0);
	for (names->n_texts = 16; names->n_texts < 2 * names->n_entries;)
		names->n_texts *= 2;
	names->entries = calloc(names->n_entries + 1, sizeof(*names->entries));
	names->certain = calloc(names->n_entries + 1, sizeof(*names->certain));
	names->texts = malloc(names->n_texts * sizeof(*names->texts));
	if (!names->entries || !names->certain || !names->texts)
		return false;
	memset(names->texts, 0xff, names->n_texts * sizeof(*names->texts));
	for (uint32_t i = 0; i < config->n_names; i++) {
		/* Never written to, nor freed. */
		names->entries[i].text = (char *)(uintptr_t)config->names[i];
		text_add(names, i);
		if (config->names[i][0] == '*')
			names->certain[i].until_ms = INT64_MAX;
	}
	for (uint32_t i = 0; names->wildcards && i < config->n_names; i++) {
		uint32_t above[LABELS_MAX];
		size_t n = find_above(names, config->names[i], above);

		if (!keep_above(&names->entries[i], above, n))
			return false;
	}
	return true;
}

struct names *names_new(const struct names_config *config)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->config = *config;
	take_defaults(&names->config);
	snprintf(names->late_text, sizeof(names->late_text),
		 "no answer from the name server within %u ms", names->config.timeout_ms);
	names->tick_ms = INT64_MAX;
	names->report = NAMES_NONE;
	names->queue.first = names->queue.last = NAMES_NONE;
	names->observed_queue = names->queue;
	pthread_mutex_init(&names->lock, NULL);
	names->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (names->epoll_fd >= 0 && names_keep_init(names) && make_tables(names))
		return names;
	names_free(names);
	return NULL;
}

static void forget(struct names_entry *entry)
{
	uint32_t generation = entry->generation;

	free(entry->text);
	free(entry->above);
	memset(entry, 0, sizeof(*entry));
	entry->generation = generation + 1;
}

void names_free(struct names *names)
{
	if (!names)
		return;
	names_lookup_fini(names);
	for (uint32_t i = 0; names->entries && i < names->n_entries; i++) {
		if (!names_is_observed(names, i))
			names->entries[i].text = NULL; /* the policy's */
		forget(&names->entries[i]);
	}
	free(names->entries);
	free(names->certain);
	free(names->texts);
	names_keep_fini(names);
	fd_close(&names->epoll_fd);
	pthread_mutex_destroy(&names->lock);
	free(names);
}

/* --- what is to be looked up --- */

/* Decisions wait for a name below a wildcard only where it is not known yet. */
static void let_wait(struct names *names, uint32_t name, int64_t now)
{
	struct names_entry *entry = &names->entries[name];

	if (now < names->certain[name].until_ms)
		return;
	entry->waits = true;
	for (size_t i = 0; i < entry->n_above; i++) {
		names->entries[entry->above[i]].waited_for++;
		names->certain[entry->above[i]].until_ms = 0;
	}
}

void names_settle(struct names *names, struct names_entry *entry)
{
	if (!entry->waits)
		return;
	entry->waits = false;
	for (size_t i = 0; i < entry->n_above; i++)
		if (--names->entries[entry->above[i]].waited_for == 0)
			names->certain[entry->above[i]].until_ms = INT64_MAX;
}

static void append(struct names *names, struct names_queue *queue, uint32_t name)
{
	names->entries[name].next_queued = NAMES_NONE;
	if (queue->first == NAMES_NONE)
		queue->first = name;
	else
		names->entries[queue->last].next_queued = name;
	queue->last = name;
}

void names_queue_add(struct names *names, uint32_t name, int64_t now)
{
	struct names_entry *entry = &names->entries[name];

	if (entry->state != NAME_IDLE)
		return;
	entry->state = NAME_QUEUED;
	let_wait(names, name, now);
	append(names, names_is_observed(names, name) ? &names->observed_queue : &names->queue,
	       name);
}

/* Those of the policy first, and always some room for them.  Return: NAMES_NONE: nothing, or no room. */
uint32_t names_queue_take(struct names *names)
{
	struct names_queue *queue = &names->queue;
	uint32_t name;

	if (names->n_pending >= LOOKUPS_MAX)
		return NAMES_NONE;
	if (queue->first == NAMES_NONE && names->n_observed_pending < LOOKUPS_OBSERVED_MAX)
		queue = &names->observed_queue;
	name = queue->first;
	if (name != NAMES_NONE)
		queue->first = names->entries[name].next_queued;
	return name;
}

void names_report(struct names *names, uint32_t name)
{
	struct names_entry *entry = &names->entries[name];

	if (entry->report)
		return;
	entry->report = true;
	entry->next_report = names->report;
	names->report = name;
}

void names_want(struct names *names, uint32_t name)
{
	int64_t now = clock_now_ms();

	pthread_mutex_lock(&names->lock);
	if (names->entries[name].text[0] != '*' && now >= names->certain[name].until_ms)
		names_queue_add(names, name, now);
	pthread_mutex_unlock(&names->lock);
}

/* --- asking --- */

static bool is_in(uint32_t name, const uint32_t *list, size_t n)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list[middle] == name)
			return true;
		if (list[middle] < name)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* Which name of @list the address has.  Return: NAMES_NONE: none. */
static uint32_t find_member(const struct names *names, const uint32_t *list, size_t n,
			    const struct net_addr *addr, int64_t now)
{
	for (const struct names_address *a = names_first(names, addr); a; a = a->next) {
		struct names_entry *entry = &names->entries[a->name];

		if (!net_addr_equal(&a->addr, addr) || !names_is_valid(names, a, now))
			continue;
		if (is_in(a->name, list, n)) {
			entry->used = true;
			return a->name;
		}
		for (size_t i = 0; i < entry->n_above; i++) {
			if (!is_in(entry->above[i], list, n))
				continue;
			entry->used = true;
			return entry->above[i];
		}
	}
	return NAMES_NONE;
}

/* What is to be said of an address that none of the names is known to have. */
static enum names_answer ask_others(const struct names *names, const uint32_t *list, size_t n,
				    const struct net_addr *addr, int64_t now, uint32_t *which)
{
	unsigned int family = addr->family == AF_INET ? NAMES_V4 : NAMES_V6;
	uint32_t empty = NAMES_NONE, unclear = NAMES_NONE;

	for (size_t i = 0; i < n; i++) {
		const struct names_certainty *certain = &names->certain[list[i]];

		if (now >= certain->until_ms)
			*which = list[i];
		else if (certain->unclear & family)
			unclear = list[i];
		else if (certain->failed)
			empty = list[i];
	}
	if (*which != NAMES_NONE)
		return NAMES_UNKNOWN;
	*which = unclear != NAMES_NONE ? unclear : empty;
	return unclear != NAMES_NONE ? NAMES_FAILED : NAMES_NO;
}

enum names_answer names_ask(struct names *names, const uint32_t *list, size_t n,
			    const struct net_addr *addr, uint32_t *which)
{
	enum names_answer answer = NAMES_YES;
	int64_t now = clock_now_ms();

	pthread_mutex_lock(&names->lock);
	*which = find_member(names, list, n, addr, now);
	if (*which == NAMES_NONE)
		answer = ask_others(names, list, n, addr, now, which);
	pthread_mutex_unlock(&names->lock);
	return answer;
}

bool names_has(struct names *names, uint32_t name, const struct net_addr *addr)
{
	int64_t now = clock_now_ms();
	bool found;

	pthread_mutex_lock(&names->lock);
	found = false;
	for (const struct names_address *a = names_first(names, addr); a && !found; a = a->next)
		found = a->name == name && net_addr_equal(&a->addr, addr) &&
			names_is_valid(names, a, now);
	pthread_mutex_unlock(&names->lock);
	return found;
}

const char *names_of(struct names *names, const struct net_addr *addr, char *out)
{
	const struct names_entry *best = NULL;
	int64_t now = clock_now_ms();

	pthread_mutex_lock(&names->lock);
	for (const struct names_address *a = names_first(names, addr); a; a = a->next) {
		const struct names_entry *entry = &names->entries[a->name];

		if (net_addr_equal(&a->addr, addr) && names_is_valid(names, a, now) &&
		    (!best || entry->asked > best->asked))
			best = entry;
	}
	if (best)
		snprintf(out, NAMES_TEXT_MAX, "%s", best->text);
	pthread_mutex_unlock(&names->lock);
	return best ? out : NULL;
}

/* --- what the program asks for --- */

/* A place for one more observed name.  Return: NAMES_NONE: all are being looked up. */
static uint32_t make_place(struct names *names, int64_t now)
{
	uint32_t oldest = NAMES_NONE;

	for (uint32_t i = (uint32_t)names->config.n_names; i < names->n_entries; i++) {
		const struct names_entry *entry = &names->entries[i];

		if (!entry->text)
			return i;
		if (entry->state == NAME_IDLE && !entry->report &&
		    (oldest == NAMES_NONE || entry->asked < names->entries[oldest].asked))
			oldest = i;
	}
	if (oldest != NAMES_NONE) {
		names_drop(names, oldest, true, now);
		text_remove(names, oldest);
		forget(&names->entries[oldest]);
	}
	return oldest;
}

/* Return: the number of an observed name, NAMES_NONE: it is below no wildcard, or *@crowded. */
static uint32_t add_observed(struct names *names, const char *text, int64_t now, bool *crowded)
{
	uint32_t above[LABELS_MAX], name;
	size_t n = find_above(names, text, above);

	*crowded = false;
	if (n == 0)
		return NAMES_NONE;
	name = make_place(names, now);
	*crowded = name == NAMES_NONE;
	if (*crowded)
		return NAMES_NONE;
	names->entries[name].text = strdup(text);
	names->certain[name] = (struct names_certainty){.until_ms = 0};
	if (names->entries[name].text && keep_above(&names->entries[name], above, n)) {
		text_add(names, name);
		return name;
	}
	forget(&names->entries[name]);
	*crowded = true;
	return NAMES_NONE;
}

enum names_seen names_observe(struct names *names, const char *text, uint32_t *name)
{
	enum names_seen seen = NAMES_FRESH;
	int64_t now = clock_now_ms();
	bool crowded = false;

	pthread_mutex_lock(&names->lock);
	*name = text[0] == '*' ? NAMES_NONE : text_find(names, text);
	if (*name == NAMES_NONE)
		*name = add_observed(names, text, now, &crowded);
	if (*name == NAMES_NONE) {
		seen = crowded ? NAMES_CROWDED : NAMES_FOREIGN;
	} else {
		names->entries[*name].asked = ++names->asked;
		names->entries[*name].used = true;
		if (now >= names->certain[*name].until_ms) {
			names_queue_add(names, *name, now);
			seen = NAMES_STALE;
		}
	}
	pthread_mutex_unlock(&names->lock);
	return seen;
}

bool names_lists(struct names *names, const char *text)
{
	uint32_t above[LABELS_MAX], found;
	bool listed;

	pthread_mutex_lock(&names->lock);
	found = text[0] == '*' ? NAMES_NONE : text_find(names, text);
	listed = (found != NAMES_NONE && !names_is_observed(names, found)) ||
		 find_above(names, text, above) > 0;
	pthread_mutex_unlock(&names->lock);
	return listed;
}
