/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire between gae-supervisor and gae-urlfetch: messages, each two bytes of length before it, read by
 * relay_receive() and by gae-urlfetch's side of the channel.  What is taken has one spelling.
 */
#include "shared/wire/relay.h"
#include "fuzz.h"
#include "urlfetch/channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int wire[2] = {-1, -1}, again[2] = {-1, -1}, listener = -1;
static unsigned int heard;

static void open_all(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, again) == 0);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(bind(listener, (const struct sockaddr *)&at, sizeof(at)) == 0);
}

static void count(void *context, const struct relay_message *message)
{
	(void)context;
	expect(message->type == RELAY_CLIENT || message->type == RELAY_SHUT);
	heard++;
}

/* Sent once more it is the same bytes. */
static void check_message(struct relay_message *message, const uint8_t *bytes, size_t size)
{
	uint8_t copy[sizeof(*message) + 1];

	expect(strnlen(message->text, RELAY_TEXT_MAX) < RELAY_TEXT_MAX);
	/* A NUL in the middle of it: read up to there. */
	if (strlen(message->text) != message->text_size)
		return;
	expect(relay_send(again[0], message, MSG_DONTWAIT) == 0);
	expect(recv(again[1], copy, sizeof(copy), MSG_DONTWAIT) == (ssize_t)size);
	expect(memcmp(copy, bytes, size) == 0);
}

/* One message of the input at @data.  Return: bytes used. */
static size_t next(const uint8_t *data, size_t size, size_t *length)
{
	*length = (size_t)data[0] << 8 | data[1];
	if (*length > size - 2)
		*length = size - 2;
	return *length + 2;
}

static void read_each(const uint8_t *data, size_t size)
{
	struct relay_message message;
	size_t length;

	while (size > 2) {
		size_t step = next(data, size, &length);
		int rc;

		if (length > 0) {
			expect(send(wire[1], data + 2, length, MSG_DONTWAIT) == (ssize_t)length);
			rc = relay_receive(wire[0], &message, MSG_DONTWAIT);
			expect(rc == 1 || rc == -EPROTO);
			if (rc == 1)
				check_message(&message, data + 2, length);
		}
		data += step;
		size -= step;
	}
}

static void run_channel(struct channel *channel, const uint8_t *data, size_t size)
{
	struct relay_message answer;
	size_t length;
	unsigned int sent = 0;

	/* Somebody has closed the other end: a question is not waited for. */
	for (; size > 2 && sent < 64; sent++) {
		size_t step = next(data, size, &length);

		if (length > 0)
			send(wire[1], data + 2, length, MSG_DONTWAIT);
		data += step;
		size -= step;
	}
	if (sent % 2)
		channel_run(channel);
	shutdown(wire[1], SHUT_WR);
	channel_ask_name(channel, "www.example.com", &answer);
	expect(strnlen(answer.text, RELAY_TEXT_MAX) < RELAY_TEXT_MAX);
	channel_run(channel);
	expect(channel->over);
	expect(channel->n_announced <= sent);
	for (size_t i = channel->n_announced; i-- > 0 && channel->oldest;) {
		struct net_endpoint from = channel->oldest->from;

		channel_take(channel, &from);
	}
	channel_forget(channel, UINT64_MAX);
	expect(!channel->n_announced && !channel->oldest && !channel->youngest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct channel channel = {.heard = count};

	if (listener < 0)
		open_all();
	for (int part = 0; part < 2; part++) {
		expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wire) == 0);
		if (part == 0) {
			read_each(data, size);
		} else {
			expect(channel_init(&channel, wire[0], listener) == 0);
			run_channel(&channel, data, size);
			if (channel.questions >= 0)
				close(channel.questions);
		}
		close(wire[0]);
		close(wire[1]);
	}
	return 0;
}
