/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/filter_build.h"
#include "shared/gae_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/ptrace.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/*
 * What each call gives, as clauses: clauses_NAME for every row of calls.def.
 * An argument that the kernel takes as int is tested by its low 32 bits, since
 * the kernel ignores what the program leaves in the upper half.
 */
#ifndef __NR_epoll_create
#define __NR_epoll_create (-1) /* aarch64 */
#endif

/* linux/ioprio.h, which C libraries do not carry along. */
enum { WHO_PROCESS = 1, WHO_PGRP = 2, WHO_USER = 3 };

#define CONDS(...)                                                                                 \
	(const struct filter_cond[]){__VA_ARGS__},                                                 \
	    sizeof((const struct filter_cond[]){__VA_ARGS__}) / sizeof(struct filter_cond)
#define EQ(n, v)                                                                                   \
	{                                                                                          \
		.arg = (n), .op = FILTER_EQ32, .value = (uint32_t)(v)                              \
	}
#define MASKED(n, m, v)                                                                            \
	{                                                                                          \
		.arg = (n), .op = FILTER_MASK32, .mask = (uint32_t)(m), .value = (uint32_t)(v)     \
	}
#define ANY_OF(n, m)                                                                               \
	{                                                                                          \
		.arg = (n), .op = FILTER_ANY32, .mask = (uint32_t)(m)                              \
	}
#define ZERO(n)                                                                                    \
	{                                                                                          \
		.arg = (n), .op = FILTER_ZERO64                                                    \
	}

static const struct source_loc builtin = {.file = PLAN_BUILTIN};

static struct filter_action refuse(int error)
{
	return (struct filter_action){.kind = FILTER_ERRNO, .error = (uint16_t)error};
}

static void allow_if(struct filter_builder *b, const struct filter_cond *conds, size_t n,
		     struct source_loc loc)
{
	filter_builder_add(b, conds, n, (struct filter_action){.kind = FILTER_ALLOW, .error = 0},
			   loc, NULL);
}

static void refuse_if(struct filter_builder *b, const struct filter_cond *conds, size_t n,
		      int error, const char *why)
{
	filter_builder_add(b, conds, n, refuse(error), builtin, why);
}

static void allow_rest(struct filter_builder *b)
{
	allow_if(b, NULL, 0, builtin);
}

static void refuse_rest(struct filter_builder *b, int error, const char *why)
{
	refuse_if(b, NULL, 0, error, why);
}

static void notify_rest(struct filter_builder *b)
{
	filter_builder_add(b, NULL, 0, (struct filter_action){.kind = FILTER_NOTIFY, .error = 0},
			   builtin, NULL);
}

/* --- the UDP window --- */

#define GE(n, v)                                                                                   \
	{                                                                                          \
		.arg = (n), .op = FILTER_GE32, .value = (v)                                        \
	}

static void clause_from(struct filter_builder *b, const struct filter_cond *conds, size_t n,
			uint8_t arg, uint32_t first, enum filter_kind kind)
{
	struct filter_cond all[FILTER_CONDS_MAX];

	for (size_t i = 0; i < n; i++)
		all[i] = conds[i];
	all[n] = (struct filter_cond)GE(arg, first);
	filter_builder_add(b, all, n + 1, (struct filter_action){.kind = kind, .error = 0}, builtin,
			   NULL);
}

/*
 * Inside the window argument @arg, a descriptor, is the supervisor's; above it and between its
 * ranges the call is allowed where @outside holds.  What lies below is for the clauses that
 * follow: most descriptors do, and they pass one test after the other, so those are few.
 * @both: holds for all of it.
 */
static void window_clauses(struct filter_builder *b, uint8_t arg, const struct filter_cond *both,
			   size_t n_both, const struct filter_cond *outside, size_t n_outside)
{
	const struct fd_window *window = &b->setup->window;
	struct filter_cond free_of_it[FILTER_CONDS_MAX];
	size_t n = 0;

	if (window->low == window->low_end)
		return;
	for (size_t i = 0; i < n_both; i++)
		free_of_it[n++] = both[i];
	for (size_t i = 0; i < n_outside; i++)
		free_of_it[n++] = outside[i];
	clause_from(b, free_of_it, n, arg, window->high_end, FILTER_ALLOW);
	if (window->high < window->high_end)
		clause_from(b, both, n_both, arg, window->high, FILTER_NOTIFY);
	if (window->low_end < window->high)
		clause_from(b, free_of_it, n, arg, window->low_end, FILTER_ALLOW);
	clause_from(b, both, n_both, arg, window->low, FILTER_NOTIFY);
}

