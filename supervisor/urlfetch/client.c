/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/client.h"

#include "shared/base/clock.h"
#include "shared/base/compiler.h"
#include "shared/base/fd.h"
#include "urlfetch/fetch.h"
#include "urlfetch/tunnel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)
#define HEAD_NS (10 * SECOND_NS)  /* for a request's head, however slowly it comes */
#define IDLE_NS (120 * SECOND_NS) /* between two requests */
#define STUCK_NS (30 * SECOND_NS) /* for the client to take anything of an answer */
#define LINGER_NS (2 * SECOND_NS)
#define ACCEPT_AGAIN_NS (SECOND_NS / 10)
#define OUT_KEPT                                                                                   \
	(72 << 10) /* of the output buffer, from one answer to the next: a piece and more */

static void set_state(struct client *client, enum client_state state, uint64_t ns)
{
	client->state = state;
	client->deadline_ns = ns ? clock_now_ns() + ns : UINT64_MAX;
}

/* The peer is told that the connection did not end as it should: tcp(7), SO_LINGER. */
static void reset_at_close(int fd)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void client_free(struct client *client)
{
	struct gateway *gateway = client->gateway;

	if (client->until_close && client->state != CLIENT_CLOSING)
		reset_at_close(client->source.fd);
	fetch_end(client->fetch);
	tunnel_free(client->tunnel);
	gateway_unwatch(gateway, &client->source);
	fd_close(&client->source.fd);
	if (client->next)
		client->next->prev = client->prev;
	if (client->prev)
		client->prev->next = client->next;
	else
		gateway->clients = client->next;
	gateway->n_clients--;
	free(client->out);
	gateway_bury(gateway, &client->source, client);
}

void client_watch(struct client *client)
{
	/* EPOLLWRBAND never comes: it keeps the hang-up watched. */
	uint32_t events = EPOLLWRBAND | (client->out_end > client->out_at ? EPOLLOUT : 0);
	bool room = client->in_end - client->in_at < CLIENT_IN_SIZE && !client->end_of_input;

	if (client->tunnel)
		return; /* watches for itself */
	if (client->state == CLIENT_READING || client->state == CLIENT_CLOSING ||
	    (client->state == CLIENT_SERVED && client->reader.state == READER_BODY))
		events |= room ? EPOLLIN : 0;
	if (client->state == CLIENT_WAITING)
		events |= EPOLLRDHUP;
	if (client->state == CLIENT_SERVED && client->reader.state == READER_DONE &&
	    !client->unwanted)
		gateway_relax(client->gateway, &client->source, events);
	else
		gateway_watch(client->gateway, &client->source, events);
}

/* --- output --- */

char *client_reserve(struct client *client, size_t size)
{
	size_t left = client->out_end - client->out_at;

	/* What is sent makes room, but no more bytes are moved than were sent: each is moved once, on the average. */
	if (left == 0) {
		client->out_at = client->out_end = 0;
	} else if (client->out_end + size > client->out_room && client->out_at >= left) {
		memmove(client->out, client->out + client->out_at, left);
		client->out_at = 0;
		client->out_end = left;
	}
	if (client->out_end + size > client->out_room) {
		size_t room = client->out_end + size + 4096;
		char *grown = realloc(client->out, room);

		if (!grown)
			return NULL;
		client->out = grown;
		client->out_room = room;
	}
	return client->out + client->out_end;
}

int client_put(struct client *client, const void *data, size_t size)
{
	char *out = client_reserve(client, size);

	if (!out)
		return -ENOMEM;
	memcpy(out, data, size);
	client->out_end += size;
	return 0;
}

bool client_is_full(const struct client *client)
{
	return client->out_end - client->out_at >= CLIENT_OUT_LIMIT;
}

bool client_has_room(const struct client *client)
{
	return client->out_end - client->out_at < CLIENT_OUT_LIMIT / 2;
}

bool client_has_input(const struct client *client)
{
	return client->in_at < client->in_end || client->end_of_input;
}

/* All of the answer is sent: the next request, or the end. */
static void finish_answer(struct client *client)
{
	if (client->close_then) {
		shutdown(client->source.fd, SHUT_WR);
		client->in_at = client->in_end = 0;
		set_state(client, CLIENT_CLOSING, LINGER_NS);
		return;
	}
	if (client->out_room > OUT_KEPT) {
		free(client->out);
		client->out = NULL;
		client->out_at = client->out_end = client->out_room = 0;
	}
	client->answered = false;
	reader_next(&client->reader);
	set_state(client, CLIENT_READING, IDLE_NS);
}

