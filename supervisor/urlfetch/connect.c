/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/connect.h"

#include "shared/base/clock.h"
#include "shared/base/fd.h"
#include "urlfetch/fetch.h"
#include "urlfetch/upstream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(LIBCURL_VERSION_NUM >= 0x075700, "libcurl 7.87 is needed: CURLOPT_QUICK_EXIT");

enum { FORBIDDEN = 403, TOO_MANY = 429, UNAVAILABLE = 503 };
/* After so long getaddrinfo(3) has most likely given up. */
#define LOOK_UP_NS UINT64_C(30000000000)
#define TLS_RECORD_MAX (16L << 10) /* what libcurl hands out at a time */

/* --- the hooks --- */

static int refusal_status(int error)
{
	if (error == CHANNEL_SILENT)
		return UNAVAILABLE;
	return error == EDQUOT ? TOO_MANY : FORBIDDEN;
}

static bool is_address(const struct rules_url *url)
{
	struct net_addr addr;

	return url->bracketed || net_addr_parse(url->host, &addr) == 0;
}

/* CURLOPT_RESOLVER_START_FUNCTION: names are a way out, too. */
static int on_resolve(void *state, void *reserved, void *context)
{
	struct fetch *fetch = context;
	struct relay_message answer;
	int error;

	(void)state, (void)reserved;
	fetch->looks_up = !is_address(&fetch->url);
	if (!fetch->looks_up)
		return 0;
	error = channel_ask_name(&fetch->gateway->channel, fetch->url.host, &answer);
	if (error == RELAY_WAIT)
		fetch->waits = true;
	if (error)
		fetch_refuse(fetch, refusal_status(error), answer.text);
	return error != 0;
}

static bool is_allowed(struct fetch *fetch, uint64_t cookie, const struct sockaddr_storage *to)
{
	struct relay_message answer;
	int error =
	    channel_ask_address(&fetch->gateway->channel, fetch->url.host, cookie, to, &answer);

	if (error == RELAY_WAIT)
		fetch->waits = true;
	if (error)
		fetch_refuse(fetch, refusal_status(error), answer.text);
	return error == 0;
}

/* CURLOPT_OPENSOCKETFUNCTION: called with the very address that connect(2) gets next. */
static curl_socket_t on_open_socket(void *context, curlsocktype purpose,
				    struct curl_sockaddr *address)
{
	struct fetch *fetch = context;
	struct sockaddr_storage to = {0};
	struct net_endpoint endpoint;
	CLEANUP_FD int fd = -1;
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);
	int out;

	fetch->looks_up = false;
	if (purpose != CURLSOCKTYPE_IPCXN || address->addrlen > sizeof(to))
		return CURL_SOCKET_BAD;
	memcpy(&to, &address->addr, address->addrlen);
	if (!channel_endpoint(&to, &endpoint) || !rules_port_is_taken(endpoint.port))
		return CURL_SOCKET_BAD;
	fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) < 0 ||
	    !is_allowed(fetch, cookie, &to) ||
	    outgoing_add(&fetch->gateway->outgoing, fd, cookie) < 0)
		return CURL_SOCKET_BAD;
	out = fd;
	fd = -1;
	return out;
}

/* CURLOPT_CLOSESOCKETFUNCTION; a connection may outlive the fetch that made it. */
static int on_close_socket(void *context, curl_socket_t fd)
{
	struct gateway *gateway = context;

	outgoing_remove(&gateway->outgoing, fd);
	return close(fd);
}

/* --- the handles --- */

static CURL *easy_new(struct fetch *fetch)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN,
			 (long)INT_MAX);           /* how long it is kept is ours to say */
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* in ALPN */
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, TLS_RECORD_MAX);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 0L);
	curl_easy_setopt(easy, CURLOPT_SHARE, fetch->gateway->share);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, fetch->gateway);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, fetch);
	if (getenv("SSL_CERT_FILE"))
		curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
	return easy;
}

int connect_begin(struct fetch *fetch)
{
	char server[RULES_HOST_MAX + 32];
	struct rules_url url = fetch->url;

	/* In a tunnel it is the program that does TLS. */
	url.https &= !fetch->only_connects;
	url.path_size = 0;
	rules_write_url(&url, server, sizeof(server));
	fetch->easy = easy_new(fetch);
	if (fetch->easy && curl_easy_setopt(fetch->easy, CURLOPT_URL, server) == CURLE_OK &&
	    curl_multi_add_handle(fetch->gateway->multi, fetch->easy) == CURLM_OK)
		return 0;
	curl_easy_cleanup(fetch->easy);
	fetch->easy = NULL;
	return -ENOMEM;
}

/*
 * libcurl looks names up in a thread, and waits for it where it is told to stop: as long as name
 * servers are silent, everybody would wait.  Left alone, it ends by itself.  But not more of them than
 * a few: who fetches and leaves, again and again, would have threads of ours without end.
 */
static bool may_abandon(struct gateway *gateway)
{
	uint64_t now = clock_now_ns(),
		 *at = &gateway->abandoned_ns[gateway->n_abandoned % GATEWAY_ABANDONED_MAX];

	if (*at && now < *at + LOOK_UP_NS)
		return false;
	*at = now;
	gateway->n_abandoned++;
	return true;
}

void connect_stop(struct fetch *fetch)
{
	if (!fetch->easy)
		return;
	if (fetch->looks_up && may_abandon(fetch->gateway))
		curl_easy_setopt(fetch->easy, CURLOPT_QUICK_EXIT, 1L);
	fetch->looks_up = false;
	curl_multi_remove_handle(fetch->gateway->multi, fetch->easy);
	curl_easy_cleanup(fetch->easy);
	fetch->easy = NULL;
}

/* --- what came of it --- */

/* libcurl's descriptor; the supervisor knows that it is connected.  Return: -1: it has none. */
static int active_socket(struct fetch *fetch)
{
	struct gateway *gateway = fetch->gateway;
	curl_socket_t fd = CURL_SOCKET_BAD;

	curl_easy_getinfo(fetch->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd == CURL_SOCKET_BAD || (size_t)fd >= gateway->outgoing.n)
		return -1;
	outgoing_look(&gateway->outgoing, fd, &gateway->channel);
	return fd;
}

int connect_take_socket(struct fetch *fetch)
{
	struct outgoing *outgoing = &fetch->gateway->outgoing;
	int theirs = active_socket(fetch), fd;

	if (theirs < 0)
		return -1;
	/* A duplicate: libcurl closes its own. */
	fd = fcntl(theirs, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0 && outgoing_add(outgoing, fd, outgoing->sockets[theirs].cookie) < 0)
		fd_close(&fd);
	if (fd >= 0)
		outgoing->sockets[fd].connected = true;
	return fd;
}

struct upstream *connect_take(struct fetch *fetch)
{
	struct gateway *gateway = fetch->gateway;
	struct upstream *upstream;
	int fd = fetch->url.https ? active_socket(fetch) : connect_take_socket(fetch);

	if (fd < 0)
		return NULL;
	upstream = upstream_new(gateway, &fetch->url, fd, fetch->url.https ? fetch->easy : NULL);
	if (!upstream && !fetch->url.https) {
		outgoing_remove(&gateway->outgoing, fd);
		close(fd);
	}
	if (upstream && upstream->easy)
		fetch->easy = NULL;
	return upstream;
}
