/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking names up.
 *
 * A look-up is two queries, A and AAAA, which end on their own: a resolver that
 * swallows one kind does not spoil the other.  It ends when both have, or at its
 * deadline; an answer that comes later still is kept.  c-ares is used by the
 * loop's thread only and never with the lock held.
 */
#include "net/names_inner.h"

#include "shared/base/clock.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define EVENTS_MAX 16
#define ABOVE_MAX 128
/* A name in use is looked up again when this part of its time is left. */
#define RENEW_PART 8

struct query {
	struct names *names;
	uint32_t name, round, generation;
	int family;
};

/* --- answers --- */

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
static void keep_answer(struct names *names, uint32_t name, const struct ares_addrinfo *answer,
			int64_t now)
{
	struct names_entry *entry = &names->entries[name];
	unsigned int chain = names->config.ttl_max_s;

	names_drop(names, name, false, now);
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
		names_keep(names, name, &addr, expires, now);
		if (expires < entry->until_ms)
			entry->until_ms = expires;
	}
}

/* --- a look-up's end --- */

static void leave_pending(struct names *names, uint32_t name)
{
	size_t i = 0;

	while (i < names->n_pending && names->pending[i] != name)
		i++;
	if (i < names->n_pending)
		names->pending[i] = names->pending[--names->n_pending];
	if (names_is_observed(names, name))
		names->n_observed_pending--;
}

/* When a name in use is to be looked up again: before its time ends, or when a failure may be over. */
static void plan_renewal(struct names *names, struct names_entry *entry, int64_t now, int64_t until)
{
	entry->renew_ms = 0;
	if (!names->config.renew || !entry->n)
		return;
	entry->renew_ms = entry->ok ? until - (until - now) / RENEW_PART : until;
	if (entry->renew_ms < names->tick_ms)
		names->tick_ms = entry->renew_ms;
}

static void end_lookup(struct names *names, uint32_t name, int64_t now)
{
	struct names_entry *entry = &names->entries[name];
	int64_t retry = now + (int64_t)names->config.fail_s * 1000, until = retry;

	leave_pending(names, name);
	entry->state = NAME_IDLE;
	entry->late = entry->queries > 0;
	/* Half an answer says no for a short while only. */
	if (entry->ok && !(entry->unclear && retry < entry->until_ms))
		until = entry->until_ms;
	names->certain[name] = (struct names_certainty){until, !entry->ok, entry->unclear};
	names_settle(names, entry);
	plan_renewal(names, entry, now, until);
	entry->used = false;
	names_report(names, name);
}

static void query_ended(struct names_entry *entry, int family, int status, bool has_addresses)
{
	entry->queries--;
	if (has_addresses || status == ARES_ENODATA || status == ARES_ENOTFOUND)
		entry->unclear &= ~(family == AF_INET ? NAMES_V4 : NAMES_V6);
	if (has_addresses) {
		entry->ok = true;
		return;
	}
	/* "No such data" of one kind says less than whatever the other kind met. */
	if (entry->status == ARES_SUCCESS || entry->status == ARES_ENODATA)
		entry->status = status == ARES_SUCCESS ? ARES_ENODATA : status;
}

static void query_done(void *argument, int status, int timeouts, struct ares_addrinfo *answer)
{
	struct query *query = argument;
	struct names *names = query->names;
	bool has_addresses = status == ARES_SUCCESS && answer && answer->nodes;
	int64_t now = clock_now_ms();

	(void)timeouts;
	if (!names->closing) {
		struct names_entry *entry = &names->entries[query->name];

		pthread_mutex_lock(&names->lock);
		if (has_addresses && entry->generation == query->generation)
			keep_answer(names, query->name, answer, now);
		if (entry->state == NAME_PENDING && entry->generation == query->generation &&
		    entry->round == query->round) {
			query_ended(entry, query->family, status, has_addresses);
			if (entry->queries == 0)
				end_lookup(names, query->name, now);
		}
		pthread_mutex_unlock(&names->lock);
	}
	if (answer)
		ares_freeaddrinfo(answer);
	free(query);
}

const char *names_error(struct names *names, uint32_t name)
{
	const struct names_entry *entry = &names->entries[name];
	const char *text = "";

	pthread_mutex_lock(&names->lock);
	if (names->certain[name].failed || names->certain[name].unclear)
		text = entry->late ? names->late_text : ares_strerror(entry->status);
	pthread_mutex_unlock(&names->lock);
	return text;
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
	ares_channel channel = NULL;
	int status;

	if (names->channel)
		return ARES_SUCCESS;
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status != ARES_SUCCESS)
		return status;
	status =
	    ares_init_options(&channel, &options,
			      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
				  ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
	if (status == ARES_SUCCESS && names->config.servers)
		status = ares_set_servers_ports_csv(channel, names->config.servers);
	if (status == ARES_SUCCESS) {
		names->channel = channel;
		return status;
	}
	if (channel)
		ares_destroy(channel);
	ares_library_cleanup();
	return status;
}

void names_lookup_fini(struct names *names)
{
	names->closing = true;
	if (!names->channel)
		return;
	ares_destroy(names->channel); /* ends every query with ARES_EDESTRUCTION */
	ares_library_cleanup();
	names->channel = NULL;
}

/* What one query needs of the entry, copied under the lock. */
struct start {
	uint32_t name, round, generation;
	char text[NAMES_TEXT_MAX];
};

