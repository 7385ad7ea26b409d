/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor PORT N: N sendto(2) to 127.0.0.1:PORT, each carried out by another process with the least
 * that its own socket and a copy of its memory ask for, and nothing else: no policy, no account.
 * No supervisor that decides on a copy can be faster on this machine.
 *
 * Prints "p50 p99 mean" in nanoseconds, as tests/programs/bench.
 */
#include "shared/base/kernel.h"
#include "times.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 64 };

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int trap_sendto(void)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail("no_new_privs");
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

/* The caller: says which number its listener has, waits until that was taken, and sends. */
static _Noreturn void call(int tell, int go, uint16_t port, size_t n)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int s = socket(AF_INET, SOCK_DGRAM, 0), listener = trap_sendto();
	uint64_t *times = calloc(n, sizeof(*times));
	char data[SIZE] = {0};

	if (s < 0 || listener < 0 || !times)
		fail("set-up");
	if (write(tell, &listener, sizeof(listener)) < 0 || read(go, data, 1) != 1)
		fail("pipe");
	for (size_t i = 0; i < n; i++) {
		uint64_t begun = now_ns();

		if (sendto(s, data, SIZE, 0, (struct sockaddr *)&to, sizeof(to)) != SIZE)
			fail("sendto");
		times[i] = now_ns() - begun;
	}
	times_print(times, n);
	exit(0);
}

/* What sendto(2) sends, from a copy, on a duplicate.  Return: bytes sent, or -errno. */
static int64_t carry_out(int listener, int pidfd, const struct seccomp_notif *notif)
{
	const uint64_t *arg = (const uint64_t *)notif->data.args;
	char data[SIZE];
	struct sockaddr_in to;
	struct iovec local[2] = {{&to, sizeof(to)}, {data, SIZE}};
	struct iovec remote[2] = {
	    {(void *)(uintptr_t)arg[4], sizeof(to)}, /* NOLINT: the caller's */
	    {(void *)(uintptr_t)arg[1], SIZE}};      /* NOLINT: the caller's */
	int copy = (int)syscall(SYS_pidfd_getfd, pidfd, (int)arg[0], 0);
	ssize_t n = process_vm_readv((pid_t)notif->pid, local, 2, remote, 2, 0);

	if (copy < 0 || n < 0 || ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notif->id) < 0)
		fail("reading the call");
	n = sendto(copy, data, SIZE, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
	if (n < 0)
		n = -errno;
	close(copy);
	return n;
}

static void answer_all(int listener, int pidfd)
{
	for (;;) {
		struct seccomp_notif notif = {0};
		struct seccomp_notif_resp response;

		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0)
			return; /* ENOENT: the caller is gone */
		response = (struct seccomp_notif_resp){.id = notif.id};
		response.val = carry_out(listener, pidfd, &notif);
		if (response.val < 0) {
			response.error = (int32_t)response.val;
			response.val = 0;
		}
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0)
			return;
	}
}

int main(int argc, char **argv)
{
	size_t n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	int tell[2], go[2], pidfd, number, listener, status;
	pid_t child;

	if (n == 0) {
		fprintf(stderr, "usage: floor PORT N\n");
		return 2;
	}
	if (pipe(tell) < 0 || pipe(go) < 0 || (child = fork()) < 0)
		fail("start");
	if (child == 0)
		call(tell[1], go[0], (uint16_t)strtoul(argv[1], NULL, 10), n);
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	if (pidfd < 0 || read(tell[0], &number, sizeof(number)) != sizeof(number))
		fail("the caller");
	listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (listener < 0)
		fail("listener");
	/* As the supervisor: where the kernel has it (6.6). */
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	if (write(go[1], "", 1) != 1)
		fail("go");
	answer_all(listener, pidfd);
	if (waitpid(child, &status, 0) < 0)
		fail("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
