/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch.h"

#include "net/dns_message.h"
#include "net/names.h"
#include "net/relay_place.h"
#include "outbox.h"
#include "policy/decide.h"
#include "policy/explain.h"
#include "request.h"
#include "shared/base/escape.h"
#include "shared/base/fd.h"
#include "shared/base/log.h"
#include "shared/wire/relay.h"
#include "supervisor.h"
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS 10000
#define FINISH_MS 1000
#define ANNOUNCE_MS 100
#define RESOLVERS_MAX 8

struct urlfetch {
	struct supervisor *sup;
	pid_t pid;
	int wire, listener;
	struct outbox outbox;
	atomic_int port; /* 0: it is gone */
	bool asked_dns, may_ask_dns;
};

/* --- starting it --- */

static int listen_on_loopback(int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    listen(fd, SOMAXCONN) == 0 &&
	    getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
		*port = ntohs(address.sin_port);
		return fd;
	}
	fd_close(&fd);
	return -1;
}

static int find_program(char path[PATH_MAX])
{
	static const char name[] = "gae-urlfetch";
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *base;

	if (n < 0)
		return -1;
	path[n] = '\0';
	base = strrchr(path, '/');
	if (!base || (size_t)(base + 1 - path) + sizeof(name) > PATH_MAX)
		return -1;
	memcpy(base + 1, name, sizeof(name));
	return access(path, X_OK);
}

/* In the child, where threads of the parent's may have held any lock: system calls alone. */
static _Noreturn void become_program(const char *path, char *const *argv, int listener, int wire)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0); /* ^C is the program's */
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fcntl(listener, F_SETFD, 0);
	fcntl(wire, F_SETFD, 0);
	execv(path, argv);
	_exit(125);
}

static pid_t spawn(const struct supervisor *sup, const char *path, const char *deadline,
		   int listener, int wire)
{
	char listener_text[16], wire_text[16];
	const char *argv[] = {"gae-urlfetch", "--listen-fd", listener_text, "--supervisor-fd",
			      wire_text,      "--app",       sup->app,      NULL,
			      NULL,           NULL};
	pid_t pid;

	snprintf(listener_text, sizeof(listener_text), "%d", listener);
	snprintf(wire_text, sizeof(wire_text), "%d", wire);
	if (deadline) {
		argv[7] = "--deadline";
		argv[8] = deadline;
	}
	pid = fork();
	/* execv(3) leaves its arguments alone. */
	if (pid == 0)
		become_program(path, (char *const *)(uintptr_t)argv, listener, wire);
	return pid;
}

struct urlfetch *urlfetch_start(struct supervisor *sup, const char *deadline)
{
	struct urlfetch *urlfetch = calloc(1, sizeof(*urlfetch));
	char path[PATH_MAX] = "";
	int ends[2], port = 0;

	if (find_program(path) < 0) {
		log_error("%s: not found; URL Fetch (`http urlfetch`, or `auto` with an app.yaml) "
			  "needs it beside gae-supervisor; GAE_USE_SOCKETS_HTTPLIB does without",
			  path);
		free(urlfetch);
		return NULL;
	}
	if (urlfetch && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0) {
		urlfetch->sup = sup;
		urlfetch->wire = ends[0];
		outbox_init(&urlfetch->outbox, ends[0]);
		urlfetch->listener = listen_on_loopback(&port);
		urlfetch->port = port;
		if (urlfetch->listener >= 0)
			urlfetch->pid = spawn(sup, path, deadline, urlfetch->listener, ends[1]);
		close(ends[1]);
		if (urlfetch->pid > 0)
			return urlfetch;
	}
	log_error("%s cannot be started: %s", path, strerror(errno));
	free(urlfetch);
	return NULL;
}

int urlfetch_await(struct urlfetch *urlfetch)
{
	struct relay_message message;
	struct pollfd wire = {.events = POLLIN};

	if (!urlfetch)
		return 0;
	wire.fd = urlfetch->wire;
	if (poll(&wire, 1, READY_MS) == 1 &&
	    relay_receive(urlfetch->wire, &message, MSG_DONTWAIT) == 1 &&
	    message.type == RELAY_READY)
		return 0;
	log_error("gae-urlfetch did not start");
	return -1;
}

int urlfetch_port(const struct urlfetch *urlfetch)
{
	return urlfetch ? atomic_load(&urlfetch->port) : 0;
}

pid_t urlfetch_pid(const struct urlfetch *urlfetch)
{
	return urlfetch ? urlfetch->pid : 0;
}

/* --- the program's connections to it --- */

