/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include "account_inner.h"
#include "net/names.h"
#include "shared/base/clock.h"

#include <stdlib.h>
#include <string.h>

struct account *account_new(const struct account_config *config)
{
	struct account *account = calloc(1, sizeof(*account));
	pthread_mutexattr_t
	    spins; /* for a moment: the other side holds it for less than sleeping takes */

	if (!account)
		return NULL;
	account->config = *config;
	account->plan = config->plan;
	account->quotas = config->quotas;
	account->names = config->names;
	account->n_buckets = 256;
	account->buckets = calloc(account->n_buckets, sizeof(struct account_socket *));
	if (!account->buckets) {
		free(account);
		return NULL;
	}
	for (int kind = QUOTA_SENDS; kind < QUOTA_KINDS; kind++)
		account->bytes_limited |= quotas_limited(account->quotas, (enum quota_kind)kind);
	flows_init(&account->flows);
	pthread_mutexattr_init(&spins);
	pthread_mutexattr_settype(&spins, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&account->lock, &spins);
	pthread_mutexattr_destroy(&spins);
	return account;
}

/* --- the table of sockets; the lock is held --- */

/* Cookies are handed out in sequence, per processor. */
static size_t place_of(const struct account *account, uint64_t cookie)
{
	return (cookie * 0x9e3779b97f4a7c15u >> 32) & (account->n_buckets - 1);
}

struct account_socket *account_find(struct account *account, uint64_t cookie)
{
	struct account_socket *socket = account->buckets[place_of(account, cookie)];

	while (socket && socket->cookie != cookie)
		socket = socket->next;
	return socket;
}

static void grow(struct account *account)
{
	size_t old_n = account->n_buckets;
	struct account_socket **old = account->buckets, **new, *socket, *next;

	if (account->n_sockets < old_n)
		return;
	new = calloc(2 * old_n, sizeof(struct account_socket *));
	if (!new) /* longer chains, then */
		return;
	account->buckets = new;
	account->n_buckets = 2 * old_n;
	for (size_t i = 0; i < old_n; i++) {
		for (socket = old[i]; socket; socket = next) {
			struct account_socket **first =
			    &account->buckets[place_of(account, socket->cookie)];

			next = socket->next;
			socket->next = *first;
			*first = socket;
		}
	}
	free(old);
}

struct account_socket *account_insert(struct account *account, const struct account_caller *caller,
				      enum transport transport, uint64_t now)
{
	struct account_socket *socket, **first;

	if (account->n_sockets >= ACCOUNT_SOCKETS_MAX)
		return NULL;
	grow(account);
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return NULL;
	socket->cookie = caller->cookie;
	socket->domain = caller->domain;
	socket->transport = transport;
	socket->made_ns = socket->used_ns = now;
	socket->doubted = account->deaf;
	socket->look.at_ns = UINT64_MAX;
	if (!heap_push(&account->looks, &socket->look)) {
		free(socket);
		return NULL;
	}
	first = &account->buckets[place_of(account, socket->cookie)];
	socket->next = *first;
	*first = socket;
	account->n_sockets++;
	return socket;
}

void account_remove(struct account *account, struct account_socket *socket)
{
	struct account_socket **at = &account->buckets[place_of(account, socket->cookie)];

	while (*at != socket)
		at = &(*at)->next;
	*at = socket->next;
	heap_remove(&account->looks, &socket->look);
	account->n_sockets--;
	free(socket);
}

void account_use(struct account_socket *socket, const struct account_caller *caller, uint64_t now)
{
	socket->by = *caller;
	strncpy(socket->name, caller->process, sizeof(socket->name) - 1);
	socket->used_ns = now;
}

static bool take(struct account *account, enum quota_kind kind, uint64_t n, enum quota_kind *spent)
{
	if (quotas_take(account->quotas, kind, n))
		return true;
	*spent = kind;
	account->over_quota++;
	return false;
}

/*
 * The socket of @caller, made where it is used for the first time.
 * Return: ACCOUNT_FINE and *@out; ACCOUNT_SPENT, ACCOUNT_FULL.
 */
enum account_answer account_reach(struct account *account, const struct account_caller *caller,
				  enum transport transport, struct account_socket **out,
				  enum quota_kind *spent)
{
	struct account_socket *socket = account_find(account, caller->cookie);
	uint64_t now = clock_now_ns();

	if (!socket) {
		if (!take(account, QUOTA_CREATES, 1, spent))
			return ACCOUNT_SPENT;
		socket = account_insert(account, caller, transport, now);
		if (!socket)
			return ACCOUNT_FULL;
		account_use(socket, caller, now);
		account_schedule(account, socket, now);
	} else {
		account_use(socket, caller, now);
	}
	*out = socket;
	if (socket->handed)
		return ACCOUNT_HANDED;
	return socket->closed ? ACCOUNT_CLOSED : ACCOUNT_FINE;
}

