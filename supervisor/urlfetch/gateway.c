/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/gateway.h"

#include "shared/base/clock.h"
#include "shared/base/compiler.h"
#include "urlfetch/client.h"
#include "urlfetch/fetch.h"
#include "urlfetch/upstream.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
#define MS UINT64_C(1000000)
#define TICK_MAX_MS 60000
#define SPIN_NS UINT64_C(50000)
#define SPIN_CLIENTS_MAX 8

/* --- sources --- */

void gateway_watch(struct gateway *gateway, struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	int operation = source->events == 0 ? EPOLL_CTL_ADD
			: events == 0       ? EPOLL_CTL_DEL
					    : EPOLL_CTL_MOD;

	if (events == source->events)
		return;
	/* Can fail for want of memory alone: then nothing is heard of it until its deadline. */
	if (epoll_ctl(gateway->epoll, operation, source->fd, &event) == 0)
		source->events = events;
}

void gateway_relax(struct gateway *gateway, struct source *source, uint32_t events)
{
	gateway_watch(gateway, source, source->events | events);
}

void gateway_unwatch(struct gateway *gateway, struct source *source)
{
	gateway_watch(gateway, source, 0);
	source->run = NULL;
}

void gateway_bury(struct gateway *gateway, struct source *source, void *memory)
{
	source->run = NULL;
	source->memory = memory;
	source->next = gateway->dead;
	gateway->dead = source;
}

static void free_dead(struct gateway *gateway)
{
	while (gateway->dead) {
		struct source *source = gateway->dead;

		gateway->dead = source->next;
		free(source->memory);
	}
}

/* --- libcurl's side of the loop --- */

struct curl_source {
	struct source source;
	struct gateway *gateway;
};

static void finish_connects(struct gateway *gateway)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(gateway->multi, &left))) {
		struct fetch *fetch;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
		fetch_connected(fetch, message->data.result);
	}
}

static void run_curl(struct source *source, uint32_t events)
{
	struct curl_source *socket = CONTAINER_OF(source, struct curl_source, source);
	struct gateway *gateway = socket->gateway;
	int flags = 0, running, fd = source->fd;

	flags |= (events & (EPOLLIN | EPOLLHUP)) ? CURL_CSELECT_IN : 0;
	flags |= (events & EPOLLOUT) ? CURL_CSELECT_OUT : 0;
	flags |= (events & EPOLLERR) ? CURL_CSELECT_ERR : 0;
	outgoing_look(&gateway->outgoing, fd, &gateway->channel);
	curl_multi_socket_action(gateway->multi, fd, flags, &running);
	finish_connects(gateway);
}

/* CURLMOPT_SOCKETFUNCTION */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *mine)
{
	struct gateway *gateway = context;
	struct curl_source *socket = mine;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (socket) {
			gateway_unwatch(gateway, &socket->source);
			gateway_bury(gateway, &socket->source, socket);
		}
		return 0;
	}
	if (!socket) {
		socket = calloc(1, sizeof(*socket));
		if (!socket)
			return -1;
		socket->source = (struct source){.run = run_curl, .fd = fd};
		socket->gateway = gateway;
		curl_multi_assign(gateway->multi, fd, socket);
	}
	events |= (what & CURL_POLL_IN) ? EPOLLIN : 0;
	events |= (what & CURL_POLL_OUT) ? EPOLLOUT : 0;
	gateway_watch(gateway, &socket->source, events);
	return 0;
}

/* CURLMOPT_TIMERFUNCTION */
static int on_curl_timer(CURLM *multi, long ms, void *context)
{
	struct gateway *gateway = context;

	(void)multi;
	gateway->curl_at_ns = ms < 0    ? UINT64_MAX
			      : ms == 0 ? 0
					: clock_now_ns() + (uint64_t)ms * MS;
	return 0;
}

/* --- the loop --- */

static void run_listener(struct source *source, uint32_t events)
{
	(void)events;
	client_accept(CONTAINER_OF(source, struct gateway, listener));
}

static void run_supervisor(struct source *source, uint32_t events)
{
	struct gateway *gateway = CONTAINER_OF(source, struct gateway, supervisor);

	(void)events;
	channel_run(&gateway->channel);
	client_admit(gateway);
}

static void hear(void *context, const struct relay_message *message)
{
	struct gateway *gateway = context;

	if (message->type == RELAY_SHUT)
		outgoing_shut(&gateway->outgoing, message->cookie, message->a);
}

/*
 * Of the descriptors that we may have, some are the loop's and @kept connections to servers that
 * wait for a next request.  A client needs its own, its server's, and while that is connected to
 * another two: for the look-up, or for the tunnel that takes over.
 */
#define FILES_OF_LOOP 36u
#define FILES_OF_CLIENT 4u
#define KEPT_MAX 64u

