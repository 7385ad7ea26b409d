/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: listen accept4 getsockopt sendto poll unlinkat */
#include "status/status_server.h"

#include "shared/base/clock.h"
#include "shared/base/fd.h"
#include "status/runtime.h"
#include "status/status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int status_listen(int dir, char *name, size_t room, char *error, size_t error_room)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int status = fd < 0 ? -errno : runtime_listen(dir, fd, RUNTIME_STATUS, name, room);

	if (!status)
		return fd;
	snprintf(error, error_room, "no status socket for gae-top: %s", strerror(-status));
	fd_close(&fd);
	return status;
}

void status_unlink(int dir, const char *name)
{
	runtime_unlink(dir, name);
}

static bool may_see(int client)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return !getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

int status_accept(int listener)
{
	for (;;) {
		int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client >= 0 && may_see(client))
			return client;
		if (client < 0 && errno != ECONNABORTED && errno != EINTR)
			return -errno;
		fd_close(&client);
	}
}

/* A socket as a stream that gives up. */
struct outlet {
	int fd;
	int64_t left_ms; /* of the time that it may be waited for */
};

/* Return: whether it can be written to again. */
static bool outlet_wait(struct outlet *outlet)
{
	struct pollfd poller = {.fd = outlet->fd, .events = POLLOUT};
	int64_t begun = clock_now_ms();
	int n;

	if (outlet->left_ms <= 0)
		return false;
	n = poll(&poller, 1, (int)outlet->left_ms);
	/* At least one: a client that takes a byte at a time comes to an end, too. */
	outlet->left_ms -= 1 + clock_now_ms() - begun;
	return n > 0 || (n < 0 && errno == EINTR);
}

/* For fopencookie(3): less than @size is an error. */
static ssize_t outlet_write(void *cookie, const char *text, size_t size)
{
	struct outlet *outlet = cookie;
	size_t done = 0;

	while (done < size) {
		ssize_t n = send(outlet->fd, text + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR && (errno != EAGAIN || !outlet_wait(outlet)))
			return (ssize_t)done;
	}
	return (ssize_t)done;
}

int status_serve(int client, const struct status *status)
{
	CLEANUP_FD int fd = client;
	struct outlet outlet = {fd, STATUS_SERVE_MS};
	FILE *out;
	int written;

	if (!may_see(fd))
		return -EACCES;
	out = fopencookie(&outlet, "w", (cookie_io_functions_t){.write = outlet_write});
	if (!out)
		return -ENOMEM;
	written = status_write_json(status, out);
	return fclose(out) || written ? -EIO : 0;
}
