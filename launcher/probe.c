/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/probe.h"

#include "launcher/landlock.h"
#include "shared/base/fd.h"
#include "shared/base/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs @probe in a child; its result, 0 or -errno, is the exit status (an errno fits in 8 bits). */
static int probe_in_child(int (*probe)(void))
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(-probe() & 0xff);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static int install(unsigned long flags)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};
	long fd;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	return fd < 0 ? -errno : (int)fd;
}

static int filter_in_child(void)
{
	return install(0);
}

static int listener_in_child(void)
{
	int fd = install(SECCOMP_FILTER_FLAG_NEW_LISTENER);

	return fd < 0 ? fd : 0;
}

static int wait_killable_in_child(void)
{
	int fd = install(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

	return fd < 0 ? fd : 0;
}

/* A call that nobody waits for: a kernel that knows the request says ENOENT, others EINVAL or ENOTTY. */
static int addfd_in_child_with(uint32_t flags)
{
	struct seccomp_notif_addfd request = {.id = UINT64_MAX, .flags = flags, .srcfd = 0};
	int fd = install(SECCOMP_FILTER_FLAG_NEW_LISTENER), null;

	if (fd < 0)
		return fd;
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0)
		return -errno;
	request.srcfd = (uint32_t)null;
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &request) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

static int addfd_in_child(void)
{
	return addfd_in_child_with(0);
}

static int addfd_send_in_child(void)
{
	return addfd_in_child_with(SECCOMP_ADDFD_FLAG_SEND);
}

static int sync_wake_up_in_child(void)
{
	int fd = install(SECCOMP_FILTER_FLAG_NEW_LISTENER);

	if (fd < 0)
		return fd;
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) < 0
		   ? -errno
		   : 0;
}

static int landlock_in_child(void)
{
	int abi;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	abi = landlock_fence(landlock_abi());
	return abi < 0 ? abi : 0;
}

static int user_namespace_in_child(void)
{
	return unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
}

int probe_filter(void)
{
	return probe_in_child(filter_in_child);
}

int probe_listener(void)
{
	return probe_in_child(listener_in_child);
}

int probe_addfd(void)
{
	return probe_in_child(addfd_in_child);
}

int probe_addfd_send(void)
{
	return probe_in_child(addfd_send_in_child);
}

int probe_wait_killable(void)
{
	return probe_in_child(wait_killable_in_child);
}

int probe_sync_wake_up(void)
{
	return probe_in_child(sync_wake_up_in_child);
}

int probe_landlock(void)
{
	return probe_in_child(landlock_in_child);
}

int probe_user_namespace(void)
{
	return probe_in_child(user_namespace_in_child);
}

int probe_memory_file(void)
{
	CLEANUP_FD int fd = memfd_create("gae-run check", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : 0;
}

int probe_pidfd_thread(void)
{
	CLEANUP_FD int fd = (int)syscall(SYS_pidfd_open, getpid(), PIDFD_THREAD);

	return fd < 0 ? -errno : 0;
}

int probe_io_uring(void)
{
	char params[256] = {0};
	CLEANUP_FD int fd = (int)syscall(SYS_io_uring_setup, 1, params);

	return fd < 0 ? -errno : 0;
}

/* Runs @look on a child that only waits, as the supervisor does on the program. */
static int probe_on_child(int (*look)(pid_t child))
{
	pid_t pid = fork();
	int rc;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			pause();
	}
	rc = look(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return rc;
}

static int look_getfd(pid_t child)
{
	CLEANUP_FD int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	CLEANUP_FD int fd = -1;

	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, 1, 0);
	/* Standard output may be closed: allowed, but nothing there. */
	return fd < 0 && errno != EBADF ? -errno : 0;
}

static const char probe_word[] = "word";

static int look_vm_readv(pid_t child)
{
	char seen[sizeof(probe_word)];
	struct iovec local = {seen, sizeof(seen)};
	struct iovec remote = {(void *)(uintptr_t)probe_word, sizeof(probe_word)};

	return process_vm_readv(child, &local, 1, &remote, 1, 0) < 0 ? -errno : 0;
}

static int look_proc_mem(pid_t child)
{
	char path[32], seen[sizeof(probe_word)];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)child);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return pread(fd, seen, sizeof(seen), (off_t)(uintptr_t)probe_word) < 0 ? -errno : 0;
}

int probe_pidfd_getfd(void)
{
	return probe_on_child(look_getfd);
}

int probe_vm_readv(void)
{
	return probe_on_child(look_vm_readv);
}

int probe_proc_mem(void)
{
	return probe_on_child(look_proc_mem);
}
