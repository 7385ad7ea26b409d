/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_ACCOUNT_INNER_H
#define SUPERVISOR_ACCOUNT_INNER_H

#include "account.h"
#include "flows.h"
#include "heap.h"

#include <pthread.h>
#include <stdatomic.h>

/* What the files of the account share; nobody else includes this. */

struct account_socket {
	struct account_socket *next; /* in its bucket */
	uint64_t cookie;
	int domain;
	enum transport transport;
	struct account_caller by; /* who used it last; .process is .name */
	char name[16];
	struct flow *flow;      /* TCP: where it is connected; UDP: the same, or NULL */
	struct net_endpoint to; /* the last destination; family AF_UNSPEC: none yet */
	bool has_tuple;         /* TCP, with local and remote address */
	struct sock_tuple tuple;
	uint64_t made_ns, used_ns;  /* CLOCK_MONOTONIC */
	struct tcp_numbers counted; /* what of it is in .flow already */
	struct usage usage;
	bool aim_pending;  /* UDP: connected, and nothing sent yet */
	bool closed;       /* reclaimed: its calls get EPIPE */
	bool write_closed; /* shut by a quota, at least for writing */
	bool shut;         /* and for reading */
	bool handed;       /* left in place of one that was handed over: its calls get EPIPE */
	bool offered;      /* the porter has it */
	bool
	    elsewhere; /* another instance has it, too, and bills it: neither counted nor idle here */
	bool doubted;      /* news was lost since it was made */
	unsigned int gone; /* looks that did not find it, one after the other */
	uint64_t traffic;  /* at the last look; 0: whatever it is, look */
	enum account_todo todo;
	struct heap_node look;
	uint64_t interval_ns;
};

/* A port that the program may accept connections at, and who bound it. */
struct account_port {
	uint16_t port;
	pid_t pid;
	char process[16];
};
#define ACCOUNT_PORTS_MAX 256u

struct account {
	struct account_config config;
	const struct plan *plan;
	struct names *names;
	struct quotas *quotas;
	pthread_mutex_t lock;
	struct account_socket **buckets;
	size_t n_buckets, n_sockets;
	struct heap looks;
	struct flows flows;
	struct account_port ports[ACCOUNT_PORTS_MAX]; /* the last ones: a ring */
	size_t n_ports;
	struct flow *take_at; /* where account_take() goes on; NULL: at the first */
	bool taking;
	bool dirty; /* a flow has what the ledger lacks */
	uint64_t lost, lost_told, reclaimed, over_quota;
	atomic_uint_fast64_t allowed, denied;
	bool deaf;          /* account_deaf() */
	bool bytes_limited; /* a limit on bytes or packets: connections are looked at more often */
};

/** account_find() - the lock is held. */
struct account_socket *account_find(struct account *account, uint64_t cookie);

/** account_insert() - a new entry for the socket of @caller; the lock is held.  Return: NULL when there is no room. */
struct account_socket *account_insert(struct account *account, const struct account_caller *caller,
				      enum transport transport, uint64_t now);

/**
 * account_find_or_make() - the same after a call: between may_*() and now it may have been forgotten, for
 * news was lost (account_doubt()).  The lock is held.  Return: NULL when there is no room.
 */
struct account_socket *account_find_or_make(struct account *account,
					    const struct account_caller *caller,
					    enum transport transport);

/** account_use() - note who uses it, and when; the lock is held. */
void account_use(struct account_socket *socket, const struct account_caller *caller, uint64_t now);

/** account_reach() - the socket of @caller, made where it is used for the first time; the lock is held. */
enum account_answer account_reach(struct account *account, const struct account_caller *caller,
				  enum transport transport, struct account_socket **out,
				  enum quota_kind *spent);

/** account_flow() - where what @caller sends to @to is summed; the lock is held. */
struct flow *account_flow(struct account *account, const struct account_caller *caller,
			  enum transport transport, const struct net_endpoint *to);

/** account_count() - add what @numbers has more than what was counted already; the lock is held.  Return: that much. */
struct usage account_count(struct account *account, struct account_socket *socket,
			   const struct tcp_numbers *numbers);

/** account_remove() - forget a socket; the lock is held. */
void account_remove(struct account *account, struct account_socket *socket);

/** account_spent() - of the quotas that are found out afterwards (packets, bytes) the one that is used up, or QUOTA_KINDS. */
enum quota_kind account_spent(struct account *account);

/** account_schedule() - set the time of the next look; the lock is held. */
void account_schedule(struct account *account, struct account_socket *socket, uint64_t now);

#endif
