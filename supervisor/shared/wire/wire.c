/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: sendmsg recvmsg */
#include "shared/wire/wire.h"

#include "shared/base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int wire_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}

static void wire_fill(struct wire_message *message, enum wire_type type, int32_t a,
		      const char *text)
{
	*message = (struct wire_message){.version = WIRE_VERSION, .type = type, .a = a};
	if (text)
		strncpy(message->text, text, sizeof(message->text) - 1);
}

int wire_send_plain(int socket, enum wire_type type, int32_t a, const char *text)
{
	struct wire_message message;
	ssize_t n;

	wire_fill(&message, type, a, text);
	do
		n = write(socket, &message, sizeof(message));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int wire_send(int socket, enum wire_type type, int32_t a, const char *text, int fd)
{
	struct wire_message message;
	struct iovec part = {&message, sizeof(message)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n;

	wire_fill(&message, type, a, text);
	if (fd >= 0) {
		envelope.msg_control = control.space;
		envelope.msg_controllen = sizeof(control.space);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	do
		n = sendmsg(socket, &envelope, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Takes the one descriptor that a message may carry; more than one cannot fit into @control. */
static int wire_take_fd(struct msghdr *envelope)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(envelope);
	int fd = -1;

	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

int wire_receive(int socket, struct wire_message *message, int *fd)
{
	struct iovec part = {message, sizeof(*message)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr envelope = {.msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space)};
	CLEANUP_FD int came = -1;
	ssize_t n;

	if (fd)
		*fd = -1;
	do
		n = recvmsg(socket, &envelope, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	came = wire_take_fd(&envelope);
	if (n != (ssize_t)sizeof(*message) || (envelope.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    message->version != WIRE_VERSION || message->type < WIRE_STAGE_READY ||
	    message->type > WIRE_SIGNAL)
		return -EPROTO;
	message->text[sizeof(message->text) - 1] = '\0';
	if (fd) {
		*fd = came;
		came = -1;
	}
	return 1;
}
