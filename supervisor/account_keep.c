/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The account's side of the keeper: when a socket is looked at, what the kernel's numbers add, and
 * what is idle.
 */
#include "account.h"

#include "account_inner.h"
#include "shared/base/clock.h"
#include "shared/base/compiler.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000000u
/* Without a limit on bytes the ledger's interval will do; a connection that is quiet is looked at less often. */
#define LOOK_FIRST_NS (UINT64_C(5000) * MS)
#define LOOK_LAST_NS (UINT64_C(40000) * MS)
#define LOOK_LAST_LIMITED_NS (UINT64_C(10000) * MS)
/* With one, the first megabytes must not run far beyond it. */
#define LOOK_FLOOR_NS (UINT64_C(20) * MS)
/* Looks that are far away may come together, so that many quiet sockets wake us seldom. */
#define LOOK_TOGETHER_NS (UINT64_C(250) * MS)
/* A socket that could not be found to be shut: in flight between two processes. */
#define LOOK_AGAIN_NS (UINT64_C(1000) * MS)

/* --- when to look --- */

/* What is on offer and nobody comes for ends, whatever the policy says: somebody waits for it to end. */
static uint64_t idle_ns(const struct account *account, const struct account_socket *socket)
{
	uint64_t ms = account->plan->idle.ms;

	if (socket->elsewhere || socket->handed)
		return 0;
	if (socket->offered && ms == 0)
		ms = ACCOUNT_OFFER_MS;
	return ms * MS;
}

uint64_t account_first_look_ns(const struct account *account)
{
	return account->bytes_limited ? LOOK_FLOOR_NS : LOOK_FIRST_NS;
}

static uint64_t together(uint64_t at)
{
	return (at / LOOK_TOGETHER_NS + 1) * LOOK_TOGETHER_NS;
}

void account_schedule(struct account *account, struct account_socket *socket, uint64_t now)
{
	uint64_t at = UINT64_MAX, idle = idle_ns(account, socket);

	if (socket->transport == TRANSPORT_TCP && socket->has_tuple) {
		if (socket->interval_ns == 0)
			socket->interval_ns = account_first_look_ns(account);
		at = now + socket->interval_ns;
		if (socket->interval_ns >= 4 * LOOK_TOGETHER_NS)
			at = together(at);
	}
	if (idle && !socket->closed && socket->used_ns + idle < at)
		at = socket->used_ns + idle;
	/* What could not be found to be shut is not due at once again, although its time is over. */
	if (socket->todo != ACCOUNT_LEAVE ||
	    (socket->doubted && socket->gone && now + LOOK_AGAIN_NS < at))
		at = now + LOOK_AGAIN_NS;
	socket->look.at_ns = at;
	heap_moved(&account->looks, &socket->look);
	if (at != UINT64_MAX && account->config.wake &&
	    heap_first(&account->looks) == &socket->look)
		account->config.wake(account->config.context, at);
}

/*
 * How long until this connection, as fast as it was since the last look, could have used up a
 * quarter of what is left: a limit is overrun by that at most, and by others' doing.
 */
static uint64_t interval_for(struct account *account, uint64_t used, uint64_t elapsed,
			     enum quota_kind kind)
{
	uint64_t left = quotas_left(account->quotas, kind);

	if (left == QUOTA_UNLIMITED || used == 0)
		return LOOK_FIRST_NS;
	if (left / 4 / used >= LOOK_FIRST_NS / (elapsed ? elapsed : 1))
		return LOOK_FIRST_NS;
	/* The product may have more than 64 bits. */
	return (uint64_t)((double)left / 4 * (double)elapsed / (double)used);
}

static void set_interval(struct account *account, struct account_socket *socket,
			 const struct tcp_numbers *more, uint64_t elapsed)
{
	uint64_t last = account->bytes_limited ? LOOK_LAST_LIMITED_NS : LOOK_LAST_NS;
	const uint64_t used[QUOTA_KINDS] = {[QUOTA_SENDS] = more->segments_sent,
					    [QUOTA_RECEIVES] = more->segments_received,
					    [QUOTA_BYTES_SENT] = more->bytes_sent,
					    [QUOTA_BYTES_RECEIVED] = more->bytes_received};
	uint64_t interval = LOOK_FIRST_NS;

	if (!more->bytes_sent && !more->bytes_received) {
		socket->interval_ns *= 2;
		if (socket->interval_ns > last)
			socket->interval_ns = last;
		return;
	}
	for (int kind = QUOTA_SENDS; kind < QUOTA_KINDS; kind++) {
		uint64_t until = interval_for(account, used[kind], elapsed, (enum quota_kind)kind);

		if (until < interval)
			interval = until;
	}
	socket->interval_ns = interval < LOOK_FLOOR_NS ? LOOK_FLOOR_NS : interval;
}

