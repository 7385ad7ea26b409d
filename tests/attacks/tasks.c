/* SPDX-License-Identifier: Apache-2.0 */
/* Who makes the call: children, threads and what is between. */
#include "attack.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>

static char stack[65536] __attribute__((aligned(16)));

static int attempt(void *argument)
{
	(void)argument;
	attack_both();
	return 0;
}

static void in_clone(int flags)
{
	pid_t child = clone(attempt, stack + sizeof(stack), flags | SIGCHLD, NULL);

	attack_say("clone", child);
	if (child > 0)
		waitpid(child, NULL, __WALL);
}

static void clone_vm(void)
{
	in_clone(CLONE_VM);
}

static void clone_files(void)
{
	in_clone(CLONE_FILES);
}

static void clone_vm_files(void)
{
	in_clone(CLONE_VM | CLONE_FILES | CLONE_FS);
}

static void by_vfork(void)
{
	pid_t child = vfork();

	if (child == 0) {
		attack_connect(attack_tcp(), FORBIDDEN); /* NOLINT(clang-analyzer-unix.Vfork) */
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void *own_table(void *argument)
{
	attack_say("unshare", unshare(CLONE_FILES));
	attempt(argument);
	return NULL;
}

static void unshared_files(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, own_table, NULL);
	pthread_join(thread, NULL);
}

/* The number is a TCP socket in the main thread's table and something else in the other's. */
static void *other_number(void *argument)
{
	int fd = *(int *)argument, udp;

	unshare(CLONE_FILES);
	udp = attack_udp();
	dup2(udp, fd);
	attack_say("connect", attack_connect(fd, FORBIDDEN));
	attack_say("send", send(fd, "x", 1, 0));
	return NULL;
}

static void same_number(void)
{
	int fd = attack_tcp();
	pthread_t thread;

	pthread_create(&thread, NULL, other_number, &fd);
	pthread_join(thread, NULL);
}

static void *outlive(void *argument)
{
	pid_t main_thread = *(pid_t *)argument;

	for (int i = 0; i < 500 && attack_state(main_thread, NULL) != 'Z'; i++)
		poll(NULL, 0, 1);
	attempt(NULL);
	exit(0);
}

static void no_main_thread(void)
{
	static pid_t self;
	pthread_t thread;

	self = getpid();
	pthread_create(&thread, NULL, outlive, &self);
	pthread_exit(NULL);
}

/* A child of our parent's: the supervisor's own. */
static void sibling(void)
{
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

	if (child == 0) {
		attack_both();
		_exit(0);
	}
	attack_say("clone", child);
	for (int i = 0; i < 500 && child > 0 && !kill(child, 0) && attack_state(child, NULL) != 'Z';
	     i++)
		poll(NULL, 0, 1);
}

static void clone_3(void)
{
	uint64_t arguments[8] = {CLONE_PARENT, 0, 0, 0, 0};
	pid_t child = (pid_t)syscall(SYS_clone3, arguments, sizeof(arguments));

	if (child == 0) {
		attack_both();
		_exit(0);
	}
	if (attack_say("clone3", child))
		attack_hit("clone3");
}

static void daemon_left_behind(void)
{
	pid_t parent = getpid();

	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			for (int i = 0; i < 500 && attack_state(parent, NULL); i++)
				poll(NULL, 0, 1);
			attack_both();
		}
		_exit(0);
	}
}

static void in_pid_namespace(void)
{
	in_clone(CLONE_NEWUSER | CLONE_NEWPID);
}

static void in_user_namespace(void)
{
	in_clone(CLONE_NEWUSER | CLONE_NEWNS);
}

static void as_another_user(void)
{
	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		attack_skip("needs root, to become somebody else");
	prctl(PR_SET_DUMPABLE, 0);
	attack_both();
}

/* The runner makes of it a file that may be run and not read, whose memory nobody may read either. */
static void unreadable(void)
{
	attack_both();
}

static void not_dumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	attack_both();
}

/* A crowd of callers, more than anybody can look at in turn, and one among them. */
static void *crowd_thread(void *argument)
{
	(void)argument;
	for (int i = 0; i < 200; i++) {
		int udp = attack_udp(), tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		attack_sendto(udp, FORBIDDEN, 0);
		attack_connect(tcp, FORBIDDEN);
		close(udp);
		close(tcp);
	}
	return NULL;
}

static void flood(void)
{
	pthread_t threads[64];

	for (int i = 0; i < 64; i++)
		pthread_create(&threads[i], NULL, crowd_thread, NULL);
	for (int i = 0; i < 64; i++)
		pthread_join(threads[i], NULL);
}

/* A signal every 100 us while calls are answered. */
static void nothing(int number)
{
	(void)number;
}

static void signal_storm(void)
{
	struct sigaction action = {.sa_handler = nothing};
	struct itimerspec fast = {{0, 100000}, {0, 100000}};
	timer_t timer;

	sigaction(SIGALRM, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, NULL, &timer) < 0)
		attack_skip("no timers");
	timer_settime(timer, 0, &fast, NULL);
	for (int i = 0; i < 1000; i++) {
		int udp = attack_udp(), tcp = attack_tcp();

		attack_connect(tcp, FORBIDDEN);
		attack_sendto(udp, FORBIDDEN, 0);
		close(udp);
		close(tcp);
	}
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"clone_vm", clone_vm},
	    {"clone_files", clone_files},
	    {"clone_vm_files", clone_vm_files},
	    {"vfork", by_vfork},
	    {"unshared_files", unshared_files},
	    {"same_number", same_number},
	    {"no_main_thread", no_main_thread},
	    {"sibling", sibling},
	    {"clone3", clone_3},
	    {"daemon", daemon_left_behind},
	    {"pid_namespace", in_pid_namespace},
	    {"user_namespace", in_user_namespace},
	    {"another_user", as_another_user},
	    {"unreadable", unreadable},
	    {"not_dumpable", not_dumpable},
	    {"flood", flood},
	    {"signal_storm", signal_storm},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
