/* SPDX-License-Identifier: Apache-2.0 */
#include "filter_fixture.h"

#include <linux/netlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The compiled program in the kernel: a forked child takes it as its own filter,
 * without a listener, and makes calls whose answers must be the interpreter's.
 * A call that the filter allows goes on to the kernel, which then complains of
 * the bad descriptor: that shows that it got through.
 */
struct probe {
	long nr;
	long args[6];
};

static const struct probe probes[] = {
    {__NR_socket, {AF_PACKET, SOCK_RAW, 0}},
    {__NR_socket, {AF_INET, SOCK_RAW, IPPROTO_ICMP}},
    {__NR_socket, {AF_INET, SOCK_DGRAM, IPPROTO_ICMP}},
    {__NR_socket, {AF_INET, SOCK_STREAM, 262}},
    {__NR_socket, {AF_UNIX, SOCK_STREAM, 0}},
    {__NR_socket, {AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG}},
    {__NR_socket, {99, 0, 0}},
    {__NR_socketpair, {AF_INET, SOCK_STREAM, 0, 0}},
    {__NR_listen, {-1, 1}},
    {__NR_accept, {-1, 0, 0}},
    {__NR_accept4, {-1, 0, 0, 0}},
    {__NR_sendto, {-1, 0, 0, 0, 0, 0}},
    {__NR_setsockopt, {-1, SOL_SOCKET, SO_KEEPALIVE, 0, 0}},
    {__NR_setsockopt, {-1, SOL_SOCKET, SO_MARK, 0, 0}},
    {__NR_setsockopt, {-1, IPPROTO_TCP, TCP_NODELAY, 0, 0}},
    {__NR_setsockopt, {-1, IPPROTO_TCP, TCP_CORK, 0, 0}},
    {__NR_setsockopt, {-1, IPPROTO_IP, IP_OPTIONS, 0, 0}},
    {__NR_getsockopt, {-1, SOL_SOCKET, SO_ERROR, 0, 0}},
    {__NR_getsockopt, {-1, SOL_SOCKET, SO_MARK, 0, 0}},
    {__NR_io_uring_setup, {1, 0}},
    {__NR_io_uring_enter, {-1, 0, 0, 0}},
    {__NR_io_uring_register, {-1, 0, 0, 0}},
    {__NR_clone3, {0, 0}},
    {__NR_unshare, {CLONE_NEWNET}},
    {__NR_unshare, {0}},
    {__NR_setns, {-1, 0}},
    {__NR_pidfd_getfd, {-1, 0, 0}},
    {__NR_bpf, {0, 0, 0}},
    {__NR_ioctl, {-1, TIOCSTI, 0}},
    {__NR_ioctl, {-1, TIOCGWINSZ, 0}},
    {__NR_prctl, {PR_SET_DUMPABLE, 0}},
    {__NR_prctl, {PR_SET_DUMPABLE, 7}},
    {__NR_seccomp, {SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, 0}},
    {__NR_seccomp, {SECCOMP_SET_MODE_FILTER, 0, 0}},
    {__NR_kill, {4321, 0}},
    {__NR_kill, {-4322, 0}},
    {__NR_prlimit64, {4321, 0, 0, 0}},
    {__NR_write, {-1, 0, 0}},
};
#define N_PROBES (sizeof(probes) / sizeof(probes[0]))

/* Errno of each probe, 0 for success, into a pipe; only what needs no memory of the parent's. */
static void child_run(const struct sock_fprog *program, int fd)
{
	int results[N_PROBES];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, program))
		_exit(1);
	for (size_t i = 0; i < N_PROBES; i++) {
		const long *a = probes[i].args;
		long result = syscall(probes[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);

		results[i] = result < 0 ? errno : 0;
	}
	_exit(write(fd, results, sizeof(results)) == sizeof(results) ? 0 : 2);
}

static void run_in_child(const struct sock_fprog *program, int results[N_PROBES])
{
	int fds[2], status;
	pid_t pid;

	cr_assert(zero(int, pipe(fds)));
	pid = fork();
	cr_assert(ge(int, pid, 0));
	if (!pid)
		child_run(program, fds[1]);
	close(fds[1]);
	cr_assert(eq(long, read(fds[0], results, N_PROBES * sizeof(results[0])),
		     (long)(N_PROBES * sizeof(results[0]))));
	close(fds[0]);
	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	cr_assert(zero(int, status));
}

/* What the kernel says of the same call without the filter, for those that the filter lets through. */
static int native_errno(const struct probe *probe)
{
	const long *a = probe->args;

	return syscall(probe->nr, a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? errno : 0;
}

static void check_probe(const struct fixture *f, size_t i, int got)
{
	struct seccomp_data call = {.nr = (int)probes[i].nr, .arch = FILTER_ARCH};
	uint32_t answer = 0;

	for (int a = 0; a < 6; a++)
		call.args[a] = (uint64_t)probes[i].args[a];
	cr_assert(zero(int, bpf_run(&f->program, &call, &answer)));
	if (answer == SECCOMP_RET_ALLOW)
		cr_expect(eq(int, got, native_errno(&probes[i])), "probe %zu", i);
	else
		cr_expect(eq(u32, SECCOMP_RET_ERRNO | (uint32_t)got, answer), "probe %zu", i);
}

Test(filter_kernel, the_kernel_answers_as_the_interpreter_says, .timeout = 20)
{
	int results[N_PROBES];
	struct fixture f;

	fixture_init(&f);
	fixture_compile(&f);
	run_in_child(&f.program, results);
	for (size_t i = 0; i < N_PROBES; i++)
		check_probe(&f, i, results[i]);
	fixture_fini(&f);
}