uint64_t account_next_look(struct account *account)
{
	struct heap_node *first;
	uint64_t at;

	pthread_mutex_lock(&account->lock);
	first = heap_first(&account->looks);
	at = first ? first->at_ns : UINT64_MAX;
	pthread_mutex_unlock(&account->lock);
	return at;
}

static void fill_look(const struct account_socket *socket, struct account_look *look)
{
	*look = (struct account_look){.cookie = socket->cookie,
				      .transport = socket->transport,
				      .has_tuple = socket->has_tuple,
				      .tuple = socket->tuple,
				      .to = socket->to,
				      .pid = socket->by.pid,
				      .tid = socket->by.tid,
				      .fd = socket->by.fd,
				      .traffic = socket->traffic};
	memcpy(look->process, socket->name, sizeof(look->process));
}

bool account_due(struct account *account, uint64_t now, struct account_look *look)
{
	struct heap_node *first;
	bool due;

	pthread_mutex_lock(&account->lock);
	first = heap_first(&account->looks);
	due = first && first->at_ns <= now;
	if (due) {
		struct account_socket *socket = CONTAINER_OF(first, struct account_socket, look);

		fill_look(socket, look);
		/* Should nobody come back with what was found, it is due again. */
		socket->look.at_ns = now + LOOK_AGAIN_NS;
		heap_moved(&account->looks, first);
	}
	pthread_mutex_unlock(&account->lock);
	return due;
}

/* --- what was found --- */

