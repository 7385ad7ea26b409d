/* SPDX-License-Identifier: Apache-2.0 */
/* The table of calls, and what those on sockets and descriptors give; calls_guard.c has the others. */
#include "policy/calls_inner.h"
#include "shared/gae_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

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

void clauses_read(struct filter_builder *b)
{
	inside_window(b, 0);
}

void clauses_readv(struct filter_builder *b)
{
	inside_window(b, 0);
}

/* With position -1 it is readv(2); pread64 and preadv do nothing on a socket but ESPIPE. */
void clauses_preadv2(struct filter_builder *b)
{
	inside_window(b, 0);
}

void clauses_recvfrom(struct filter_builder *b)
{
	inside_window(b, 0);
}

void clauses_recvmsg(struct filter_builder *b)
{
	inside_window(b, 0);
}

void clauses_recvmmsg(struct filter_builder *b)
{
	inside_window(b, 0);
}

void clauses_write(struct filter_builder *b)
{
	inside_window(b, 0);
}

void clauses_writev(struct filter_builder *b)
{
	inside_window(b, 0);
}

/* With position -1 it is writev(2); pwrite64 and pwritev do nothing on a socket but ESPIPE. */
void clauses_pwritev2(struct filter_builder *b)
{
	inside_window(b, 0);
}

void clauses_sendfile(struct filter_builder *b)
{
	inside_window(b, 0);
}

void clauses_splice(struct filter_builder *b)
{
	inside_window(b, 2);
}

void clauses_dup(struct filter_builder *b)
{
	inside_window(b, 0);
}

void clauses_dup2(struct filter_builder *b)
{
	inside_window(b, 0);
}

void clauses_dup3(struct filter_builder *b)
{
	inside_window(b, 0);
}

void clauses_fcntl(struct filter_builder *b)
{
	window_clauses(b, 0, CONDS(EQ(1, F_DUPFD)), NULL, 0);
	window_clauses(b, 0, CONDS(EQ(1, F_DUPFD_CLOEXEC)), NULL, 0);
	/*
	 * The owner of a file (F_SETOWN, F_SETOWN_EX, FIOSETOWN, leases, dnotify) may be any process,
	 * and is named in memory; with a signal of choice it would be kill(2).  Without one it is
	 * SIGIO or SIGURG, which the supervisor, the guard and the front survive.
	 */
	if (!b->setup->signal_scope)
		refuse_if(b, CONDS(EQ(1, F_SETSIG)), EPERM, "not available without Landlock");
	allow_rest(b);
}

void clauses_io_setup(struct filter_builder *b)
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

void clauses_socket(struct filter_builder *b)
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

void clauses_socketpair(struct filter_builder *b)
{
	const struct statement *unix_sockets = &b->plan->unix_sockets;

	if (unix_sockets->word != UNIX_NONE)
		allow_if(b, CONDS(EQ(0, AF_UNIX)), unix_sockets->loc);
	else
		filter_builder_add(b, CONDS(EQ(0, AF_UNIX)), refuse(EAFNOSUPPORT),
				   unix_sockets->loc, "Unix sockets are not available");
	refuse_rest(b, EAFNOSUPPORT, "socket pairs are available for AF_UNIX only");
}

void clauses_connect(struct filter_builder *b)
{
	notify_rest(b);
}

void clauses_bind(struct filter_builder *b)
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

void clauses_sendmsg(struct filter_builder *b)
{
	message_clauses(b, 2);
}

void clauses_sendmmsg(struct filter_builder *b)
{
	message_clauses(b, 3);
}

void clauses_sendto(struct filter_builder *b)
{
	window_clauses(b, 0, NULL, 0, CONDS(ZERO(4), MASKED(3, MSG_FASTOPEN, 0)));
	allow_if(b, CONDS(ZERO(4), MASKED(3, MSG_FASTOPEN, 0)), builtin);
	notify_rest(b);
}

void clauses_listen(struct filter_builder *b)
{
	const struct statement *s = &b->plan->listen;

	if (s->word == LISTEN_ALLOW)
		allow_if(b, NULL, 0, s->loc);
	else
		filter_builder_add(b, NULL, 0, refuse(s->error ? s->error : EACCES), s->loc,
				   "listening is not available");
}

void clauses_accept(struct filter_builder *b)
{
	clauses_listen(b);
}

void clauses_accept4(struct filter_builder *b)
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

/* Where it passes, the supervisor sets it, and notes what had been sent by then: account_note(). */
static void linger_clause(struct filter_builder *b)
{
	const struct sockopt_rule *rule = plan_sockopt(b->plan, SOCKOPT_SET, SOL_SOCKET, SO_LINGER);
	struct filter_action action = {.kind = FILTER_NOTIFY, .error = 0};

	if (rule->action == SOCKOPT_PASS)
		filter_builder_add(b, CONDS(EQ(1, SOL_SOCKET), EQ(2, SO_LINGER)), action, rule->loc,
				   NULL);
}

void clauses_setsockopt(struct filter_builder *b)
{
	descriptor_clause(b);
	linger_clause(b);
	for (size_t i = 0; i < sizeof(reaiming) / sizeof(reaiming[0]); i++)
		refuse_if(b, CONDS(EQ(1, reaiming[i].level), EQ(2, reaiming[i].option)), EACCES,
			  "this option would let an allowed address stand for another host");
	sockopt_clauses(b, SOCKOPT_SET);
}

void clauses_getsockopt(struct filter_builder *b)
{
	descriptor_clause(b);
	sockopt_clauses(b, SOCKOPT_GET);
}

/* --- the table --- */

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