static void inside_window(struct filter_builder *b, uint8_t arg)
{
	window_clauses(b, arg, NULL, 0, NULL, 0);
	allow_rest(b);
}

static void clauses_read(struct filter_builder *b)
{
	inside_window(b, 0);
}

static void clauses_readv(struct filter_builder *b)
{
	inside_window(b, 0);
}

/* With position -1 it is readv(2); pread64 and preadv do nothing on a socket but ESPIPE. */
static void clauses_preadv2(struct filter_builder *b)
{
	inside_window(b, 0);
}

static void clauses_recvfrom(struct filter_builder *b)
{
	inside_window(b, 0);
}

static void clauses_recvmsg(struct filter_builder *b)
{
	inside_window(b, 0);
}

static void clauses_recvmmsg(struct filter_builder *b)
{
	inside_window(b, 0);
}

static void clauses_write(struct filter_builder *b)
{
	inside_window(b, 0);
}

static void clauses_writev(struct filter_builder *b)
{
	inside_window(b, 0);
}

/* With position -1 it is writev(2); pwrite64 and pwritev do nothing on a socket but ESPIPE. */
static void clauses_pwritev2(struct filter_builder *b)
{
	inside_window(b, 0);
}

static void clauses_sendfile(struct filter_builder *b)
{
	inside_window(b, 0);
}

static void clauses_splice(struct filter_builder *b)
{
	inside_window(b, 2);
}

static void clauses_dup(struct filter_builder *b)
{
	inside_window(b, 0);
}

static void clauses_dup2(struct filter_builder *b)
{
	inside_window(b, 0);
}

static void clauses_dup3(struct filter_builder *b)
{
	inside_window(b, 0);
}

static void clauses_fcntl(struct filter_builder *b)
{
	window_clauses(b, 0, CONDS(EQ(1, F_DUPFD)), NULL, 0);
	window_clauses(b, 0, CONDS(EQ(1, F_DUPFD_CLOEXEC)), NULL, 0);
	/* The owner of a file (F_SETOWN) may be any process; with a signal of choice it would be kill(2). */
	if (!b->setup->signal_scope)
		refuse_if(b, CONDS(EQ(1, F_SETSIG)), EPERM, "not available without Landlock");
	allow_rest(b);
}

static void clauses_io_setup(struct filter_builder *b)
{
	refuse_rest(b, ENOSYS, "kernel AIO is not available: its writes pass no filter");
}

/* --- sockets --- */

/* TCP is the kernel's to make, UDP the supervisor's: it chooses the number. */
static void inet_clauses(struct filter_builder *b, int domain, int type, int protocol)
{
	const uint32_t type_mask = ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC);
	const int protocols[] = {0, protocol};
	struct filter_action action = {.kind = type == SOCK_DGRAM ? FILTER_NOTIFY : FILTER_ALLOW,
				       .error = 0};

	for (int i = 0; i < 2; i++)
		filter_builder_add(
		    b, CONDS(EQ(0, domain), MASKED(1, type_mask, type), EQ(2, protocols[i])),
		    action, builtin, NULL);
}

static void netlink_clauses(struct filter_builder *b)
{
	const struct statement *netlink = &b->plan->netlink;

	if (netlink->word == NETLINK_ROUTE_READ) {
		allow_if(b, CONDS(EQ(0, AF_NETLINK), EQ(2, NETLINK_ROUTE)), netlink->loc);
		filter_builder_add(b, CONDS(EQ(0, AF_NETLINK)), refuse(EPROTONOSUPPORT),
				   netlink->loc, "of netlink only NETLINK_ROUTE is available");
	} else {
		filter_builder_add(b, CONDS(EQ(0, AF_NETLINK)), refuse(EAFNOSUPPORT), netlink->loc,
				   "netlink is not available");
	}
}

