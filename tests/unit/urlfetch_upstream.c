/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/upstream.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct gateway gateway;
static struct rules_url url;

static void set_up(void)
{
	const char *why;
	static const char text[] = "http://a.test:8080/";

	gateway.epoll = epoll_create1(EPOLL_CLOEXEC);
	gateway.kept_max = 3;
	cr_assert_eq(rules_read_url(text, sizeof(text) - 1, &url, &why), 0);
}

TestSuite(urlfetch_upstream, .init = set_up, .timeout = 10);

/* A connection to the server of @url that is kept.  Return: the server's end. */
static int keep(const struct rules_url *to, struct upstream **upstream)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	*upstream = upstream_new(&gateway, to, ends[0], NULL);
	cr_assert(*upstream);
	upstream_keep(*upstream);
	return ends[1];
}

/* Has our end been closed? */
static bool is_closed(int server)
{
	char byte;

	/* The server's bytes may not have been read: then it is a reset. */
	return recv(server, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

Test(urlfetch_upstream, the_one_used_last_is_taken)
{
	struct upstream *first, *last;

	keep(&url, &first);
	keep(&url, &last);
	cr_expect_eq(upstream_take(&gateway, &url), last);
	cr_expect_eq(upstream_take(&gateway, &url), first);
	cr_expect_eq(upstream_take(&gateway, &url), NULL);
	cr_expect(first->reused);
	cr_expect_eq(gateway.n_kept, 0UL);
}

Test(urlfetch_upstream, scheme_host_and_port_must_be_the_same)
{
	struct rules_url other = url;
	struct upstream *upstream;

	keep(&url, &upstream);
	other.https = true;
	cr_expect_eq(upstream_take(&gateway, &other), NULL);
	other = url;
	other.port++;
	cr_expect_eq(upstream_take(&gateway, &other), NULL);
	other = url;
	other.host[0]++;
	cr_expect_eq(upstream_take(&gateway, &other), NULL);
	other = url;
	other.bracketed = true;
	cr_expect_eq(upstream_take(&gateway, &other), NULL);
	cr_expect_eq(upstream_take(&gateway, &url), upstream);
}

Test(urlfetch_upstream, where_something_has_come_it_is_not_taken)
{
	struct upstream *good, *upstream;
	int server, stray, ended;

	server = keep(&url, &good);
	stray = keep(&url, &upstream);
	ended = keep(&url, &upstream);
	cr_assert_eq(send(stray, "x", 1, 0), 1);
	cr_assert_eq(shutdown(ended, SHUT_WR), 0);
	cr_expect_eq(upstream_take(&gateway, &url), good);
	cr_expect(is_closed(stray));
	cr_expect(is_closed(ended));
	cr_expect_not(is_closed(server));
}

Test(urlfetch_upstream, what_comes_while_it_is_kept_ends_it)
{
	struct epoll_event event;
	struct upstream *upstream;
	int server = keep(&url, &upstream);

	cr_expect_eq(epoll_wait(gateway.epoll, &event, 1, 0), 0);
	cr_assert_eq(send(server, "x", 1, 0), 1);
	cr_assert_eq(epoll_wait(gateway.epoll, &event, 1, 0), 1);
	upstream->source.run(event.data.ptr, event.events);
	cr_expect(is_closed(server));
	cr_expect_eq(gateway.n_kept, 0UL);
}

Test(urlfetch_upstream, the_oldest_goes_for_a_new_one)
{
	struct upstream *upstream;
	int servers[5];

	for (size_t i = 0; i < 5; i++)
		servers[i] = keep(&url, &upstream);
	for (size_t i = 0; i < 5; i++)
		cr_expect_eq(is_closed(servers[i]), i < 2, "%zu", i);
	cr_expect_eq(gateway.n_kept, 3UL);
}

Test(urlfetch_upstream, it_is_kept_for_so_long)
{
	const uint64_t second = UINT64_C(1000000000);
	struct upstream *old, *young;
	int server = keep(&url, &old);

	keep(&url, &young);
	young->kept_ns = old->kept_ns + second;
	cr_expect_eq(upstream_expire(&gateway, old->kept_ns + (UPSTREAM_KEPT_S * second) - 1),
		     old->kept_ns + UPSTREAM_KEPT_S * second);
	cr_expect_not(is_closed(server));
	cr_expect_eq(upstream_expire(&gateway, old->kept_ns + UPSTREAM_KEPT_S * second),
		     young->kept_ns + UPSTREAM_KEPT_S * second);
	cr_expect(is_closed(server));
	cr_expect_eq(upstream_expire(&gateway, UINT64_MAX), UINT64_MAX);
}
