/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/client.h"
#include "urlfetch/fetch.h"

#include "shared/base/compiler.h"
#include "shared/base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FORBIDDEN = 403, TOO_MANY = 429, UNAVAILABLE = 503 };
/* What libcurl reads at once: then it goes on in one piece. */
#define BUFFER_SIZE ((long)CLIENT_OUT_EARLY)

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
	if (is_address(&fetch->url))
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

	gateway_close_curl(gateway, fd);
	return close(fd);
}

/* CURLOPT_READFUNCTION */
static size_t on_read(char *out, size_t size, size_t n, void *context)
{
	struct fetch *fetch = context;
	ssize_t got = client_read_body(fetch->client, out, size * n);

	if (got == -EAGAIN) {
		fetch->waits_body = true;
		return CURL_READFUNC_PAUSE;
	}
	if (got < 0)
		return CURL_READFUNC_ABORT;
	fetch->sent_body = true;
	return (size_t)got;
}

/* --- the handles --- */

CURL *fetch_easy_new(struct fetch *fetch)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 0L);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, fetch->gateway);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, fetch);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, fetch_on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, fetch_on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, fetch);
	if (getenv("SSL_CERT_FILE"))
		curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
	return easy;
}

/* --- the request --- */

static int add_header(struct fetch *fetch, const char *line)
{
	struct curl_slist *grown = curl_slist_append(fetch->headers, line);

	if (!grown)
		return -ENOMEM;
	fetch->headers = grown;
	return 0;
}

static bool is_credential(const char *name)
{
	return !strcasecmp(name, "authorization") || !strcasecmp(name, "cookie");
}

/* Its only word about it is libcurl's own, which then needs no line of ours. */
static bool takes_anything(const struct reader_request *request)
{
	const char *accept = NULL;

	for (size_t i = 0; i < request->n_fields; i++) {
		if (strcasecmp(request->fields[i].name, "accept") != 0)
			continue;
		if (accept)
			return false;
		accept = request->fields[i].value;
	}
	return accept && !strcmp(accept, "*/*");
}

/* The app's headers that go out. */
static int add_fields(struct fetch *fetch, const struct reader_request *request)
{
	const char *connection = reader_field(request, "connection");
	bool skips_accept = takes_anything(request);
	/* Written before they are read. */
	UNINITIALIZED char line[RULES_HEADERS_MAX + 16], name[RULES_HEADERS_MAX];

	for (size_t i = 0; i < request->n_fields; i++) {
		const struct reader_field *field = &request->fields[i];

		rules_lower(field->name, name, sizeof(name));
		if (!rules_header_goes_out(name) ||
		    (connection && rules_token_list_has(connection, name)) ||
		    (fetch->strips && is_credential(name)) ||
		    (fetch->becomes_get && !strncmp(name, "content-", 8)) ||
		    (skips_accept && !strcmp(name, "accept")))
			continue;
		/* libcurl takes "Name:" for "leave it out". */
		snprintf(line, sizeof(line), "%s%s%s", field->name, *field->value ? ": " : ";",
			 field->value);
		if (add_header(fetch, line) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_headers(struct fetch *fetch)
{
	const struct reader_request *request = &fetch->client->reader.request;
	static const char begin[] = "User-Agent: ";
	char agent[1036];

	/* CURLOPT_USERAGENT would be printed twice, byte for byte, which is dear in libcurl. */
	memcpy(agent, begin, sizeof(begin));
	rules_user_agent(reader_field(request, "user-agent"), fetch->gateway->app,
			 agent + sizeof(begin) - 1, sizeof(agent) - sizeof(begin) + 1);
	if (add_fields(fetch, request) < 0 || add_header(fetch, agent) < 0 ||
	    (fetch->has_body && add_header(fetch, "Expect:") < 0))
		return -ENOMEM;
	if (!reader_field(request, "accept") && add_header(fetch, "Accept:") < 0)
		return -ENOMEM;
	if (fetch->has_body && !strcmp(request->method, "POST") &&
	    !reader_field(request, "content-type"))
		return add_header(fetch, "Content-Type: application/x-www-form-urlencoded");
	return 0;
}

static void set_method(struct fetch *fetch)
{
	const struct reader_request *request = &fetch->client->reader.request;
	const char *method = fetch->becomes_get ? "GET" : request->method;
	CURL *easy = fetch->easy;
	/* Servers want a length from these, if only 0. */
	bool upload = fetch->has_body || !strcmp(method, "POST") || !strcmp(method, "PUT") ||
		      !strcmp(method, "PATCH");

	curl_easy_setopt(easy, CURLOPT_NOBODY, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
	if (!strcmp(method, "HEAD") && !fetch->has_body) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (upload) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
				 !fetch->has_body   ? (curl_off_t)0
				 : request->chunked ? (curl_off_t)-1
						    : (curl_off_t)request->length);
	}
	if (strcmp(method, "GET") != 0 || fetch->has_body)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

int fetch_easy_set(struct fetch *fetch, uint64_t now_ns)
{
	CURL *easy = fetch->easy;
	uint64_t left = fetch->deadline_ns > now_ns ? (fetch->deadline_ns - now_ns) / 1000000u : 0;

	if (add_headers(fetch) < 0)
		return -ENOMEM;
	curl_easy_setopt(easy, CURLOPT_URL, fetch->text);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)left + 1);
	set_method(fetch);
	if (fetch->only_connects) {
		curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	}
	return 0;
}
