/* SPDX-License-Identifier: Apache-2.0 */
#include "notify.h"

#include "shared/base/kernel.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

bool notify_setup(int listener)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) ==
	       0;
}

int notify_receive(int listener, struct seccomp_notif *notif)
{
	/* The kernel refuses (EINVAL) a buffer that is not all zero. */
	memset(notif, 0, sizeof(*notif));
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, notif) < 0 ? -errno : 0;
}

bool notify_alive(int listener, uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

int notify_answer(int listener, uint64_t id, long result)
{
	struct seccomp_notif_resp response = {.id = id};

	if (result < 0)
		response.error = (int)result;
	else
		response.val = result;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 ? -errno : 0;
}
