/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/outgoing.h"

#include "urlfetch/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool outgoing_has(const struct outgoing *outgoing, int fd)
{
	return fd >= 0 && (size_t)fd < outgoing->n && outgoing->sockets[fd].cookie != 0;
}

int outgoing_add(struct outgoing *outgoing, int fd, uint64_t cookie)
{
	if ((size_t)fd >= outgoing->n) {
		size_t n = 2 * (size_t)fd + 64;
		struct outgoing_socket *grown = reallocarray(outgoing->sockets, n, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		memset(grown + outgoing->n, 0, (n - outgoing->n) * sizeof(*grown));
		outgoing->sockets = grown;
		outgoing->n = n;
	}
	outgoing->sockets[fd] = (struct outgoing_socket){.cookie = cookie};
	return 0;
}

void outgoing_look(struct outgoing *outgoing, int fd, struct channel *channel)
{
	struct sockaddr_storage from = {0}, to = {0};
	socklen_t from_size = sizeof(from), to_size = sizeof(to);

	if (!outgoing_has(outgoing, fd) || outgoing->sockets[fd].connected ||
	    getpeername(fd, (struct sockaddr *)&to, &to_size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&from, &from_size) < 0)
		return;
	outgoing->sockets[fd].connected = true;
	channel_connected(channel, outgoing->sockets[fd].cookie, &from, &to);
}

void outgoing_remove(struct outgoing *outgoing, int fd)
{
	if (outgoing_has(outgoing, fd))
		outgoing->sockets[fd] = (struct outgoing_socket){0};
}

void outgoing_shut(struct outgoing *outgoing, uint64_t cookie, int how)
{
	for (size_t i = 0; cookie && i < outgoing->n; i++)
		if (outgoing->sockets[i].cookie == cookie)
			shutdown((int)i, how);
}