bool urlfetch_is_at(const struct urlfetch *urlfetch, const struct net_endpoint *to)
{
	static const uint8_t loopback[] = {127, 0, 0, 1};

	return urlfetch && to->port != 0 && to->port == atomic_load(&urlfetch->port) &&
	       to->addr.family == AF_INET && !memcmp(to->addr.bytes, loopback, 4);
}

int urlfetch_announce(struct urlfetch *urlfetch, int socket, uint64_t cookie)
{
	struct relay_message message = {.type = RELAY_CLIENT, .cookie = cookie};
	struct net_endpoint gateway = {.port = (uint16_t)urlfetch_port(urlfetch)};
	struct pollfd wire = {.fd = urlfetch->wire, .events = POLLOUT};
	struct sock_tuple tuple;
	int rc = sock_tuple_of(socket, &gateway, &tuple);

	if (rc == 0) {
		message.from = relay_place_of(&tuple.local);
		rc = outbox_tell(&urlfetch->outbox, &message);
	}
	/* Many at once, and it is busy: a moment. */
	if (rc == -EAGAIN && poll(&wire, 1, ANNOUNCE_MS) == 1)
		rc = outbox_tell(&urlfetch->outbox, &message);
	return rc < 0 ? -ECONNREFUSED : 0;
}

/* --- its questions --- */

static struct verdict decide(const struct supervisor *sup, enum transport transport,
			     const struct net_endpoint *to)
{
	struct name_view view = {request_ask_names, sup->names};

	return decide_destination(sup->plan, transport, to, sup->names ? &view : NULL);
}

/*
 * May the program itself ask a name server of the system's?  Kept, but what depends on names of the policy.
 * @name: NEEDS_NAME: which must be looked up
 */
static enum verdict_kind may_ask_dns(struct urlfetch *urlfetch, uint32_t *name)
{
	struct net_endpoint server = {.port = 53};
	struct net_addr servers[RESOLVERS_MAX];
	enum verdict_kind kind = VERDICT_DENY;
	bool unsure = false;
	size_t n;

	if (urlfetch->asked_dns)
		return urlfetch->may_ask_dns ? VERDICT_ALLOW : VERDICT_DENY;
	n = names_system_resolvers(NULL, servers, RESOLVERS_MAX);
	for (size_t i = 0; i < n && kind != VERDICT_ALLOW; i++) {
		struct verdict verdict;

		server.addr = servers[i];
		verdict = decide(urlfetch->sup, TRANSPORT_UDP, &server);
		unsure |= verdict.unsure || verdict.kind == VERDICT_NEEDS_NAME;
		if (verdict.kind == VERDICT_DENY)
			continue;
		kind = verdict.kind;
		*name = verdict.name;
	}
	urlfetch->may_ask_dns = kind == VERDICT_ALLOW;
	urlfetch->asked_dns = !unsure;
	return kind;
}

static void wait_for_name(struct urlfetch *urlfetch, struct relay_message *message, uint32_t name,
			  const char *text)
{
	names_start(urlfetch->sup->names, name);
	message->a = RELAY_WAIT;
	snprintf(message->text, sizeof(message->text), "the policy's name %.*s cannot be looked up",
		 NAMES_TEXT_MAX, text);
}

static void trace_refusal(const struct urlfetch *urlfetch, const char *what, const char *why)
{
	char escaped[RELAY_TEXT_MAX + 8], text[2 * RELAY_TEXT_MAX];

	if (!urlfetch->sup->trace)
		return;
	escape_text(escaped, sizeof(escaped), why, strlen(why));
	snprintf(text, sizeof(text), "gae-urlfetch: %s: %s", what, escaped);
	trace_note(urlfetch->sup->trace, text);
}

/* With "reverse-dns deny" the names of addresses are not asked for here either. */
static bool is_denied_reverse(const struct plan *plan, const char *host, char *why, size_t room)
{
	char location[300];

	if (plan->reverse_dns.word != REVERSE_DNS_DENY || !dns_name_is_reverse(host))
		return false;
	plan_location(plan, plan->reverse_dns.loc, location, sizeof(location));
	snprintf(why, room, "refused by the policy: %s: \"reverse-dns deny\"", location);
	return true;
}

/*
 * Looking up a name tells it to whoever serves it.  A name of the policy, or below a wildcard of it,
 * is looked up here first, for its rule; others only if the program itself could ask for them.
 */