static void query_start(struct names *names, const struct start *start, int family, int status)
{
	struct ares_addrinfo_hints hints = {.ai_family = family, .ai_flags = ARES_AI_NOSORT};
	struct query *query = malloc(sizeof(*query));
	struct names_entry *entry = &names->entries[start->name];

	if (status == ARES_SUCCESS && query) {
		*query =
		    (struct query){names, start->name, start->round, start->generation, family};
		ares_getaddrinfo(names->channel, start->text, NULL, &hints, query_done, query);
		return;
	}
	free(query);
	pthread_mutex_lock(&names->lock);
	query_ended(entry, family, status == ARES_SUCCESS ? ARES_ENOMEM : status, false);
	if (entry->queries == 0)
		end_lookup(names, start->name, clock_now_ms());
	pthread_mutex_unlock(&names->lock);
}

/* Return: false: nothing is queued, or enough is under way. */
static bool take_next(struct names *names, struct start *start)
{
	struct names_entry *entry;

	pthread_mutex_lock(&names->lock);
	start->name = names_queue_take(names);
	if (start->name != NAMES_NONE) {
		entry = &names->entries[start->name];
		entry->state = NAME_PENDING;
		entry->queries = 2;
		entry->ok = false;
		entry->unclear = NAMES_V4 | NAMES_V6;
		entry->status = ARES_SUCCESS;
		entry->until_ms = INT64_MAX;
		entry->deadline_ms = clock_now_ms() + names->config.timeout_ms;
		start->round = ++entry->round;
		start->generation = entry->generation;
		strncpy(start->text, entry->text, sizeof(start->text) - 1);
		start->text[sizeof(start->text) - 1] = '\0';
		names->pending[names->n_pending++] = start->name;
		names->n_observed_pending += names_is_observed(names, start->name);
	}
	pthread_mutex_unlock(&names->lock);
	return start->name != NAMES_NONE;
}

static void start_queued(struct names *names)
{
	struct start start;

	while (take_next(names, &start)) {
		int status = resolver_open(names);

		query_start(names, &start, AF_INET, status);
		query_start(names, &start, AF_INET6, status);
	}
}

void names_start(struct names *names, uint32_t name)
{
	const struct names_entry *entry = &names->entries[name];
	int64_t now = clock_now_ms();

	pthread_mutex_lock(&names->lock);
	if (now < names->certain[name].until_ms && entry->state == NAME_IDLE)
		names_report(names, name); /* what is waited for is over already */
	else if (entry->text && entry->text[0] != '*')
		names_queue_add(names, name, now);
	pthread_mutex_unlock(&names->lock);
	start_queued(names);
}

/* --- the loop --- */

int names_fd(struct names *names)
{
	return names->epoll_fd;
}

int names_timeout_ms(struct names *names)
{
	int64_t soonest, now = clock_now_ms();
	struct timeval tv;
	bool room;

	pthread_mutex_lock(&names->lock);
	soonest = names->tick_ms;
	room = (names->queue.first != NAMES_NONE && names->n_pending < LOOKUPS_MAX) ||
	       (names->observed_queue.first != NAMES_NONE && names->n_pending < LOOKUPS_MAX &&
		names->n_observed_pending < LOOKUPS_OBSERVED_MAX);
	if (names->report != NAMES_NONE || room)
		soonest = now;
	for (size_t i = 0; i < names->n_pending; i++)
		if (names->entries[names->pending[i]].deadline_ms < soonest)
			soonest = names->entries[names->pending[i]].deadline_ms;
	pthread_mutex_unlock(&names->lock);
	if (names->channel && ares_timeout(names->channel, NULL, &tv)) {
		int64_t at = now + (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;

		if (at < soonest)
			soonest = at;
	}
	if (soonest == INT64_MAX)
		return -1;
	if (soonest - now > INT32_MAX)
		return INT32_MAX;
	return soonest <= now ? 0 : (int)(soonest - now);
}

static void process(struct names *names)
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

static void end_late(struct names *names)
{
	int64_t now = clock_now_ms();

	pthread_mutex_lock(&names->lock);
	for (size_t i = names->n_pending; i-- > 0;)
		if (now >= names->entries[names->pending[i]].deadline_ms)
			end_lookup(names, names->pending[i], now);
	pthread_mutex_unlock(&names->lock);
}

/* The next look-up that ended, and the wildcards above it.  Return: how many names; 0: none. */
static size_t take_report(struct names *names, uint32_t out[ABOVE_MAX + 1])
{
	struct names_entry *entry;
	size_t n = 0;

	pthread_mutex_lock(&names->lock);
	if (names->report != NAMES_NONE) {
		entry = &names->entries[names->report];
		out[n++] = names->report;
		names->report = entry->next_report;
		entry->report = false;
		for (size_t i = 0; i < entry->n_above && i < ABOVE_MAX; i++)
			out[n++] = entry->above[i];
	}
	pthread_mutex_unlock(&names->lock);
	return n;
}

void names_run(struct names *names)
{
	uint32_t ended[ABOVE_MAX + 1];
	size_t n;

	if (names->channel)
		process(names);
	end_late(names);
	if (names->config.renew)
		names_tick(names);
	start_queued(names);
	while ((n = take_report(names, ended)) > 0)
		for (size_t i = 0; i < n && names->config.done; i++)
			names->config.done(names->config.context, ended[i]);
}

static bool is_known(struct names *names, uint32_t name)
{
	int64_t now = clock_now_ms();
	bool known;

	pthread_mutex_lock(&names->lock);
	known = names->entries[name].state == NAME_IDLE && now < names->certain[name].until_ms;
	pthread_mutex_unlock(&names->lock);
	return known;
}

int names_wait(struct names *names, uint32_t name, int timeout_ms)
{
	int64_t deadline = clock_now_ms() + timeout_ms;

	while (!is_known(names, name)) {
		struct pollfd p = {.fd = names->epoll_fd, .events = POLLIN};
		int64_t left = deadline - clock_now_ms();
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
