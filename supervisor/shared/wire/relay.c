/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/wire/relay.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define FIXED_SIZE offsetof(struct relay_message, text)

int relay_send(int socket, struct relay_message *message, int flags)
{
	size_t size = strnlen(message->text, RELAY_TEXT_MAX - 1);
	ssize_t n;

	message->version = RELAY_VERSION;
	message->text_size = (uint32_t)size;
	do
		n = send(socket, message, FIXED_SIZE + size, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int relay_receive(int socket, struct relay_message *message, int flags)
{
	ssize_t n;

	do
		n = recv(socket, message, sizeof(*message), flags | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	if ((size_t)n < FIXED_SIZE || message->version != RELAY_VERSION ||
	    message->type < RELAY_READY || message->type > RELAY_REFUSED ||
	    message->text_size >= RELAY_TEXT_MAX || (size_t)n != FIXED_SIZE + message->text_size)
		return -EPROTO;
	message->text[message->text_size] = '\0';
	return 1;
}