struct account_socket *account_find_or_make(struct account *account,
					    const struct account_caller *caller,
					    enum transport transport)
{
	struct account_socket *socket = account_find(account, caller->cookie);
	uint64_t now;

	if (socket)
		return socket;
	now = clock_now_ns();
	socket = account_insert(account, caller, transport, now);
	if (!socket)
		return NULL;
	account_use(socket, caller, now);
	account_schedule(account, socket, now);
	return socket;
}

struct flow *account_flow(struct account *account, const struct account_caller *caller,
			  enum transport transport, const struct net_endpoint *to)
{
	struct flow *flow = flows_find(&account->flows, caller->pid, transport, to);
	char text[NAMES_TEXT_MAX], *host = NULL;

	if (flow)
		return flow;
	/* Kept as long as its flow: to the end. */
	if (account->flows.n < FLOWS_MAX) {
		if (caller->host && *caller->host)
			host = strdup(caller->host);
		else if (account->names && names_of(account->names, &to->addr, text))
			host = strdup(text);
	}
	return flows_add(&account->flows, caller->pid, caller->process, transport, to,
			 host ? host : "");
}

bool account_knows(struct account *account, uint64_t cookie, int *domain, int *type)
{
	struct account_socket *socket;
	bool known;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, cookie);
	known = socket != NULL;
	if (socket) {
		*domain = socket->domain;
		*type = socket->transport == TRANSPORT_TCP ? SOCK_STREAM : SOCK_DGRAM;
	}
	pthread_mutex_unlock(&account->lock);
	return known;
}

static int compare_addresses(const void *left, const void *right)
{
	return net_addr_compare(left, right);
}

void account_uses(struct account *account, const struct net_addr *addrs, size_t n, bool *used)
{
	pthread_mutex_lock(&account->lock);
	for (size_t i = 0; i < account->n_buckets; i++)
		for (const struct account_socket *socket = account->buckets[i]; socket;
		     socket = socket->next) {
			const struct net_addr *found;

			if (socket->closed)
				continue;
			found =
			    bsearch(&socket->to.addr, addrs, n, sizeof(*addrs), compare_addresses);
			if (found)
				used[found - addrs] = true;
		}
	pthread_mutex_unlock(&account->lock);
}

/* --- before a call --- */

/* Bytes and packets of TCP are found out afterwards; once they are spent nothing new is begun. */
static bool anything_left(struct account *account, enum quota_kind *spent)
{
	*spent = account_spent(account);
	account->over_quota += *spent != QUOTA_KINDS;
	return *spent == QUOTA_KINDS;
}

static enum account_answer may_connect(struct account *account, const struct account_caller *caller,
				       enum quota_kind *spent)
{
	struct account_socket *socket;
	enum account_answer answer;

	if (!anything_left(account, spent))
		return ACCOUNT_SPENT;
	answer = account_reach(account, caller, TRANSPORT_TCP, &socket, spent);
	if (answer == ACCOUNT_FINE && !take(account, QUOTA_CONNECTS, 1, spent))
		return ACCOUNT_SPENT;
	return answer;
}

enum account_answer account_may_connect(struct account *account,
					const struct account_caller *caller, enum quota_kind *spent)
{
	enum account_answer answer;

	pthread_mutex_lock(&account->lock);
	answer = may_connect(account, caller, spent);
	pthread_mutex_unlock(&account->lock);
	return answer;
}

enum account_answer account_may_begin(struct account *account, const struct account_caller *caller,
				      enum quota_kind *spent)
{
	enum account_answer answer = ACCOUNT_BEGUN;
	struct account_socket *socket;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, caller->cookie);
	if (!socket || !socket->has_tuple)
		answer = may_connect(account, caller, spent);
	else if (!socket->closed)
		account_use(socket, caller, clock_now_ns());
	pthread_mutex_unlock(&account->lock);
	return answer;
}

enum account_answer account_may_bind(struct account *account, const struct account_caller *caller,
				     enum transport transport, enum quota_kind *spent)
{
	struct account_socket *socket;
	enum account_answer answer;

	pthread_mutex_lock(&account->lock);
	answer = account_reach(account, caller, transport, &socket, spent);
	if (answer == ACCOUNT_FINE && !take(account, QUOTA_BINDS, 1, spent))
		answer = ACCOUNT_SPENT;
	pthread_mutex_unlock(&account->lock);
	return answer;
}

static bool take_sends(struct account *account, size_t size, unsigned int datagrams,
		       enum quota_kind *spent)
{
	if (!take(account, QUOTA_SENDS, datagrams, spent))
		return false;
	if (take(account, QUOTA_BYTES_SENT, size, spent))
		return true;
	quotas_give(account->quotas, QUOTA_SENDS, datagrams);
	return false;
}

