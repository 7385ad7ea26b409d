/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: ioctl */
#include "notify.h"

#include "shared/base/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
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

int notify_continue(int listener, uint64_t id)
{
	/*
	 * CONTINUE-OK: only window_continue() calls this, for a file that is no UDP socket, under a
	 * lock that keeps a UDP socket from ever coming to stand at the same number.
	 */
	struct seccomp_notif_resp response = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 ? -errno : 0;
}

int notify_give(int listener, uint64_t id, int file, int number, bool cloexec)
{
	/* Before 5.14 a descriptor and the answer are two steps. */
	static atomic_bool two_steps;
	struct seccomp_notif_addfd give = {
	    .id = id,
	    .flags = number >= 0 ? SECCOMP_ADDFD_FLAG_SETFD : 0,
	    .srcfd = (uint32_t)file,
	    .newfd = number >= 0 ? (uint32_t)number : 0,
	    .newfd_flags = cloexec ? O_CLOEXEC : 0,
	};
	int given;

	if (!atomic_load_explicit(&two_steps, memory_order_relaxed)) {
		give.flags |= SECCOMP_ADDFD_FLAG_SEND;
		given = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &give);
		if (given >= 0 || errno != EINVAL)
			return given >= 0 ? given : -errno;
		atomic_store_explicit(&two_steps, true, memory_order_relaxed);
		give.flags &= ~(uint32_t)SECCOMP_ADDFD_FLAG_SEND;
	}
	given = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &give);
	if (given < 0)
		return -errno;
	notify_answer(listener, id, given);
	return given;
}

int notify_put(int listener, uint64_t id, int file, int number, bool cloexec)
{
	struct seccomp_notif_addfd put = {
	    .id = id,
	    .flags = SECCOMP_ADDFD_FLAG_SETFD,
	    .srcfd = (uint32_t)file,
	    .newfd = (uint32_t)number,
	    .newfd_flags = cloexec ? O_CLOEXEC : 0,
	};

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &put) < 0 ? -errno : 0;
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
