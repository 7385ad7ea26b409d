/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_FLOWS_H
#define SUPERVISOR_FLOWS_H

#include "ledger/usage.h"
#include "net/addr.h"
#include "policy/plan.h"

#include <stddef.h>
#include <sys/types.h>

/*
 * What went to one destination from one process.  Bounded: a program that sends to a million
 * addresses gets FLOWS_MAX of them one by one, and all others in one sum.
 */
#define FLOWS_MAX 16384u
#define FLOWS_BUCKETS 4096u

struct flow {
	struct flow *next, *later; /* in its bucket; in the order of their making */
	pid_t pid;
	char process[16];
	enum transport transport;
	struct net_endpoint to; /* family AF_UNSPEC: the sum of those that had no place */
	const char *host;       /* borrowed, lives as long as the program; "" unknown */
	struct usage usage;
	struct usage written; /* part of .usage that is in the ledger, or on its way */
};

struct flows {
	struct flow *buckets[FLOWS_BUCKETS];
	struct flow *first, **end;
	struct flow rest[2]; /* TCP, UDP */
	size_t n;
};

void flows_init(struct flows *flows);

/** flows_find() - NULL when there is none yet. */
struct flow *flows_find(struct flows *flows, pid_t pid, enum transport transport,
			const struct net_endpoint *to);

/** flows_add() - a new one, or the sum of those without a place; never NULL.  @host: see struct flow. */
struct flow *flows_add(struct flows *flows, pid_t pid, const char *process,
		       enum transport transport, const struct net_endpoint *to, const char *host);

#endif
