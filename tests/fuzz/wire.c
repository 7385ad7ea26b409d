/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_receive() on any message.  The first byte: how many descriptors come along (bits 0-2), whether
 * one is wanted (bit 3), how many bytes the message lacks or has too many (bits 4-7, signed).  What is
 * taken is a known type with a text that ends; no descriptor is lost.
 */
#include "shared/wire/wire.h"
#include "fuzz.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MAX 7

static void send_bytes(int to, const void *bytes, size_t size, size_t n)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = {0};
	struct iovec part = {(void *)(uintptr_t)bytes, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int fds[FDS_MAX];

	for (size_t i = 0; i < n; i++)
		fds[i] = to;
	if (n) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS,
						  .cmsg_len = CMSG_LEN(n * sizeof(int))};
		memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
	}
	expect(sendmsg(to, &message, MSG_DONTWAIT) == (ssize_t)size);
}

static int lowest_free(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char bytes[sizeof(struct wire_message) + 8] = {0};
	struct wire_message *message;
	int ends[2], fd = -1, rc, free_before = lowest_free();
	size_t length = sizeof(*message);

	if (size < 1)
		return 0;
	length += (size_t)(ssize_t)((int8_t)data[0] / 16);
	memcpy(bytes, data + 1, size - 1 < sizeof(bytes) ? size - 1 : sizeof(bytes));
	message = malloc(sizeof(*message));
	expect(message && wire_pair(ends) == 0);
	send_bytes(ends[0], bytes, length, data[0] % 8 < FDS_MAX ? data[0] % 8 : FDS_MAX);
	rc = wire_receive(ends[1], message, data[0] & 8 ? &fd : NULL);
	expect(rc == 1 || rc < 0);
	if (rc == 1) {
		expect(length == sizeof(*message) && message->version == WIRE_VERSION);
		expect(message->type >= WIRE_STAGE_READY && message->type <= WIRE_SIGNAL);
		expect(memchr(message->text, '\0', sizeof(message->text)) != NULL);
	}
	if (fd >= 0) {
		expect(fcntl(fd, F_GETFD) == FD_CLOEXEC);
		close(fd);
	}
	close(ends[0]);
	close(ends[1]);
	free(message);
	expect(lowest_free() == free_before);
	return 0;
}
