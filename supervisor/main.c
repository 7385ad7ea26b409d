/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gae-supervisor: started by gae-run with the launcher stage as its child already.
 * Loads the policy, compiles and checks the filter, shakes hands with the stage and
 * runs the loop until nothing of the program is left.
 */
#include "arguments.h"
#include "child.h"
#include "crew.h"
#include "loop.h"
#include "net/names.h"
#include "policy/filter.h"
#include "policy/policy.h"
#include "shared/base/fd.h"
#include "shared/base/kernel.h"
#include "shared/base/log.h"
#include "supervisor.h"
#include "trace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROTECTED_MAX 16

/* Out of the program's reach, and with room for as many waiting calls as the system allows. */
static void guard_self(void)
{
	static const int ignored[] = {SIGPIPE, SIGINT,  SIGQUIT, SIGHUP,
				      SIGTSTP, SIGTTIN, SIGTTOU, SIGIO};
	struct rlimit files;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, CHILD_ORPHANED);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* One arena: memory stays small with several threads. */
	mallopt(M_ARENA_MAX, 1);
}

static struct plan *load_policy(const struct arguments *arguments)
{
	struct policy_error error;
	char exe[PATH_MAX], line[1024];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	struct plan *plan;

	exe[n > 0 ? n : 0] = '\0';
	plan = policy_load(arguments->policies, arguments->n_policies,
			   policy_installed(dirname(exe)), &error);
	if (!plan)
		log_error("%s", policy_error_format(&error, line, sizeof(line)));
	return plan;
}

static int landlock_abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/*
 * Ids of all threads that run by now, ours included, into @out.  A thread can be named
 * where a process is meant: prlimit(2) of one changes the limits of all.
 */
static size_t own_threads(int *out, size_t max)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	size_t n = 0;

	while (tasks && n < max && (entry = readdir(tasks)))
		if (entry->d_name[0] != '.')
			out[n++] = atoi(entry->d_name);
	if (tasks)
		closedir(tasks);
	return n;
}

static int build_filter(struct supervisor *sup, const struct arguments *arguments, int abi,
			struct sock_fprog *program)
{
	int pids[PROTECTED_MAX] = {arguments->front, getppid()};
	struct filter_setup setup = {
	    .trace = sup->trace != NULL, .signal_scope = abi >= 6, .protected_pids = pids};

	setup.n_protected = 2 + own_threads(pids + 2, PROTECTED_MAX - 2);
	sup->spec = filter_spec_new(sup->plan, &setup);
	if (sup->spec && filter_compile(sup->spec, program) == 0)
		return 0;
	log_error("the filter of this policy cannot be built: %s", strerror(errno));
	return -1;
}

/* The filter's bytes, sealed, for the stage.  Return: memfd or -1. */
static int seal(const struct sock_fprog *program)
{
	int memory = memfd_create("gae-run filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memory >= 0 &&
	    fd_write_full(memory, program->filter, program->len * sizeof(*program->filter)) == 0 &&
	    fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
		0)
		return memory;
	log_error("cannot keep the filter in memory: %s", strerror(errno));
	fd_close(&memory);
	return -1;
}

static int verify(const struct supervisor *sup, const struct sock_fprog *program)
{
	struct seccomp_data bad = {0};
	int rc = filter_verify(sup->spec, program, &bad);

	if (rc < 0)
		log_error("the filter is not what the policy says (%s at call %d); not starting: "
			  "please report this with the policy",
			  strerror(-rc), bad.nr);
	return rc < 0 ? -1 : 0;
}

/*
 * The stage installs the filter while we still check it: the program is started by
 * child_go(), and there is none before the check has passed.
 */
static int start(struct supervisor *sup, const struct arguments *arguments, int abi)
{
	struct child *child = loop_child(sup->loop);
	struct sock_fprog program = {0};
	CLEANUP_FD int memory = -1;

	if (build_filter(sup, arguments, abi, &program) < 0 || (memory = seal(&program)) < 0) {
		child_fail(child);
		return -1;
	}
	if (child_install(child, arguments->stage_fd, memory, abi >= 1) < 0)
		return -1;
	if (verify(sup, &program) < 0) {
		child_fail(child);
		return -1;
	}
	free(program.filter);
	return child_go(child);
}

static int open_trace(struct supervisor *sup, const struct arguments *arguments)
{
	struct trace_config config = {.path = arguments->trace_path,
				      .format = arguments->trace_format,
				      .app = arguments->app};

	if (!arguments->trace)
		return 0;
	sup->trace = trace_open(&config);
	if (!sup->trace)
		log_error("cannot write the trace to %s: %s",
			  arguments->trace_path ? arguments->trace_path : "standard error",
			  strerror(errno));
	return sup->trace ? 0 : -1;
}

static int open_names(struct supervisor *sup)
{
	struct names_config config = {.names = (const char *const *)sup->plan->names,
				      .n_names = sup->plan->n_names,
				      .done = loop_name_done,
				      .context = sup->loop};

	if (sup->plan->n_names == 0)
		return 0;
	sup->names = names_new(&config);
	return sup->names ? 0 : -1;
}

/* Return: 0, or -1 after an error line. */
static int prepare(struct supervisor *sup, const struct arguments *arguments)
{
	sup->plan = load_policy(arguments);
	if (!sup->plan || open_trace(sup, arguments) < 0)
		return -1;
	sup->crew = crew_new(sup);
	if (!sup->crew || crew_start(sup->crew, 2) < 0 || open_names(sup) < 0) {
		log_error("cannot start: %s", strerror(errno));
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct supervisor sup = {.listener = -1};
	struct arguments arguments;
	int result;

	log_open("gae-run", LOG_WARN);
	guard_self();
	if (arguments_parse(&arguments, argc, argv) < 0)
		return 125;
	if (arguments.verbose > 1)
		log_open("gae-run", LOG_DEBUG);
	fcntl(arguments.control_fd, F_SETFD, FD_CLOEXEC);
	fcntl(arguments.stage_fd, F_SETFD, FD_CLOEXEC);
	sup.front = arguments.front;
	sup.child = arguments.child;
	sup.argv = arguments.argv;
	sup.trace_all = arguments.trace_path || arguments.verbose > 1;
	sup.hints = !arguments.quiet && !arguments.trace && isatty(STDERR_FILENO);
	sup.loop = loop_new(&sup, arguments.control_fd);
	if (!sup.loop) {
		log_error("cannot start the event loop: %s", strerror(errno));
		return 125;
	}
	if (prepare(&sup, &arguments) < 0) {
		child_fail(loop_child(sup.loop));
		return 125;
	}
	if (start(&sup, &arguments, landlock_abi()) < 0)
		return 125;
	result = loop_run(sup.loop);
	trace_close(sup.trace);
	/* The crew's threads may be anywhere: no destructors under their feet. */
	_exit(result);
}