static uint64_t more_than(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

struct usage account_count(struct account *account, struct account_socket *socket,
			   const struct tcp_numbers *numbers)
{
	const struct tcp_numbers *before = &socket->counted;
	struct usage more = {
	    .bytes_sent = more_than(numbers->bytes_sent, before->bytes_sent),
	    .bytes_received = more_than(numbers->bytes_received, before->bytes_received),
	};

	quotas_add(account->quotas, QUOTA_SENDS,
		   more_than(numbers->segments_sent, before->segments_sent));
	quotas_add(account->quotas, QUOTA_RECEIVES,
		   more_than(numbers->segments_received, before->segments_received));
	if (!usage_is_zero(&more)) {
		quotas_add(account->quotas, QUOTA_BYTES_SENT, more.bytes_sent);
		quotas_add(account->quotas, QUOTA_BYTES_RECEIVED, more.bytes_received);
		if (socket->flow)
			usage_add(&socket->flow->usage, &more);
		usage_add(&socket->usage, &more);
		account->dirty = true;
	}
	/* Retransmissions are counted in two steps by the kernel: never take back what was counted. */
	socket->counted.bytes_sent += more.bytes_sent;
	socket->counted.bytes_received += more.bytes_received;
	socket->counted.segments_sent = numbers->segments_sent;
	socket->counted.segments_received = numbers->segments_received;
	return more;
}

/*
 * The app has no bytes left: each of its connections is shut, at once.  Where it may not receive,
 * shut for writing alone it would take from its peer whatever that sends.
 */
static void shut_all(struct account *account, uint64_t now)
{
	bool both = quotas_left(account->quotas, QUOTA_RECEIVES) == 0 ||
		    quotas_left(account->quotas, QUOTA_BYTES_RECEIVED) == 0;

	for (size_t i = 0; i < account->n_buckets; i++) {
		for (struct account_socket *socket = account->buckets[i]; socket;
		     socket = socket->next) {
			if (socket->transport != TRANSPORT_TCP || !socket->has_tuple ||
			    (both ? socket->shut : socket->write_closed) || socket->closed ||
			    socket->todo != ACCOUNT_LEAVE)
				continue;
			socket->todo = both ? ACCOUNT_SHUT : ACCOUNT_SHUT_WRITING;
			socket->look.at_ns = now;
			heap_moved(&account->looks, &socket->look);
		}
	}
}

enum quota_kind account_spent(struct account *account)
{
	int kind = account->bytes_limited ? QUOTA_SENDS : QUOTA_KINDS;

	while (kind < QUOTA_KINDS && quotas_left(account->quotas, (enum quota_kind)kind) > 0)
		kind++;
	return (enum quota_kind)kind;
}

struct source_loc account_spent_loc(struct account *account)
{
	enum quota_kind kind = account_spent(account);

	if (kind == QUOTA_KINDS)
		return (struct source_loc){.file = PLAN_BUILTIN};
	return account->plan->quotas[kind].loc;
}

static bool is_idle(struct account *account, struct account_socket *socket, uint64_t now,
		    const struct tcp_numbers *numbers)
{
	uint64_t idle = idle_ns(account, socket),
		 quiet = numbers ? numbers->quiet_ms * (uint64_t)MS : 0;

	if (!idle || socket->closed)
		return false;
	/* A byte in either direction keeps it, too. */
	if (numbers && quiet < now && now - quiet > socket->used_ns)
		socket->used_ns = now - quiet;
	return now - socket->used_ns >= idle;
}

/* Its last bytes are in no sum, and that is said. */
static void lose(struct account *account, struct account_socket *socket)
{
	account->lost++;
	account->dirty = true;
	account_remove(account, socket);
}

static struct tcp_numbers since(const struct tcp_numbers *now, const struct tcp_numbers *before)
{
	return (struct tcp_numbers){
	    .bytes_sent = more_than(now->bytes_sent, before->bytes_sent),
	    .bytes_received = more_than(now->bytes_received, before->bytes_received),
	    .segments_sent = more_than(now->segments_sent, before->segments_sent),
	    .segments_received = more_than(now->segments_received, before->segments_received),
	};
}

enum account_todo account_looked(struct account *account, uint64_t now, struct account_look *look,
				 const struct tcp_numbers *numbers)
{
	enum account_todo todo = ACCOUNT_LEAVE;
	struct account_socket *socket;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, look->cookie);
	if (socket) {
		/* What is gone is looked for once more, whether anything moves or not. */
		socket->traffic = look->gone ? 0 : look->traffic;
		socket->gone = look->gone ? socket->gone + 1 : 0;
	}
	if (socket && socket->doubted && socket->gone > 1) {
		lose(account, socket);
	} else if (socket) {
		struct tcp_numbers more = socket->counted;

		if (numbers)
			account_count(account, socket, numbers);
		more = since(&socket->counted, &more);
		set_interval(account, socket, &more, socket->interval_ns);
		if (is_idle(account, socket, now, numbers))
			socket->todo = ACCOUNT_RECLAIM;
		else if (socket->todo == ACCOUNT_RECLAIM) /* used while it was looked for */
			socket->todo = ACCOUNT_LEAVE;
		if ((more.bytes_sent || more.bytes_received) &&
		    account_spent(account) != QUOTA_KINDS)
			shut_all(account, now);
		todo = socket->todo;
		look->quiet_ns = now - socket->used_ns;
		account_schedule(account, socket, now);
	}
	pthread_mutex_unlock(&account->lock);
	return todo;
}

void account_deaf(struct account *account)
{
	account->deaf = true;
}

void account_shut(struct account *account, uint64_t cookie, enum account_todo todo, bool done)
{
	struct account_socket *socket;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, cookie);
	if (socket && account->deaf && !done && socket->transport == TRANSPORT_UDP) {
		account_remove(account, socket);
		socket = NULL;
	}
	/* Of UDP nothing gets by us: the account alone closes it. */
	if (socket && (done || socket->transport == TRANSPORT_UDP)) {
		socket->todo = ACCOUNT_LEAVE;
		if (todo == ACCOUNT_RECLAIM)
			account->reclaimed++;
		else
			account->over_quota++;
		socket->closed |= todo == ACCOUNT_RECLAIM;
		socket->write_closed |= todo != ACCOUNT_RECLAIM;
		socket->shut |= todo == ACCOUNT_SHUT;
		account_schedule(account, socket, clock_now_ns());
	}
	pthread_mutex_unlock(&account->lock);
}

