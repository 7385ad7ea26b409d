/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/client.h"

#include "net/relay_place.h"
#include "net/sock_diag.h"
#include "urlfetch/fetch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct gateway gateway;
static struct client *client;
static int peer;

/* A client as client.c makes it, whose request was read. */
static void set_up(void)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	gateway.epoll = epoll_create1(EPOLL_CLOEXEC);
	gateway.channel.fd = -1;
	client = calloc(1, sizeof(*client));
	cr_assert(client && gateway.epoll >= 0);
	client->gateway = &gateway;
	client->source.fd = ends[0];
	client->deadline_ns = UINT64_MAX;
	client->state = CLIENT_READING;
	gateway.clients = client;
	gateway.n_clients = 1;
	reader_init(&client->reader);
	client->reader.request.method = "GET";
	peer = ends[1];
}

TestSuite(urlfetch_client, .init = set_up, .timeout = 10);

static void fill_socket(void)
{
	static const char bytes[4096];
	ssize_t n;

	do
		n = send(client->source.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (n > 0);
}

Test(urlfetch_client, an_answer_of_which_nothing_goes_is_left_for_later)
{
	fill_socket();
	cr_assert_eq(client_put(client, "answer", 6), 0);
	client->state = CLIENT_ANSWERED;
	cr_assert(client_flush(client));
	cr_expect_eq(client->state, CLIENT_ANSWERED);
	cr_expect_eq(client->out_end - client->out_at, 6UL);
	cr_expect(client->source.events & EPOLLOUT);
}

Test(urlfetch_client, requests_that_came_together_are_answered_one_after_the_other)
{
	/* Refused at once, and the connection goes on. */
	static const char request[] = "HEAD http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
				      "X-Urlfetch-Deadline: 0\r\n\r\n";
	char answers[4096];
	int n = 0;

	for (int i = 0; i < 3; i++, client->in_end += sizeof(request) - 1)
		memcpy(client->in + client->in_end, request, sizeof(request) - 1);
	cr_assert(client_flush(client));
	cr_expect_eq(client->state, CLIENT_READING);
	answers[recv(peer, answers, sizeof(answers) - 1, MSG_DONTWAIT)] = '\0';
	for (const char *at = answers; (at = strstr(at, "HTTP/1.1 400 ")); at++)
		n++;
	cr_expect_eq(n, 3);
}

/* Both ends of a connection over loopback, the client's in place of the pair. */
static void use_tcp(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &size), 0);
	close(peer);
	peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(peer, (struct sockaddr *)&at, sizeof(at)), 0);
	close(client->source.fd);
	client->source.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(client->source.fd, 0);
	close(listener);
}

/* What the peer finds behind all that was sent. */
static int end_of_answer(void)
{
	char bytes[4096];
	ssize_t n;

	do
		n = recv(peer, bytes, sizeof(bytes), 0);
	while (n > 0);
	return n < 0 ? errno : 0;
}

Test(urlfetch_client, an_answer_that_ends_with_its_connection_ends_well_only_when_it_is_whole)
{
	static const struct {
		bool until_close, fails;
		int end;
	} rows[] = {
	    {true, true, ECONNRESET}, {true, false, 0}, {false, true, 0}, {false, false, 0}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (i > 0)
			set_up();
		use_tcp();
		client->answered = client->close_then = true;
		client->until_close = rows[i].until_close;
		client->reader.state = READER_DONE;
		client->state = CLIENT_SERVED;
		cr_assert_eq(client_put(client, "half", 4), 0);
		if (rows[i].fails)
			client_fail(client, 502, "broken");
		else
			client_done(client);
		client_flush(client);
		cr_expect_eq(end_of_answer(), rows[i].end, "%zu", i);
		if (gateway.clients)
			client_free(client);
	}
}

Test(urlfetch_client, an_answer_that_ends_with_its_connection_and_is_not_taken_is_reset)
{
	use_tcp();
	client->answered = client->close_then = client->until_close = true;
	client->state = CLIENT_SERVED;
	cr_assert_eq(client_put(client, "half", 4), 0);
	client_done(client);
	client->deadline_ns = 0;
	client_tick(client, 1);
	cr_expect_eq(end_of_answer(), ECONNRESET);
}

