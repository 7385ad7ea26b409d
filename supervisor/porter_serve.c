/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: poll accept4 recvmsg sendmsg getsockopt setsockopt */
/*
 * The porter's thread: claims of other instances.  Nothing here waits for one client alone: who
 * says nothing is dropped, who has a socket before it and does not say what became of it is waited
 * for in poll(2) with all others.
 */
#include "handover/blake2s.h"
#include "porter.h"
#include "shared/base/clock.h"
#include "shared/base/fd.h"
#include "shared/base/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 64 /* at once; others wait in the listener's queue */
/* Until a client has said what it wants. */
#define CLAIM_NS (UINT64_C(2) * 1000000000u)
/*
 * Until it has said that it keeps the socket.  Then we let go of it: it has a descriptor of its own, and
 * to offer the socket again would give it two owners.
 */
#define SETTLE_NS (UINT64_C(60) * 1000000000u)
/* Until somebody is let in again where there was no descriptor. */
#define CLOSED_NS 100000000u

struct client {
	int fd;
	pid_t pid; /* of who connected */
	int place; /* of the socket that it has before it; -1: it has not claimed */
	uint64_t until_ns;
	struct moved_socket moved;
};

struct counter {
	struct porter *porter;
	const struct token_app *app;
	struct client clients[CLIENTS_MAX];
	size_t n;
	uint64_t closed_until_ns; /* who comes waits: there was no descriptor for the last one */
};

static bool is_ours(const struct ucred *peer)
{
	return peer->uid == geteuid() && peer->pid > 0;
}

static void greet(struct counter *counter, int listener)
{
	struct client *client = &counter->clients[counter->n];
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		/* It would be ready at once and for ever. */
		if (errno != EAGAIN)
			counter->closed_until_ns = clock_now_ns() + CLOSED_NS;
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || !is_ours(&peer)) {
		exchange_say(fd, EXCHANGE_REFUSED, EACCES);
		close(fd);
		return;
	}
	*client = (struct client){
	    .fd = fd, .pid = peer.pid, .place = -1, .until_ns = clock_now_ns() + CLAIM_NS};
	counter->n++;
}

/* Return: false: this client is done with. */
static bool answer_claim(struct counter *counter, struct client *client,
			 const struct exchange_message *claim)
{
	struct exchange_message offer = {.type = EXCHANGE_OFFER};
	int fd, place;

	if (!bytes_equal(&claim->app, counter->app, sizeof(claim->app))) {
		exchange_say(client->fd, EXCHANGE_REFUSED, EACCES);
		return false;
	}
	place = porter_take(counter->porter, claim->id, &fd, &offer.moved);
	if (place < 0) {
		exchange_say(client->fd, EXCHANGE_REFUSED, -place);
		return false;
	}
	client->moved = offer.moved;
	if (exchange_send(client->fd, &offer, fd) < 0) {
		porter_settle(counter->porter, place, false, &client->moved, 0);
		return false;
	}
	client->place = place;
	client->until_ns = clock_now_ns() + SETTLE_NS;
	return true;
}

/* Return: false: this client is done with. */
static bool hear(struct counter *counter, struct client *client, uint64_t now)
{
	struct exchange_message message;
	struct exchange_sender sender;
	int rc = exchange_receive(client->fd, &message, NULL, &sender);
	bool kept;

	if (rc == -EAGAIN && now < client->until_ns)
		return true;
	/*
	 * A program could make its supervisor connect here for it; but what it then writes carries
	 * its own process id.
	 */
	if (rc == 1 && (sender.pid != client->pid || sender.uid != geteuid()))
		rc = -EACCES;
	if (client->place < 0)
		return rc == 1 && message.type == EXCHANGE_CLAIM &&
		       answer_claim(counter, client, &message);
	kept = (rc == 1 && message.type == EXCHANGE_KEPT) || rc == -EAGAIN;
	if (rc == -EAGAIN)
		log_info("gae-supervisor %d does not say what became of a socket: left to it",
			 client->pid);
	porter_settle(counter->porter, client->place, kept, &client->moved, client->pid);
	return false;
}

/* Milliseconds until the first time is up, of a client or the counter's, -1: there is none. */
static int wait_ms(const struct counter *counter, uint64_t now)
{
	uint64_t first = counter->closed_until_ns > now ? counter->closed_until_ns : UINT64_MAX;

	for (size_t i = 0; i < counter->n; i++)
		if (counter->clients[i].until_ns < first)
			first = counter->clients[i].until_ns;
	if (first == UINT64_MAX)
		return -1;
	return first <= now ? 0 : (int)((first - now) / 1000000u) + 1;
}

_Noreturn void porter_serve(struct porter *porter, const struct token_app *app)
{
	struct counter counter = {.porter = porter, .app = app};
	struct pollfd watched[CLIENTS_MAX + 1];
	int listener = -1;

	for (;;) {
		int next = porter_next_listener(porter);
		size_t n = counter.n;
		uint64_t now = clock_now_ns();
		bool open;

		if (next >= 0) {
			fd_close(&listener);
			listener = next;
			counter.closed_until_ns = 0;
		}
		/* With all places taken the listener's queue is left alone. */
		open = n < CLIENTS_MAX && now >= counter.closed_until_ns;
		watched[n] = (struct pollfd){.fd = open ? listener : -1, .events = POLLIN};
		for (size_t i = 0; i < n; i++)
			watched[i] = (struct pollfd){.fd = counter.clients[i].fd, .events = POLLIN};
		poll(watched, n + 1, wait_ms(&counter, now));
		now = clock_now_ns();
		/* From the last: its place may be filled by one that was seen to already. */
		for (size_t i = n; i-- > 0;) {
			struct client *client = &counter.clients[i];

			if ((!watched[i].revents && now < client->until_ns) ||
			    hear(&counter, client, now))
				continue;
			fd_close(&client->fd);
			*client = counter.clients[--counter.n];
		}
		if (watched[n].revents)
			greet(&counter, listener);
	}
}
