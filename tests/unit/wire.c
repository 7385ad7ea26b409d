/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/wire/wire.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];
static struct wire_message message;

static void set_up(void)
{
	cr_assert_eq(wire_pair(ends), 0);
}

TestSuite(wire, .init = set_up, .timeout = 10);

Test(wire, a_message_arrives_as_it_was_sent)
{
	int fd;

	cr_assert_eq(wire_send(ends[0], WIRE_EXIT, -7, "why", -1), 0);
	cr_assert_eq(wire_receive(ends[1], &message, &fd), 1);
	cr_expect_eq(message.type, (uint32_t)WIRE_EXIT);
	cr_expect_eq(message.a, -7);
	cr_expect_str_eq(message.text, "why");
	cr_expect_eq(fd, -1);
}

Test(wire, a_descriptor_comes_along_close_on_exec)
{
	int fd, hole[2];

	cr_assert_eq(pipe(hole), 0);
	cr_assert_eq(wire_send(ends[0], WIRE_LISTENER, 0, NULL, hole[1]), 0);
	cr_assert_eq(wire_receive(ends[1], &message, &fd), 1);
	cr_assert_geq(fd, 0);
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_assert_eq(write(fd, "x", 1), 1);
}

Test(wire, a_descriptor_that_nobody_asked_for_is_closed)
{
	char byte;
	int hole[2];

	cr_assert_eq(pipe(hole), 0);
	cr_assert_eq(wire_send(ends[0], WIRE_GO, 0, NULL, hole[1]), 0);
	close(hole[1]);
	cr_assert_eq(wire_receive(ends[1], &message, NULL), 1);
	cr_expect_eq(read(hole[0], &byte, 1), 0);
}

Test(wire, plain_sending_gives_the_same_message)
{
	cr_assert_eq(wire_send_plain(ends[0], WIRE_EXEC_FAILED, 13, "text"), 0);
	cr_assert_eq(wire_receive(ends[1], &message, NULL), 1);
	cr_expect_eq(message.type, (uint32_t)WIRE_EXEC_FAILED);
	cr_expect_eq(message.a, 13);
	cr_expect_str_eq(message.text, "text");
}

Test(wire, long_text_is_cut_and_ended)
{
	char text[2 * WIRE_TEXT_MAX];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_assert_eq(wire_send(ends[0], WIRE_STAGE_FAILED, 0, text, -1), 0);
	cr_assert_eq(wire_receive(ends[1], &message, NULL), 1);
	cr_expect_eq(strlen(message.text), WIRE_TEXT_MAX - 1UL);
}

Test(wire, end_of_file_is_zero_and_sending_to_nobody_an_error)
{
	close(ends[0]);
	cr_expect_eq(wire_receive(ends[1], &message, NULL), 0);
	cr_expect_eq(wire_send(ends[1], WIRE_GO, 0, NULL, -1), -EPIPE);
}

static int receive_altered(size_t size, uint32_t version, uint32_t type)
{
	struct wire_message sent[2] = {{.version = version, .type = type}};

	cr_assert_eq(send(ends[0], sent, size, 0), (ssize_t)size);
	return wire_receive(ends[1], &message, NULL);
}

Test(wire, another_size_version_or_type_is_refused)
{
	cr_expect_eq(receive_altered(sizeof(message), WIRE_VERSION, WIRE_GO), 1);
	cr_expect_eq(receive_altered(sizeof(message) - 1, WIRE_VERSION, WIRE_GO), -EPROTO);
	cr_expect_eq(receive_altered(sizeof(message) + 1, WIRE_VERSION, WIRE_GO), -EPROTO);
	cr_expect_eq(receive_altered(sizeof(message), WIRE_VERSION + 1, WIRE_GO), -EPROTO);
	cr_expect_eq(receive_altered(sizeof(message), WIRE_VERSION, 0), -EPROTO);
	cr_expect_eq(receive_altered(sizeof(message), WIRE_VERSION, WIRE_SIGNAL + 1), -EPROTO);
}
