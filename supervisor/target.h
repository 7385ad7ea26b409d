/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_TARGET_H
#define SUPERVISOR_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * The calling thread, seen from outside: its memory, its descriptors, its signals.
 *
 * Everything read here may change the moment it was read, so it is read once, into
 * the supervisor's own memory, and believed only if notify_alive() says afterwards
 * that the caller still waits (else its thread id may belong to somebody else).
 *
 * Reads and writes of memory can stall for as long as the target likes (a page
 * behind userfaultfd or FUSE).  Call them from crew threads only, without a lock.
 */

/**
 * target_read() - copy @size bytes from @address of thread @tid.
 * Return: 0; -EFAULT when not all of it can be read (as the kernel would say);
 *         -EPERM when the target's memory is closed to us (it changed its uid, or
 *         runs an unreadable binary).
 */
int target_read(pid_t tid, uint64_t address, void *buf, size_t size);

/** target_read_both() - two ranges with one system call; arguments and return as for target_read(). */
int target_read_both(pid_t tid, uint64_t address, void *buf, size_t size, uint64_t address2,
		     void *buf2, size_t size2);

/**
 * target_read_vector() - gather from up to UIO_MAXIOV ranges of the target into @buf.
 * @parts: ranges in the target, already copied; together at least @size bytes
 * @skip:  bytes of @parts to leave out at the front
 * Return: 0, -EFAULT, -EPERM.
 */
int target_read_vector(pid_t tid, const struct iovec *parts, size_t n, size_t skip, void *buf,
		       size_t size);

/**
 * target_scatter() - copy what lies at @local, one after the other, to @remote, in one go.
 * Both have the same number of bytes in all, and at most UIO_MAXIOV ranges.
 * Return: 0; -EFAULT when not all of it could be written; -EPERM.
 */
int target_scatter(pid_t tid, const struct iovec *local, size_t n_local, const struct iovec *remote,
		   size_t n_remote);

/** target_write() - copy @size bytes to @address.  Return: 0, -EFAULT, -EPERM. */
int target_write(pid_t tid, uint64_t address, const void *buf, size_t size);

/*
 * Handles of the threads that called lately.  A handle (pidfd) of a thread that
 * died gives ESRCH and is opened anew, so a recycled thread id is never mistaken.
 * One cache per crew thread: no lock.
 */
#define TARGET_CACHE_SLOTS 64
struct target_process {
	pid_t pid;     /* thread group */
	char name[16]; /* of the thread that asked: comm */
};

struct target_cache {
	struct {
		pid_t tid;
		int pidfd;
		uint64_t seen_ns; /* when .process was read; 0: not yet */
		struct target_process process;
	} slots[TARGET_CACHE_SLOTS];
};

void target_cache_init(struct target_cache *cache);

/**
 * target_duplicate() - our own duplicate of descriptor @fd of thread @tid.
 * With PIDFD_THREAD (6.9) from the thread's own descriptor table, before that
 * from its thread group's.
 * Return: a CLOEXEC descriptor; -EBADF the target has no such descriptor; -EPERM
 *         refused by the kernel; -ESRCH gone; -EMFILE and others.
 */
int target_duplicate(struct target_cache *cache, pid_t tid, int fd);

/**
 * target_is_open() - may we take descriptors of process @pid at all?
 * Container engines refuse pidfd_getfd(2) to containers without CAP_SYS_PTRACE, and
 * Yama to all but ancestors.
 * Return: 0, or the -errno of the refusal.
 */
int target_is_open(pid_t pid);

/**
 * target_process() - whose thread @tid is, after target_duplicate() for the same thread.
 * @now_ns: CLOCK_MONOTONIC.  A name is up to a second old: exec and prctl may have changed it since.
 */
const struct target_process *target_process(struct target_cache *cache, pid_t tid, uint64_t now_ns);

/** target_group() - the process (thread group) of @tid, @tid itself when unknown. */
pid_t target_group(pid_t tid);

/** target_name() - the thread's name (comm) into @out[16], "?" when unknown. */
void target_name(pid_t tid, char *out);

/* What a thread's signals say about a call that waits. */
enum target_signal {
	TARGET_UNDISTURBED, /* nothing to deliver to this thread */
	TARGET_INTERRUPTED, /* a signal waits for this very thread: restart or EINTR, the kernel decides */
	TARGET_MAYBE, /* one waits for the process, and another of its threads may take it */
	TARGET_GONE,
};

/** target_signal() - look at pending and not blocked signals (proc(5), /proc/TID/status). */
enum target_signal target_signal(pid_t tid);

/** target_raise() - send @signal to exactly this thread. */
void target_raise(pid_t tid, int signal);

#endif
