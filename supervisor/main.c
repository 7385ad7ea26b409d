/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: readlink prlimit64 memfd_create fcntl landlock_create_ruleset geteuid */
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
#include "dns_gate.h"
#include "keeper.h"
#include "ledger/ledger.h"
#include "loop.h"
#include "net/names.h"
#include "policy/filter_make.h"
#include "policy/policy.h"
#include "porter.h"
#include "quotas.h"
#include "self.h"
#include "shared/base/fd.h"
#include "shared/base/kernel.h"
#include "shared/base/log.h"
#include "supervisor.h"
#include "trace.h"
#include "urlfetch.h"
#include "window.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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
			bool local_sockets, struct sock_fprog *program)
{
	int pids[FILTER_PROTECTED_MAX] = {arguments->front, getppid()};
	struct filter_setup setup = {.trace = sup->trace != NULL,
				     .signal_scope = abi >= 6,
				     .protected_pids = pids,
				     .local_sockets = local_sockets};
	struct rlimit files = {0, 0};
	struct policy_error error;
	char line[sizeof(error.file) + sizeof(error.text) + 32];

	setup.n_protected = 2 + own_threads(pids + 2, FILTER_PROTECTED_MAX - 3);
	if (urlfetch_pid(sup->urlfetch))
		pids[setup.n_protected++] = urlfetch_pid(sup->urlfetch);
	if (prlimit(sup->child, RLIMIT_NOFILE, NULL, &files) < 0) {
		log_error("the program's limit on open files cannot be read: %s", strerror(errno));
		return -1;
	}
	setup.window = fd_window_fit(&files);
	sup->window = window_new(&setup.window,
				 (sup->plan->unix_sockets.word == UNIX_NONE && !local_sockets) ||
				     plan_judges_dns(sup->plan));
	if (!sup->window) {
		log_error("cannot start: %s", strerror(errno));
		return -1;
	}
	if (filter_make(sup->plan, &setup, &sup->spec, program, &error) == 0)
		return 0;
	log_error("%s", policy_error_format(&error, line, sizeof(line)));
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
	int rc;

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
	rc = self_confine();
	if (rc < 0) {
		log_error("the supervisor's own filter cannot be installed: %s", strerror(-rc));
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

static void name_done(void *context, uint32_t name)
{
	struct supervisor *sup = context;

	loop_name_done(sup->loop, name);
}

static void names_in_use(void *context, const struct net_addr *addrs, size_t n, bool *used)
{
	struct supervisor *sup = context;

	account_uses(sup->account, addrs, n, used);
}

static int open_names(struct supervisor *sup)
{
	struct names_config config = {.names = (const char *const *)sup->plan->names,
				      .n_names = sup->plan->n_names,
				      .renew = true,
				      .done = name_done,
				      .in_use = names_in_use,
				      .context = sup};

	if (sup->plan->n_names > 0) {
		sup->names = names_new(&config);
		if (!sup->names)
			return -1;
	}
	sup->dns = dns_gate_new(sup->plan, sup->names);
	return sup->dns || errno == 0 ? 0 : -1;
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
				     .status = true,
				     .flush_ms = arguments->flush_ms ? arguments->flush_ms
								     : CLERK_FLUSH_MS};
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
	/* Before the first thread, for capabilities are a thread's; after the keeper's buffer. */
	if (!sup->keeper || self_drop(sup->plan->bind.word == BIND_ANY) < 0)
		return -1;
	sup->porter = porter_new(sup);
	sup->clerk = sup->porter ? clerk_new(sup, &clerk) : NULL;
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

/* Nobody waits for us any more; what is on offer is claimed, or ends when it has been idle for its time. */
static void stay_for_offers(struct supervisor *sup, size_t offers)
{
	char line[96];

	snprintf(line, sizeof(line), "the program has ended; %zu socket%s on offer: staying for %s",
		 offers, offers == 1 ? " is" : "s are", offers == 1 ? "it" : "them");
	if (sup->trace)
		trace_note(sup->trace, line);
	while (porter_held(sup->porter) > 0) {
		keeper_stay(sup->keeper, porter_wait_fd(sup->porter));
		porter_changed(sup->porter);
	}
	if (sup->trace)
		trace_note(sup->trace, "nothing is on offer any more");
	keeper_settle(sup->keeper, 0);
}

/*
 * The program has ended, and the front waits for us.  What the kernel still sends is counted, too,
 * but not waited for.
 */
static void close_account(struct supervisor *sup)
{
	struct child *child = loop_child(sup->loop);
	bool open = keeper_settle(sup->keeper, SETTLE_MS) > 0;
	size_t offers = porter_held(sup->porter);
	bool stays = open || offers > 0;

	if (!stays)
		clerk_finish(sup->clerk, FLUSH_MS);
	else if (!clerk_flush(sup->clerk, FLUSH_MS))
		log_warn("the ledger takes long to write: what this run used may be missing there");
	child_finish(child, stays);
	if (child_result(child) == 0) {
		if (open && keeper_settle(sup->keeper, LINGER_MS) > 0)
			account_give_up(sup->account, true);
		if (offers > 0)
			stay_for_offers(sup, offers);
	}
	if (stays)
		clerk_finish(sup->clerk, FLUSH_MS);
	porter_close(sup->porter);
	clerk_close(sup->clerk);
}

int main(int argc, char **argv)
{
	struct supervisor sup = {.listener = -1};
	struct arguments arguments;
	int result;

	log_open("gae-run", LOG_WARN);
	self_prepare(CHILD_ORPHANED);
	if (arguments_parse(&arguments, argc, argv) < 0)
		return 125;
	if (arguments.quiet || arguments.verbose > 1)
		log_open("gae-run", arguments.quiet ? LOG_ERROR : LOG_DEBUG);
	fcntl(arguments.control_fd, F_SETFD, FD_CLOEXEC);
	fcntl(arguments.stage_fd, F_SETFD, FD_CLOEXEC);
	sup.front = arguments.front;
	sup.child = arguments.child;
	sup.argv = arguments.argv;
	sup.app = arguments.app ? arguments.app : "";
	sup.news_room = arguments.news_room;
	sup.trace_all = arguments.trace_path || arguments.verbose > 1;
	sup.trace_to_stderr = arguments.trace && !arguments.trace_path;
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