void account_keep(struct account *account, uint64_t cookie)
{
	struct account_socket *socket;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, cookie);
	if (socket) {
		socket->todo = ACCOUNT_LEAVE;
		socket->used_ns = clock_now_ns();
		account_schedule(account, socket, socket->used_ns);
	}
	pthread_mutex_unlock(&account->lock);
}

void account_counted(struct account *account, uint64_t cookie, const struct tcp_numbers *numbers)
{
	struct account_socket *socket;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, cookie);
	if (socket) {
		account_count(account, socket, numbers);
		/* tcp_disconnect() sets the kernel's numbers to zero. */
		socket->counted = (struct tcp_numbers){0};
		socket->has_tuple = false;
		account_schedule(account, socket, clock_now_ns());
	}
	pthread_mutex_unlock(&account->lock);
}

void account_note(struct account *account, uint64_t cookie, const struct tcp_numbers *numbers)
{
	struct account_socket *socket;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, cookie);
	if (socket && socket->has_tuple && !socket->elsewhere)
		account_count(account, socket, numbers);
	pthread_mutex_unlock(&account->lock);
}

bool account_ended(struct account *account, const struct sock_end *end, bool fin)
{
	struct account_socket *socket;
	struct tcp_numbers last = end->tcp;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, end->cookie);
	if (socket) {
		if (fin && last.bytes_received > 0)
			last.bytes_received--;
		if (socket->transport == TRANSPORT_TCP && end->is_tcp && !socket->elsewhere)
			account_count(account, socket, &last);
		/* SO_LINGER with 0: close(2) has set its numbers to zero (tcp_disconnect()). */
		if (end->is_tcp && last.blank && socket->has_tuple && !socket->elsewhere)
			lose(account, socket);
		else
			account_remove(account, socket);
	}
	pthread_mutex_unlock(&account->lock);
	return socket != NULL;
}

bool account_has(struct account *account, uint64_t cookie)
{
	bool has;

	pthread_mutex_lock(&account->lock);
	has = account_find(account, cookie) != NULL;
	pthread_mutex_unlock(&account->lock);
	return has;
}

void account_give_up(struct account *account, bool all)
{
	struct account_socket *socket, *next;

	pthread_mutex_lock(&account->lock);
	for (size_t i = 0; i < account->n_buckets; i++) {
		for (socket = account->buckets[i]; socket; socket = next) {
			next = socket->next;
			if (socket->has_tuple && (all || (socket->gone && socket->doubted)))
				lose(account, socket);
		}
	}
	pthread_mutex_unlock(&account->lock);
}

void account_doubt(struct account *account, uint64_t now)
{
	struct account_socket *socket, *next;

	pthread_mutex_lock(&account->lock);
	for (size_t i = 0; i < account->n_buckets; i++) {
		for (socket = account->buckets[i]; socket; socket = next) {
			next = socket->next;
			if (socket->offered) /* it has not ended: the porter has it */
				continue;
			if (socket->transport == TRANSPORT_UDP || !socket->has_tuple) {
				account_remove(account, socket);
				continue;
			}
			socket->doubted = true;
			socket->traffic = 0;
			socket->look.at_ns = now;
			heap_moved(&account->looks, &socket->look);
		}
	}
	pthread_mutex_unlock(&account->lock);
}

bool account_refresh(struct account *account, size_t max)
{
	size_t n = account_open_tcp(account, false);

	if (n == 0 || n > max)
		return false;
	account_open_tcp(account, true);
	if (account->config.wake)
		account->config.wake(account->config.context, 0);
	return true;
}

size_t account_open_tcp(struct account *account, bool look)
{
	size_t n = 0;

	pthread_mutex_lock(&account->lock);
	for (size_t i = 0; i < account->n_buckets; i++) {
		for (struct account_socket *socket = account->buckets[i]; socket;
		     socket = socket->next) {
			if (socket->transport != TRANSPORT_TCP || !socket->has_tuple ||
			    socket->offered)
				continue;
			n++;
			if (!look)
				continue;
			socket->traffic = 0;
			socket->look.at_ns = 0;
			heap_moved(&account->looks, &socket->look);
		}
	}
	pthread_mutex_unlock(&account->lock);
	return n;
}
