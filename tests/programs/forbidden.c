/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that a fenced program may not make: each line is "NAME: RESULT", RESULT an
 * errno or "done".  Run natively it shows that they work here without the fence.
 *
 *   forbidden [NAME]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SECCOMP_FILTER_FLAG_NEW_LISTENER
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1ul << 3)
#endif

static const char *only;

static void say(const char *name, long rc)
{
	int error = errno;

	printf("%s: %s\n", name, rc < 0 ? strerrorname_np(error) : "done");
	fflush(stdout);
}

static int wanted(const char *name)
{
	return !only || !strcmp(only, name);
}

#define TRY(name, call)                                                                            \
	do {                                                                                       \
		if (wanted(name))                                                                  \
			say(name, (call));                                                         \
	} while (0)

/* In a child, so that what it changes stays there; its errno comes back as its status. */
static long in_child(long (*call)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(call() < 0 ? errno : 0);
	waitpid(child, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
	return errno ? -1 : 0;
}

static void sockets(void)
{
	TRY("raw", socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
	TRY("raw udp", socket(AF_INET, SOCK_RAW, IPPROTO_UDP));
	TRY("raw v6", socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
	TRY("ping", socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	TRY("packet", socket(AF_PACKET, SOCK_RAW, 0));
	TRY("packet, old", socket(AF_INET, SOCK_PACKET, 0));
	TRY("sctp", socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP));
	TRY("mptcp", socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP));
	TRY("mptcp v6", socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP));
	TRY("udp-lite", socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE));
	TRY("dccp", socket(AF_INET, SOCK_DCCP, IPPROTO_DCCP));
	TRY("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
	TRY("alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
	TRY("unix", socket(AF_UNIX, SOCK_STREAM, 0));
	TRY("netlink route", socket(AF_NETLINK, SOCK_RAW, 0));
	TRY("netlink netfilter", socket(AF_NETLINK, SOCK_RAW, 12));
	TRY("key", socket(AF_KEY, SOCK_RAW, 2));
}

static long bind_port(int port, uint32_t address)
{
	struct sockaddr_in at = {AF_INET, htons((uint16_t)port), {htonl(address)}, {0}};

	return bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&at, sizeof(at));
}

static void servers(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	TRY("bind a port", bind_port(8080, 0));
	TRY("bind an address", bind_port(0, INADDR_LOOPBACK));
	bind(fd, (void *)&at, sizeof(at));
	TRY("listen", listen(fd, 1));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	TRY("accept", accept(fd, NULL, NULL));
	TRY("accept4", accept4(fd, NULL, NULL, 0));
}

static long new_listener(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		       &program);
}

static long own_filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static long set_network(void)
{
	return setns(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), CLONE_NEWNET);
}

static long new_network(void)
{
	return unshare(CLONE_NEWNET);
}

static long clone_network(void)
{
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);

	if (child == 0)
		_exit(0);
	if (child > 0)
		waitpid(child, NULL, 0);
	return child;
}

static long clone_3(void)
{
	uint64_t arguments[8] = {0, 0, 0, 0, SIGCHLD};
	pid_t child = (pid_t)syscall(SYS_clone3, arguments, sizeof(arguments));

	if (child == 0)
		_exit(0);
	if (child > 0)
		waitpid(child, NULL, 0);
	return child;
}

static long take_descriptor(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	return syscall(SYS_pidfd_getfd, pidfd, 1, 0);
}

static long io_uring(void)
{
	char parameters[256] = {0};

	return syscall(SYS_io_uring_setup, 4, parameters);
}

static long bpf(void)
{
	union bpf_attr attributes = {
	    .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes));
}

static long push_key(void)
{
	/* On a terminal that is ours it works as root; the errno of what is none is ENOTTY. */
	return ioctl(0, TIOCSTI, "x");
}

static long push_key_high_bits(void)
{
	/* The kernel looks at the low 32 bits only. */
	return syscall(SYS_ioctl, 0, 0x100000000ul | TIOCSTI, "x");
}

static long console(void)
{
	return ioctl(0, TIOCLINUX, (char[]){2, 0});
}

static void kernel_doors(void)
{
	TRY("seccomp listener", in_child(new_listener));
	TRY("seccomp filter", in_child(own_filter));
	TRY("setns", in_child(set_network));
	TRY("unshare", in_child(new_network));
	TRY("clone", clone_network());
	TRY("clone3", clone_3());
	TRY("pidfd_getfd", take_descriptor());
	TRY("io_uring_setup", io_uring());
	TRY("io_uring_enter", syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0));
	TRY("io_uring_register", syscall(SYS_io_uring_register, -1, 0, NULL, 0));
	TRY("bpf", bpf());
	TRY("TIOCSTI", push_key());
	TRY("TIOCSTI with high bits", push_key_high_bits());
	TRY("TIOCLINUX", console());
	TRY("PR_SET_DUMPABLE", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	TRY("socket after that", socket(AF_INET, SOCK_DGRAM, 0));
	TRY("connect after that",
	    connect(socket(AF_INET, SOCK_DGRAM, 0),
		    (void *)&(struct sockaddr_in){AF_INET, htons(9), {htonl(0x7f000003)}, {0}},
		    16));
}