Test(urlfetch_client, output_that_is_taken_makes_room_for_what_comes)
{
	static char data[16 << 10];

	/* A client that always lags behind by as much. */
	for (int i = 0; i < 8; i++)
		cr_assert_eq(client_put(client, data, sizeof(data)), 0);
	for (size_t i = 0; i < 2000; i++) {
		data[0] = (char)i;
		cr_assert_eq(client_put(client, data, sizeof(data)), 0);
		client->out_at += sizeof(data);
		cr_assert_eq(client->out_end - client->out_at, 8 * sizeof(data));
		cr_assert(i < 8 || client->out[client->out_at] == (char)(i - 7), "%zu", i);
	}
	cr_expect_leq(client->out_room, 3 * 8 * sizeof(data));
}

Test(urlfetch_client, memory_of_a_large_answer_is_not_kept_for_the_next)
{
	static char data[200 << 10];

	for (int i = 0; i < 2; i++) {
		client->reader.state = READER_DONE;
		client->reader.request.keep_alive = true;
		cr_assert_eq(client_put(client, data, i ? 100 : sizeof(data)), 0);
		client_done(client);
		while (client->state == CLIENT_ANSWERED) {
			cr_assert(client_flush(client));
			recv(peer, data, sizeof(data), MSG_DONTWAIT);
		}
		cr_expect_leq(client->out_room, 72UL << 10);
	}
}

static void ignore(void *context, const struct relay_message *message)
{
	(void)context, (void)message;
}

/* Connects from @port, 0: from any.  Return: the socket; *@port: from where. */
static int connect_from(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(*port)};
	struct sockaddr_in to = {0};
	socklen_t size = sizeof(to);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	cr_assert_eq(getsockname(gateway.listener.fd, (struct sockaddr *)&to, &size), 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

/* Return: the supervisor's end of the wire. */
static int listen_and_ask(void)
{
	static const uint8_t loopback[] = {127, 0, 0, 1};
	int wire[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wire), 0);
	gateway.listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert_eq(listen(gateway.listener.fd, 10), 0);
	cr_assert_eq(channel_init(&gateway.channel, wire[0], gateway.listener.fd), 0);
	gateway.channel.own.addr = net_addr_from_v4(loopback); /* it listens everywhere */
	gateway.channel.heard = ignore;
	gateway.clients_max = 10;
	return wire[1];
}

static void announce(int supervisor, uint16_t port, int socket)
{
	const struct net_endpoint from = {gateway.channel.own.addr, port};
	struct relay_message message = {
	    .type = RELAY_CLIENT, .from = relay_place_of(&from), .cookie = sock_cookie(socket)};

	cr_assert_eq(relay_send(supervisor, &message, 0), 0);
}

static void *run_gateway(void *unused)
{
	gateway_run(&gateway);
	return unused;
}

Test(urlfetch_client, who_is_announced_while_an_answer_is_awaited_is_served)
{
	static const char request[] = "OPTIONS http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n";
	const struct timeval patience = {.tv_usec =
					     700000}; /* the client is closed after a second */
	struct relay_message message = {.type = RELAY_ANSWER, .number = 1};
	uint16_t port = 0;
	int supervisor, socket;
	char answer[1000];
	pthread_t thread;

	gateway = (struct gateway){0};
	supervisor = listen_and_ask();
	cr_assert_eq(gateway_init(&gateway, gateway.listener.fd, gateway.channel.fd), 0);
	socket = connect_from(&port);
	cr_assert_eq(send(socket, request, sizeof(request) - 1, 0), (ssize_t)sizeof(request) - 1);
	client_accept(&gateway);
	announce(supervisor, port, socket);
	cr_assert_eq(relay_send(supervisor, &message, 0), 0);
	cr_assert_eq(channel_ask_name(&gateway.channel, "a.test", &message), 0);
	cr_assert_eq(pthread_create(&thread, NULL, run_gateway, NULL), 0);
	setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	cr_expect_gt(recv(socket, answer, sizeof(answer), 0), 0);
	close(supervisor);
	pthread_join(thread, NULL);
}

Test(urlfetch_client, a_dead_connection_is_not_taken_for_a_later_one_from_its_port)
{
	const struct linger reset = {.l_onoff = 1};
	int supervisor = listen_and_ask(), dead, alive;
	uint16_t port = 0;

	dead = connect_from(&port);
	setsockopt(dead, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(dead);
	client_accept(&gateway);
	alive = connect_from(&port);
	announce(supervisor, port, alive);
	channel_run(&gateway.channel);
	client_admit(&gateway);
	client_accept(&gateway);
	cr_assert_eq(gateway.n_clients, 3UL);
	/* The newest is first. */
	cr_expect_eq(gateway.clients->state, CLIENT_READING);
	cr_expect_eq(gateway.clients->next->state, CLIENT_WAITING);
}
