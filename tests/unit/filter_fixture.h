/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_FILTER_FIXTURE_H
#define TESTS_UNIT_FILTER_FIXTURE_H

#include "policy/bpf.h"
#include "policy/filter.h"
#include "policy/filter_build.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

/* A plan written by hand, and what is compiled from it. */
struct fixture {
	struct sockopt_rule sockopts[64];
	struct plan plan;
	struct filter_setup setup;
	struct filter_spec *spec;
	struct sock_fprog program;
};

static const int fixture_pids[] = {4321, 4322};

static inline void fixture_sockopt(struct fixture *f, int level, int option, unsigned int calls,
				   enum sockopt_action action)
{
	f->sockopts[f->plan.n_sockopts++] = (struct sockopt_rule){.level = level,
								  .option = option,
								  .calls = calls,
								  .action = action,
								  .error = EACCES,
								  .loc = {0, 30, 1}};
}

/* The shape of the shipped policy. */
static inline void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->plan.sockopts = f->sockopts;
	f->plan.listen = (struct statement){LISTEN_DENY, EACCES, {0, 3, 1}};
	f->plan.unix_sockets = (struct statement){UNIX_PAIR, EAFNOSUPPORT, {0, 4, 1}};
	f->plan.netlink = (struct statement){NETLINK_ROUTE_READ, EAFNOSUPPORT, {0, 5, 1}};
	f->setup.protected_pids = fixture_pids;
	f->setup.n_protected = 2;
	fixture_sockopt(f, SOL_SOCKET, SO_KEEPALIVE, SOCKOPT_GET | SOCKOPT_SET, SOCKOPT_MOCK);
	fixture_sockopt(f, SOL_SOCKET, SO_ERROR, SOCKOPT_GET | SOCKOPT_SET, SOCKOPT_PASS);
	fixture_sockopt(f, SOL_SOCKET, SO_TYPE, SOCKOPT_GET, SOCKOPT_PASS);
	fixture_sockopt(f, SOL_SOCKET, SO_BROADCAST, SOCKOPT_GET | SOCKOPT_SET, SOCKOPT_IGNORE);
	fixture_sockopt(f, IPPROTO_TCP, TCP_NODELAY, SOCKOPT_GET | SOCKOPT_SET, SOCKOPT_PASS);
	fixture_sockopt(f, IPPROTO_TCP, SOCKOPT_ANY, SOCKOPT_SET, SOCKOPT_DENY);
	fixture_sockopt(f, IPPROTO_IPV6, IPV6_V6ONLY, SOCKOPT_GET | SOCKOPT_SET, SOCKOPT_PASS);
}

static inline void fixture_compile(struct fixture *f)
{
	f->spec = filter_spec_new(&f->plan, &f->setup);
	cr_assert(not(zero(ptr, f->spec)));
	cr_assert(zero(int, filter_compile(f->spec, &f->program)));
}

static inline void fixture_fini(struct fixture *f)
{
	filter_spec_free(f->spec);
	free(f->program.filter);
}

/* A xorshift generator: seeded, so that a failure happens again. */
static inline uint64_t fixture_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
