/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: socket connect setsockopt getsockopt bind sendto recvfrom recvmsg sendmsg */
/* #syscalls: sendmmsg poll ppoll getsockname getpeername fcntl ioctl uname eventfd2 */
/* #syscalls: epoll_ctl epoll_wait epoll_create1 */
/*
 * Addresses behind names.
 *
 * A look-up is two queries, A and AAAA, which end on their own: a resolver that
 * swallows one kind does not spoil the other.  It ends when both have, or at its
 * deadline; an answer that comes later still is kept.  c-ares is used by the
 * loop's thread only and never with the lock held; the lock protects the
 * addresses, which other threads ask for.
 *
 * Addresses of earlier look-ups stay until their own time to live and the grace
 * period are over: CDN names rotate, and programs cache.
 */
#include "net/names.h"

#include "shared/base/fd.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

/* Bounds what a hostile resolver can make us keep for one name. */
#define ADDRESSES_MAX 512
#define EVENTS_MAX 16

struct address {
	struct net_addr addr;
	int64_t expires_ms; /* end of its time to live */
};

struct entry {
	struct address *addresses; /* sorted by address_compare() */
	size_t n;
	int64_t fresh_ms;     /* a NO is certain until then */
	int64_t failed_ms;    /* no new try until then */
	int64_t deadline_ms;  /* of the look-up under way */
	unsigned int queries; /* of the look-up under way, not ended */
	uint32_t round;       /* number of the look-up, tells late answers apart */
	bool pending;
	bool report;      /* done() is to be called */
	bool ok;          /* one query of this look-up gave addresses */
	bool uncertain;   /* one query of this look-up gave neither addresses nor a clear no */
	int64_t until_ms; /* soonest end of a time to live in this look-up */
	int status;       /* why it failed so far, of c-ares */
	char error[96];
};

struct names {
	struct names_config config;
	int epoll_fd;
	ares_channel channel; /* NULL before the first names_start() */
	bool closing;
	pthread_mutex_t lock; /* protects .entries */
	struct entry *entries;
};

struct query {
	struct names *names;
	uint32_t name, round;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct names *names_new(const struct names_config *config)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->config = *config;
	names->config.ttl_min_s = config->ttl_min_s ? config->ttl_min_s : 5;
	names->config.ttl_max_s = config->ttl_max_s ? config->ttl_max_s : 3600;
	names->config.grace_s = config->grace_s ? config->grace_s : 300;
	names->config.fail_s = config->fail_s ? config->fail_s : 5;
	names->config.timeout_ms = config->timeout_ms ? config->timeout_ms : 5000;
	pthread_mutex_init(&names->lock, NULL);
	names->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	names->entries = calloc(config->n_names + 1, sizeof(*names->entries));
	if (names->epoll_fd >= 0 && names->entries)
		return names;
	names_free(names);
	return NULL;
}

void names_free(struct names *names)
{
	if (!names)
		return;
	names->closing = true;
	if (names->channel) {
		ares_destroy(names->channel); /* ends every query with ARES_EDESTRUCTION */
		ares_library_cleanup();
	}
	for (size_t i = 0; names->entries && i < names->config.n_names; i++)
		free(names->entries[i].addresses);
	free(names->entries);
	fd_close(&names->epoll_fd);
	pthread_mutex_destroy(&names->lock);
	free(names);
}

/* --- addresses --- */