static void read_requests(struct client *client);

/* Return: false: the client is gone. */
static bool send_output(struct client *client)
{
	while (client->out_at < client->out_end) {
		ssize_t n = send(client->source.fd, client->out + client->out_at,
				 client->out_end - client->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return false;
		client->out_at += (size_t)n;
		if (client->state == CLIENT_ANSWERED)
			client->deadline_ns = clock_now_ns() + STUCK_NS;
	}
	return true;
}

void client_send_early(struct client *client)
{
	if (client->out_end - client->out_at >= CLIENT_OUT_EARLY)
		send_output(client);
}

bool client_flush(struct client *client)
{
	enum client_state before;

	/* Requests that came together are answered one after the other: each round takes one of the input buffer. */
	do {
		if (!send_output(client) ||
		    (client->broken_off && client->out_at == client->out_end)) {
			client_free(client);
			return false;
		}
		if (client->out_at == client->out_end && client->state == CLIENT_ANSWERED)
			finish_answer(client);
		before = client->state;
		read_requests(client);
		if (client->fetch)
			exchange_resume(client->fetch);
	} while (client->state == CLIENT_ANSWERED && before != CLIENT_ANSWERED);
	/* Half a request, and the other half will never come. */
	if (client->state == CLIENT_READING && client->end_of_input) {
		client_free(client);
		return false;
	}
	client_watch(client);
	return true;
}

void client_done(struct client *client)
{
	client->fetch = NULL;
	/* What is left of the request's body cannot be told from a next request any more. */
	if (client->reader.state != READER_DONE || !client->reader.request.keep_alive ||
	    (client->end_of_input && client->in_at == client->in_end))
		client->close_then = true;
	set_state(client, CLIENT_ANSWERED, STUCK_NS);
}

/* --- input --- */

/* Return: false: the client is gone, and freed. */
static bool fill_input(struct client *client)
{
	ssize_t n;

	if (client->in_at == client->in_end)
		client->in_at = client->in_end = 0;
	if (client->in_end == CLIENT_IN_SIZE && client->in_at > 0) {
		memmove(client->in, client->in + client->in_at, client->in_end - client->in_at);
		client->in_end -= client->in_at;
		client->in_at = 0;
	}
	if (client->in_end == CLIENT_IN_SIZE)
		return true;
	n = recv(client->source.fd, client->in + client->in_end, CLIENT_IN_SIZE - client->in_end,
		 MSG_DONTWAIT);
	if (n > 0)
		client->in_end += (size_t)n;
	else if (n == 0)
		client->end_of_input = true;
	else if (errno != EAGAIN && errno != EINTR) {
		client_free(client);
		return false;
	}
	return true;
}

static void refuse(struct client *client)
{
	channel_refused(&client->gateway->channel, "request", client->reader.why);
	client_fail(client, client->reader.status, client->reader.why);
}

/* A head is complete, or is none. */
static void begin_request(struct client *client)
{
	struct reader *reader = &client->reader;
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	client->answered = client->close_then = client->unwanted = client->until_close = false;
	if (reader->state == READER_FAILED) {
		refuse(client);
		return;
	}
	set_state(client, CLIENT_SERVED, 0);
	if (reader->request.wants_continue && reader->state == READER_BODY)
		client_put(client, go_on, sizeof(go_on) - 1);
	fetch_begin(client);
}

static void read_requests(struct client *client)
{
	while (client->state == CLIENT_READING && client->in_at < client->in_end) {
		bool fresh = client->reader.head_size == 0;

		client->in_at += reader_head(&client->reader, client->in + client->in_at,
					     client->in_end - client->in_at);
		if (client->reader.state != READER_HEAD)
			begin_request(client);
		else if (fresh)
			client->deadline_ns = clock_now_ns() + HEAD_NS;
	}
}

ssize_t client_read_body(struct client *client, char *out, size_t room)
{
	struct reader *reader = &client->reader;

	while (reader->state == READER_BODY) {
		size_t n = client->in_end - client->in_at, written;

		if (n == 0 && client->end_of_input) {
			reader->state = READER_FAILED;
			reader->status = 400;
			reader->why = "the body ends early";
			break;
		}
		if (n == 0)
			return -EAGAIN;
		n = n < room ? n : room;
		client->in_at += reader_body(reader, client->in + client->in_at, n, out, &written);
		if (written > 0)
			return (ssize_t)written;
	}
	return reader->state == READER_FAILED ? -EPROTO : 0;
}

/* --- the loop --- */

static void run_input(struct client *client)
{
	if (client->state == CLIENT_CLOSING)
		client->in_at = client->in_end = 0;
	if (!fill_input(client))
		return;
	if (client->state == CLIENT_READING)
		read_requests(client);
	if (client->end_of_input &&
	    (client->state == CLIENT_READING || client->state == CLIENT_CLOSING)) {
		client_free(client);
		return;
	}
	client_flush(client);
}

/* It has left, or said all that it will; then its announcement is on the wire already, or never comes. */
static void run_waiting(struct client *client)
{
	channel_run(&client->gateway->channel);
	client_admit(client->gateway);
	if (client->state == CLIENT_WAITING)
		client_free(client);
}

static void client_run(struct source *source, uint32_t events)
{
	struct client *client = CONTAINER_OF(source, struct client, source);

	if (client->tunnel) {
		tunnel_run_client(client->tunnel, events);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		client_free(client);
	} else if (client->state == CLIENT_WAITING) {
		run_waiting(client);
	} else if (events & EPOLLIN && client->state == CLIENT_SERVED &&
		   client->reader.state != READER_BODY) {
		/* The next request while this one is served: from now on we do not listen until it is its turn. */
		client->unwanted = true;
		client_flush(client);
	} else if (events & EPOLLIN) {
		run_input(client);
	} else {
		client_flush(client);
	}
}

static void client_new(struct gateway *gateway, int fd, const struct net_endpoint *from)
{
	struct client *client = malloc(sizeof(*client));
	int one = 1;

	if (!client) {
		close(fd);
		return;
	}
	/* The buffers need no clearing. */
	memset(client, 0, offsetof(struct client, in));
	client->out = NULL;
	client->out_at = client->out_end = client->out_room = 0;
	client->gateway = gateway;
	client->source = (struct source){.run = client_run, .fd = fd};
	client->from = *from;
	client->next = gateway->clients;
	if (client->next)
		client->next->prev = client;
	gateway->clients = client;
	gateway->n_clients++;
	reader_init(&client->reader);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	set_state(client, CLIENT_WAITING, UINT64_C(1000000) * CHANNEL_ANNOUNCE_MS);
	client_watch(client);
}

void client_accept(struct gateway *gateway)
{
	while (gateway->n_clients < gateway->clients_max) {
		struct sockaddr_storage address = {0};
		socklen_t size = sizeof(address);
		struct net_endpoint from;
		int fd = accept4(gateway->listener.fd, (struct sockaddr *)&address, &size,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		/* The connection stays where it is, and the listener readable: look away, or we would turn round it. */
		if (fd < 0 && errno != EAGAIN)
			gateway->accept_at_ns = clock_now_ns() + ACCEPT_AGAIN_NS;
		if (fd < 0)
			break;
		if (channel_endpoint(&address, &from))
			client_new(gateway, fd, &from);
		else
			close(fd);
	}
	client_admit(gateway);
}

/* One that was reset is still accepted; its address may be a later connection's by now. */
static bool is_connected(const struct client *client)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);

	return getpeername(client->source.fd, (struct sockaddr *)&peer, &size) == 0;
}

void client_admit(struct gateway *gateway)
{
	gateway->channel.heard_client = false;
	for (struct client *client = gateway->clients; client; client = client->next) {
		if (client->state != CLIENT_WAITING || !is_connected(client) ||
		    !channel_take(&gateway->channel, &client->from))
			continue;
		/* One that says nothing keeps a place from others: not for as long as between two requests. */
		set_state(client, CLIENT_READING, HEAD_NS);
		client_watch(client);
	}
}

bool client_tick(struct client *client, uint64_t now_ns)
{
	if (client->tunnel)
		return tunnel_tick(client->tunnel, now_ns);
	if (client->fetch)
		fetch_tick(client->fetch, now_ns);
	if (now_ns < client->deadline_ns)
		return true;
	/* A head that took too long is told so; who waits between two requests knows it. */
	if (client->state == CLIENT_READING && client->reader.head_size > 0) {
		client->reader.state = READER_FAILED;
		client->answered = false;
		client_fail(client, 408, "the head of the request took longer than 10 seconds");
		return true;
	}
	client_free(client);
	return false;
}
