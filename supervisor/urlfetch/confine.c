/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/confine.h"

#include "shared/base/fd.h"
#include "shared/base/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- files --- */

enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_NET = 4, ABI_SCOPE = 6 };
#define FS_TRUNCATE (UINT64_C(1) << 14) /* ABI 3, 6.2 */
#define FS_FIRST ((UINT64_C(1) << 13) - 1)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/*
 * Name services, certificates, libraries that are loaded late; a system has some of them.  Not all of
 * /run, /dev and /var/lib: there are secrets, disks and databases, which root's gae-urlfetch could read.
 */
static const char *const readable[] = {
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/nix",
    "/gnu",
    "/var/lib/ca-certificates",
    "/etc/resolv.conf", /* wherever that is */
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/proc",
    "/sys/devices/system/cpu", /* the C library counts processors */
};

static void allow_reading(int ruleset, const char *path)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = FS_READ};
	CLEANUP_FD int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return;
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
		return;
	/* EINVAL: a file has no directory to be read. */
	rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
	(void)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static int fence_files(const char *certificates)
{
	struct kernel_landlock_attr attr = {.handled_access_fs = FS_FIRST};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	size_t size = abi < ABI_NET     ? sizeof(attr.handled_access_fs)
		      : abi < ABI_SCOPE ? offsetof(struct kernel_landlock_attr, scoped)
					: sizeof(attr);
	CLEANUP_FD int ruleset = -1;

	if (abi < 1)
		return 0;
	if (abi >= ABI_REFER)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= ABI_TRUNCATE)
		attr.handled_access_fs |= FS_TRUNCATE;
	if (abi >= ABI_NET)
		attr.handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP;
	if (abi >= ABI_SCOPE)
		attr.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
		allow_reading(ruleset, readable[i]);
	if (certificates)
		allow_reading(ruleset, certificates);
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

/* --- calls --- */

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif
#define X32_BIT 0x40000000u
#define FOR_WRITING (O_ACCMODE | O_CREAT | O_TRUNC)

static const unsigned int refused[] = {
    /* other programs, other processes */
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_process_madvise,
    SYS_pidfd_getfd,
    SYS_pidfd_send_signal,
    SYS_kill,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_setpgid,
    SYS_setsid,
    SYS_setpriority,
    SYS_personality,
    /* files */
    SYS_renameat2,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_mknodat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_truncate,
    SYS_utimensat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_open_by_handle_at,
    /* the machine */
    SYS_mount,
    SYS_umount2,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_setup,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_quotactl,
    SYS_acct,
    /* to be connected to: the listener is there already */
    SYS_listen,
#ifdef SYS_fork /* what only the older machines have */
    SYS_fork,
    SYS_vfork,
    SYS_creat,
    SYS_rename,
    SYS_renameat,
    SYS_unlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_link,
    SYS_symlink,
    SYS_mknod,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
    SYS_iopl,
    SYS_ioperm,
    SYS_kexec_file_load,
#endif
};
#define N_REFUSED (sizeof(refused) / sizeof(refused[0]))

struct code {
	unsigned short n;
	struct sock_filter insns[2 * N_REFUSED + 64];
};

static void emit(struct code *code, unsigned short op, uint32_t k, uint8_t yes, uint8_t no)
{
	code->insns[code->n++] = (struct sock_filter){op, yes, no, k};
}

#define LOW_WORD(argument) ((uint32_t)(offsetof(struct seccomp_data, args) + 8u * (argument)))
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the low word of an argument comes first");

static void load(struct code *code, uint32_t offset)
{
	emit(code, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void answer(struct code *code, uint32_t action)
{
	emit(code, BPF_RET | BPF_K, action, 0, 0);
}

/* The number is loaded: where it is @number, @action. */
static void on_call(struct code *code, uint32_t number, uint32_t action)
{
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
	answer(code, action);
}

/* The number is loaded: @call passes only where @test of its @argument with @k is @wanted. */
static void only_if(struct code *code, uint32_t call, unsigned int argument, unsigned short test,
		    uint32_t k, bool wanted, uint32_t error)
{
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
	load(code, LOW_WORD(argument));
	emit(code, BPF_JMP | test | BPF_K, k, wanted, !wanted);
	answer(code, SECCOMP_RET_ERRNO | error);
	answer(code, SECCOMP_RET_ALLOW);
}

/* The same for several values: @call passes where its @argument is one of @values, or (not @among) none. */
static void only_among(struct code *code, uint32_t call, unsigned int argument,
		       const uint32_t *values, uint8_t n, bool among, uint32_t error)
{
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, call, 0, (uint8_t)(n + 3));
	load(code, LOW_WORD(argument));
	/* Over the other values, and the answer where it is none of them. */
	for (uint8_t i = 0; i < n; i++)
		emit(code, BPF_JMP | BPF_JEQ | BPF_K, values[i], (uint8_t)(n - i), 0);
	answer(code, among ? SECCOMP_RET_ERRNO | error : SECCOMP_RET_ALLOW);
	answer(code, among ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | error);
}

/*
 * IP, and the netlink of getaddrinfo(3).  No local sockets: behind those are services that do things
 * for their user (D-Bus, a container engine, an agent with keys).  Name services that are asked over
 * one (nscd, systemd-resolved) give way to the next in nsswitch.conf(5).
 */
static const uint32_t families[] = {AF_INET, AF_INET6, AF_NETLINK};

/* Standard error may be a terminal, which would take what is pushed into it for typed. */
static const uint32_t typing[] = {TIOCSTI, TIOCLINUX};

static int fence_calls(void)
{
	struct code *code = calloc(1, sizeof(*code));
	struct sock_fprog program;
	int rc = 0;

	if (!code)
		return -ENOMEM;
	load(code, offsetof(struct seccomp_data, arch));
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0);
	answer(code, SECCOMP_RET_KILL_PROCESS);
	load(code, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
	emit(code, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	answer(code, SECCOMP_RET_ERRNO | ENOSYS);
	only_if(code, SYS_open, 1, BPF_JSET, FOR_WRITING, false, EACCES);
#endif
	only_if(code, SYS_openat, 2, BPF_JSET, FOR_WRITING, false, EACCES);
	on_call(code, SYS_openat2, SECCOMP_RET_ERRNO | ENOSYS);
	/* Threads, no processes.  Of clone3(2) the flags are in memory: the C library falls back. */
	only_if(code, SYS_clone, 0, BPF_JSET, CLONE_THREAD, true, EPERM);
	on_call(code, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
	/* Its own signals (abort(3), pthread_kill(3)) and limits; the supervisor is of the same user. */
	only_if(code, SYS_tgkill, 0, BPF_JEQ, (uint32_t)getpid(), true, EPERM);
	only_if(code, SYS_prlimit64, 0, BPF_JEQ, 0, true, EPERM);
	only_among(code, SYS_socket, 0, families, 3, true, EAFNOSUPPORT);
	only_among(code, SYS_ioctl, 1, typing, 2, false, EPERM);
	for (size_t i = 0; i < N_REFUSED; i++)
		on_call(code, refused[i], SECCOMP_RET_ERRNO | EPERM);
	answer(code, SECCOMP_RET_ALLOW);
	program = (struct sock_fprog){.len = code->n, .filter = code->insns};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
		rc = -errno;
	free(code);
	return rc;
}

int confine_self(const char *certificates)
{
	int rc = fence_files(certificates);

#if defined(__SANITIZE_ADDRESS__)
	/* A sanitizer starts a process of its own at the end, which looks at this one. */
	return rc;
#endif
	return rc < 0 ? rc : fence_calls();
}
