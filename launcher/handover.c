/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/handover.h"

#include "shared/base/errname.h"
#include "shared/base/fd.h"
#include "shared/base/kernel.h"
#include "shared/wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * How the listener leaves this process.  The thread that installs the filter is
 * under it from that moment: its sendmsg(2) would wait for an answer from the
 * supervisor, which has no listener yet to answer through.  So a second thread
 * is started before; a filter without TSYNC is put on the calling thread only,
 * and threads share the descriptor table.  It sends the listener and ends.
 * What is called after the filter is never trapped: futex, close, recvmsg,
 * write, rt_sigprocmask, execve.
 */
struct handover {
	int socket;
	int listener; /* negative: nothing to send */
	int result;
	sem_t installed;
};

int handover_read_filter(int fd, struct sock_fprog *program)
{
	const int sealed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	ssize_t n;

	if (seals < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((seals & sealed) != sealed)
		return -EPERM;
	if (st.st_size <= 0 || (size_t)st.st_size > BPF_MAXINSNS * sizeof(struct sock_filter) ||
	    (size_t)st.st_size % sizeof(struct sock_filter))
		return -EINVAL;
	program->filter = malloc((size_t)st.st_size);
	if (!program->filter)
		return -ENOMEM;
	n = pread(fd, program->filter, (size_t)st.st_size, 0);
	if (n == st.st_size) {
		program->len = (unsigned short)((size_t)n / sizeof(struct sock_filter));
		return 0;
	}
	free(program->filter);
	program->filter = NULL;
	return n < 0 ? -errno : -EIO;
}

int handover_install(const struct sock_fprog *program)
{
	unsigned long flags =
	    SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);

	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			     program);
	return fd < 0 ? -errno : (int)fd;
}

void handover_explain(int error, char *text, size_t room)
{
	const char *why = "gae-run --check tells what is missing";

	if (error == EBUSY)
		why =
		    "a seccomp listener is already installed (gae-run inside gae-run, WSL with "
		    "mirrored networking, sysbox, Incus system call interception): run it outside "
		    "of that";
	else if (error == EINVAL || error == ENOSYS)
		why =
		    "this kernel, or gVisor in its place, has no seccomp user notification: Linux "
		    "5.9 or later is needed, in a sandbox that passes it on";
	else if (error == EPERM || error == EACCES)
		why = "the surrounding sandbox forbids seccomp(2): its profile must allow it";
	snprintf(text, room, "the filter cannot be installed (%s): %s", errname(error), why);
}

static void *handover_send(void *argument)
{
	struct handover *handover = argument;

	while (sem_wait(&handover->installed) < 0)
		;
	if (handover->listener >= 0)
		handover->result =
		    wire_send(handover->socket, WIRE_LISTENER, 0, NULL, handover->listener);
	return NULL;
}

int handover_run(int socket, const struct sock_fprog *program, char *error, size_t room)
{
	struct handover handover = {.socket = socket, .listener = -1};
	pthread_attr_t attributes;
	pthread_t thread;
	int rc;

	sem_init(&handover.installed, 0, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 * 1024);
	rc = pthread_create(&thread, &attributes, handover_send, &handover);
	pthread_attr_destroy(&attributes);
	if (rc) {
		snprintf(error, room, "no thread for the listener: %s", strerror(rc));
		return -rc;
	}
	handover.listener = handover_install(program);
	sem_post(&handover.installed);
	pthread_join(thread, NULL);
	sem_destroy(&handover.installed);
	if (handover.listener < 0) {
		handover_explain(-handover.listener, error, room);
		return handover.listener;
	}
	close(handover.listener);
	if (handover.result < 0)
		snprintf(error, room, "the listener cannot be handed over: %s",
			 strerror(-handover.result));
	return handover.result;
}
