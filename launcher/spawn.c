/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/spawn.h"

#include "launcher/app_yaml.h"
#include "launcher/guard.h"
#include "launcher/options.h"
#include "launcher/resolve.h"
#include "launcher/stage.h"
#include "shared/base/fd.h"
#include "shared/base/log.h"
#include "shared/wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Four processes from one image:
 *
 *   front   the pid that the caller knows
 *    +- guard        group of its own; ends everything when the supervisor is gone
 *        +- supervisor    group of its own; execs gae-supervisor
 *            +- stage          the front's group, the terminal's job; becomes the program
 *
 * The supervisor forks the stage before its exec and keeps its pid, and so its child.
 * The guard may outlive the front: the front ends with the program, the supervisor
 * lingers for the daemons that the program left.
 *
 * Signals to the group before the stage exists reach the front alone, where they
 * stay pending.  So the stage waits: it sends its pid, the front copies what is
 * pending to the stage, where all is blocked until its exec and a standard signal
 * is pending once at most, and then lets go.  The supervisor does not wait for
 * that, for its start is the longest; of the socket that it shares with the stage
 * until then it reads nothing before the stage is ready, but it may say on it that
 * it has failed.
 */
#define OWN_FD_MIN 64

struct plan {
	const struct options *options;
	const struct resolved *program;
	const char *supervisor;
	const struct spawn_caller *caller;
	int control[2]; /* front, supervisor */
	int stage[2];   /* stage, supervisor */
	pid_t front;
};

static const int terminal_signals[] = {SIGINT, SIGQUIT, SIGTSTP, SIGHUP, SIGWINCH};

int spawn_find_supervisor(char *path)
{
	static const char name[] = "gae-supervisor";
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *base;

	if (n < 0)
		return -errno;
	path[n] = '\0';
	base = strrchr(path, '/');
	if (!base || (size_t)(base + 1 - path) + sizeof(name) > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(base + 1, name, sizeof(name));
	return access(path, X_OK) < 0 ? -errno : 0;
}

/* The program's descriptors start at 3; ours keep out of their way as far as the limit allows. */
static int spawn_own_fd_min(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= 2 * OWN_FD_MIN)
		return OWN_FD_MIN;
	return limit.rlim_cur > 24 ? (int)limit.rlim_cur - 16 : 3;
}

static int spawn_pair(int ends[2], int min)
{
	int rc = wire_pair(ends);

	if (!rc)
		rc = fd_move_high(&ends[0], min);
	if (!rc)
		rc = fd_move_high(&ends[1], min);
	return rc;
}

void spawn_release_stdio(bool keep_errors)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= (keep_errors ? 1 : 2); fd++)
		if (null != fd)
			dup2(null, fd);
	if (null > 2)
		close(null);
	/* Where the caller had closed it, nothing of ours may land there. */
	if (keep_errors && fcntl(STDERR_FILENO, F_GETFD) < 0)
		dup2(STDOUT_FILENO, STDERR_FILENO);
	/* 0 may have been opened with O_CLOEXEC just above. */
	for (int fd = 0; fd <= 2; fd++)
		fcntl(fd, F_SETFD, 0);
}

/* "/dev/fd/63", as the shell writes for <(...): the descriptor, or -1. */
static int spawn_path_fd(const char *path)
{
	static const char *const prefixes[] = {"/dev/fd/", "/proc/self/fd/"};

	for (size_t i = 0; path && i < 2; i++)
		if (!strncmp(path, prefixes[i], strlen(prefixes[i])))
			return atoi(path + strlen(prefixes[i]));
	return -1;
}

static bool spawn_fd_is_needed(const struct plan *plan, int fd)
{
	const struct options *options = plan->options;

	if (fd == plan->control[1] || fd == plan->stage[1] || fd == spawn_path_fd(options->trace))
		return true;
	for (size_t i = 0; i < options->policies.count; i++)
		if (fd == spawn_path_fd(options->policies.items[i]))
			return true;
	return false;
}

/* What the program has open must not stay open in the supervisor: a reader waits for the end of its pipe. */
static void spawn_close_inherited(const struct plan *plan)
{
	struct rlimit limit;
	int last = 3, end = 1024;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 1024)
		end = (int)limit.rlim_cur;
	for (int fd = 3; fd < end; fd++) {
		if (!spawn_fd_is_needed(plan, fd))
			continue;
		if (fd > last)
			close_range((unsigned int)last, (unsigned int)fd - 1, 0);
		last = fd + 1;
	}
	close_range((unsigned int)last, ~0U, 0);
}

struct words {
	char **items;
	size_t used;
	bool failed; /* a word is missing: what is behind it would not be read */
};

static void words_add(struct words *words, const char *name, const char *value)
{
	char *word = strdup(name);

	words->items[words->used++] = word;
	words->failed |= !word;
	if (value)
		words_add(words, value, NULL);
}

static void words_add_number(struct words *words, const char *name, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	words_add(words, name, text);
}

static const char *spawn_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/*
 * What `http auto` means here: an app that app.yaml describes has its HTTP fetched, unless the
 * variable is there, whatever its value (App Engine's httplib.py).
 */
static const char *spawn_http(const struct options *options)
{
	static const char variable[] = "GAE_USE_SOCKETS_HTTPLIB";

	if (!options->yaml || getenv(variable) || app_yaml_get(options->yaml, variable))
		return "sockets";
	return "urlfetch";
}

