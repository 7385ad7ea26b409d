/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: ioctl clock_nanosleep exit_group */
#include "notify.h"

#include "shared/base/errname.h"
#include "shared/base/kernel.h"
#include "shared/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* An answer that the kernel does not take is offered again, a millisecond later. */
#define ANSWER_TRIES 100

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
	int rc;

	do {
		rc = ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id);
	} while (rc < 0 && errno == EINTR);
	return rc == 0;
}

void notify_give_up(const char *what, int error)
{
	log_error("the kernel does not %s (%s): giving up", what, errname(error));
	_exit(125);
}

/*
 * A caller whose answer got lost would wait for ever, so only its own end is believed; and where the
 * kernel takes no answer at all, everything ends.
 */
static int send_response(int listener, struct seccomp_notif_resp *response)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	int error = 0;

	for (int i = 0; i < ANSWER_TRIES; i++) {
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, response) == 0)
			return 0;
		error = errno;
		if (error == EINPROGRESS ||
		    (error == ENOENT && !notify_alive(listener, response->id)))
			return -error;
		if (error != EINTR)
			nanosleep(&moment, NULL);
	}
	notify_give_up("take an answer", error);
}

int notify_continue(int listener, uint64_t id)
{
	/*
	 * CONTINUE-OK: only window.c calls this, for a file that is no UDP socket, at a number where none
	 * will ever come to stand: window_continue() has said so under the lock under which they come,
	 * just now or before the file was looked at.
	 */
	struct seccomp_notif_resp response = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	return send_response(listener, &response);
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
	return send_response(listener, &response);
}
