/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that end or stop the supervisor, the guard or the front; natively a stand-in. */
#include "attack.h"

#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>

#define VICTIMS_MAX 64

static pid_t victims[VICTIMS_MAX];
static size_t n_victims;
static int number = SIGKILL;

/* Each victim anew, for natively the stand-in is dead after the first. */
static void at_each(const char *what, long (*attempt)(pid_t))
{
	static const int numbers[] = {SIGSTOP, SIGKILL};

	for (int k = 0; k < 2; k++) {
		number = numbers[k];
		n_victims = attack_victims(victims, VICTIMS_MAX);
		for (size_t i = 0; i < n_victims; i++) {
			attack_say(what, attempt(victims[i]));
			if (attack_is_down(victims[i]))
				attack_hit(what);
		}
	}
}

static long by_kill(pid_t pid)
{
	return kill(pid, number);
}

static long by_group(pid_t pid)
{
	pid_t theirs = getpgid(pid);

	return theirs == getpgid(0) ? 0
				    : kill(-theirs, number); /* the front's is ours: own_group */
}

static long by_tkill(pid_t pid)
{
	return syscall(SYS_tkill, pid, number);
}

static long by_tgkill(pid_t pid)
{
	return syscall(SYS_tgkill, pid, pid, number);
}

static long by_queue(pid_t pid)
{
	siginfo_t info = {.si_code = SI_QUEUE};

	return syscall(SYS_rt_sigqueueinfo, pid, number, &info);
}

static long by_thread_queue(pid_t pid)
{
	siginfo_t info = {.si_code = SI_QUEUE};

	return syscall(SYS_rt_tgsigqueueinfo, pid, pid, number, &info);
}

static long by_pidfd(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

/* /proc/PID is a pidfd to pidfd_send_signal(2), and names nobody in a register. */
static long by_proc(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return syscall(SYS_pidfd_send_signal, open(path, O_DIRECTORY | O_CLOEXEC), number, NULL, 0);
}

/* Else it is SIGIO, which ends whoever does not expect it. */
static void any_signal(int fd)
{
	attack_say("F_SETSIG", fcntl(fd, F_SETSIG, number));
}

/* The kernel sends the signal of an asynchronous file. */
static long arm(int fd, pid_t pid)
{
	any_signal(fd);
	if (fcntl(fd, F_SETOWN, pid) < 0)
		return -1;
	return fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK);
}

static long by_owner(pid_t pid)
{
	int ends[2];

	if (pipe(ends) < 0 || arm(ends[0], pid) < 0)
		return -1;
	return write(ends[1], "x", 1);
}

static long by_owner_group(pid_t pid)
{
	pid_t theirs = getpgid(pid);

	return theirs == getpgid(0) ? 0 : by_owner(-theirs);
}

static long by_owner_thread(pid_t pid)
{
	struct f_owner_ex owner = {F_OWNER_TID, pid};
	int ends[2];

	if (pipe(ends) < 0)
		return -1;
	any_signal(ends[0]);
	if (fcntl(ends[0], F_SETOWN_EX, &owner) < 0 || fcntl(ends[0], F_SETFL, O_ASYNC) < 0)
		return -1;
	return write(ends[1], "x", 1);
}

static long by_socket_owner(pid_t pid)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return -1;
	any_signal(ends[0]);
	if (ioctl(ends[0], FIOSETOWN, &pid) < 0 || fcntl(ends[0], F_SETFL, O_ASYNC) < 0)
		return -1;
	return write(ends[1], "x", 1);
}

static long by_lease(pid_t pid)
{
	char path[256];
	int fd;
	long rc;

	snprintf(path, sizeof(path), "%s/lease-%d", attack_setting("ATTACK_DIR"), getpid());
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return -1;
	any_signal(fd);
	if (fcntl(fd, F_SETOWN, pid) < 0)
		return -1;
	rc = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	unlink(path);
	return rc < 0 && errno == EWOULDBLOCK ? 0 : rc;
}

static long by_notify(pid_t pid)
{
	char path[256];
	int dir = open(attack_setting("ATTACK_DIR"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	any_signal(dir);
	if (fcntl(dir, F_SETOWN, pid) < 0 || fcntl(dir, F_NOTIFY, DN_CREATE) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/notify-%d-%d", attack_setting("ATTACK_DIR"), getpid(),
		 pid);
	return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

#define MODE(name, call)                                                                           \
	static void run_##name(void)                                                               \
	{                                                                                          \
		at_each(#name, call);                                                              \
	}
MODE(plain, by_kill)
MODE(group, by_group)
MODE(thread, by_tkill)
MODE(thread_of, by_tgkill)
MODE(queued, by_queue)
MODE(queued_thread, by_thread_queue)
MODE(pidfd, by_pidfd)
MODE(proc_pidfd, by_proc)
MODE(owner, by_owner)
MODE(owner_group, by_owner_group)
MODE(owner_thread, by_owner_thread)
MODE(socket_owner, by_socket_owner)
MODE(lease, by_lease)
MODE(notify, by_notify)

/* Our group is the front's, natively the stand-in's: all in it but us. */
static void own_group(void)
{
	pid_t killer, theirs;

	n_victims = attack_victims(victims, VICTIMS_MAX);
	theirs = attack_is_fenced() ? getpgid(0) : getpgid(victims[0]);
	/* Out of it ourselves, to tell the end. */
	setpgid(0, 0);
	killer = fork();
	if (killer == 0) {
		setpgid(0, theirs);
		kill(0, SIGKILL);
		_exit(1);
	}
	waitpid(killer, NULL, 0);
	for (size_t i = 0; i < n_victims; i++)
		if (attack_is_down(victims[i]))
			attack_hit("own group");
}

/* Run in a process namespace of its own, or natively it would end the machine. */
static void everybody(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	if (getpid() > 100)
		attack_skip("not in a process namespace of its own");
	n_victims = attack_victims(victims, VICTIMS_MAX);
	sigaction(SIGTERM, &ignore, NULL);
	attack_say("kill", kill(-1, SIGKILL));
	for (size_t i = 0; i < n_victims; i++)
		if (attack_is_down(victims[i]))
			attack_hit("everybody");
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"plain", run_plain},
	    {"group", run_group},
	    {"thread", run_thread},
	    {"thread_of", run_thread_of},
	    {"queued", run_queued},
	    {"queued_thread", run_queued_thread},
	    {"pidfd", run_pidfd},
	    {"proc_pidfd", run_proc_pidfd},
	    {"owner", run_owner},
	    {"owner_group", run_owner_group},
	    {"owner_thread", run_owner_thread},
	    {"socket_owner", run_socket_owner},
	    {"lease", run_lease},
	    {"notify", run_notify},
	    {"own_group", own_group},
	    {"everybody", everybody},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