static void answer_name(struct urlfetch *urlfetch, struct relay_message *message)
{
	struct supervisor *sup = urlfetch->sup;
	bool listed_only = sup->plan->dns.word == DNS_WORD_LISTED_ONLY;
	char host[RELAY_TEXT_MAX];
	enum verdict_kind may;
	uint32_t name;

	snprintf(host, sizeof(host), "%s", message->text);
	message->text[0] = '\0';
	message->a = 0;
	if (is_denied_reverse(sup->plan, host, message->text, sizeof(message->text))) {
		message->a = EACCES;
		trace_refusal(urlfetch, host, message->text);
		return;
	}
	if (sup->names && names_observe(sup->names, host, &name) == NAMES_STALE) {
		wait_for_name(urlfetch, message, name, host);
		return;
	}
	if (sup->names && names_lists(sup->names, host))
		return;
	may = listed_only ? VERDICT_DENY : may_ask_dns(urlfetch, &name);
	if (may == VERDICT_ALLOW)
		return;
	if (may == VERDICT_NEEDS_NAME && sup->names) {
		wait_for_name(urlfetch, message, name, sup->plan->names[name]);
		return;
	}
	message->a = EACCES;
	snprintf(message->text, sizeof(message->text),
		 "refused by the policy: the name is in no rule%s",
		 listed_only ? ", and \"dns listed-only\""
			     : ", and no rule allows a name server of this system");
	trace_refusal(urlfetch, host, message->text);
}

static void explain(const struct supervisor *sup, const struct verdict *verdict, char *out,
		    size_t room)
{
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (memory) {
		explain_verdict(sup->plan, verdict, memory);
		fclose(memory);
	}
	snprintf(out, room, "refused by the policy: %s", text ? text : "out of memory");
	free(text);
}

static void trace_fetch(const struct urlfetch *urlfetch, const struct net_endpoint *to,
			const char *host, const struct verdict *verdict)
{
	const struct plan *plan = urlfetch->sup->plan;
	char location[300] = "built-in", reason[400];
	const char *because = verdict->rule ? verdict->rule->because : "no rule allows it";
	const char *label = verdict->label != PREFIX_NO_LABEL && verdict->label < plan->n_labels
				? plan->labels[verdict->label].text
				: NULL;
	bool allowed = verdict->kind == VERDICT_ALLOW;
	struct net_addr addr;
	struct trace_record record = {.call = "fetch",
				      .tid = urlfetch->pid,
				      .comm = "gae-urlfetch",
				      .fd = -1,
				      .transport = "tcp",
				      .to = to,
				      .host = net_addr_parse(host, &addr) == 0 ? NULL : host,
				      .decision = allowed ? TRACE_ALLOW : TRACE_DENY,
				      .result = allowed ? 0 : -verdict->error,
				      .location = location};

	if (!urlfetch->sup->trace)
		return;
	if (verdict->rule)
		plan_location(plan, verdict->rule->loc, location, sizeof(location));
	snprintf(reason, sizeof(reason), "%s%s%s%s", because ? because : "", label ? " (" : "",
		 label ? label : "", label ? ")" : "");
	record.reason = because || label ? reason : NULL;
	trace_decided(urlfetch->sup->trace, &record);
}

static struct account_caller its_caller(const struct urlfetch *urlfetch, uint64_t cookie,
					int domain, const char *host)
{
	return (struct account_caller){.pid = urlfetch->pid,
				       .tid = urlfetch->pid,
				       .process = "gae-urlfetch",
				       .host = host,
				       .fd = -1,
				       .cookie = cookie,
				       .domain = domain};
}

/* Allowed by the rules: now by the quotas.  Return: 0 or errno. */
static int count_connect(struct urlfetch *urlfetch, const struct account_caller *caller,
			 const struct net_endpoint *to, struct relay_message *message)
{
	struct account *account = urlfetch->sup->account;
	const struct plan *plan = urlfetch->sup->plan;
	enum quota_kind spent = QUOTA_KINDS;
	enum account_answer answer = account_may_connect(account, caller, &spent);
	char location[300];

	if (answer == ACCOUNT_FINE) {
		account_connected(account, caller, to, NULL, true);
		return 0;
	}
	if (answer == ACCOUNT_SPENT)
		snprintf(message->text, sizeof(message->text), "%s: the quota of %s is used up",
			 plan_location(plan, plan->quotas[spent].loc, location, sizeof(location)),
			 quota_name(spent));
	else
		snprintf(message->text, sizeof(message->text), "too many sockets to account for");
	return answer == ACCOUNT_SPENT ? EDQUOT : ENOBUFS;
}