static int address_compare(const struct net_addr *a, const struct net_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* Where @addr is in the entry, or belongs. */
static size_t entry_position(const struct entry *entry, const struct net_addr *addr, bool *found)
{
	size_t low = 0, high = entry->n;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = address_compare(addr, &entry->addresses[middle].addr);

		if (order == 0)
			*found = true;
		if (order <= 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool entry_has(const struct names *names, const struct entry *entry,
		      const struct net_addr *addr, int64_t now)
{
	bool found;
	size_t i = entry_position(entry, addr, &found);

	return found &&
	       now < entry->addresses[i].expires_ms + (int64_t)names->config.grace_s * 1000;
}

static void entry_drop_expired(struct entry *entry, int64_t grace_ms, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < entry->n; i++)
		if (now < entry->addresses[i].expires_ms + grace_ms)
			entry->addresses[kept++] = entry->addresses[i];
	entry->n = kept;
}

static void entry_add(struct entry *entry, const struct net_addr *addr, int64_t expires)
{
	struct address *at;
	bool found;
	size_t i = entry_position(entry, addr, &found);

	if (found) {
		if (entry->addresses[i].expires_ms < expires)
			entry->addresses[i].expires_ms = expires;
		return;
	}
	if (entry->n >= ADDRESSES_MAX)
		return;
	at = realloc(entry->addresses, (entry->n + 1) * sizeof(*at));
	if (!at)
		return; /* the address stays unknown: denied */
	entry->addresses = at;
	memmove(at + i + 1, at + i, (entry->n - i) * sizeof(*at));
	at[i] = (struct address){.addr = *addr, .expires_ms = expires};
	entry->n++;
}

static bool addr_of_node(const struct ares_addrinfo_node *node, struct net_addr *addr)
{
	if (node->ai_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, node->ai_addr, sizeof(in));
		*addr = net_addr_from_v4(&in.sin_addr);
		return true;
	}
	if (node->ai_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, node->ai_addr, sizeof(in6));
		*addr = net_addr_from_v6(&in6.sin6_addr, 0);
		return true;
	}
	return false;
}

/* Keep an answer.  A chain of CNAMEs lives as long as its shortest part. */
static void entry_keep(const struct names *names, struct entry *entry,
		       const struct ares_addrinfo *answer, int64_t now)
{
	unsigned int chain = names->config.ttl_max_s;

	entry_drop_expired(entry, (int64_t)names->config.grace_s * 1000, now);
	for (const struct ares_addrinfo_cname *c = answer->cnames; c; c = c->next)
		if (c->ttl >= 0 && (unsigned int)c->ttl < chain)
			chain = (unsigned int)c->ttl;
	for (const struct ares_addrinfo_node *node = answer->nodes; node; node = node->ai_next) {
		unsigned int ttl = chain;
		struct net_addr addr;
		int64_t expires;

		if (!addr_of_node(node, &addr))
			continue;
		if (node->ai_ttl >= 0 && (unsigned int)node->ai_ttl < ttl)
			ttl = (unsigned int)node->ai_ttl;
		if (ttl < names->config.ttl_min_s)
			ttl = names->config.ttl_min_s;
		expires = now + (int64_t)ttl * 1000;
		entry_add(entry, &addr, expires);
		if (expires < entry->until_ms)
			entry->until_ms = expires;
	}
}

/* --- a look-up's end --- */

static void entry_end(const struct names *names, struct entry *entry, int64_t now)
{
	int64_t retry = now + (int64_t)names->config.fail_s * 1000;

	entry->pending = false;
	entry->report = true;
	entry->error[0] = '\0';
	entry->fresh_ms = 0;
	entry->failed_ms = 0;
	if (entry->ok) {
		entry->fresh_ms = entry->until_ms;
		/* Half an answer says no for a short while only. */
		if ((entry->uncertain || entry->queries > 0) && retry < entry->fresh_ms)
			entry->fresh_ms = retry;
		return;
	}
	entry->failed_ms = retry;
	if (entry->queries > 0)
		snprintf(entry->error, sizeof(entry->error),
			 "no answer from the name server within %u ms", names->config.timeout_ms);
	else
		snprintf(entry->error, sizeof(entry->error), "%s", ares_strerror(entry->status));
}