static void clauses_socket(struct filter_builder *b)
{
	const struct statement *unix_sockets = &b->plan->unix_sockets;

	for (int i = 0; i < 2; i++) {
		int domain = i ? AF_INET6 : AF_INET;

		inet_clauses(b, domain, SOCK_STREAM, IPPROTO_TCP);
		inet_clauses(b, domain, SOCK_DGRAM, IPPROTO_UDP);
		refuse_if(b, CONDS(EQ(0, domain)), EPROTONOSUPPORT,
			  "only TCP and UDP sockets are available");
	}
	if (unix_sockets->word == UNIX_ALLOW)
		allow_if(b, CONDS(EQ(0, AF_UNIX)), unix_sockets->loc);
	else
		filter_builder_add(b, CONDS(EQ(0, AF_UNIX)), refuse(EAFNOSUPPORT),
				   unix_sockets->loc, "Unix sockets are not available");
	netlink_clauses(b);
	refuse_rest(b, EAFNOSUPPORT, "this address family is not available");
}

static void clauses_socketpair(struct filter_builder *b)
{
	const struct statement *unix_sockets = &b->plan->unix_sockets;

	if (unix_sockets->word != UNIX_NONE)
		allow_if(b, CONDS(EQ(0, AF_UNIX)), unix_sockets->loc);
	else
		filter_builder_add(b, CONDS(EQ(0, AF_UNIX)), refuse(EAFNOSUPPORT),
				   unix_sockets->loc, "Unix sockets are not available");
	refuse_rest(b, EAFNOSUPPORT, "socket pairs are available for AF_UNIX only");
}

static void clauses_connect(struct filter_builder *b)
{
	notify_rest(b);
}

static void clauses_bind(struct filter_builder *b)
{
	notify_rest(b);
}

/*
 * Outside the window there is no UDP socket; TCP looks at a message's address for a fast open only.
 * Where local sockets exist, though, their descriptors look the same, and a message of theirs
 * could carry a UDP socket out of the window.
 */
static void message_clauses(struct filter_builder *b, uint8_t flags)
{
	const struct fd_window *window = &b->setup->window;

	if (b->plan->unix_sockets.word == UNIX_NONE && !b->setup->local_sockets &&
	    window->low < window->low_end) {
		window_clauses(b, 0, NULL, 0, CONDS(MASKED(flags, MSG_FASTOPEN, 0)));
		allow_if(b, CONDS(MASKED(flags, MSG_FASTOPEN, 0)), builtin);
	}
	notify_rest(b);
}

static void clauses_sendmsg(struct filter_builder *b)
{
	message_clauses(b, 2);
}

static void clauses_sendmmsg(struct filter_builder *b)
{
	message_clauses(b, 3);
}

static void clauses_sendto(struct filter_builder *b)
{
	window_clauses(b, 0, NULL, 0, CONDS(ZERO(4), MASKED(3, MSG_FASTOPEN, 0)));
	allow_if(b, CONDS(ZERO(4), MASKED(3, MSG_FASTOPEN, 0)), builtin);
	notify_rest(b);
}

static void clauses_listen(struct filter_builder *b)
{
	const struct statement *s = &b->plan->listen;

	if (s->word == LISTEN_ALLOW)
		allow_if(b, NULL, 0, s->loc);
	else
		filter_builder_add(b, NULL, 0, refuse(s->error ? s->error : EACCES), s->loc,
				   "listening is not available");
}

static void clauses_accept(struct filter_builder *b)
{
	clauses_listen(b);
}

static void clauses_accept4(struct filter_builder *b)
{
	clauses_listen(b);
}

/* --- socket options --- */

/*
 * Options that let an allowed address stand for another host or another source,
 * refused whatever the policy says: source routes and extension headers carry
 * addresses that no rule sees, TCP_REPAIR makes connections out of nothing.
 */
