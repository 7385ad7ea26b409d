/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign_call PID NR...   has the main thread of another process, which waits in a system call, make
 *                          the calls NR without arguments, and prints what each gave.  Needs ptrace.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#if defined(__x86_64__)
static long call(pid_t pid, const struct user_regs_struct *saved, unsigned long long nr)
{
	struct user_regs_struct regs = *saved;
	int status;

	/* It stands behind the two bytes of its "syscall": back there with another number. */
	regs.rip -= 2;
	regs.rax = nr;
	regs.orig_rax = (unsigned long long)-1;
	regs.rdi = regs.rsi = regs.rdx = regs.r10 = regs.r8 = regs.r9 = 0;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0 ||
	    ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) < 0 ||
	    !WIFSTOPPED(status) || ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
		return -ESRCH;
	return (long)regs.rax;
}

int main(int argc, char **argv)
{
	pid_t pid = argc > 1 ? (pid_t)atoi(argv[1]) : 0;
	struct user_regs_struct saved;
	int status;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) < 0 ||
	    ptrace(PTRACE_GETREGS, pid, NULL, &saved) < 0)
		return 2;
	for (int i = 2; i < argc; i++)
		printf("%ld\n", call(pid, &saved, (unsigned long long)atoi(argv[i])));
	ptrace(PTRACE_SETREGS, pid, NULL, &saved);
	return ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0 ? 2 : 0;
}
#else
int main(void)
{
	return 77;
}
#endif