enum account_answer account_may_send(struct account *account, const struct account_caller *caller,
				     size_t size, unsigned int datagrams, enum quota_kind *spent)
{
	struct account_socket *socket;
	enum account_answer answer;

	pthread_mutex_lock(&account->lock);
	answer = account_reach(account, caller, TRANSPORT_UDP, &socket, spent);
	/* The first datagram on a connection counts as its connect. */
	if (answer == ACCOUNT_FINE && socket->aim_pending) {
		if (take(account, QUOTA_CONNECTS, 1, spent))
			socket->aim_pending = false;
		else
			answer = ACCOUNT_SPENT;
		if (answer == ACCOUNT_FINE && socket->flow)
			socket->flow->usage.connects++;
		account->dirty = true;
	}
	if (answer == ACCOUNT_FINE && !take_sends(account, size, datagrams, spent))
		answer = ACCOUNT_SPENT;
	pthread_mutex_unlock(&account->lock);
	return answer;
}

enum account_answer account_may_receive(struct account *account,
					const struct account_caller *caller, enum quota_kind *spent)
{
	struct account_socket *socket;
	enum account_answer answer;

	pthread_mutex_lock(&account->lock);
	answer = account_reach(account, caller, TRANSPORT_UDP, &socket, spent);
	for (int kind = QUOTA_RECEIVES; answer == ACCOUNT_FINE && kind < QUOTA_KINDS; kind++) {
		if ((kind == QUOTA_RECEIVES || kind == QUOTA_BYTES_RECEIVED) &&
		    quotas_left(account->quotas, (enum quota_kind)kind) == 0) {
			*spent = (enum quota_kind)kind;
			account->over_quota++;
			answer = ACCOUNT_SPENT;
		}
	}
	pthread_mutex_unlock(&account->lock);
	return answer;
}

/* --- after a call --- */

static bool is_same_endpoint(const struct net_endpoint *a, const struct net_endpoint *b)
{
	return a->port == b->port && net_addr_equal(&a->addr, &b->addr);
}

static bool is_same_tuple(const struct sock_tuple *a, const struct sock_tuple *b)
{
	return is_same_endpoint(&a->local, &b->local) && is_same_endpoint(&a->remote, &b->remote);
}

void account_not_connected(struct account *account)
{
	quotas_give(account->quotas, QUOTA_CONNECTS, 1);
}

void account_connected(struct account *account, const struct account_caller *caller,
		       const struct net_endpoint *to, const struct sock_tuple *tuple, bool certain)
{
	struct account_socket *socket;

	pthread_mutex_lock(&account->lock);
	socket = account_find_or_make(account, caller, TRANSPORT_TCP);
	if (socket && !certain && tuple && socket->has_tuple &&
	    is_same_tuple(&socket->tuple, tuple)) {
		account_not_connected(account);
	} else if (socket) {
		socket->flow = account_flow(account, caller, TRANSPORT_TCP, to);
		socket->flow->usage.connects++;
		socket->usage.connects++;
		socket->to = *to;
		socket->has_tuple = tuple != NULL;
		if (tuple)
			socket->tuple = *tuple;
		socket->interval_ns = 0;
		account_schedule(account, socket, socket->used_ns);
		account->dirty = true;
	}
	pthread_mutex_unlock(&account->lock);
}

void account_failed(struct account *account, const struct account_caller *caller,
		    const struct net_endpoint *to)
{
	struct account_socket *socket;
	bool before;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, caller->cookie);
	before = socket && socket->has_tuple;
	if (before) {
		socket->has_tuple = false;
		account_schedule(account, socket, socket->used_ns);
	}
	pthread_mutex_unlock(&account->lock);
	if (before)
		account_not_connected(account);
	else
		account_connected(account, caller, to, NULL, true);
}

void account_placed(struct account *account, uint64_t cookie, const struct sock_tuple *tuple)
{
	struct account_socket *socket;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, cookie);
	if (socket) {
		socket->has_tuple = true;
		socket->tuple = *tuple;
		account_schedule(account, socket, clock_now_ns());
	}
	pthread_mutex_unlock(&account->lock);
}

void account_aimed(struct account *account, const struct account_caller *caller,
		   const struct net_endpoint *to)
{
	struct account_socket *socket;
	enum quota_kind spent;

	pthread_mutex_lock(&account->lock);
	if (account_reach(account, caller, TRANSPORT_UDP, &socket, &spent) == ACCOUNT_FINE) {
		socket->flow = NULL;
		socket->aim_pending = to != NULL;
		if (to) {
			socket->flow = account_flow(account, caller, TRANSPORT_UDP, to);
			socket->to = *to;
		}
	}
	pthread_mutex_unlock(&account->lock);
}