static const struct {
	int level, option;
} reaiming[] = {
    {IPPROTO_IP, IP_OPTIONS},
    {IPPROTO_IP, IP_HDRINCL},
    {IPPROTO_IP, IP_TRANSPARENT},
    {IPPROTO_IPV6, IPV6_2292HOPOPTS},
    {IPPROTO_IPV6, IPV6_2292DSTOPTS},
    {IPPROTO_IPV6, IPV6_2292RTHDR},
    {IPPROTO_IPV6, IPV6_2292PKTOPTIONS},
    {IPPROTO_IPV6, IPV6_HOPOPTS},
    {IPPROTO_IPV6, IPV6_RTHDRDSTOPTS},
    {IPPROTO_IPV6, IPV6_RTHDR},
    {IPPROTO_IPV6, IPV6_DSTOPTS},
    {IPPROTO_IPV6, IPV6_TRANSPARENT},
    {IPPROTO_TCP, TCP_REPAIR},
    {IPPROTO_IPV6, IPV6_ADDRFORM}, /* turns the socket into one of another family */
};

static struct filter_action sockopt_answer(const struct sockopt_rule *rule, unsigned int call)
{
	switch (rule->action) {
	case SOCKOPT_PASS:
		return (struct filter_action){.kind = FILTER_ALLOW, .error = 0};
	case SOCKOPT_IGNORE:
		return call == SOCKOPT_SET
			   ? refuse(0)
			   : (struct filter_action){.kind = FILTER_ALLOW, .error = 0};
	case SOCKOPT_MOCK:
		return call == SOCKOPT_SET
			   ? refuse(0)
			   : (struct filter_action){.kind = FILTER_NOTIFY, .error = 0};
	case SOCKOPT_DENY:
		break;
	}
	return refuse(rule->error ? rule->error : EACCES);
}

static const char *sockopt_why(const struct sockopt_rule *rule)
{
	switch (rule->action) {
	case SOCKOPT_PASS:
		return NULL;
	case SOCKOPT_IGNORE:
		return "accepted and ignored";
	case SOCKOPT_MOCK:
		return "answered with a fixed value";
	case SOCKOPT_DENY:
		break;
	}
	return "this socket option is not available";
}

static void sockopt_clauses(struct filter_builder *b, unsigned int call)
{
	for (size_t i = 0; i < b->plan->n_sockopts; i++) {
		const struct sockopt_rule *rule = &b->plan->sockopts[i];
		struct filter_cond conds[2];
		size_t n = 0;

		if (!(rule->calls & call))
			continue;
		if (rule->level != SOCKOPT_ANY)
			conds[n++] = (struct filter_cond)EQ(1, rule->level);
		if (rule->option != SOCKOPT_ANY)
			conds[n++] = (struct filter_cond)EQ(2, rule->option);
		filter_builder_add(b, conds, n, sockopt_answer(rule, call), rule->loc,
				   sockopt_why(rule));
	}
	refuse_rest(b, EACCES, "no rule allows this socket option");
}

/* Handing sockets over: by its own statement, whatever the rules for options say. */
static void descriptor_clause(struct filter_builder *b)
{
	const struct statement *s = &b->plan->descriptors;
	struct filter_action action = {.kind = FILTER_NOTIFY, .error = 0};

	if (s->word == DESCRIPTORS_DENY)
		action = refuse(s->error ? s->error : EACCES);
	filter_builder_add(b, CONDS(EQ(1, SOL_GAE), EQ(2, GAE_DESCRIPTOR)), action, s->loc,
			   "descriptors are not handed over");
}

static void clauses_setsockopt(struct filter_builder *b)
{
	descriptor_clause(b);
	for (size_t i = 0; i < sizeof(reaiming) / sizeof(reaiming[0]); i++)
		refuse_if(b, CONDS(EQ(1, reaiming[i].level), EQ(2, reaiming[i].option)), EACCES,
			  "this option would let an allowed address stand for another host");
	sockopt_clauses(b, SOCKOPT_SET);
}

static void clauses_getsockopt(struct filter_builder *b)
{
	descriptor_clause(b);
	sockopt_clauses(b, SOCKOPT_GET);
}

/* --- ways around the filter --- */

