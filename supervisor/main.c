/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gae-supervisor: started by gae-run with the launcher stage as its child already.
 * Loads the policy, compiles and checks the filter, shakes hands with the stage and
 * runs the loop until nothing of the program is left.
 */
#include "account.h"
#include "arguments.h"
#include "child.h"
#include "clerk.h"
#include "crew.h"
#include "keeper.h"
#include "ledger/ledger.h"
#include "loop.h"
#include "net/names.h"
#include "policy/filter.h"
#include "policy/policy.h"
#include "quotas.h"
#include "shared/base/fd.h"
#include "shared/base/kernel.h"
#include "shared/base/log.h"
#include "supervisor.h"
#include "trace.h"
#include "urlfetch.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROTECTED_MAX 9

/* Out of the program's reach, and with room for as many waiting calls as the system allows. */
static void guard_self(void)
{
	static const int ignored[] = {SIGPIPE, SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU};
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

static int build_filter(struct supervisor *sup, const struct arguments *arguments, int abi,
			bool local_sockets, struct sock_fprog *program)
{
	int pids[PROTECTED_MAX] = {arguments->front, getppid(), getpid()};
	struct filter_setup setup = {.trace = sup->trace != NULL,
				     .signal_scope = abi >= 6,
				     .protected_pids = pids,
				     .local_sockets = local_sockets};
	struct rlimit files = {0, 0};

	setup.n_protected = 3 + crew_threads(sup->crew, pids + 3, PROTECTED_MAX - 4);
	if (urlfetch_pid(sup->urlfetch))
		pids[setup.n_protected++] = urlfetch_pid(sup->urlfetch);
	if (prlimit(sup->child, RLIMIT_NOFILE, NULL, &files) < 0) {
		log_error("the program's limit on open files cannot be read: %s", strerror(errno));
		return -1;
	}
	setup.window = fd_window_fit(&files);
	sup->window =
	    window_new(&setup.window, sup->plan->unix_sockets.word == UNIX_NONE && !local_sockets);
	if (!sup->window) {
		log_error("cannot start: %s", strerror(errno));
		return -1;
	}
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
	bool local_sockets;

	if (child_meet(child, arguments->stage_fd, &local_sockets) < 0)
		return -1;
	if (build_filter(sup, arguments, abi, local_sockets, &program) < 0 ||
	    (memory = seal(&program)) < 0) {
		child_fail(child);
		return -1;
	}
	if (child_install(child, memory, abi >= 1) < 0)
		return -1;
	if (verify(sup, &program) < 0) {
		child_fail(child);
		return -1;
	}
	free(program.filter);
	if (urlfetch_await(sup->urlfetch) < 0) {
		child_fail(child);
		return -1;
	}
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

/* Beside the ledger, or where it would be. */
static struct quotas *open_quotas(const struct supervisor *sup, const char *ledger,
				  enum day_zone zone)
{
	char path[PATH_MAX], directory[PATH_MAX], error[PATH_MAX + 256];
	struct quotas *quotas;
	bool limited = false;

	for (int i = 0; i < QUOTA_KINDS; i++)
		limited |= sup->plan->quotas[i].per_minute != QUOTA_UNLIMITED ||
			   sup->plan->quotas[i].per_day != QUOTA_UNLIMITED;
	if (!limited || !ledger)
		return quotas_open(NULL, sup->plan->quotas, zone, error, sizeof(error));
	snprintf(directory, sizeof(directory), "%s", ledger);
	quotas = quotas_open(quotas_path(dirname(directory), sup->app, path, sizeof(path)),
			     sup->plan->quotas, zone, error, sizeof(error));
	if (quotas && *error)
		log_warn("%s", error);
	return quotas;
}

static int open_account(struct supervisor *sup, const struct arguments *arguments)
{
	char path[PATH_MAX];
	const char *ledger =
	    arguments->ledger ? arguments->ledger : ledger_default_path(path, sizeof(path));
	struct clerk_config clerk = {.zone = arguments->zone,
				     .metrics = arguments->metrics,
				     .report = arguments->report,
				     .status = true};
	struct account_config config = {
	    .plan = sup->plan, .names = sup->names, .wake = loop_wake_by, .context = sup->loop};

	if (!ledger && !arguments->no_ledger)
		log_warn("neither XDG_STATE_HOME nor HOME says where the ledger is: nothing is "
			 "written down; --ledger PATH says where, --no-ledger that none is wanted");
	clerk.ledger = arguments->no_ledger || !ledger ? NULL : strdup(ledger);
	/* What is wrong with it is said by who uses it. */
	if (ledger)
		fd_make_parents(ledger);
	config.quotas = open_quotas(sup, ledger, arguments->zone);
	sup->account = config.quotas ? account_new(&config) : NULL;
	sup->keeper = sup->account ? keeper_new(sup) : NULL;
	sup->clerk = sup->keeper ? clerk_new(sup, &clerk) : NULL;
	return sup->clerk ? 0 : -1;
}

static int open_urlfetch(struct supervisor *sup, const struct arguments *arguments)
{
	int word = sup->plan->http.word;

	if (word == HTTP_SOCKETS || (word == HTTP_AUTO && !arguments->urlfetch_by_default))
		return 0;
	sup->urlfetch = urlfetch_start(sup, arguments->urlfetch_deadline);
	return sup->urlfetch ? 0 : -1;
}

/* Return: 0, or -1 after an error line. */
static int prepare(struct supervisor *sup, const struct arguments *arguments)
{
	const struct sockopt_rule *segment;

	sup->plan = load_policy(arguments);
	if (!sup->plan || open_urlfetch(sup, arguments) < 0 || open_trace(sup, arguments) < 0)
		return -1;
	segment = plan_sockopt(sup->plan, SOCKOPT_SET, SOL_UDP, UDP_SEGMENT);
	sup->may_segment = segment->action == SOCKOPT_PASS;
	sup->crew = crew_new(sup);
	if (!sup->crew || open_names(sup) < 0 || open_account(sup, arguments) < 0 ||
	    crew_start(sup->crew, 2) < 0) {
		log_error("cannot start: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/* How long news of sockets that end with the program is waited for; the kernel tells at once. */
#define SETTLE_MS 250
/* And of those whose last data nobody has acknowledged yet, in the background. */
#define LINGER_MS 60000
#define FLUSH_MS 2000

/*
 * The program has ended, and the front waits for us.  What the kernel still sends is counted, too,
 * but not waited for.
 */
static void close_account(struct supervisor *sup)
{
	struct child *child = loop_child(sup->loop);
	bool lingering = keeper_settle(sup->keeper, SETTLE_MS) > 0;

	if (!clerk_flush(sup->clerk, FLUSH_MS))
		log_warn("the ledger takes long to write: what this run used may be missing there");
	child_finish(child, lingering);
	if (lingering && child_result(child) == 0) {
		keeper_settle(sup->keeper, LINGER_MS);
		clerk_flush(sup->clerk, FLUSH_MS);
	}
	clerk_close(sup->clerk);
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
	sup.app = arguments.app ? arguments.app : "";
	sup.news_room = arguments.news_room;
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
	urlfetch_finish(sup.urlfetch);
	close_account(&sup);
	trace_close(sup.trace);
	/* The crew's threads may be anywhere: no destructors under their feet. */
	_exit(result);
}
