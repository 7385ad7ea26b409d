/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/upstream.h"

#include "shared/base/clock.h"
#include "shared/base/compiler.h"
#include "urlfetch/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_NS (UINT64_C(1000000000) * UPSTREAM_KEPT_S)

/* --- bytes --- */

ssize_t upstream_send(struct upstream *upstream, const void *bytes, size_t size)
{
	size_t n = 0;
	ssize_t sent;
	CURLcode code;

	if (!upstream->easy) {
		sent = send(upstream->source.fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent >= 0)
			return sent;
		return errno == EINTR ? -EAGAIN : -errno;
	}
	code = curl_easy_send(upstream->easy, bytes, size, &n);
	if (code == CURLE_OK)
		return (ssize_t)n;
	return code == CURLE_AGAIN ? -EAGAIN : -EPIPE;
}

ssize_t upstream_receive(struct upstream *upstream, void *out, size_t room)
{
	size_t n = 0;
	ssize_t got;
	CURLcode code;

	if (!upstream->easy) {
		got = recv(upstream->source.fd, out, room, MSG_DONTWAIT);
		if (got >= 0)
			return got;
		return errno == EINTR ? -EAGAIN : -errno;
	}
	code = curl_easy_recv(upstream->easy, out, room, &n);
	if (code == CURLE_OK)
		return (ssize_t)n;
	return code == CURLE_AGAIN ? -EAGAIN : -ECONNRESET;
}

/* Has nothing come, and not the end either?  In TLS something may that is not for us: a ticket. */
static bool is_quiet(struct upstream *upstream)
{
	char byte;

	return upstream_receive(upstream, &byte, 1) == -EAGAIN;
}

/* --- those that are kept --- */

static void unlink_kept(struct upstream *upstream)
{
	struct gateway *gateway = upstream->gateway;

	*(upstream->newer ? &upstream->newer->older : &gateway->kept_newest) = upstream->older;
	*(upstream->older ? &upstream->older->newer : &gateway->kept_oldest) = upstream->newer;
	upstream->newer = upstream->older = NULL;
	gateway->n_kept--;
}

static bool leads_to(const struct upstream *upstream, const struct rules_url *url)
{
	return upstream->port == url->port && upstream->https == url->https &&
	       upstream->bracketed == url->bracketed && !strcmp(upstream->host, url->host);
}

/* Closes it, which was kept. */
static void drop(struct upstream *upstream)
{
	unlink_kept(upstream);
	upstream_free(upstream);
}

struct upstream *upstream_take(struct gateway *gateway, const struct rules_url *url)
{
	struct upstream *upstream, *older;

	for (upstream = gateway->kept_newest; upstream; upstream = older) {
		older = upstream->older;
		if (!leads_to(upstream, url))
			continue;
		/* Something may have come since the loop has heard of it last. */
		if (is_quiet(upstream)) {
			unlink_kept(upstream);
			upstream->reused = true;
			return upstream;
		}
		drop(upstream);
	}
	return NULL;
}

void upstream_keep(struct upstream *upstream)
{
	struct gateway *gateway = upstream->gateway;

	upstream->fetch = NULL;
	upstream->kept_ns = clock_now_ns();
	upstream->newer = NULL;
	upstream->older = gateway->kept_newest;
	*(upstream->older ? &upstream->older->newer : &gateway->kept_oldest) = upstream;
	gateway->kept_newest = upstream;
	gateway->n_kept++;
	gateway_relax(gateway, &upstream->source, EPOLLIN);
	if (gateway->n_kept > gateway->kept_max)
		drop(gateway->kept_oldest);
}

uint64_t upstream_expire(struct gateway *gateway, uint64_t now_ns)
{
	while (gateway->kept_oldest && now_ns >= gateway->kept_oldest->kept_ns + KEPT_NS)
		drop(gateway->kept_oldest);
	return gateway->kept_oldest ? gateway->kept_oldest->kept_ns + KEPT_NS : UINT64_MAX;
}

/* --- the connection --- */

static void upstream_run(struct source *source, uint32_t events)
{
	struct upstream *upstream = CONTAINER_OF(source, struct upstream, source);

	if (upstream->fetch)
		exchange_run(upstream->fetch, events);
	else if (is_quiet(upstream))
		gateway_watch(upstream->gateway, source, EPOLLIN);
	else
		drop(upstream);
}

struct upstream *upstream_new(struct gateway *gateway, const struct rules_url *url, int fd,
			      CURL *easy)
{
	struct upstream *upstream = calloc(1, sizeof(*upstream));

	if (!upstream)
		return NULL;
	upstream->source = (struct source){.run = upstream_run, .fd = fd};
	upstream->gateway = gateway;
	upstream->easy = easy;
	upstream->https = url->https;
	upstream->bracketed = url->bracketed;
	upstream->port = url->port;
	memcpy(upstream->host, url->host, sizeof(upstream->host));
	return upstream;
}

void upstream_free(struct upstream *upstream)
{
	struct gateway *gateway;

	if (!upstream)
		return;
	gateway = upstream->gateway;
	gateway_unwatch(gateway, &upstream->source);
	if (upstream->easy) {
		/* Of its own connection a handle is rid only out of the multi handle: it closes it then. */
		curl_multi_remove_handle(gateway->multi, upstream->easy);
		curl_easy_cleanup(upstream->easy);
	} else {
		outgoing_remove(&gateway->outgoing, upstream->source.fd);
		close(upstream->source.fd);
	}
	gateway_bury(gateway, &upstream->source, upstream);
}