static void entry_query_ended(struct entry *entry, int status, bool has_addresses)
{
	entry->queries--;
	if (has_addresses) {
		entry->ok = true;
		return;
	}
	if (status != ARES_ENODATA && status != ARES_ENOTFOUND)
		entry->uncertain = true;
	/* "No such data" of one kind says less than whatever the other kind met. */
	if (entry->status == ARES_SUCCESS || entry->status == ARES_ENODATA)
		entry->status = status == ARES_SUCCESS ? ARES_ENODATA : status;
}

static void query_done(void *argument, int status, int timeouts, struct ares_addrinfo *answer)
{
	struct query *query = argument;
	struct names *names = query->names;
	bool has_addresses = status == ARES_SUCCESS && answer && answer->nodes;
	int64_t now = now_ms();

	(void)timeouts;
	if (!names->closing) {
		struct entry *entry = &names->entries[query->name];

		pthread_mutex_lock(&names->lock);
		if (has_addresses)
			entry_keep(names, entry, answer, now);
		if (entry->pending && entry->round == query->round) {
			entry_query_ended(entry, status, has_addresses);
			if (entry->queries == 0)
				entry_end(names, entry, now);
		}
		pthread_mutex_unlock(&names->lock);
	}
	if (answer)
		ares_freeaddrinfo(answer);
	free(query);
}

/* --- c-ares --- */

