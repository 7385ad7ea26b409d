/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/channel.h"

#include "net/relay_place.h"
#include "net/sock_diag.h"
#include "shared/base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The supervisor answers in microseconds; when it does not, it is stopped by a debugger or dying. */
#define ANSWER_MS 2000
/* An announced connection is accepted at once, unless we are at our limit. */
#define FORGET_NS UINT64_C(120000000000)
#define ANNOUNCED_MAX 65536

bool channel_endpoint(const struct sockaddr_storage *address, struct net_endpoint *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (address->ss_family == AF_INET) {
		memcpy(&v4, address, sizeof(v4));
		*out = (struct net_endpoint){net_addr_from_v4(&v4.sin_addr), ntohs(v4.sin_port)};
		return true;
	}
	if (address->ss_family != AF_INET6)
		return false;
	memcpy(&v6, address, sizeof(v6));
	*out = (struct net_endpoint){net_addr_from_v6(&v6.sin6_addr, v6.sin6_scope_id),
				     ntohs(v6.sin6_port)};
	return true;
}

int channel_init(struct channel *channel, int fd, int listener)
{
	struct sockaddr_storage own = {0};
	socklen_t size = sizeof(own);

	channel->fd = fd;
	if (getsockname(listener, (struct sockaddr *)&own, &size) < 0)
		return -errno;
	if (!channel_endpoint(&own, &channel->own))
		return -EAFNOSUPPORT;
	/* Without it a connection could not be told from a later one of somebody else's. */
	channel->questions = sock_diag_open();
	return channel->questions < 0 ? channel->questions : 0;
}

int channel_ready(struct channel *channel)
{
	struct relay_message message = {.type = RELAY_READY};

	return relay_send(channel->fd, &message, 0);
}

/* --- who is announced --- */

static size_t hash(const struct net_endpoint *from)
{
	uint32_t value = from->port;

	/* FNV-1a; a program may use all of 127.0.0.0/8. */
	for (size_t i = 0; i < sizeof(from->addr.bytes); i++)
		value = (value ^ from->addr.bytes[i]) * UINT32_C(16777619);
	return (value ^ value >> 16) % CHANNEL_BUCKETS;
}

static struct channel_client *find(const struct channel *channel, const struct net_endpoint *from)
{
	struct channel_client *client = channel->announced[hash(from)];

	while (client && (client->from.port != from->port ||
			  !net_addr_equal(&client->from.addr, &from->addr)))
		client = client->next;
	return client;
}

static void drop(struct channel *channel, struct channel_client *client)
{
	struct channel_client **link = &channel->announced[hash(&client->from)];

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	*(client->older ? &client->older->younger : &channel->oldest) = client->younger;
	*(client->younger ? &client->younger->older : &channel->youngest) = client->older;
	channel->n_announced--;
	free(client);
}

static void announce(struct channel *channel, const struct relay_message *message)
{
	const struct net_endpoint from = relay_place_endpoint(&message->from);
	struct channel_client *client = find(channel, &from), **bucket;

	/* The same one, whose call asked again how its connect fares; or an older one, whose address is free again. */
	if (client)
		drop(channel, client);
	/* More than wait for us in any queue: the oldest cannot be among them any more. */
	if (channel->n_announced == ANNOUNCED_MAX)
		drop(channel, channel->oldest);
	client = malloc(sizeof(*client));
	if (!client)
		return; /* its connection is closed for want of an announcement */
	bucket = &channel->announced[hash(&from)];
	*client = (struct channel_client){.from = from,
					  .cookie = message->cookie,
					  .heard_ns = clock_now_ns(),
					  .next = *bucket,
					  .older = channel->youngest};
	*bucket = client;
	*(client->older ? &client->older->younger : &channel->oldest) = client;
	channel->youngest = client;
	channel->n_announced++;
	channel->heard_client = true;
}

void channel_forget(struct channel *channel, uint64_t now_ns)
{
	while (channel->oldest && now_ns - channel->oldest->heard_ns > FORGET_NS)
		drop(channel, channel->oldest);
}

bool channel_take(struct channel *channel, const struct net_endpoint *from)
{
	struct sock_tuple tuple = {.local = *from, .remote = channel->own};
	struct channel_client *client = find(channel, from);
	struct tcp_numbers numbers;
	int rc;

	if (!client)
		return false;
	rc = sock_diag_ask(channel->questions, &tuple, client->cookie, &numbers);
	if (rc == 0 || rc == -ENOENT)
		drop(channel, client);
	return rc == 0;
}

