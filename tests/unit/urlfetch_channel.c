/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/channel.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
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
	cr_assert_eq(
	    setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)free_one, (rlim_t)free_one}), 0);
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

	start();
	while (relay_send(channel.fd, &answer, MSG_DONTWAIT) == 0)
		continue;
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