static void answer_address(struct urlfetch *urlfetch, struct relay_message *message)
{
	struct supervisor *sup = urlfetch->sup;
	struct net_endpoint to = relay_place_endpoint(&message->to);
	char host[RELAY_TEXT_MAX];
	struct account_caller caller = its_caller(urlfetch, message->cookie, to.addr.family, host);
	struct verdict verdict;

	snprintf(host, sizeof(host), "%s", message->text);
	message->text[0] = '\0';
	net_addr_resolve_any(&to.addr);
	verdict = decide(sup, TRANSPORT_TCP, &to);
	if (verdict.kind == VERDICT_NEEDS_NAME && sup->names) {
		wait_for_name(urlfetch, message, verdict.name, sup->plan->names[verdict.name]);
		return;
	}
	account_decided(sup->account, verdict.kind == VERDICT_ALLOW);
	trace_fetch(urlfetch, &to, host, &verdict);
	if (verdict.kind == VERDICT_ALLOW) {
		message->a = count_connect(urlfetch, &caller, &to, message);
		return;
	}
	message->a = verdict.error ? verdict.error : EACCES;
	explain(sup, &verdict, message->text, sizeof(message->text));
	account_denied(sup->account, &caller, TRANSPORT_TCP, &to);
	atomic_fetch_add_explicit(&sup->denials, 1, memory_order_relaxed);
}

static void note_connected(struct urlfetch *urlfetch, const struct relay_message *message)
{
	struct sock_tuple tuple = {relay_place_endpoint(&message->from),
				   relay_place_endpoint(&message->to)};

	account_placed(urlfetch->sup->account, message->cookie, &tuple);
}

static void hear(struct urlfetch *urlfetch, struct relay_message *message)
{
	switch (message->type) {
	case RELAY_ASK_NAME:
		answer_name(urlfetch, message);
		break;
	case RELAY_ASK_ADDRESS:
		answer_address(urlfetch, message);
		break;
	case RELAY_CONNECTED:
		note_connected(urlfetch, message);
		return;
	case RELAY_REFUSED:
		trace_refusal(urlfetch, "refused", message->text);
		return;
	default:
		return;
	}
	message->type = RELAY_ANSWER;
	outbox_answer(&urlfetch->outbox, message);
}

/* Nothing may listen at its port while connects to it are allowed. */
static void lose(struct urlfetch *urlfetch)
{
	log_warn("gae-urlfetch has ended: HTTP through it is refused from now on");
	atomic_store(&urlfetch->port, 0);
	fd_close(&urlfetch->listener);
}

int urlfetch_fd(const struct urlfetch *urlfetch)
{
	return urlfetch ? urlfetch->wire : -1;
}

void urlfetch_run(struct urlfetch *urlfetch)
{
	struct relay_message message;
	int rc;

	if (!urlfetch_port(urlfetch))
		return;
	outbox_flush(&urlfetch->outbox);
	while ((rc = relay_receive(urlfetch->wire, &message, MSG_DONTWAIT)) == 1)
		hear(urlfetch, &message);
	if (rc != -EAGAIN)
		lose(urlfetch);
}

bool urlfetch_owes(struct urlfetch *urlfetch)
{
	return urlfetch_port(urlfetch) && outbox_flush(&urlfetch->outbox);
}

bool urlfetch_owns(const struct urlfetch *urlfetch, const struct account_look *look)
{
	return urlfetch && look->pid == urlfetch->pid;
}

void urlfetch_shut(struct urlfetch *urlfetch, uint64_t cookie, int how)
{
	struct relay_message message = {.type = RELAY_SHUT, .a = how, .cookie = cookie};

	/* Not heard: at the account's next look it is told again. */
	outbox_tell(&urlfetch->outbox, &message);
}

void urlfetch_finish(struct urlfetch *urlfetch)
{
	struct pollfd wire = {.events = POLLIN};
	struct relay_message message;

	if (!urlfetch)
		return;
	atomic_store(&urlfetch->port, 0);
	wire.fd = urlfetch->wire;
	/* It ends at our end of file, and so do its connections, whose last numbers the keeper hears. */
	shutdown(urlfetch->wire, SHUT_WR);
	while (poll(&wire, 1, FINISH_MS) == 1 &&
	       relay_receive(urlfetch->wire, &message, MSG_DONTWAIT) == 1)
		if (message.type == RELAY_CONNECTED)
			note_connected(urlfetch, &message);
	/* It may have been waited for already: then its number is somebody else's. */
	if (waitpid(urlfetch->pid, NULL, WNOHANG) != 0)
		return;
	kill(urlfetch->pid, SIGKILL);
	waitpid(urlfetch->pid, NULL, 0);
}