/* --- messages --- */

static void hear(struct channel *channel, const struct relay_message *message)
{
	if (message->type == RELAY_CLIENT)
		announce(channel, message);
	if (message->type == RELAY_CLIENT || message->type == RELAY_SHUT)
		channel->heard(channel->context, message);
}

void channel_run(struct channel *channel)
{
	struct relay_message message;
	int rc;

	while ((rc = relay_receive(channel->fd, &message, MSG_DONTWAIT)) == 1)
		hear(channel, &message);
	channel->over |= rc != -EAGAIN;
}

/* Return: false: it is too late. */
static bool wait_for(const struct channel *channel, short events, uint64_t until)
{
	struct pollfd wire = {.fd = channel->fd, .events = events};
	uint64_t now = clock_now_ns();

	if (now >= until)
		return false;
	poll(&wire, 1, (int)((until - now) / 1000000u) + 1);
	return true;
}

static int send_question(struct channel *channel, struct relay_message *question, uint64_t until)
{
	int rc;

	while ((rc = relay_send(channel->fd, question, MSG_DONTWAIT)) == -EAGAIN)
		if (!wait_for(channel, POLLOUT, until))
			return -ETIMEDOUT;
	return rc;
}

/* Announcements that come before the answer are kept; nothing else is done for them meanwhile. */
static int await_answer(struct channel *channel, struct relay_message *answer, uint64_t until)
{
	int rc;

	for (;;) {
		rc = relay_receive(channel->fd, answer, MSG_DONTWAIT);
		if (rc == 1 && answer->type == RELAY_ANSWER && answer->number == channel->asked)
			return 0;
		if (rc == 1 && answer->type == RELAY_CLIENT)
			announce(channel, answer);
		else if (rc == 1)
			hear(channel, answer);
		else if (rc != -EAGAIN)
			return -EPIPE;
		else if (!wait_for(channel, POLLIN, until))
			return -ETIMEDOUT;
	}
}

static int ask(struct channel *channel, struct relay_message *message)
{
	uint64_t until = clock_now_ns() + UINT64_C(1000000) * ANSWER_MS;
	int rc = -EPIPE;

	message->number = ++channel->asked;
	if (!channel->over)
		rc = send_question(channel, message, until);
	if (rc == 0)
		rc = await_answer(channel, message, until);
	if (rc == 0)
		return message->a;
	channel->over |= rc != -ETIMEDOUT;
	snprintf(message->text, sizeof(message->text), "the supervisor does not answer");
	return CHANNEL_SILENT;
}

int channel_ask_name(struct channel *channel, const char *host, struct relay_message *answer)
{
	*answer = (struct relay_message){.type = RELAY_ASK_NAME};
	snprintf(answer->text, sizeof(answer->text), "%s", host);
	return ask(channel, answer);
}

int channel_ask_address(struct channel *channel, const char *host, uint64_t cookie,
			const struct sockaddr_storage *to, struct relay_message *answer)
{
	struct net_endpoint endpoint;

	*answer = (struct relay_message){.type = RELAY_ASK_ADDRESS, .cookie = cookie};
	snprintf(answer->text, sizeof(answer->text), "%s", host);
	if (!channel_endpoint(to, &endpoint))
		return EAFNOSUPPORT;
	answer->to = relay_place_of(&endpoint);
	return ask(channel, answer);
}

void channel_connected(struct channel *channel, uint64_t cookie,
		       const struct sockaddr_storage *from, const struct sockaddr_storage *to)
{
	struct relay_message message = {.type = RELAY_CONNECTED, .cookie = cookie};
	struct net_endpoint near, far;

	if (!channel_endpoint(from, &near) || !channel_endpoint(to, &far))
		return;
	message.from = relay_place_of(&near);
	message.to = relay_place_of(&far);
	relay_send(channel->fd, &message, 0);
}

void channel_refused(struct channel *channel, const char *host, const char *why)
{
	struct relay_message message = {.type = RELAY_REFUSED};

	snprintf(message.text, sizeof(message.text), "%s: %s", host, why);
	relay_send(channel->fd, &message, MSG_DONTWAIT);
}
