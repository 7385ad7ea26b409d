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