#if defined(__x86_64__)
/* A 32-bit call of a 64-bit program; addresses must lie below 4 GB. */
static long call_32(long nr, long a, long b, long c)
{
	long rc;

	__asm__ volatile("int $0x80"
			 : "=a"(rc)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	if ((int)rc < 0 && (int)rc > -4096) {
		errno = -(int)rc;
		return -1;
	}
	return rc;
}

static void foreign_calls(void)
{
	struct sockaddr_in *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	uint32_t *args = (uint32_t *)(at + 1);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*at = (struct sockaddr_in){AF_INET, htons(9), {htonl(0x7f000003)}, {0}};
	TRY("int 0x80 getpid", call_32(20, 0, 0, 0));
	TRY("int 0x80 socket", call_32(359, AF_INET, SOCK_STREAM, 0));
	TRY("int 0x80 connect", call_32(362, fd, (long)(intptr_t)at, sizeof(*at)));
	args[0] = (uint32_t)fd;
	args[1] = (uint32_t)(uintptr_t)at;
	args[2] = sizeof(*at);
	TRY("int 0x80 socketcall", call_32(102, 3, (long)(intptr_t)args, 0));
	TRY("x32 getpid", syscall(0x40000000 | SYS_getpid));
	TRY("x32 connect", syscall(0x40000000 | SYS_connect, fd, at, sizeof(*at)));
}
#else
static void foreign_calls(void)
{
}
#endif

static pid_t parent_of(pid_t pid)
{
	char path[64], text[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file || !fgets(text, sizeof(text), file))
		return 0;
	fclose(file);
	return atoi(strrchr(text, ')') + 4);
}

static long attach(pid_t pid)
{
	long rc = ptrace(PTRACE_SEIZE, pid, NULL, NULL);

	return rc;
}

static long write_memory(pid_t pid)
{
	char byte = 0;
	struct iovec here = {&byte, 1}, there = {&byte, 1};

	/* EFAULT when it is let in: our address means nothing there. */
	return process_vm_writev(pid, &here, 1, &there, 1, 0);
}

/* Things one can do to a process of one's own user. */
static void aim_at(const char *who, pid_t pid)
{
	struct sched_param parameters = {0};
	struct rlimit limit = {1u << 30, 1u << 30};
	cpu_set_t cpus;
	siginfo_t info = {.si_code = SI_QUEUE};
	char name[64];
#define AT(what, call)                                                                             \
	do {                                                                                       \
		snprintf(name, sizeof(name), "%s %s", what, who);                                  \
		TRY(name, (call));                                                                 \
	} while (0)

	sched_getaffinity(0, sizeof(cpus), &cpus);
	AT("kill 0", kill(pid, 0));
	AT("SIGCONT", kill(pid, SIGCONT));
	AT("tkill", syscall(SYS_tkill, pid, SIGCONT));
	AT("tgkill", syscall(SYS_tgkill, pid, pid, SIGCONT));
	AT("sigqueue", syscall(SYS_rt_sigqueueinfo, pid, SIGCONT, &info));
	AT("tgsigqueue", syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGCONT, &info));
	AT("pidfd",
	   syscall(SYS_pidfd_send_signal, syscall(SYS_pidfd_open, pid, 0), SIGCONT, NULL, 0));
	AT("ptrace", attach(pid));
	AT("writev", write_memory(pid));
	AT("prlimit", prlimit(pid, RLIMIT_FSIZE, &limit, NULL));
	AT("setpriority", setpriority(PRIO_PROCESS, (id_t)pid, 1));
	AT("sched_setaffinity", sched_setaffinity(pid, sizeof(cpus), &cpus));
	AT("sched_setscheduler", sched_setscheduler(pid, SCHED_BATCH, &parameters));
	AT("sched_setparam", sched_setparam(pid, &parameters));
}

int main(int argc, char **argv)
{
	pid_t parent = getppid();

	only = argc > 1 ? argv[1] : NULL;
	sockets();
	servers();
	aim_at("the parent", parent);
	aim_at("the grandparent", parent_of(parent));
	aim_at("the one above", parent_of(parent_of(parent)));
	foreign_calls();
	kernel_doors();
	return 0;
}