bool account_sent(struct account *account, const struct account_caller *caller,
		  const struct net_endpoint *to, long sent, size_t size, unsigned int datagrams)
{
	struct account_socket *socket;
	struct flow *flow = NULL;

	if (sent < 0) {
		quotas_give(account->quotas, QUOTA_SENDS, datagrams);
		quotas_give(account->quotas, QUOTA_BYTES_SENT, size);
		return true;
	}
	pthread_mutex_lock(&account->lock);
	socket = account_find_or_make(account, caller, TRANSPORT_UDP);
	if (to)
		flow = account_flow(account, caller, TRANSPORT_UDP, to);
	else if (socket)
		flow = socket->flow;
	if (flow) {
		flow->usage.bytes_sent += (uint64_t)sent;
		flow->usage.datagrams_sent += datagrams;
		account->dirty = true;
	}
	if (flow && socket) {
		if (to)
			socket->to = *to;
		socket->usage.bytes_sent += (uint64_t)sent;
		socket->usage.datagrams_sent += datagrams;
	}
	pthread_mutex_unlock(&account->lock);
	return flow != NULL;
}

void account_received(struct account *account, const struct account_caller *caller,
		      const struct net_endpoint *from, size_t size, unsigned int datagrams)
{
	struct account_socket *socket;

	quotas_add(account->quotas, QUOTA_RECEIVES, datagrams);
	quotas_add(account->quotas, QUOTA_BYTES_RECEIVED, size);
	pthread_mutex_lock(&account->lock);
	socket = account_find(account, caller->cookie);
	if (socket) {
		struct flow *flow = socket->flow;

		/* What comes from somewhere else than where it is connected cannot come in. */
		if (!flow && from)
			flow = account_flow(account, caller, TRANSPORT_UDP, from);
		if (flow) {
			flow->usage.bytes_received += size;
			flow->usage.datagrams_received += datagrams;
			account->dirty = true;
		}
		socket->usage.bytes_received += size;
		socket->usage.datagrams_received += datagrams;
		socket->used_ns = clock_now_ns();
	}
	pthread_mutex_unlock(&account->lock);
}

static struct account_port *find_port(struct account *account, uint16_t port)
{
	for (size_t i = 0; i < account->n_ports && i < ACCOUNT_PORTS_MAX; i++)
		if (account->ports[i].port == port)
			return &account->ports[i];
	return NULL;
}

void account_bound(struct account *account, const struct account_caller *caller, uint16_t port)
{
	struct account_port *at;

	pthread_mutex_lock(&account->lock);
	at = find_port(account, port);
	if (!at)
		at = &account->ports[account->n_ports++ % ACCOUNT_PORTS_MAX];
	*at = (struct account_port){.port = port, .pid = caller->pid};
	strncpy(at->process, caller->process, sizeof(at->process) - 1);
	pthread_mutex_unlock(&account->lock);
}

bool account_accepts(struct account *account, uint16_t port)
{
	bool accepts;

	pthread_mutex_lock(&account->lock);
	accepts = find_port(account, port) != NULL;
	pthread_mutex_unlock(&account->lock);
	return accepts;
}

bool account_accepted(struct account *account, const struct sock_end *end, bool fin)
{
	struct net_endpoint peer = {.addr = end->tuple.remote.addr, .port = end->tuple.local.port};
	struct account_caller caller = {0};
	const struct account_port *at;
	struct usage more = {.bytes_sent = end->tcp.bytes_sent,
			     .bytes_received = end->tcp.bytes_received - fin};

	pthread_mutex_lock(&account->lock);
	at = find_port(account, end->tuple.local.port);
	if (at) {
		caller.pid = at->pid;
		caller.process = at->process;
		usage_add(&account_flow(account, &caller, TRANSPORT_TCP, &peer)->usage, &more);
		account->dirty = true;
	}
	pthread_mutex_unlock(&account->lock);
	if (!at)
		return false;
	quotas_add(account->quotas, QUOTA_SENDS, end->tcp.segments_sent);
	quotas_add(account->quotas, QUOTA_RECEIVES, end->tcp.segments_received);
	quotas_add(account->quotas, QUOTA_BYTES_SENT, more.bytes_sent);
	quotas_add(account->quotas, QUOTA_BYTES_RECEIVED, more.bytes_received);
	return true;
}

void account_denied(struct account *account, const struct account_caller *caller,
		    enum transport transport, const struct net_endpoint *to)
{
	pthread_mutex_lock(&account->lock);
	account_flow(account, caller, transport, to)->usage.denied++;
	account->dirty = true;
	pthread_mutex_unlock(&account->lock);
}

void account_decided(struct account *account, bool allowed)
{
	atomic_fetch_add_explicit(allowed ? &account->allowed : &account->denied, 1,
				  memory_order_relaxed);
}
