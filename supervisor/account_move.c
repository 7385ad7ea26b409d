/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The account's side of handing a socket over: what goes with it, so that each byte is billed once
 * and the idle clock runs on.  The exporter counts up to the moment of the claim, the importer from there.
 */
#include "account.h"

#include "account_inner.h"
#include "shared/base/clock.h"

bool account_is_connected(struct account *account, uint64_t cookie)
{
	struct account_socket *socket;
	bool connected;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, cookie);
	connected = socket && (socket->has_tuple || socket->elsewhere);
	pthread_mutex_unlock(&account->lock);
	return connected;
}

enum account_answer account_offer(struct account *account, const struct account_caller *caller,
				  enum transport transport, enum quota_kind *spent)
{
	struct account_socket *socket;
	enum account_answer answer;
	uint64_t used_ns;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, caller->cookie);
	used_ns = socket ? socket->used_ns : clock_now_ns();
	answer = account_reach(account, caller, transport, &socket, spent);
	if (answer == ACCOUNT_FINE) {
		/* Handing over is no use of it: the idle clock runs on. */
		socket->used_ns = used_ns;
		socket->offered = true;
		account_schedule(account, socket, clock_now_ns());
	}
	pthread_mutex_unlock(&account->lock);
	return answer;
}

void account_withdraw(struct account *account, uint64_t cookie)
{
	struct account_socket *socket;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, cookie);
	if (socket) {
		socket->offered = false;
		account_schedule(account, socket, clock_now_ns());
	}
	pthread_mutex_unlock(&account->lock);
}

static void fill_moved(const struct account_socket *socket, uint64_t now,
		       struct moved_socket *moved)
{
	moved->has_to = socket->to.addr.family != AF_UNSPEC;
	moved->to = socket->to;
	moved->aimed = socket->transport == TRANSPORT_UDP && socket->flow != NULL;
	moved->aim_pending = socket->aim_pending;
	moved->write_closed = socket->write_closed;
	moved->has_tuple = socket->has_tuple || socket->elsewhere;
	moved->elsewhere = socket->elsewhere;
	moved->tuple = socket->tuple;
	moved->counted = socket->counted;
	moved->age_ns = now - socket->made_ns;
	moved->quiet_ns = now - socket->used_ns;
}

void account_release(struct account *account, uint64_t cookie, const struct tcp_numbers *numbers,
		     bool stays, struct moved_socket *moved)
{
	struct account_socket *socket;
	uint64_t now = clock_now_ns();

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, cookie);
	if (socket) {
		uint64_t quiet = numbers ? (uint64_t)numbers->quiet_ms * 1000000u : UINT64_MAX;

		if (numbers && socket->has_tuple)
			account_count(account, socket, numbers);
		if (quiet < now && now - quiet > socket->used_ns)
			socket->used_ns = now - quiet;
		fill_moved(socket, now, moved);
		socket->offered = false;
		/* Of two that share it, one counts its connect. */
		if (stays)
			moved->aim_pending = false;
		if (!stays) {
			account_remove(account, socket);
		} else if (socket->transport == TRANSPORT_TCP) {
			socket->elsewhere = true;
			socket->has_tuple = false;
			account_schedule(account, socket, now);
		}
	}
	pthread_mutex_unlock(&account->lock);
}

static uint64_t ago(uint64_t now, uint64_t span)
{
	return span < now ? now - span : 0;
}

static void fill_adopted(struct account *account, struct account_socket *socket,
			 const struct account_caller *caller, const struct moved_socket *moved)
{
	bool aimed = moved->transport == TRANSPORT_TCP || moved->aimed;

	socket->flow = moved->has_to && aimed
			   ? account_flow(account, caller, moved->transport, &moved->to)
			   : NULL;
	if (moved->has_to)
		socket->to = moved->to;
	socket->aim_pending = moved->aim_pending;
	socket->write_closed = moved->write_closed;
	socket->has_tuple = moved->has_tuple && !moved->elsewhere;
	socket->tuple = moved->tuple;
	socket->counted = moved->counted;
	socket->elsewhere = moved->elsewhere;
	socket->interval_ns = 0;
}

enum account_answer account_adopt(struct account *account, const struct account_caller *caller,
				  const struct moved_socket *moved, bool offered)
{
	struct account_socket *socket;
	uint64_t now = clock_now_ns();
	bool known;

	pthread_mutex_lock(&account->lock);
	socket = account_find(account, caller->cookie);
	/* One that is shared, and claimed a second time, has its bill here already. */
	known = socket && !socket->elsewhere;
	if (!socket)
		socket = account_insert(account, caller, moved->transport, now);
	if (socket) {
		account_use(socket, caller, now);
		if (!known) {
			fill_adopted(account, socket, caller, moved);
			socket->made_ns = ago(now, moved->age_ns);
		}
		socket->used_ns = ago(now, moved->quiet_ns);
		socket->offered = offered;
		account_schedule(account, socket, now);
	}
	pthread_mutex_unlock(&account->lock);
	return socket ? ACCOUNT_FINE : ACCOUNT_FULL;
}

void account_put_aside(struct account *account, const struct account_caller *caller,
		       enum transport transport)
{
	struct account_socket *socket;

	pthread_mutex_lock(&account->lock);
	/* Another thread may have used its number already. */
	socket = account_find_or_make(account, caller, transport);
	if (socket)
		socket->handed = true;
	pthread_mutex_unlock(&account->lock);
}
