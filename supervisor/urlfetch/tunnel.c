/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/tunnel.h"

#include "shared/base/clock.h"
#include "shared/base/compiler.h"
#include "shared/base/fd.h"
#include "urlfetch/client.h"
#include "urlfetch/connect.h"
#include "urlfetch/fetch.h"
#include "urlfetch/hello.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define WAY_SIZE (64 << 10)
#define HELLO_NS UINT64_C(10000000000)
#define ROUNDS_AT_ONCE 16 /* then others have their turn */

_Static_assert(HELLO_MAX + 64 < WAY_SIZE && CLIENT_IN_SIZE <= WAY_SIZE,
	       "a ClientHello with its record headers fits");

/* Bytes on their way from one side to the other. */
struct way {
	size_t at, end;
	bool end_of_input; /* no more comes in */
	bool ended;        /* and the other side was told */
	char bytes[WAY_SIZE];
};

struct tunnel {
	struct client *client;
	struct gateway *gateway;
	struct source far;
	bool open; /* the ClientHello was found right */
	uint64_t deadline_ns;
	struct rules_url url;
	struct way out, in; /* to the server, to the client */
};

void tunnel_free(struct tunnel *tunnel)
{
	if (!tunnel)
		return;
	gateway_unwatch(tunnel->gateway, &tunnel->far);
	outgoing_remove(&tunnel->gateway->outgoing, tunnel->far.fd);
	fd_close(&tunnel->far.fd);
	gateway_bury(tunnel->gateway, &tunnel->far, tunnel);
}

/* --- bytes --- */