static void share_files(struct gateway *gateway)
{
	struct rlimit files;
	rlim_t clients, kept;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		files.rlim_cur = FILES_OF_LOOP;
	kept = files.rlim_cur / 8 < KEPT_MAX ? files.rlim_cur / 8 : KEPT_MAX;
	clients = files.rlim_cur < kept + FILES_OF_LOOP
		      ? 0
		      : (files.rlim_cur - kept - FILES_OF_LOOP) / FILES_OF_CLIENT;
	gateway->clients_max = clients < GATEWAY_CLIENTS_MAX ? clients + 1 : GATEWAY_CLIENTS_MAX;
	gateway->kept_max = kept;
}

int gateway_init(struct gateway *gateway, int listener, int supervisor)
{
	share_files(gateway);
	gateway->listener = (struct source){.run = run_listener, .fd = listener};
	gateway->supervisor = (struct source){.run = run_supervisor, .fd = supervisor};
	gateway->curl_at_ns = UINT64_MAX;
	gateway->channel.heard = hear;
	gateway->channel.context = gateway;
	gateway->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (gateway->epoll < 0)
		return -errno;
	gateway->multi = curl_multi_init();
	gateway->share = curl_share_init();
	if (!gateway->multi || !gateway->share)
		return -ENOMEM;
	/* One thread: no locks.  Each connection's handle is new, and would know no session. */
	curl_share_setopt(gateway->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	curl_multi_setopt(gateway->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(gateway->multi, CURLMOPT_SOCKETDATA, gateway);
	curl_multi_setopt(gateway->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(gateway->multi, CURLMOPT_TIMERDATA, gateway);
	gateway_watch(gateway, &gateway->supervisor, EPOLLIN);
	return 0;
}

/* Sends what was put, ends what is over.  Return: when the next of them is over. */
static uint64_t look_after_clients(struct gateway *gateway, uint64_t now)
{
	struct client *client, *next;
	uint64_t first = UINT64_MAX;

	for (client = gateway->clients; client; client = next) {
		next = client->next;
		if (client_tick(client, now) && !client->tunnel)
			client_flush(client);
	}
	for (client = gateway->clients; client; client = client->next) {
		if (client->deadline_ns < first)
			first = client->deadline_ns;
		if (client->fetch && fetch_due(client->fetch) < first)
			first = fetch_due(client->fetch);
	}
	return first;
}

static int sleep_ms(const struct gateway *gateway, uint64_t first, uint64_t now)
{
	uint64_t until = gateway->curl_at_ns < first ? gateway->curl_at_ns : first, ms;

	if (gateway->accept_at_ns > now && gateway->accept_at_ns < until)
		until = gateway->accept_at_ns;
	if (until <= now)
		return 0;
	ms = (until - now + MS - 1) / MS;
	return ms < TICK_MAX_MS ? (int)ms : TICK_MAX_MS;
}

static void run_timer(struct gateway *gateway)
{
	int running;

	/* Mostly it is at once, or there is none. */
	if (gateway->curl_at_ns == UINT64_MAX ||
	    (gateway->curl_at_ns > 0 && clock_now_ns() < gateway->curl_at_ns))
		return;
	gateway->curl_at_ns = UINT64_MAX;
	curl_multi_socket_action(gateway->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_connects(gateway);
}

/*
 * With few clients, each message finds us asleep.  The answer of a server that is near comes within
 * the time that it takes to go to sleep and be woken again.  Whoever else wants the processor has it
 * meanwhile.
 */
static int await(struct gateway *gateway, struct epoll_event *events, int ms)
{
	uint64_t until = gateway->spins ? clock_now_ns() + SPIN_NS : 0;
	int n = epoll_wait(gateway->epoll, events, EVENTS_AT_ONCE, gateway->spins ? 0 : ms);

	while (gateway->spins && n == 0 && ms != 0) {
		if (clock_now_ns() >= until)
			return epoll_wait(gateway->epoll, events, EVENTS_AT_ONCE, ms);
		sched_yield();
		n = epoll_wait(gateway->epoll, events, EVENTS_AT_ONCE, 0);
	}
	return n;
}

void gateway_run(struct gateway *gateway)
{
	UNINITIALIZED struct epoll_event events[EVENTS_AT_ONCE];
	uint64_t first = UINT64_MAX, now = clock_now_ns(), kept;

	while (!gateway->channel.over) {
		bool room =
		    gateway->n_clients < gateway->clients_max && now >= gateway->accept_at_ns;
		int n;

		/* The wire is empty then, and says nothing of them any more. */
		if (gateway->channel.heard_client)
			client_admit(gateway);
		gateway_watch(gateway, &gateway->listener, room ? EPOLLIN : 0);
		n = await(gateway, events, sleep_ms(gateway, first, now));
		gateway->spins = n > 0 && gateway->n_clients <= SPIN_CLIENTS_MAX;
		for (int i = 0; i < n; i++) {
			struct source *source = events[i].data.ptr;

			if (source->run)
				source->run(source, events[i].events);
		}
		run_timer(gateway);
		now = clock_now_ns();
		first = look_after_clients(gateway, now);
		kept = upstream_expire(gateway, now);
		first = kept < first ? kept : first;
		channel_forget(&gateway->channel, now);
		free_dead(gateway);
	}
}