static void clauses_io_uring_setup(struct filter_builder *b)
{
	refuse_rest(b, ENOSYS, "io_uring is not available: its operations pass no filter");
}

static void clauses_io_uring_enter(struct filter_builder *b)
{
	clauses_io_uring_setup(b);
}

static void clauses_io_uring_register(struct filter_builder *b)
{
	clauses_io_uring_setup(b);
}

static void clauses_epoll_create1(struct filter_builder *b)
{
	const struct statement *s = &b->plan->async;

	if (s->word == ASYNC_ALLOW)
		allow_if(b, NULL, 0, s->loc);
	else
		filter_builder_add(b, NULL, 0, refuse(s->error ? s->error : ENOSYS), s->loc,
				   "epoll is not available");
}

static void clauses_epoll_create(struct filter_builder *b)
{
	clauses_epoll_create1(b);
}

static void clauses_seccomp(struct filter_builder *b)
{
	refuse_if(
	    b, CONDS(EQ(0, SECCOMP_SET_MODE_FILTER), ANY_OF(1, SECCOMP_FILTER_FLAG_NEW_LISTENER)),
	    EBUSY, "a second listener would answer the program's own calls");
	allow_rest(b);
}

static void clauses_prctl(struct filter_builder *b)
{
	/* A program that is not dumpable hides its memory from the supervisor, which then could answer nothing. */
	refuse_if(b, CONDS(EQ(0, PR_SET_DUMPABLE), ZERO(1)), 0, "answered as done, not done");
	allow_rest(b);
}

static void clauses_pidfd_getfd(struct filter_builder *b)
{
	refuse_rest(b, EPERM, "descriptors of other processes are not available");
}

/* Landlock keeps a program from tracing what is outside its domain; the two calls below need the filter only without it. */
static void clauses_ptrace(struct filter_builder *b)
{
	if (!b->setup->signal_scope) {
		refuse_if(b, CONDS(EQ(0, PTRACE_ATTACH)), EPERM,
			  "attaching is not available without Landlock");
		refuse_if(b, CONDS(EQ(0, PTRACE_SEIZE)), EPERM,
			  "attaching is not available without Landlock");
	}
	allow_rest(b);
}

static void clauses_process_vm_writev(struct filter_builder *b)
{
	if (!b->setup->signal_scope)
		refuse_rest(b, EPERM, "not available without Landlock");
	allow_rest(b);
}

static void clauses_clone(struct filter_builder *b)
{
	refuse_if(b, CONDS(ANY_OF(0, CLONE_NEWNET)), EPERM,
		  "a network namespace would hide its sockets");
	allow_rest(b);
}

static void clauses_unshare(struct filter_builder *b)
{
	clauses_clone(b);
}

static void clauses_clone3(struct filter_builder *b)
{
	struct filter_action unknown = {.kind = FILTER_ERRNO, .error = ENOSYS, .untraced = true};

	filter_builder_add(b, NULL, 0, unknown, builtin,
			   "its flags lie in memory; libraries fall back to clone");
}

static void clauses_setns(struct filter_builder *b)
{
	refuse_rest(b, EPERM, "other namespaces are not available");
}

static void clauses_bpf(struct filter_builder *b)
{
	refuse_rest(b, EPERM, "bpf is not available");
}

static void clauses_ioctl(struct filter_builder *b)
{
	refuse_if(b, CONDS(EQ(1, TIOCSTI)), EPERM, "would type into the caller's terminal");
	refuse_if(b, CONDS(EQ(1, TIOCLINUX)), EPERM, "would type into the caller's terminal");
	/* A tap device that exists and has no owner, or this user for one, takes any frame from anybody. */
	refuse_if(b, CONDS(EQ(1, TUNSETIFF)), EPERM, "a network tunnel carries any packet");
	allow_rest(b);
}

/* security/keys/request_key.c: without callout information only keys that exist are found. */
static void clauses_request_key(struct filter_builder *b)
{
	allow_if(b, CONDS(ZERO(2)), builtin);
	refuse_rest(b, EPERM, "the kernel would start a helper outside");
}

/* --- the supervisor and the front as targets --- */

static const char supervisor_why[] = "the supervisor is out of reach";

