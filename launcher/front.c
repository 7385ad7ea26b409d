/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/front.h"

#include "launcher/guard.h"
#include "launcher/options.h"
#include "launcher/resolve.h"
#include "launcher/spawn.h"
#include "shared/base/fd.h"
#include "shared/base/log.h"
#include "shared/base/tree.h"
#include "shared/wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWN_FAILURE = 125, CANNOT_RUN = 126, NOT_FOUND = 127 };

#define KILL_MS 10000
#define GUARD_END_MS 1000

struct front {
	const struct resolved *program;
	struct spawned tree;
	int signals;
	bool adopts;      /* everything below that loses its parents comes to us */
	bool guard_ended; /* and was waited for */
	int guard_status; /* wait status, once guard_ended */
	bool session_leader;
	bool accounts; /* a ledger is kept */
	bool done;
	int status; /* to exit with, once done */
};

/* Synchronous signals stay as they are: sent to us by someone they end us, and the tree with us. */
static void front_signal_set(sigset_t *set)
{
	static const int left_alone[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

	sigfillset(set);
	for (size_t i = 0; i < sizeof(left_alone) / sizeof(left_alone[0]); i++)
		sigdelset(set, left_alone[i]);
}

bool front_forwards(const struct signalfd_siginfo *info, pid_t program, bool session_leader)
{
	bool kernel = info->ssi_code == SI_KERNEL;

	switch (info->ssi_signo) {
	case SIGCHLD:
	case SIGTTIN:
	case SIGTTOU:
		return false;
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGWINCH:
		if (kernel)
			return false;
		break;
	case SIGHUP:
		if (kernel)
			return session_leader;
		break;
	}
	return kernel || info->ssi_pid != (uint32_t)program;
}

static void front_reap(struct front *front)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != front->tree.guard)
			continue;
		front->guard_ended = true;
		front->guard_status = status;
	}
}

/* How the supervisor ended, as far as the guard lived to tell. */
static void front_explain_death(const struct front *front)
{
	const char *program = front->program->path;
	int code = WEXITSTATUS(front->guard_status);
	const char *name;

	if (WIFSIGNALED(front->guard_status)) {
		log_error("the guard process was killed; %s and everything it started was ended",
			  program);
	} else if (code > GUARD_SIGNALLED) {
		name = sigabbrev_np(code - GUARD_SIGNALLED);
		log_error("the supervisor died (killed by SIG%s); %s and everything it started "
			  "was ended",
			  name ? name : "RT", program);
		if (front->accounts)
			log_error("up to %d s of its account are missing in the ledger",
				  WIRE_ACCOUNT_S);
	} else {
		log_error("the supervisor ended early (status %d); %s and everything it started "
			  "was ended",
			  code, program);
	}
}

/* The supervisor is gone, or says that it cannot go on: nothing of the program is left behind. */
static void front_fail(struct front *front, bool explained)
{
	/* Whatever still runs there sees the end of file and goes. */
	fd_close(&front->tree.control);
	while (!front->guard_ended) {
		pid_t pid = waitpid(front->tree.guard, &front->guard_status, 0);

		if (pid < 0 && errno == EINTR)
			continue;
		front->guard_ended = true;
	}
	if (front->adopts)
		tree_kill(KILL_MS);
	if (!explained)
		front_explain_death(front);
	front->done = true;
	front->status = OWN_FAILURE;
}

/* Nothing lingers: the guard ends in a moment, and is ours to wait for. */
static void front_await_guard(struct front *front)
{
	struct pollfd polled = {.fd = front->signals, .events = POLLIN};
	struct signalfd_siginfo info;

	for (front_reap(front); !front->guard_ended; front_reap(front)) {
		if (poll(&polled, 1, GUARD_END_MS) <= 0 ||
		    read(front->signals, &info, sizeof(info)) < 0)
			break;
	}
}

static void front_exec_failed(struct front *front, int error)
{
	const char *path = front->program->path;

	if (error == ENOENT)
		log_error("%s: cannot be run: the interpreter or loader that it names is missing",
			  path);
	else if (error == ENOEXEC)
		log_error("%s: cannot be run: bad format, neither ELF nor a script", path);
	else
		log_error("%s: cannot be run: %s", path, strerror(error));
	front_await_guard(front);
	front->done = true;
	front->status = error == ENOENT ? NOT_FOUND : CANNOT_RUN;
}

