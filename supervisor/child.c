/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: wait4 sendmsg recvmsg signalfd4 kill dup2 dup3 getppid */
#include "child.h"

#include "clerk.h"
#include "crew.h"
#include "keeper.h"
#include "notify.h"
#include "shared/base/errname.h"
#include "shared/base/fd.h"
#include "shared/base/log.h"
#include "shared/base/tree.h"
#include "shared/wire/wire.h"
#include "supervisor.h"
#include "target.h"
#include "trace.h"
#include "urlfetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A trace that nobody reads may hold up the end of the program by this much. */
#define FLUSH_MS 1000
/* And a slow disk by this much, where daemons are left. */
#define DAEMONS_FLUSH_MS 500

struct child {
	struct supervisor *sup;
	int epoll, signals, control, stage;
	pid_t guard;
	bool running; /* exec succeeded */
	bool ended;   /* the program was reaped */
	bool told;    /* the front knows how */
	bool childless;
	int status; /* wait status of the program */
	int result;
};

static int watch(struct child *child, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(child->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void unwatch(struct child *child, int *fd)
{
	epoll_ctl(child->epoll, EPOLL_CTL_DEL, *fd, NULL);
	fd_close(fd);
}

struct child *child_new(struct supervisor *sup, int control)
{
	struct child *child = calloc(1, sizeof(*child));
	sigset_t set;

	if (!child)
		return NULL;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, CHILD_ORPHANED);
	/* Not blocked they would be nobody's: the end of the program would never be heard. */
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
		free(child);
		return NULL;
	}
	child->sup = sup;
	child->guard = getppid();
	child->control = control;
	child->stage = -1;
	child->epoll = epoll_create1(EPOLL_CLOEXEC);
	child->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (child->epoll < 0 || child->signals < 0 || watch(child, child->signals) < 0) {
		free(child);
		return NULL;
	}
	return child;
}

int child_fd(const struct child *child)
{
	return child->epoll;
}

void child_fail(struct child *child)
{
	wire_send(child->control, WIRE_FAILED, 0, NULL, -1);
	child->result = 125;
	child->ended = true;
}

/* One message of the expected type from the stage, or the reason why not. */
static int expect(struct child *child, enum wire_type type, int *fd, int *a)
{
	struct wire_message message;
	int rc = wire_receive(child->stage, &message, fd);

	if (rc == 1 && message.type == type) {
		if (a)
			*a = message.a;
		return 0;
	}
	if (rc == 1 && message.type == WIRE_STAGE_FAILED)
		log_error("%s", message.text);
	else if (rc == 0)
		log_error("the launcher stage ended before the program could start");
	else
		log_error("the launcher stage sent nonsense: %s", strerror(rc < 0 ? -rc : EPROTO));
	child_fail(child);
	return -1;
}

int child_meet(struct child *child, int stage, bool *local_sockets)
{
	int inherited = 0, rc;

	child->stage = stage;
	if (expect(child, WIRE_STAGE_READY, NULL, &inherited) < 0)
		return -1;
	*local_sockets = inherited & WIRE_LOCAL_SOCKETS;
	/* Better no start than a program whose every connect is refused for no reason of the policy's. */
	rc = target_is_open(child->sup->child);
	if (rc == 0)
		return 0;
	log_error("the kernel or the container refuses pidfd_getfd (%s), without which no "
		  "socket can be checked: allow it (docker run --cap-add SYS_PTRACE, or a "
		  "seccomp profile with pidfd_getfd); gae-run --check shows the rest",
		  errname(-rc));
	child_fail(child);
	return -1;
}

int child_install(struct child *child, int program, bool landlock)
{
	if (wire_send(child->stage, WIRE_FILTER, landlock ? WIRE_LANDLOCK : 0, NULL, program) == 0)
		return 0;
	log_error("the launcher stage is gone");
	child_fail(child);
	return -1;
}

int child_go(struct child *child)
{
	if (expect(child, WIRE_LISTENER, &child->sup->listener, NULL) < 0)
		return -1;
	if (child->sup->listener < 0) {
		log_error("the launcher stage sent no listener");
		child_fail(child);
		return -1;
	}
	if (!notify_setup(child->sup->listener))
		log_debug("the kernel has no synchronous wake-up (6.6): calls take longer");
	crew_lead(child->sup->crew);
	if (wire_send(child->stage, WIRE_GO, urlfetch_port(child->sup->urlfetch), NULL, -1) < 0 ||
	    watch(child, child->stage) < 0 || watch(child, child->control) < 0) {
		child_fail(child);
		return -1;
	}
	return 0;
}

/* The stage speaks once more, if exec fails; its socket closes when exec succeeds. */
static void hear_stage(struct child *child)
{
	struct wire_message message;
	int rc = wire_receive(child->stage, &message, NULL);

	if (rc == 1 && message.type == WIRE_EXEC_FAILED) {
		wire_send(child->control, WIRE_EXEC_FAILED, message.a, NULL, -1);
		child->result = 125;
		child->ended = true;
	} else if (rc == 1 && message.type == WIRE_STAGE_FAILED) {
		log_error("%s", message.text);
		child_fail(child);
	} else {
		child->running = true;
		trace_started(child->sup->trace, child->sup->child, child->sup->argv);
		wire_send(child->control, WIRE_STARTED, 0, NULL, -1);
	}
	unwatch(child, &child->stage);
}

