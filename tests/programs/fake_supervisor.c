/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A supervisor without a policy, for the launcher's tests: its filter sends
 * getppid(2), and with FAKE_TRAP=sendmsg also sendmsg(2), to here; the answer is
 * to go on.  Stays until the last descendant is gone, like the real one.
 */
#include "shared/base/fd.h"
#include "shared/base/tree.h"
#include "shared/wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct fake {
	int control, stage, signals, listener;
	pid_t child;
	int exited;
};

static _Noreturn void fail(struct fake *fake, const char *what)
{
	fprintf(stderr, "fake-supervisor: %s\n", what);
	wire_send(fake->control, WIRE_FAILED, 0, NULL, -1);
	exit(125);
}

static int make_filter(void)
{
	const char *trap = getenv("FAKE_TRAP");
	int second = trap && !strcmp(trap, "sendmsg") ? SYS_sendmsg : SYS_getppid;
	const char *unsealed = getenv("FAKE_UNSEALED");
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)second, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	int fd = memfd_create("filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	fd_write_full(fd, code, sizeof(code));
	if (!unsealed)
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
	return fd;
}

static void expect(struct fake *fake, enum wire_type type, int *fd)
{
	struct wire_message message;

	if (wire_receive(fake->stage, &message, fd) != 1)
		fail(fake, "the stage has gone away");
	if (message.type == WIRE_STAGE_FAILED)
		fail(fake, message.text);
	if (message.type != type)
		fail(fake, "unexpected message");
}

static void answer(struct fake *fake)
{
	struct seccomp_notif call;
	struct seccomp_notif_resp response;

	memset(&call, 0, sizeof(call));
	memset(&response, 0, sizeof(response));
	if (ioctl(fake->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return;
	response.id = call.id;
	/* CONTINUE-OK: a test double without a policy; nothing is decided here. */
	response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	ioctl(fake->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void read_stage(struct fake *fake)
{
	struct wire_message message;
	int rc = wire_receive(fake->stage, &message, NULL);

	if (rc == 1 && message.type == WIRE_STAGE_FAILED)
		fail(fake, message.text);
	if (rc == 1)
		wire_send(fake->control, (enum wire_type)message.type, message.a, NULL, -1);
	else
		wire_send(fake->control, WIRE_STARTED, 0, NULL, -1);
	fd_close(&fake->stage);
}

static void read_control(struct fake *fake)
{
	struct wire_message message;

	if (wire_receive(fake->control, &message, NULL) == 1) {
		kill(fake->child, message.a);
		return;
	}
	fd_close(&fake->control);
	if (!fake->exited) {
		tree_kill(5000);
		exit(0);
	}
}

static void send_exit(struct fake *fake, int status)
{
	siginfo_t info;
	int left = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;

	fake->exited = 1;
	wire_send(fake->control, WIRE_EXIT, status, left ? NULL : WIRE_NOTHING_LEFT, -1);
}

static void read_children(struct fake *fake)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	if (read(fake->signals, &info, sizeof(info)) < 0)
		return;
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
		if (pid != fake->child)
			continue;
		if (WIFSTOPPED(status))
			wire_send(fake->control, WIRE_STOPPED, WSTOPSIG(status), NULL, -1);
		else if (WIFCONTINUED(status))
			wire_send(fake->control, WIRE_CONTINUED, 0, NULL, -1);
		else
			send_exit(fake, status);
	}
	if (pid < 0 && errno == ECHILD)
		exit(0);
}

static void start(struct fake *fake)
{
	int filter;

	expect(fake, WIRE_STAGE_READY, NULL);
	filter = make_filter();
	wire_send(fake->stage, WIRE_FILTER, WIRE_LANDLOCK, NULL, filter);
	close(filter);
	expect(fake, WIRE_LISTENER, &fake->listener);
	if (getenv("FAKE_DIE"))
		raise(SIGKILL);
	wire_send(fake->stage, WIRE_GO, 0, NULL, -1);
}

static void loop(struct fake *fake)
{
	for (;;) {
		struct pollfd polled[] = {{.fd = fake->control, .events = POLLIN},
					  {.fd = fake->stage, .events = POLLIN},
					  {.fd = fake->signals, .events = POLLIN},
					  {.fd = fake->listener, .events = POLLIN}};

		if (poll(polled, 4, -1) < 0)
			continue;
		if (polled[3].revents & POLLIN)
			answer(fake);
		else if (polled[3].revents)
			fd_close(&fake->listener);
		if (polled[1].revents)
			read_stage(fake);
		else if (polled[2].revents)
			read_children(fake);
		if (polled[0].revents)
			read_control(fake);
	}
}

int main(int argc, char **argv)
{
	struct fake fake = {.listener = -1};
	sigset_t set;

	tree_adopt();
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	for (int i = 1; i + 1 < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--control-fd"))
			fake.control = atoi(argv[i + 1]);
		if (!strcmp(argv[i], "--stage-fd"))
			fake.stage = atoi(argv[i + 1]);
		if (!strcmp(argv[i], "--child"))
			fake.child = atoi(argv[i + 1]);
	}
	if (getenv("FAKE_ARGUMENTS"))
		for (int i = 0; i < argc; i++)
			fprintf(stderr, "[%s]\n", argv[i]);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fake.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	start(&fake);
	loop(&fake);
}