static void socket_state(void *context, ares_socket_t fd, int readable, int writable)
{
	struct names *names = context;
	struct epoll_event event = {.data.fd = fd};

	event.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
	if (!event.events)
		epoll_ctl(names->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(names->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 && errno == EEXIST)
		epoll_ctl(names->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

/* The names are absolute: neither search domains nor the user's HOSTALIASES apply.  /etc/hosts goes first. */
static int resolver_open(struct names *names)
{
	char lookups[] = "fb";
	struct ares_options options = {
	    .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
	    .timeout = (int)(names->config.timeout_ms / 4 + 1),
	    .tries =
		2, /* one more than lost packets need: with the second waiting twice as long, 3/4 of the deadline */
	    .ndomains = 0,
	    .lookups = lookups,
	    .sock_state_cb = socket_state,
	    .sock_state_cb_data = names,
	};
	int status;

	if (names->channel)
		return ARES_SUCCESS;
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status != ARES_SUCCESS)
		return status;
	status =
	    ares_init_options(&names->channel, &options,
			      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
				  ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
	if (status == ARES_SUCCESS && names->config.servers)
		status = ares_set_servers_ports_csv(names->channel, names->config.servers);
	if (status == ARES_SUCCESS)
		return status;
	if (names->channel)
		ares_destroy(names->channel);
	names->channel = NULL;
	ares_library_cleanup();
	return status;
}

static void query_start(struct names *names, uint32_t name, uint32_t round, int family, int status)
{
	struct ares_addrinfo_hints hints = {.ai_family = family, .ai_flags = ARES_AI_NOSORT};
	struct query *query = malloc(sizeof(*query));
	struct entry *entry = &names->entries[name];

	if (status == ARES_SUCCESS && query) {
		*query = (struct query){.names = names, .name = name, .round = round};
		ares_getaddrinfo(names->channel, names->config.names[name], NULL, &hints,
				 query_done, query);
		return;
	}
	free(query);
	pthread_mutex_lock(&names->lock);
	entry_query_ended(entry, status == ARES_SUCCESS ? ARES_ENOMEM : status, false);
	if (entry->queries == 0)
		entry_end(names, entry, now_ms());
	pthread_mutex_unlock(&names->lock);
}

void names_start(struct names *names, uint32_t name)
{
	struct entry *entry = &names->entries[name];
	uint32_t round;
	bool pending;
	int status;

	pthread_mutex_lock(&names->lock);
	pending = entry->pending;
	if (!pending) {
		entry->pending = true;
		entry->queries = 2;
		entry->ok = entry->uncertain = false;
		entry->status = ARES_SUCCESS;
		entry->until_ms = INT64_MAX;
		entry->deadline_ms = now_ms() + names->config.timeout_ms;
		entry->round++;
	}
	round = entry->round;
	pthread_mutex_unlock(&names->lock);
	if (pending)
		return;
	status = resolver_open(names);
	query_start(names, name, round, AF_INET, status);
	query_start(names, name, round, AF_INET6, status);
}

/* --- asking --- */

enum names_answer names_ask(struct names *names, uint32_t name, const struct net_addr *addr)
{
	enum names_answer answer = NAMES_UNKNOWN;
	struct entry *entry = &names->entries[name];
	int64_t now = now_ms();

	pthread_mutex_lock(&names->lock);
	if (entry_has(names, entry, addr, now))
		answer = NAMES_YES;
	else if (now < entry->fresh_ms || now < entry->failed_ms)
		answer = NAMES_NO;
	pthread_mutex_unlock(&names->lock);
	return answer;
}

uint32_t names_of(struct names *names, const struct net_addr *addr)
{
	uint32_t found = UINT32_MAX;
	int64_t now = now_ms();

	pthread_mutex_lock(&names->lock);
	for (uint32_t i = 0; i < names->config.n_names && found == UINT32_MAX; i++)
		if (entry_has(names, &names->entries[i], addr, now))
			found = i;
	pthread_mutex_unlock(&names->lock);
	return found;
}

const char *names_error(struct names *names, uint32_t name)
{
	return names->entries[name].error;
}

/* --- the loop --- */

int names_fd(struct names *names)
{
	return names->epoll_fd;
}

int names_timeout_ms(struct names *names)
{
	int64_t soonest = INT64_MAX, now = now_ms();
	struct timeval tv;

	pthread_mutex_lock(&names->lock);
	for (size_t i = 0; i < names->config.n_names; i++) {
		const struct entry *entry = &names->entries[i];

		if (entry->report)
			soonest = now;
		else if (entry->pending && entry->deadline_ms < soonest)
			soonest = entry->deadline_ms;
	}
	pthread_mutex_unlock(&names->lock);
	if (names->channel && ares_timeout(names->channel, NULL, &tv)) {
		int64_t at = now + (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;

		if (at < soonest)
			soonest = at;
	}
	if (soonest == INT64_MAX)
		return -1;
	return soonest <= now ? 0 : (int)(soonest - now);
}

static void names_process(struct names *names)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(names->epoll_fd, events, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++) {
		bool in = events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP);
		bool out = events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP);

		ares_process_fd(names->channel, in ? events[i].data.fd : ARES_SOCKET_BAD,
				out ? events[i].data.fd : ARES_SOCKET_BAD);
	}
	ares_process_fd(names->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* time-outs */
}

void names_run(struct names *names)
{
	if (names->channel)
		names_process(names);
	for (uint32_t i = 0; i < names->config.n_names; i++) {
		struct entry *entry = &names->entries[i];
		int64_t now = now_ms();
		bool report;

		pthread_mutex_lock(&names->lock);
		if (entry->pending && now >= entry->deadline_ms)
			entry_end(names, entry, now);
		report = entry->report;
		entry->report = false;
		pthread_mutex_unlock(&names->lock);
		if (report && names->config.done)
			names->config.done(names->config.context, i);
	}
}

static bool names_known(struct names *names, uint32_t name)
{
	const struct entry *entry = &names->entries[name];
	int64_t now = now_ms();
	bool known;

	pthread_mutex_lock(&names->lock);
	known = !entry->pending && (now < entry->fresh_ms || now < entry->failed_ms);
	pthread_mutex_unlock(&names->lock);
	return known;
}

int names_wait(struct names *names, uint32_t name, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;

	while (!names_known(names, name)) {
		struct pollfd p = {.fd = names->epoll_fd, .events = POLLIN};
		int64_t left = deadline - now_ms();
		int sleep;

		if (left <= 0)
			return -ETIMEDOUT;
		names_start(names, name);
		sleep = names_timeout_ms(names);
		poll(&p, 1, sleep < 0 || sleep > left ? (int)left : sleep);
		names_run(names);
	}
	return 0;
}