static void protect(struct filter_builder *b, uint8_t arg)
{
	for (size_t i = 0; i < b->setup->n_protected; i++)
		refuse_if(b, CONDS(EQ(arg, b->setup->protected_pids[i])), EPERM, supervisor_why);
}

/* For setpriority and ioprio_set: argument 0 says what argument 1 is. */
static void protect_who(struct filter_builder *b, int process, int group, int user)
{
	const int kinds[] = {process, group};

	refuse_if(b, CONDS(EQ(0, user)), EPERM, supervisor_why);
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < b->setup->n_protected; i++)
			refuse_if(b, CONDS(EQ(0, kinds[k]), EQ(1, b->setup->protected_pids[i])),
				  EPERM, supervisor_why);
	allow_rest(b);
}

static void clauses_kill(struct filter_builder *b)
{
	if (!b->setup->signal_scope) {
		refuse_if(b, CONDS(EQ(0, -1)), EPERM, "would reach the supervisor");
		for (size_t i = 0; i < b->setup->n_protected; i++)
			refuse_if(b, CONDS(EQ(0, -b->setup->protected_pids[i])), EPERM,
				  supervisor_why);
		protect(b, 0);
	}
	allow_rest(b);
}

static void clauses_tkill(struct filter_builder *b)
{
	if (!b->setup->signal_scope)
		protect(b, 0);
	allow_rest(b);
}

static void clauses_tgkill(struct filter_builder *b)
{
	if (!b->setup->signal_scope) {
		protect(b, 0);
		protect(b, 1);
	}
	allow_rest(b);
}

static void clauses_rt_sigqueueinfo(struct filter_builder *b)
{
	clauses_tkill(b);
}

static void clauses_rt_tgsigqueueinfo(struct filter_builder *b)
{
	clauses_tgkill(b);
}

static void clauses_pidfd_open(struct filter_builder *b)
{
	clauses_tkill(b);
}

/* A directory of /proc is a pidfd to it, and names nobody in a register. */
static void clauses_pidfd_send_signal(struct filter_builder *b)
{
	if (!b->setup->signal_scope)
		refuse_rest(b, ENOSYS, "not available without Landlock");
	allow_rest(b);
}

/*
 * The kernel sends the signal of an asynchronous file to its owner (F_SETOWN, F_SETOWN_EX,
 * FIOSETOWN, leases, dnotify), who is named in memory.  Unless F_SETSIG chose another
 * it is SIGIO or SIGURG, which the supervisor, the guard and the front survive.
 */
/* Landlock does not cover what follows: it could still starve the supervisor. */
static void clauses_prlimit64(struct filter_builder *b)
{
	protect(b, 0);
	allow_rest(b);
}

static void clauses_setpriority(struct filter_builder *b)
{
	protect_who(b, PRIO_PROCESS, PRIO_PGRP, PRIO_USER);
}

/* Who is in a group may name it 0.  The first protected one is the front, whose group is the program's. */
static void clauses_setpgid(struct filter_builder *b)
{
	for (size_t i = 1; i < b->setup->n_protected; i++)
		refuse_if(b, CONDS(EQ(1, b->setup->protected_pids[i])), EPERM, supervisor_why);
	allow_rest(b);
}

static void clauses_ioprio_set(struct filter_builder *b)
{
	protect_who(b, WHO_PROCESS, WHO_PGRP, WHO_USER);
}

static void clauses_sched_setaffinity(struct filter_builder *b)
{
	clauses_prlimit64(b);
}

static void clauses_sched_setscheduler(struct filter_builder *b)
{
	clauses_prlimit64(b);
}

static void clauses_sched_setparam(struct filter_builder *b)
{
	clauses_prlimit64(b);
}

static void clauses_sched_setattr(struct filter_builder *b)
{
	clauses_prlimit64(b);
}

const struct filter_call *filter_calls(size_t *n)
{
	static const struct filter_call calls[] = {
#define CALL(name, handler, documentation) {__NR_##name, #name, clauses_##name},
#include "policy/calls.def"
#undef CALL
	};

	*n = sizeof(calls) / sizeof(calls[0]);
	return calls;
}
