/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/channel.h"

#include "net/sock_diag.h"
#include "shared/base/clock.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct channel channel;
static int listener, supervisor;

static void ignore(void *context, const struct relay_message *message)
{
	(void)context, (void)message;
}

static void set_up(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int ends[2];

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(listen(listener, 100), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	channel = (struct channel){.fd = ends[0], .heard = ignore};
	supervisor = ends[1];
}

TestSuite(urlfetch_channel, .init = set_up, .timeout = 20);

Test(urlfetch_channel, without_the_question_who_a_client_is_nothing_starts)
{
	int free_one = dup(0);

	close(free_one);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)free_one, (rlim_t)free_one}),
		     0);
	cr_expect_lt(channel_init(&channel, channel.fd, listener), 0);
}

/* The supervisor: says what it is told to, when it is asked. */
static void say(enum relay_type type, uint64_t number, int a)
{
	struct relay_message message = {.type = type, .number = number, .a = a};

	cr_assert_eq(relay_send(supervisor, &message, MSG_DONTWAIT), 0);
}

static void start(void)
{
	cr_assert_eq(channel_init(&channel, channel.fd, listener), 0);
}

Test(urlfetch_channel, an_answer_to_an_earlier_question_is_nobodys)
{
	struct relay_message answer;

	start();
	cr_expect_eq(channel_ask_name(&channel, "a.test", &answer), CHANNEL_SILENT);
	cr_expect_not(channel.over);
	cr_assert_eq(relay_receive(supervisor, &answer, MSG_DONTWAIT), 1);
	say(RELAY_ANSWER, answer.number, 0);
	say(RELAY_ANSWER, answer.number + 1, 13);
	cr_expect_eq(channel_ask_name(&channel, "b.test", &answer), 13);
}

Test(urlfetch_channel, a_full_wire_is_waited_for_no_longer_than_an_answer)
{
	struct relay_message answer = {.type = RELAY_REFUSED};
	int rc;

	start();
	do
		rc = relay_send(channel.fd, &answer, MSG_DONTWAIT);
	while (rc == 0);
	cr_expect_eq(channel_ask_name(&channel, "a.test", &answer), CHANNEL_SILENT);
	cr_expect_not(channel.over);
}

Test(urlfetch_channel, the_end_of_the_supervisor_is_heard)
{
	struct relay_message answer;

	start();
	close(supervisor);
	cr_expect_eq(channel_ask_name(&channel, "a.test", &answer), CHANNEL_SILENT);
	cr_expect(channel.over);
}

static struct net_endpoint endpoint(uint32_t address, uint16_t port)
{
	const uint32_t bytes = htonl(address);

	return (struct net_endpoint){net_addr_from_v4(&bytes), port};
}

static void announce(const struct net_endpoint *from, uint64_t cookie)
{
	struct relay_message message = {.type = RELAY_CLIENT, .cookie = cookie};

	message.from = (struct relay_place){.family = from->addr.family, .port = from->port};
	memcpy(message.from.bytes, from->addr.bytes, sizeof(message.from.bytes));
	cr_assert_eq(relay_send(supervisor, &message, 0), 0);
	channel_run(&channel);
}

/* A connection to the listener.  Return: its descriptor. */
static int connect_one(struct net_endpoint *from, uint64_t *cookie)
{
	struct sockaddr_storage at = {0};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &size), 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&at, size), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	cr_assert(channel_endpoint(&at, from));
	*cookie = sock_cookie(fd);
	return fd;
}

Test(urlfetch_channel, a_connection_is_taken_once)
{
	struct net_endpoint from;
	uint64_t cookie;

	start();
	connect_one(&from, &cookie);
	cr_expect_not(channel_take(&channel, &from));
	announce(&from, cookie);
	cr_expect(channel_take(&channel, &from));
	cr_expect_not(channel_take(&channel, &from));
	cr_expect_eq(channel.n_announced, 0UL);
}

Test(urlfetch_channel, what_was_announced_and_is_gone_is_forgotten)
{
	struct net_endpoint from;
	uint64_t cookie;

	start();
	connect_one(&from, &cookie);
	announce(&from, cookie + 1);
	cr_expect_not(channel_take(&channel, &from));
	cr_expect_eq(channel.n_announced, 0UL);
}

Test(urlfetch_channel, of_two_announcements_of_an_address_the_later_counts)
{
	struct net_endpoint from;
	uint64_t cookie;

	start();
	connect_one(&from, &cookie);
	announce(&from, cookie + 1);
	announce(&from, cookie);
	cr_expect_eq(channel.n_announced, 1UL);
	cr_expect(channel_take(&channel, &from));
}

Test(urlfetch_channel, announcements_of_what_never_comes_choke_nothing)
{
	struct net_endpoint from, dead;
	uint64_t cookie, begun;

	start();
	for (uint32_t i = 0; i < 200000; i++) {
		dead = endpoint(INADDR_LOOPBACK + 1 + i / 60000, (uint16_t)(1024 + i % 60000));
		announce(&dead, UINT64_C(1000000000) + i);
	}
	connect_one(&from, &cookie);
	announce(&from, cookie);
	cr_expect(channel_take(&channel, &from));
	begun = clock_now_ns();
	for (int i = 0; i < 10000; i++) {
		dead.port = (uint16_t)(1 + i % 1000);
		cr_assert_not(channel_take(&channel, &dead));
		channel_forget(&channel, begun);
	}
	cr_expect_lt(clock_now_ns() - begun, UINT64_C(500000000));
	channel_forget(&channel, clock_now_ns() + UINT64_C(200000000000));
	cr_expect_eq(channel.n_announced, 0UL);
}