/* Return: bytes; 0 none now; -1 the connection is broken. */
static ssize_t fill(struct way *way, int fd)
{
	ssize_t n;

	if (way->at == way->end)
		way->at = way->end = 0;
	if (way->end_of_input || way->end == WAY_SIZE)
		return 0;
	n = recv(fd, way->bytes + way->end, WAY_SIZE - way->end, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	way->end_of_input = n == 0;
	way->end += (size_t)n;
	return n;
}

static int drain(struct way *way, int fd)
{
	ssize_t n;

	if (way->at < way->end) {
		n = send(fd, way->bytes + way->at, way->end - way->at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		way->at += (size_t)n;
	}
	if (way->at == way->end && way->end_of_input && !way->ended) {
		way->ended = true;
		shutdown(fd, SHUT_WR);
	}
	return 0;
}

/* Return: 0, or -1: one of the connections is broken. */
static int carry(struct way *way, int from, int to)
{
	for (int i = 0; i < ROUNDS_AT_ONCE; i++) {
		ssize_t n = fill(way, from);

		if (n < 0 || drain(way, to) < 0)
			return -1;
		if (n == 0 || way->at < way->end)
			break;
	}
	return 0;
}

static uint32_t events_of(const struct way *from_it, const struct way *to_it)
{
	uint32_t events = to_it->at < to_it->end ? EPOLLOUT : 0;

	if (!from_it->end_of_input && (from_it->end < WAY_SIZE || from_it->at == from_it->end))
		events |= EPOLLIN;
	return events;
}

static void watch(struct tunnel *tunnel)
{
	gateway_watch(tunnel->gateway, &tunnel->client->source,
		      events_of(&tunnel->out, &tunnel->in));
	gateway_watch(tunnel->gateway, &tunnel->far,
		      tunnel->open ? events_of(&tunnel->in, &tunnel->out) : 0);
}

/* --- the ClientHello --- */

/* RFC 8446, 6: a fatal alert, unrecognized_name. */
static void refuse(struct tunnel *tunnel, const char *why)
{
	static const unsigned char alert[] = {21, 3, 1, 0, 2, 2, 112};
	struct client *client = tunnel->client;

	channel_refused(&tunnel->gateway->channel, tunnel->url.host, why);
	send(client->source.fd, alert, sizeof(alert), MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(client->source.fd, SHUT_WR);
	client_free(client);
}

static bool names_host(const struct tunnel *tunnel, const char *name)
{
	struct net_addr addr;

	if (*name)
		return !strcmp(name, tunnel->url.host);
	/* RFC 6066, 3: an address is not named. */
	return tunnel->url.bracketed || net_addr_parse(tunnel->url.host, &addr) == 0;
}

/* Return: false: the tunnel is gone. */
static bool check_hello(struct tunnel *tunnel)
{
	struct way *way = &tunnel->out;
	char name[HELLO_NAME_MAX], why[HELLO_NAME_MAX + 64];
	int rc = hello_read((const uint8_t *)way->bytes + way->at, way->end - way->at, name);

	if (rc == 0 && !way->end_of_input)
		return true;
	if (rc <= 0) {
		refuse(tunnel, "what came through CONNECT is no TLS ClientHello");
		return false;
	}
	if (!names_host(tunnel, name)) {
		snprintf(why, sizeof(why), "CONNECT is to this host, but TLS to '%s'", name);
		refuse(tunnel, why);
		return false;
	}
	tunnel->open = true;
	tunnel->client->deadline_ns = tunnel->deadline_ns = UINT64_MAX;
	return true;
}

/* --- the loop --- */

static void run(struct tunnel *tunnel)
{
	struct client *client = tunnel->client;
	int near = client->source.fd, far = tunnel->far.fd;

	if (!tunnel->open) {
		/* The answer to CONNECT first. */
		if (drain(&tunnel->in, near) < 0 || fill(&tunnel->out, near) < 0) {
			client_free(client);
			return;
		}
		if (!check_hello(tunnel))
			return;
	}
	if (tunnel->open &&
	    (carry(&tunnel->out, near, far) < 0 || carry(&tunnel->in, far, near) < 0 ||
	     (tunnel->in.ended && tunnel->out.ended))) {
		client_free(client);
		return;
	}
	watch(tunnel);
}

void tunnel_run_client(struct tunnel *tunnel, uint32_t events)
{
	(void)events;
	run(tunnel);
}

static void run_far(struct source *source, uint32_t events)
{
	(void)events;
	run(CONTAINER_OF(source, struct tunnel, far));
}

bool tunnel_tick(struct tunnel *tunnel, uint64_t now_ns)
{
	if (now_ns < tunnel->deadline_ns)
		return true;
	refuse(tunnel, "no TLS ClientHello within 10 seconds");
	return false;
}

void tunnel_begin(struct fetch *fetch)
{
	static const char yes[] = "HTTP/1.1 200 Connection established\r\n\r\n";
	struct client *client = fetch->client;
	struct tunnel *tunnel = malloc(sizeof(*tunnel));
	int fd = tunnel ? connect_take_socket(fetch) : -1;

	if (fd < 0) {
		free(tunnel);
		client_fail(client, 503, "out of memory");
		fetch_end(fetch);
		return;
	}
	tunnel->client = client;
	tunnel->gateway = fetch->gateway;
	tunnel->far = (struct source){.run = run_far, .fd = fd};
	tunnel->open = false;
	tunnel->url = fetch->url;
	tunnel->deadline_ns = clock_now_ns() + HELLO_NS;
	tunnel->out.at = tunnel->in.at = 0;
	tunnel->out.end = client->in_end - client->in_at;
	tunnel->out.end_of_input = client->end_of_input;
	tunnel->in.end_of_input = tunnel->out.ended = tunnel->in.ended = false;
	memcpy(tunnel->out.bytes, client->in + client->in_at, tunnel->out.end);
	tunnel->in.end = sizeof(yes) - 1;
	memcpy(tunnel->in.bytes, yes, sizeof(yes) - 1);
	client->fetch = NULL;
	client->tunnel = tunnel;
	client->deadline_ns = tunnel->deadline_ns;
	fetch_end(fetch);
	run(tunnel);
}
