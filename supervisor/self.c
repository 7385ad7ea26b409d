/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the C library and the compiler's run-time call by themselves, anywhere:
 * #syscalls: brk mmap munmap mprotect mremap madvise futex exit exit_group rt_sigreturn rt_sigprocmask
 * #syscalls: rt_sigaction restart_syscall clock_gettime clock_nanosleep nanosleep getpid gettid tgkill write
 * #syscalls: clone clone3 rseq set_robust_list sched_yield sched_getaffinity membarrier getrandom prctl seccomp
 * #syscalls: openat close read newfstatat fstat statx lseek getcwd
 * And to say why it ends the process (abort, a damaged heap, a failed futex):
 * #syscalls: writev
 * And a sanitizer's, in each thread that begins after the filter was put up:
 * #syscalls: sigaltstack
 */
#include "self.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

/* Tables are bounded (account.h, flows.h); a million prefixes are some hundred megabytes. */
#define DATA_MAX (UINT64_C(4) << 30)

static void limit(int which, rlim_t most)
{
	struct rlimit limits;

	if (getrlimit(which, &limits) < 0)
		return;
	if (limits.rlim_max > most)
		limits.rlim_max = most;
	if (limits.rlim_cur > limits.rlim_max)
		limits.rlim_cur = limits.rlim_max;
	setrlimit(which, &limits);
}

void self_prepare(int orphaned)
{
	static const int ignored[] = {SIGPIPE, SIGINT,  SIGQUIT, SIGHUP,
				      SIGTSTP, SIGTTIN, SIGTTOU, SIGIO};
	struct rlimit files;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, orphaned);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	/* Room for as many waiting calls as the system allows. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	limit(RLIMIT_CORE, 0);
#if !defined(__SANITIZE_ADDRESS__)
	limit(RLIMIT_DATA, DATA_MAX);
#endif
	/* One arena: memory stays small with several threads. */
	mallopt(M_ARENA_MAX, 1);
}

int self_drop(bool bind_any)
{
	/*
	 * SYS_PTRACE: memory and descriptors of a program that has become another user; KILL: its end;
	 * DAC_OVERRIDE: a ledger or a trace that root wants elsewhere than at home.
	 */
	const cap_value_t kept[] = {CAP_SYS_PTRACE, CAP_KILL, CAP_DAC_OVERRIDE,
				    CAP_NET_BIND_SERVICE};
	int n = bind_any ? 4 : 3, m = 0, rc = 0;
	cap_t have = cap_get_proc(), want = cap_init();
	cap_value_t both[4];
	cap_flag_value_t set;

	for (int i = 0; have && i < n; i++)
		if (cap_get_flag(have, kept[i], CAP_PERMITTED, &set) == 0 && set == CAP_SET)
			both[m++] = kept[i];
	if (!have || !want || (m && cap_set_flag(want, CAP_PERMITTED, m, both, CAP_SET) < 0) ||
	    (m && cap_set_flag(want, CAP_EFFECTIVE, m, both, CAP_SET) < 0) ||
	    cap_set_proc(want) < 0)
		rc = -errno;
	cap_free(have);
	cap_free(want);
	return rc;
}

/* --- the filter --- */

static const int allowed[] = {
#define CALL(name) __NR_##name,
#include "self_calls.def"
#undef CALL
};
#define N_ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

static int compare(const void *left, const void *right)
{
	const int *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* Three for each number, two for each choice between halves. */
struct code {
	unsigned short n;
	struct sock_filter insns[6 + 5 * N_ALLOWED];
};

static void emit(struct code *code, struct sock_filter insn)
{
	code->insns[code->n++] = insn;
}

/* Binary search over the sorted numbers, since the hot path pays for each comparison. */
static void emit_search(struct code *code, const int *numbers, size_t n, uint32_t otherwise)
{
	size_t half = n / 2;
	unsigned short at;

	if (n == 1) {
		emit(code, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							(uint32_t)numbers[0], 0, 1));
		emit(code, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
		emit(code, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise));
		return;
	}
	/* A jump over the lower half may be longer than 255: BPF_JA takes 32 bits. */
	emit(code, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)numbers[half],
						0, 1));
	at = code->n;
	emit(code, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
	emit_search(code, numbers, half, otherwise);
	code->insns[at].k = code->n - at - 1u;
	emit_search(code, numbers + half, n - half, otherwise);
}

int self_confine(void)
{
	/* For tests: a call that no note names ends us, and the test with us. */
	bool strict = getenv("GAE_RUN_TEST_SELF") != NULL;
	uint32_t otherwise = strict ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | ENOSYS;
	int numbers[N_ALLOWED];
	struct code *code = calloc(1, sizeof(*code));
	struct sock_fprog program;
	int rc = 0;

	if (!code)
		return -ENOMEM;
#if defined(__SANITIZE_ADDRESS__)
	/* A sanitizer makes calls of its own, wherever it likes, and ends where one fails. */
	free(code);
	return 0;
#endif
	memcpy(numbers, allowed, sizeof(allowed));
	qsort(numbers, N_ALLOWED, sizeof(numbers[0]), compare);
	emit(code, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						offsetof(struct seccomp_data, arch)));
	emit(code, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0));
	emit(code, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	emit(code, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						offsetof(struct seccomp_data, nr)));
	/* What a tracer that skips a call puts in its place (strace -e inject); the kernel knows no such call. */
	emit(code, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 0, 1));
	emit(code, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	emit_search(code, numbers, N_ALLOWED, otherwise);
	program = (struct sock_fprog){.len = code->n, .filter = code->insns};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
		rc = -errno;
	free(code);
	return rc;
}
