/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, priorities and processors of the supervisor, the guard and the front; natively a stand-in's. */
#include "attack.h"

#include <linux/perf_event.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define VICTIMS_MAX 128

static void at_each(const char *what, long (*attempt)(pid_t))
{
	pid_t victims[VICTIMS_MAX];
	size_t n = attack_victims(victims, VICTIMS_MAX);

	for (size_t i = 0; i < n; i++)
		attack_hit_if(what, attempt(victims[i]));
}

static long by_limit(pid_t pid)
{
	struct rlimit none = {0, 0};

	return prlimit(pid, RLIMIT_NOFILE, &none, NULL);
}

static long by_cpu_limit(pid_t pid)
{
	struct rlimit second = {1, 1};

	return prlimit(pid, RLIMIT_CPU, &second, NULL);
}

static long by_nice(pid_t pid)
{
	return setpriority(PRIO_PROCESS, (id_t)pid, 19);
}

static long by_nice_group(pid_t pid)
{
	return setpriority(PRIO_PGRP, (id_t)getpgid(pid), 19);
}

static long by_io(pid_t pid)
{
	return syscall(SYS_ioprio_set, 1, pid, 3 << 13);
}

static long by_processor(pid_t pid)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	return sched_setaffinity(pid, sizeof(first), &first);
}

static long by_policy(pid_t pid)
{
	struct sched_param none = {0};

	return sched_setscheduler(pid, SCHED_IDLE, &none);
}

static long by_attributes(pid_t pid)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t rest[3];
	} attributes = {.size = 48, .policy = SCHED_IDLE};

	return syscall(SYS_sched_setattr, pid, &attributes, 0);
}

/* Into its group first, then all of one's own group. */
static long by_joining(pid_t pid)
{
	pid_t theirs = getpgid(pid), child = fork();
	int status;

	/* A child can, for it leads no session; the front's group is ours anyway. */
	if (child == 0) {
		errno = EPERM;
		if (theirs == getpgid(0) || setpgid(0, theirs) < 0 ||
		    setpriority(PRIO_PGRP, 0, 19) < 0)
			_exit(errno);
		_exit(0);
	}
	waitpid(child, &status, 0);
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static long by_user(pid_t pid)
{
	(void)pid;
	return setpriority(PRIO_USER, 0, 1);
}

#define MODE(name, call)                                                                           \
	static void run_##name(void)                                                               \
	{                                                                                          \
		at_each(#name, call);                                                              \
	}
MODE(limit, by_limit)
MODE(cpu_limit, by_cpu_limit)
MODE(nice_process, by_nice)
MODE(nice_group, by_nice_group)
MODE(nice_user, by_user)
MODE(nice_joined, by_joining)
MODE(io, by_io)
MODE(processor, by_processor)
MODE(policy, by_policy)
MODE(attributes, by_attributes)

/* --- files of /proc --- */

static const char *file, *file_text;

static long by_file(pid_t pid)
{
	char path[64];
	int fd;
	long rc;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = write(fd, file_text, strlen(file_text));
	close(fd);
	return rc;
}

#define FILE_MODE(name, what, value)                                                               \
	static void run_##name(void)                                                               \
	{                                                                                          \
		file = (what);                                                                     \
		file_text = (value);                                                               \
		at_each(what, by_file);                                                            \
	}
FILE_MODE(out_of_memory, "oom_score_adj", "1000")
FILE_MODE(core_filter, "coredump_filter", "0")

static long by_reading(pid_t pid)
{
	char path[64], byte;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* Natively the stand-in has our addresses. */
	return pread(fd, &byte, 1, (off_t)(uintptr_t)&file);
}

static long by_vector(pid_t pid)
{
	struct iovec here = {&file, 1}, there = {&file, 1};

	return process_vm_writev(pid, &here, 1, &there, 1, 0);
}

static long by_descriptor(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	for (int fd = 0; fd < 64; fd++)
		if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0)
			return 0;
	return -1;
}

static long by_list(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/0", pid);
	return open(path, O_RDONLY | O_CLOEXEC | O_PATH);
}

static long by_tracing(pid_t pid)
{
	return syscall(SYS_ptrace, 0x4206 /* PTRACE_SEIZE */, pid, 0, 0);
}

static long by_advice(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct iovec page = {(void *)((uintptr_t)&file & ~4095ul), 4096};

	return syscall(SYS_process_madvise, pidfd, &page, 1, MADV_COLD, 0);
}

static long by_robust_list(pid_t pid)
{
	void *head;
	size_t size;

	return syscall(SYS_get_robust_list, pid, &head, &size);
}

static long by_counting(pid_t pid)
{
	struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE,
					     .size = sizeof(attributes),
					     .config = PERF_COUNT_SW_TASK_CLOCK};

	return syscall(SYS_perf_event_open, &attributes, pid, -1, -1, 0);
}

MODE(memory, by_reading)
MODE(vector, by_vector)
MODE(descriptor, by_descriptor)
MODE(list, by_list)
MODE(traced, by_tracing)
MODE(advice, by_advice)
MODE(robust_list, by_robust_list)
MODE(counted, by_counting)

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"limit", run_limit},
	    {"cpu_limit", run_cpu_limit},
	    {"nice_process", run_nice_process},
	    {"nice_group", run_nice_group},
	    {"nice_user", run_nice_user},
	    {"nice_joined", run_nice_joined},
	    {"io", run_io},
	    {"processor", run_processor},
	    {"policy", run_policy},
	    {"attributes", run_attributes},
	    {"oom_score_adj", run_out_of_memory},
	    {"coredump_filter", run_core_filter},
	    {"memory", run_memory},
	    {"vector", run_vector},
	    {"descriptor", run_descriptor},
	    {"list", run_list},
	    {"traced", run_traced},
	    {"advice", run_advice},
	    {"robust_list", run_robust_list},
	    {"counted", run_counted},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
