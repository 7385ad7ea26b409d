/* SPDX-License-Identifier: Apache-2.0 */
/* What gae-urlfetch gives up, and what it keeps: each row natively and inside. */
#include "urlfetch/confine.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(urlfetch_confine, .timeout = 30);

static char home[] = "/tmp/confine.XXXXXX";
static char theirs[64], certificate[64];
static pid_t other;

static int say(long rc)
{
	return rc < 0 ? errno : 0;
}

/* Each returns 0 or an errno. */
static int start_program(void)
{
	char *const arguments[] = {"true", NULL};

	/* Where it succeeds, true(1) says 0. */
	execv("/bin/true", arguments);
	return errno;
}

static int start_by_descriptor(void)
{
	char *const arguments[] = {"true", NULL}, *const none[] = {NULL};
	int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);

	syscall(SYS_execveat, fd, "", arguments, none, AT_EMPTY_PATH);
	return errno;
}

static int new_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : waitpid(pid, NULL, 0) != pid;
}

static int new_process_by_clone3(void)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} how = {.exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &how, sizeof(how));

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : waitpid((pid_t)pid, NULL, 0) != pid;
}

static int write_theirs(void)
{
	return say(open(theirs, O_WRONLY | O_CLOEXEC));
}

static int cut_theirs(void)
{
	return say(truncate(theirs, 0));
}