/* End by the same signal, so that the caller sees WIFSIGNALED. */
static void front_end_by_signal(struct front *front, int number)
{
	const struct rlimit no_core = {0, 0};
	sigset_t one;

	front->status = 128 + number;
	if (getpid() == 1)
		return;
	setrlimit(RLIMIT_CORE, &no_core);
	signal(number, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static void front_exited(struct front *front, const struct wire_message *message)
{
	int status = message->a;

	front->done = true;
	if (!strcmp(message->text, WIRE_NOTHING_LEFT))
		front_await_guard(front);
	if (WIFSIGNALED(status))
		front_end_by_signal(front, WTERMSIG(status));
	else
		front->status = WEXITSTATUS(status);
}

/* Stop as the program did, so that the shell sees a stopped job; returns when continued. */
static void front_stop(const struct front *front, int number)
{
	sigset_t one, before;

	if (tree_state(front->tree.program, NULL) != 'T')
		return;
	if (number != SIGTSTP && number != SIGTTIN && number != SIGTTOU)
		number = SIGSTOP;
	if (number != SIGSTOP)
		signal(number, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &one, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* SIGCONT to the whole group has woken the program as well. */
static bool front_signal_is_news(const struct front *front, const struct signalfd_siginfo *info)
{
	if (info->ssi_signo == SIGCONT)
		return tree_state(front->tree.program, NULL) == 'T';
	return front_forwards(info, front->tree.program, front->session_leader);
}

static void front_read_signals(struct front *front)
{
	struct signalfd_siginfo info;

	while (read(front->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			front_reap(front);
		else if (front_signal_is_news(front, &info))
			wire_send(front->tree.control, WIRE_SIGNAL, (int32_t)info.ssi_signo, NULL,
				  -1);
	}
	if (front->guard_ended && WIFSIGNALED(front->guard_status) && !front->done)
		front_fail(front, false);
}

static void front_read_control(struct front *front)
{
	struct wire_message message;
	int rc = wire_receive(front->tree.control, &message, NULL);

	if (rc == -EAGAIN)
		return;
	if (rc <= 0) {
		front_fail(front, false);
		return;
	}
	switch (message.type) {
	case WIRE_EXIT:
		front_exited(front, &message);
		break;
	case WIRE_EXEC_FAILED:
		front_exec_failed(front, message.a);
		break;
	case WIRE_FAILED:
		front_fail(front, true);
		break;
	case WIRE_STOPPED:
		front_stop(front, message.a);
		break;
	default:
		break;
	}
}

static int front_loop(struct front *front)
{
	struct pollfd polled[] = {{.fd = front->tree.control, .events = POLLIN},
				  {.fd = front->signals, .events = POLLIN}};

	while (!front->done) {
		if (poll(polled, 2, -1) < 0)
			continue;
		/* The last message before the news of an end. */
		if (polled[0].revents)
			front_read_control(front);
		else if (polled[1].revents)
			front_read_signals(front);
	}
	return front->status;
}

static bool front_has_children(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* The program's pipes: their readers wait for the last writer, which must not be us. */
static void front_close_inherited(const struct front *front)
{
	unsigned int kept = (unsigned int)front->tree.control;

	spawn_release_stdio(true);
	if (kept > 3)
		close_range(3, kept - 1, 0);
	close_range(kept + 1, ~0U, 0);
}

int front_run(const struct options *options, const struct resolved *program)
{
	struct front front = {.program = program,
			      .session_leader = getsid(0) == getpid(),
			      .accounts = !options->no_ledger};
	struct spawn_caller caller;
	char supervisor[PATH_MAX];
	struct sigaction before;
	sigset_t all;

	if (spawn_find_supervisor(supervisor) < 0) {
		log_error("%s: not found; gae-supervisor must be installed beside gae-run",
			  supervisor);
		return OWN_FAILURE;
	}
	front_signal_set(&all);
	sigprocmask(SIG_SETMASK, &all, &caller.mask);
	/* Where it is ignored no child can be waited for; the stage puts it back. */
	sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, &before);
	caller.no_children = before.sa_handler == SIG_IGN;
	/* Children from before an exec of gae-run are not ours to end. */
	front.adopts = !front_has_children() && !tree_adopt();
	if (spawn_tree(options, program, supervisor, &caller, &front.tree) < 0)
		return OWN_FAILURE;
	front_close_inherited(&front);
	front.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	fcntl(front.tree.control, F_SETFL, O_NONBLOCK);
	return front_loop(&front);
}