static char **spawn_supervisor_words(const struct plan *plan, pid_t child)
{
	const struct options *options = plan->options;
	struct words words = {0};
	size_t n = 0;

	while (options->argv[n])
		n++;
	words.items =
	    calloc(40 + options->verbose + 2 * options->policies.count + n, sizeof(*words.items));
	if (!words.items)
		return NULL;
	words_add(&words, "gae-supervisor", NULL);
	words_add_number(&words, "--control-fd", plan->control[1]);
	words_add_number(&words, "--stage-fd", plan->stage[1]);
	words_add_number(&words, "--child", child);
	words_add_number(&words, "--front", plan->front);
	for (size_t i = 0; i < options->policies.count; i++)
		words_add(&words, "--policy", options->policies.items[i]);
	words_add(&words, "--app", options->app ? options->app : spawn_base_name(options->argv[0]));
	if (options->trace)
		words_add(&words, "--trace", options->trace);
	if (options->trace_format)
		words_add(&words, "--trace-format", options->trace_format);
	if (options->ledger)
		words_add(&words, "--ledger", options->ledger);
	if (options->no_ledger)
		words_add(&words, "--no-ledger", NULL);
	if (options->ledger_day)
		words_add(&words, "--ledger-day", options->ledger_day);
	if (options->report)
		words_add(&words, "--report", NULL);
	if (options->metrics)
		words_add(&words, "--metrics-file", options->metrics);
	words_add(&words, "--http", spawn_http(options));
	if (options->urlfetch_deadline)
		words_add(&words, "--urlfetch-deadline", options->urlfetch_deadline);
	for (unsigned int i = 0; i < options->verbose; i++)
		words_add(&words, "-v", NULL);
	if (options->quiet)
		words_add(&words, "--quiet", NULL);
	words_add(&words, "--", NULL);
	for (size_t i = 0; i < n; i++)
		words_add(&words, options->argv[i], NULL);
	return words.failed ? NULL : words.items;
}

static _Noreturn void spawn_become_supervisor(const struct plan *plan, pid_t child)
{
	char **words = spawn_supervisor_words(plan, child);
	sigset_t none;

	setpgid(0, 0);
	fd_close(&(int){plan->control[0]});
	fd_close(&(int){plan->stage[0]});
	/* Kept over the exec: a supervisor does not outlive its guard. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	spawn_release_stdio(true);
	spawn_close_inherited(plan);
	fcntl(plan->control[1], F_SETFD, 0);
	fcntl(plan->stage[1], F_SETFD, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	errno = ENOMEM;
	if (words)
		execv(plan->supervisor, words);
	log_error("%s cannot be started: %s", plan->supervisor, strerror(errno));
	wire_send(plan->control[1], WIRE_FAILED, 0, NULL, -1);
	_exit(125);
}

/* The stage's side of what the comment on top says. */
static void spawn_meet_front(int control)
{
	pid_t self = getpid();
	char go;

	if (send(control, &self, sizeof(self), MSG_NOSIGNAL) < 0 ||
	    recv(control, &go, sizeof(go), 0) != sizeof(go))
		_exit(125);
}

static _Noreturn void spawn_become_stage(const struct plan *plan)
{
	struct stage stage = {.options = plan->options,
			      .program = plan->program,
			      .socket = plan->stage[0],
			      .front = plan->front,
			      .mask = plan->caller->mask,
			      .no_children = plan->caller->no_children};

	/* The other ends, so that end of file means what it says. */
	close(plan->control[0]);
	close(plan->stage[1]);
	spawn_meet_front(plan->control[1]);
	close(plan->control[1]);
	stage_run(&stage);
}

static _Noreturn void spawn_become_parent_of_stage(const struct plan *plan)
{
	pid_t child = fork();

	if (child == 0)
		spawn_become_stage(plan);
	if (child < 0) {
		log_error("the program's process cannot be started: %s", strerror(errno));
		_exit(125);
	}
	spawn_become_supervisor(plan, child);
}

static _Noreturn void spawn_become_guard(const struct plan *plan)
{
	pid_t child;

	guard_prepare();
	child = fork();
	if (child == 0)
		spawn_become_parent_of_stage(plan);
	if (child < 0) {
		log_error("the supervisor's process cannot be started: %s", strerror(errno));
		_exit(125);
	}
	/* Only now: the stage has got the front's group from here. */
	setpgid(0, 0);
	guard_run(child);
}

/* The front's side of what the comment on top says. */
static int spawn_meet_stage(const struct plan *plan, struct spawned *out)
{
	sigset_t pending;

	/* Another length: the supervisor's message that it has failed, and has said why. */
	if (recv(plan->control[0], &out->program, sizeof(out->program), MSG_TRUNC) !=
	    sizeof(out->program))
		return -ECHILD;
	setpgid(out->guard, out->guard);
	sigpending(&pending);
	for (size_t i = 0; i < sizeof(terminal_signals) / sizeof(terminal_signals[0]); i++)
		if (sigismember(&pending, terminal_signals[i]) == 1)
			kill(out->program, terminal_signals[i]);
	return send(plan->control[0], "", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int spawn_tree(const struct options *options, const struct resolved *program,
	       const char *supervisor, const struct spawn_caller *caller, struct spawned *out)
{
	struct plan plan = {options, program, supervisor, caller, {-1, -1}, {-1, -1}, getpid()};
	int min = spawn_own_fd_min();
	int rc = spawn_pair(plan.control, min);

	if (!rc)
		rc = spawn_pair(plan.stage, min);
	if (!rc) {
		out->guard = fork();
		if (out->guard == 0)
			spawn_become_guard(&plan);
		rc = out->guard < 0 ? -errno : 0;
	}
	if (rc) {
		log_error("cannot start: %s", strerror(-rc));
		return rc;
	}
	close(plan.control[1]);
	close(plan.stage[0]);
	close(plan.stage[1]);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	out->control = plan.control[0];
	rc = spawn_meet_stage(&plan, out);
	if (rc) {
		close(plan.control[0]);
		waitpid(out->guard, NULL, 0);
	}
	return rc;
}