static int new_file(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/new", home);
	return say(open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int remove_theirs(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/spare", home);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	return say(unlink(path));
}

static int change_mode(void)
{
	return say(chmod(theirs, 0600));
}

static int read_theirs(void)
{
	return say(open(theirs, O_RDONLY | O_CLOEXEC));
}

static int signal_other(void)
{
	return say(kill(other, SIGCONT));
}

static int signal_thread(void)
{
	return say(syscall(SYS_tgkill, other, other, SIGCONT));
}

static int limit_other(void)
{
	struct rlimit limit;

	return say(prlimit(other, RLIMIT_NOFILE, NULL, &limit));
}

static int read_memory(void)
{
	char here;
	struct iovec local = {&here, 1}, remote = {home, 1};

	return say(process_vm_readv(other, &local, 1, &remote, 1, 0));
}

static int trace_other(void)
{
	int rc = say(ptrace(PTRACE_SEIZE, other, NULL, NULL));

	if (rc == 0)
		ptrace(PTRACE_DETACH, other, NULL, NULL);
	return rc;
}

static int local_socket(void)
{
	return say(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int hears(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return say(listen(fd, 1));
}

static int new_namespace(void)
{
	return say(unshare(CLONE_FS));
}

/* What a terminal may do is the system's to say; of what is none the kernel says ENOTTY. */
static int type_ahead(void)
{
	return say(ioctl(open("/dev/null", O_RDONLY | O_CLOEXEC), TIOCSTI, "x"));
}

static int type_by_console(void)
{
	return say(ioctl(open("/dev/null", O_RDONLY | O_CLOEXEC), TIOCLINUX, "\2"));
}

static int ask_for_size(void)
{
	struct winsize size;

	return say(ioctl(open("/dev/null", O_RDONLY | O_CLOEXEC), TIOCGWINSZ, &size));
}

static const struct {
	const char *what;
	int (*act)(void);
	int error;
} forbidden[] = {
    {"a program", start_program, EPERM},
    {"a program by its descriptor", start_by_descriptor, EPERM},
    {"a process", new_process, EPERM},
    {"a process by clone3", new_process_by_clone3, ENOSYS},
    {"to write a file", write_theirs, EACCES},
    {"to cut a file", cut_theirs, EPERM},
    {"a new file", new_file, EACCES},
    {"to remove a file", remove_theirs, EPERM},
    {"to change a mode", change_mode, EPERM},
    {"to read a file of the user's", read_theirs, EACCES},
    {"a signal", signal_other, EPERM},
    {"a signal to a thread", signal_thread, EPERM},
    {"another's limits", limit_other, EPERM},
    {"another's memory", read_memory, EPERM},
    {"to trace", trace_other, EPERM},
    {"a local socket", local_socket, EAFNOSUPPORT},
    {"to listen", hears, EPERM},
    {"unshare", new_namespace, EPERM},
};

static void *nothing(void *argument)
{
	return argument;
}

static int look_up(void)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	int rc = getaddrinfo("localhost", "80", &hints, &found);

	if (rc == 0)
		freeaddrinfo(found);
	return rc;
}

static int sockets(void)
{
	int pair[2];

	return say(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) ||
	       say(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)) ||
	       say(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
}

static int a_thread(void)
{
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, nothing, NULL);

	return rc ? rc : pthread_join(thread, NULL);
}

static int own_signal(void)
{
	signal(SIGUSR1, SIG_IGN);
	return pthread_kill(pthread_self(), SIGUSR1);
}

static int own_limits(void)
{
	struct rlimit limit;

	return say(getrlimit(RLIMIT_NOFILE, &limit));
}

static int read_system(void)
{
	return say(open("/etc/passwd", O_RDONLY | O_CLOEXEC)) ||
	       say(open("/usr/bin/env", O_RDONLY | O_CLOEXEC));
}

static int read_certificate(void)
{
	return say(open(certificate, O_RDONLY | O_CLOEXEC));
}

static const struct {
	const char *what;
	int (*act)(void);
} kept[] = {
    {"a look-up", look_up},
    {"sockets", sockets},
    {"a thread", a_thread},
    {"its own signals", own_signal},
    {"its own limits", own_limits},
    {"the system's files", read_system},
    {"the certificates", read_certificate},
};

/* What @act says in a process of its own, inside the fence or not. */
static int in_child(int (*act)(void), bool inside)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (inside && confine_self(certificate) != 0)
			_exit(255);
		_exit(act());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void touch(char *path, size_t room, const char *name)
{
	snprintf(path, room, "%s/%s", home, name);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void begin(void)
{
	cr_assert_not_null(mkdtemp(home));
	touch(theirs, sizeof(theirs), "theirs");
	touch(certificate, sizeof(certificate), "certificate");
	other = fork();
	if (other == 0) {
		pause();
		_exit(0);
	}
}

static void end(void)
{
	char path[80];

	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	unlink(theirs);
	unlink(certificate);
	snprintf(path, sizeof(path), "%s/new", home);
	unlink(path);
	rmdir(home);
}

Test(urlfetch_confine, what_it_gives_up)
{
	bool landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* VERSION */) > 0;

#if defined(__SANITIZE_ADDRESS__)
	cr_skip_test("built with a sanitizer it puts up no filter");
#endif
	begin();
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		if (forbidden[i].act == read_theirs && !landlock) {
			printf("# %s: left out, this kernel has no Landlock\n", forbidden[i].what);
			continue;
		}
		cr_expect_eq(in_child(forbidden[i].act, false), 0, "%s, without the fence: %d",
			     forbidden[i].what, in_child(forbidden[i].act, false));
		cr_expect_eq(in_child(forbidden[i].act, true), forbidden[i].error, "%s: %d",
			     forbidden[i].what, in_child(forbidden[i].act, true));
	}
	end();
}

Test(urlfetch_confine, it_types_nothing)
{
#if defined(__SANITIZE_ADDRESS__)
	cr_skip_test("built with a sanitizer it puts up no filter");
#endif
	begin();
	cr_expect_eq(in_child(type_ahead, false), ENOTTY);
	cr_expect_eq(in_child(type_ahead, true), EPERM);
	cr_expect_eq(in_child(type_by_console, false), ENOTTY);
	cr_expect_eq(in_child(type_by_console, true), EPERM);
	cr_expect_eq(in_child(ask_for_size, true), ENOTTY, "other calls are the kernel's");
	end();
}

Test(urlfetch_confine, what_it_keeps)
{
	begin();
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		cr_expect_eq(in_child(kept[i].act, true), 0, "%s: %d", kept[i].what,
			     in_child(kept[i].act, true));
	end();
}