static void end_tree(struct child *child, const char *who)
{
	log_info("%s is gone: ending the program and all it started", who);
	tree_kill(5000);
	child->ended = true;
	child->result = 125;
}

/* The front asks for a signal to the program, or is gone; then nobody waits for the program any more. */
static void hear_front(struct child *child)
{
	struct wire_message message;
	int rc = wire_receive(child->control, &message, NULL);

	if (rc == 1 && message.type == WIRE_SIGNAL && message.a > 0 && message.a < NSIG) {
		if (!child->ended)
			kill(child->sup->child, message.a);
		return;
	}
	unwatch(child, &child->control);
	if (!child->ended)
		end_tree(child, "gae-run");
}

/* One line for a person who would otherwise wonder about "Permission denied". */
static void sum_up(const struct supervisor *sup)
{
	unsigned int denials = atomic_load(&sup->denials);

	if (denials && sup->hints)
		log_warn("the policy refused %u destination%s; `gae-run -v` shows which and why",
			 denials, denials == 1 ? "" : "s");
}

/*
 * Daemons are left: the front goes, we stay.  Whoever waits for the end of our standard
 * error (a shell's "$(...)") must not wait for them.
 */
static void let_go_of_stderr(const struct supervisor *sup)
{
	int null = sup->trace_to_stderr ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDERR_FILENO);
	close(null);
}

void child_finish(struct child *child, bool lingering)
{
	struct supervisor *sup = child->sup;

	if (child->told || !child->running || !child->ended)
		return;
	child->told = true;
	if (sup->trace)
		trace_flush(sup->trace, FLUSH_MS);
	sum_up(sup);
	clerk_report(sup->clerk);
	if (lingering)
		let_go_of_stderr(sup);
	wire_send(child->control, WIRE_EXIT, child->status, lingering ? NULL : WIRE_NOTHING_LEFT,
		  -1);
}

/* The front is told at once where daemons are left, else when all is accounted for. */
static void note_end(struct child *child, int status)
{
	struct supervisor *sup = child->sup;

	child->ended = true;
	child->status = status;
	if (child->stage >= 0)
		hear_stage(child);
	if (!child->running)
		return;
	trace_exited(sup->trace, sup->child, status);
	if (child->childless)
		return;
	keeper_settle(sup->keeper, 0);
	clerk_flush(sup->clerk, DAEMONS_FLUSH_MS);
	child_finish(child, true);
}

/* A front that is stopped cannot hear it: it must be woken as well. */
static void tell_continued(struct child *child)
{
	wire_send(child->control, WIRE_CONTINUED, 0, NULL, -1);
	if (child->control >= 0 && child->sup->front > 0)
		kill(child->sup->front, SIGCONT);
}

/*
 * gae-urlfetch is our child as well, and stays to the end.  That nothing else is left the listener
 * says: no process has the filter any more, and all but gae-urlfetch have it.
 */
static bool has_urlfetch_alone(const struct supervisor *sup)
{
	struct pollfd listener = {.fd = sup->listener};

	return urlfetch_pid(sup->urlfetch) && sup->listener >= 0 && poll(&listener, 1, 0) == 1 &&
	       (listener.revents & POLLHUP);
}

static void reap(struct child *child)
{
	pid_t pid;
	int status, last = -1;

	for (;;) {
		pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid <= 0)
			break;
		if (pid != child->sup->child)
			continue;
		if (WIFSTOPPED(status))
			wire_send(child->control, WIRE_STOPPED, WSTOPSIG(status), NULL, -1);
		else if (WIFCONTINUED(status))
			tell_continued(child);
		else
			last = status;
	}
	child->childless = pid < 0 ? errno == ECHILD : has_urlfetch_alone(child->sup);
	if (last >= 0) {
		note_end(child, last);
	} else if (pid < 0 && !child->childless) {
		/* The program's end would never be heard of. */
		log_error("the program cannot be waited for: %s", strerror(errno));
		child_fail(child);
	}
}

static void hear_signals(struct child *child)
{
	struct signalfd_siginfo info;

	while (read(child->signals, &info, sizeof(info)) > 0)
		if (info.ssi_signo == CHILD_ORPHANED && getppid() != child->guard)
			end_tree(child, "the guard");
	reap(child);
}

void child_run(struct child *child)
{
	struct epoll_event events[4];
	int n = epoll_wait(child->epoll, events, 4, 0);

	/* Nothing is known: this one can be asked without waiting. */
	if (n < 0)
		hear_signals(child);
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == child->stage) {
			hear_stage(child);
		} else if (events[i].data.fd == child->control) {
			hear_front(child);
		} else if (events[i].data.fd == child->signals) {
			hear_signals(child);
		}
	}
}

bool child_is_over(const struct child *child, bool listener_over)
{
	/* The listener may hang up after the last child was waited for. */
	bool childless = child->childless || (listener_over && urlfetch_pid(child->sup->urlfetch));

	return child->ended && (childless || child->result) && (listener_over || child->result);
}

int child_result(const struct child *child)
{
	return child->result;
}
