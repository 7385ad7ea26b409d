/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: process_vm_readv process_vm_writev pread64 pwrite64 pidfd_open pidfd_getfd */
/* #syscalls: ioctl tkill */
#include "target.h"

#include "shared/base/compiler.h"
#include "shared/base/fd.h"
#include "shared/base/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Set once process_vm_readv(2) was refused (containers of Docker 20.10, Podman): /proc/TID/mem from then on. */
static atomic_bool use_proc_mem;

static int open_proc(pid_t tid, const char *what, int flags)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, what);
	return open(path, flags | O_CLOEXEC);
}

static int proc_mem(pid_t tid, uint64_t address, void *in, const void *out, size_t size)
{
	CLEANUP_FD int fd = open_proc(tid, "mem", in ? O_RDONLY : O_WRONLY);
	size_t done = 0;

	if (fd < 0)
		return -EPERM;
	if (address > INT64_MAX)
		return -EFAULT;
	while (done < size) {
		off_t at = (off_t)(address + done);
		ssize_t n = in ? pread(fd, (char *)in + done, size - done, at)
			       : pwrite(fd, (const char *)out + done, size - done, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

/* The kernel's own limits say EFAULT for an address that is none; so do we, without asking. */
static bool range_is_sane(uint64_t address, size_t size)
{
	return size <= SSIZE_MAX && address <= UINT64_MAX - size;
}

static bool is_refused(int error)
{
	return error == EPERM || error == ENOSYS || error == EACCES;
}

int target_read(pid_t tid, uint64_t address, void *buf, size_t size)
{
	struct iovec local = {buf, size};
	struct iovec remote = {(void *)(uintptr_t)address, size}; /* NOLINT: the target's address */

	return target_read_vector(tid, &remote, 1, 0, local.iov_base, size);
}

int target_read_both(pid_t tid, uint64_t address, void *buf, size_t size, uint64_t address2,
		     void *buf2, size_t size2)
{
	struct iovec local[2] = {{buf, size}, {buf2, size2}};
	struct iovec remote[2] = {{(void *)(uintptr_t)address, size},    /* NOLINT: the target's */
				  {(void *)(uintptr_t)address2, size2}}; /* NOLINT: the target's */
	int rc;

	if (!range_is_sane(address, size) || !range_is_sane(address2, size2))
		return -EFAULT;
	if (!atomic_load_explicit(&use_proc_mem, memory_order_relaxed) &&
	    process_vm_readv(tid, local, 2, remote, 2, 0) == (ssize_t)(size + size2))
		return 0;
	/* A fault in either, or refused: told apart one by one. */
	rc = target_read(tid, address, buf, size);
	return rc < 0 ? rc : target_read(tid, address2, buf2, size2);
}

static int read_parts_by_proc(pid_t tid, const struct iovec *parts, size_t n, char *buf)
{
	for (size_t i = 0; i < n; i++) {
		int rc = proc_mem(tid, (uintptr_t)parts[i].iov_base, buf, NULL, parts[i].iov_len);

		if (rc < 0)
			return rc;
		buf += parts[i].iov_len;
	}
	return 0;
}

/* Cuts @parts to the @size bytes behind @skip.  Return: number of parts in @out. */
static size_t cut_parts(const struct iovec *parts, size_t n, size_t skip, size_t size,
			struct iovec *out)
{
	size_t used = 0;

	for (size_t i = 0; i < n && size > 0; i++) {
		size_t length = parts[i].iov_len;

		if (skip >= length) {
			skip -= length;
			continue;
		}
		length -= skip;
		if (length > size)
			length = size;
		out[used].iov_base = (char *)parts[i].iov_base + skip;
		out[used++].iov_len = length;
		skip = 0;
		size -= length;
	}
	return used;
}

int target_read_vector(pid_t tid, const struct iovec *parts, size_t n, size_t skip, void *buf,
		       size_t size)
{
	struct iovec local = {buf, size};
	UNINITIALIZED struct iovec remote[UIO_MAXIOV]; /* cut_parts() writes what is used */
	size_t used;
	ssize_t got;

	if (size == 0)
		return 0;
	used = cut_parts(parts, n < UIO_MAXIOV ? n : UIO_MAXIOV, skip, size, remote);
	for (size_t i = 0; i < used; i++)
		if (!range_is_sane((uintptr_t)remote[i].iov_base, remote[i].iov_len))
			return -EFAULT;
	if (!atomic_load_explicit(&use_proc_mem, memory_order_relaxed)) {
		got = process_vm_readv(tid, &local, 1, remote, used, 0);
		if (got == (ssize_t)size)
			return 0;
		if (got >= 0 || !is_refused(errno))
			return -EFAULT;
	}
	if (read_parts_by_proc(tid, remote, used, buf) == 0) {
		atomic_store_explicit(&use_proc_mem, true, memory_order_relaxed);
		return 0;
	}
	return errno == EFAULT || errno == EIO ? -EFAULT : -EPERM;
}

int target_write(pid_t tid, uint64_t address, const void *buf, size_t size)
{
	struct iovec local = {(void *)(uintptr_t)buf, size}; /* process_vm_writev only reads it */
	struct iovec remote = {(void *)(uintptr_t)address, size}; /* NOLINT: the target's address */
	ssize_t put;

	if (size == 0)
		return 0;
	if (!range_is_sane(address, size))
		return -EFAULT;
	if (!atomic_load_explicit(&use_proc_mem, memory_order_relaxed)) {
		put = process_vm_writev(tid, &local, 1, &remote, 1, 0);
		if (put == (ssize_t)size)
			return 0;
		if (put >= 0 || !is_refused(errno))
			return -EFAULT;
	}
	return proc_mem(tid, address, NULL, buf, size);
}

/* Range by range, where the kernel refuses to do it at once. */
static int scatter_by_proc(pid_t tid, const struct iovec *local, const struct iovec *remote,
			   size_t n_remote)
{
	size_t at = 0; /* in *local */

	for (size_t i = 0; i < n_remote; i++) {
		uint64_t to = (uintptr_t)remote[i].iov_base;
		size_t left = remote[i].iov_len;

		while (left > 0) {
			size_t n = local->iov_len - at < left ? local->iov_len - at : left;
			int rc = proc_mem(tid, to, NULL, (const char *)local->iov_base + at, n);

			if (rc < 0)
				return rc;
			to += n;
			left -= n;
			at += n;
			if (at < local->iov_len)
				continue;
			at = 0;
			local++;
		}
	}
	return 0;
}

int target_scatter(pid_t tid, const struct iovec *local, size_t n_local, const struct iovec *remote,
		   size_t n_remote)
{
	size_t total = 0;
	ssize_t put;

	for (size_t i = 0; i < n_remote; i++) {
		if (!range_is_sane((uintptr_t)remote[i].iov_base, remote[i].iov_len))
			return -EFAULT;
		total += remote[i].iov_len;
	}
	if (total == 0)
		return 0;
	if (!atomic_load_explicit(&use_proc_mem, memory_order_relaxed)) {
		put = process_vm_writev(tid, local, n_local, remote, n_remote, 0);
		if (put == (ssize_t)total)
			return 0;
		if (put >= 0 || !is_refused(errno))
			return -EFAULT;
	}
	return scatter_by_proc(tid, local, remote, n_remote);
}

void target_cache_init(struct target_cache *cache)
{
	for (size_t i = 0; i < TARGET_CACHE_SLOTS; i++) {
		cache->slots[i].tid = 0;
		cache->slots[i].pidfd = -1;
		cache->slots[i].seen_ns = 0;
	}
}

pid_t target_group(pid_t tid)
{
	CLEANUP_FD int fd = open_proc(tid, "status", O_RDONLY);
	char text[512];
	const char *at;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return tid;
	text[n] = '\0';
	at = strstr(text, "\nTgid:");
	return at ? (pid_t)strtol(at + 6, NULL, 10) : tid;
}

static int pidfd_of_thread(pid_t tid)
{
	static atomic_bool groups_only;
	int pidfd;

	if (!atomic_load_explicit(&groups_only, memory_order_relaxed)) {
		pidfd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
		if (pidfd >= 0 || errno != EINVAL)
			return pidfd >= 0 ? pidfd : -errno;
		atomic_store_explicit(&groups_only, true, memory_order_relaxed);
	}
	/* Before 6.9 only a thread group has a handle. */
	pidfd = (int)syscall(SYS_pidfd_open, target_group(tid), 0);
	return pidfd >= 0 ? pidfd : -errno;
}

int target_duplicate(struct target_cache *cache, pid_t tid, int fd)
{
	unsigned int slot = (unsigned int)tid % TARGET_CACHE_SLOTS;
	int copy;

	if (cache->slots[slot].tid == tid) {
		copy = (int)syscall(SYS_pidfd_getfd, cache->slots[slot].pidfd, fd, 0);
		if (copy >= 0 || errno != ESRCH)
			return copy >= 0 ? copy : -errno;
	}
	fd_close(&cache->slots[slot].pidfd);
	cache->slots[slot].tid = 0;
	cache->slots[slot].seen_ns = 0;
	cache->slots[slot].pidfd = pidfd_of_thread(tid);
	if (cache->slots[slot].pidfd < 0) {
		int error = cache->slots[slot].pidfd;

		cache->slots[slot].pidfd = -1;
		return error;
	}
	cache->slots[slot].tid = tid;
	copy = (int)syscall(SYS_pidfd_getfd, cache->slots[slot].pidfd, fd, 0);
	return copy >= 0 ? copy : -errno;
}

#define PROCESS_FRESH_NS 1000000000u

/* The thread group by the handle where the kernel can tell (6.13), which is twenty times faster. */
static pid_t group_of(int pidfd, pid_t tid)
{
	struct kernel_pidfd_info info = {.mask = 0};

	if (pidfd >= 0 && ioctl(pidfd, KERNEL_PIDFD_GET_INFO, &info) == 0 && info.tgid > 0)
		return (pid_t)info.tgid;
	return target_group(tid);
}

const struct target_process *target_process(struct target_cache *cache, pid_t tid, uint64_t now_ns)
{
	unsigned int slot = (unsigned int)tid % TARGET_CACHE_SLOTS;
	struct target_process *process = &cache->slots[slot].process;

	if (cache->slots[slot].tid == tid && cache->slots[slot].seen_ns &&
	    now_ns - cache->slots[slot].seen_ns < PROCESS_FRESH_NS)
		return process;
	process->pid = group_of(cache->slots[slot].tid == tid ? cache->slots[slot].pidfd : -1, tid);
	target_name(tid, process->name);
	cache->slots[slot].seen_ns = cache->slots[slot].tid == tid ? now_ns : 0;
	return process;
}

int target_is_open(pid_t pid)
{
	CLEANUP_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	CLEANUP_FD int copy = -1;

	if (pidfd < 0)
		return -errno;
	/* Which number does not matter: only a process that is open to us says EBADF. */
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
	return copy >= 0 || errno == EBADF ? 0 : -errno;
}

void target_name(pid_t tid, char *out)
{
	CLEANUP_FD int fd = open_proc(tid, "comm", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 15);

	if (n <= 0) {
		out[0] = '?';
		out[1] = '\0';
		return;
	}
	if (out[n - 1] == '\n')
		n--;
	out[n] = '\0';
}

static uint64_t status_number(const char *text, const char *key, int base)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, base) : 0;
}

enum target_signal target_signal(pid_t tid)
{
	CLEANUP_FD int fd = open_proc(tid, "status", O_RDONLY);
	char text[4096];
	uint64_t blocked, own, shared;
	ssize_t n;

	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return TARGET_GONE;
	text[n] = '\0';
	blocked = status_number(text, "\nSigBlk:", 16);
	own = status_number(text, "\nSigPnd:", 16) & ~blocked;
	shared = status_number(text, "\nShdPnd:", 16) & ~blocked;
	if (own)
		return TARGET_INTERRUPTED;
	if (!shared)
		return TARGET_UNDISTURBED;
	/*
	 * kernel/signal.c, complete_signal(): a signal for the process wakes its main
	 * thread if that one does not block it, else one that we cannot know.  A
	 * restart code handed to a thread that was not woken would reach the program
	 * as errno 512.
	 */
	if (status_number(text, "\nThreads:", 10) <= 1 ||
	    status_number(text, "\nTgid:", 10) == (uint64_t)tid)
		return TARGET_INTERRUPTED;
	return TARGET_MAYBE;
}

void target_raise(pid_t tid, int signal)
{
	syscall(SYS_tkill, tid, signal);
}
