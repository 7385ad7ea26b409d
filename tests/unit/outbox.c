/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static struct outbox outbox;
static int gateway;
static struct relay_message message;

static void set_up(void)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	outbox_init(&outbox, ends[0]);
	gateway = ends[1];
}

TestSuite(outbox, .init = set_up, .timeout = 10);

static int tell(uint64_t cookie)
{
	message = (struct relay_message){.type = RELAY_CLIENT, .cookie = cookie};
	return outbox_tell(&outbox, &message);
}

static void answer(uint64_t number)
{
	message = (struct relay_message){.type = RELAY_ANSWER, .number = number};
	outbox_answer(&outbox, &message);
}

/* Return: how many announcements are in the queue now. */
static int fill(void)
{
	int n = 0;

	while (tell(1) == 0)
		n++;
	cr_assert_gt(n, 1);
	return n;
}

static int receive(void)
{
	return relay_receive(gateway, &message, MSG_DONTWAIT);
}

Test(outbox, an_answer_goes_at_once_where_there_is_room)
{
	answer(7);
	cr_expect_not(outbox_flush(&outbox));
	cr_assert_eq(receive(), 1);
	cr_expect_eq(message.type, (uint32_t)RELAY_ANSWER);
	cr_expect_eq(message.number, 7UL);
	cr_expect_eq(receive(), -EAGAIN);
}

Test(outbox, an_answer_that_found_no_room_goes_before_all_that_is_said_later)
{
	int n = fill();

	answer(7);
	cr_expect(outbox_flush(&outbox));
	cr_expect_eq(tell(2), -EAGAIN);
	while (n-- > 0)
		cr_assert_eq(receive(), 1);
	cr_expect_eq(tell(3), 0);
	cr_expect_not(outbox_flush(&outbox));
	cr_assert_eq(receive(), 1);
	cr_expect_eq(message.type, (uint32_t)RELAY_ANSWER);
	cr_assert_eq(receive(), 1);
	cr_expect_eq(message.cookie, 3UL);
	cr_expect_eq(receive(), -EAGAIN);
}

Test(outbox, of_two_answers_that_found_no_room_the_later_is_kept)
{
	int n = fill();

	answer(7);
	answer(8);
	while (n-- > 0)
		cr_assert_eq(receive(), 1);
	cr_expect_not(outbox_flush(&outbox));
	cr_assert_eq(receive(), 1);
	cr_expect_eq(message.number, 8UL);
	cr_expect_eq(receive(), -EAGAIN);
}

Test(outbox, what_nobody_will_hear_is_not_owed)
{
	fill();
	answer(7);
	close(gateway);
	cr_expect_not(outbox_flush(&outbox));
}
