/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/client.h"

#include "urlfetch/fetch.h"

#include <criterion/criterion.h>
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
	peer = ends[1];
}

TestSuite(urlfetch_client, .init = set_up, .timeout = 10);

static void fill_socket(void)
{
	static const char bytes[4096];

	while (send(client->source.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
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

Test(urlfetch_client, a_body_where_none_belongs_never_reaches_the_client)
{
	static const struct {
		const char *method;
		int status;
		size_t passed;
	} rows[] = {{"GET", 200, 4}, {"HEAD", 200, 0}, {"GET", 204, 0}, {"GET", 304, 0}};
	static struct fetch fetch;
	char data[] = "EVIL";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fetch.client = client;
		fetch.status = rows[i].status;
		client->reader.request.method = rows[i].method;
		client->out_at = client->out_end = 0;
		cr_expect_eq(fetch_on_body(data, 1, 4, &fetch), 4UL);
		cr_expect_eq(client->out_end, rows[i].passed, "%s %d", rows[i].method,
			     rows[i].status);
	}
}
