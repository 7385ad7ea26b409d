/* SPDX-License-Identifier: Apache-2.0 */
/* Filters, listeners and tracers of the program's own. */
#include "attack.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define LISTENER (1ul << 3) /* SECCOMP_FILTER_FLAG_NEW_LISTENER */

static long install(unsigned long flags, struct sock_filter *code, unsigned short n)
{
	struct sock_fprog program = {n, code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void allow_all(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	attack_say("filter", install(0, &allow, 1));
	attack_say("log", install(SECCOMP_FILTER_FLAG_LOG, &allow, 1));
	attack_both();
}

static struct sock_filter *only(unsigned int nr, unsigned int action)
{
	static struct sock_filter code[4];

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					       offsetof(struct seccomp_data, nr));
	code[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
	code[2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
	code[3] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return code;
}

/* Tells the kernel to go on with every call it hears of.  CONTINUE-OK: this is the attack. */
static void wave_through(int listener)
{
	struct seccomp_notif call = {0};
	struct pollfd polled = {listener, POLLIN, 0};

	while (poll(&polled, 1, 300) == 1 &&
	       ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
		struct seccomp_notif_resp answer = {.id = call.id,
						    .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
		memset(&call, 0, sizeof(call));
	}
}

/* On equal actions the newest filter is asked: a listener of our own would answer our connects. */
static void answer_for_ourselves(unsigned long flags)
{
	pid_t child;
	int listener;

	if (attack_is_fenced() && *attack_setting("ATTACK_WAIT")) {
		/* The runner kills the supervisor now. */
		attack_say("ready", 0);
		for (;;) {
			int fd = attack_tcp();

			listener =
			    (int)install(flags, only(SYS_connect, SECCOMP_RET_USER_NOTIF), 4);
			if (listener >= 0)
				attack_hit("listener");
			attack_connect(fd, FORBIDDEN);
			close(fd);
		}
	}
	listener = (int)install(flags, only(SYS_connect, SECCOMP_RET_USER_NOTIF), 4);
	if (listener >= 0) {
		attack_hit("listener");
		/* It inherits the filter, and its calls come to us. */
		child = fork();
		if (child == 0) {
			attack_connect(attack_tcp(), FORBIDDEN);
			_exit(0);
		}
		wave_through(listener);
		return;
	}
	attack_say("listener", -1);
	attack_both();
}

static void own_listener(void)
{
	answer_for_ourselves(LISTENER);
}

static void own_listener_high_bits(void)
{
	/* The kernel takes flags as an unsigned int. */
	answer_for_ourselves(0x100000000ul | LISTENER);
}

/* A tracer that turns one call into another, once at the entry and once at the event of a filter. */
static void traced(bool by_filter)
{
#if defined(__x86_64__)
	static struct sockaddr_in to;
	struct user_regs_struct regs;
	int status, fd = attack_udp();
	pid_t child;

	to = attack_v4(FORBIDDEN);
	child = fork();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		if (by_filter)
			install(0, only(SYS_getppid, SECCOMP_RET_TRACE), 4);
		syscall(SYS_getppid);
		_exit(0);
	}
	waitpid(child, &status, 0);
	ptrace(PTRACE_SETOPTIONS, child, NULL,
	       PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
	for (;;) {
		ptrace(by_filter ? PTRACE_CONT : PTRACE_SYSCALL, child, NULL, NULL);
		if (waitpid(child, &status, 0) < 0 || WIFEXITED(status) || WIFSIGNALED(status))
			break;
		ptrace(PTRACE_GETREGS, child, NULL, &regs);
		if (regs.orig_rax != SYS_getppid)
			continue;
		regs.orig_rax = SYS_sendto;
		regs.rdi = (unsigned int)fd;
		regs.rsi = (uintptr_t)&to;
		regs.rdx = 1;
		regs.r10 = 0;
		regs.r8 = (uintptr_t)&to;
		regs.r9 = sizeof(to);
		ptrace(PTRACE_SETREGS, child, NULL, &regs);
	}
#else
	(void)by_filter;
	attack_skip("written for x86-64");
#endif
}

static void tracer(void)
{
	traced(false);
}

static void tracer_of_filter(void)
{
	traced(true);
}

static void suspended(void)
{
	pid_t child = fork();

	if (child == 0) {
		for (;;)
			pause();
	}
	/* PTRACE_O_SUSPEND_SECCOMP: its tracee passes every filter. */
	attack_hit_if("suspend", ptrace(PTRACE_SEIZE, child, NULL, 1ul << 21));
	kill(child, SIGKILL);
}

static void user_dispatch(void)
{
	static char selector;

	/* Only calls from outside the given range would be caught, and the selector lets all through. */
	attack_say("dispatch", prctl(59, 1, 0, 0, &selector));
	attack_both();
}

static void odd_personality(void)
{
	attack_say("personality", syscall(SYS_personality, 0x0008 | 0x0400000 | 0x8000000));
	attack_both();
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"allow_all", allow_all},
	    {"listener", own_listener},
	    {"listener_high_bits", own_listener_high_bits},
	    {"tracer", tracer},
	    {"tracer_of_filter", tracer_of_filter},
	    {"suspended", suspended},
	    {"user_dispatch", user_dispatch},
	    {"personality", odd_personality},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
