/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_ACCOUNT_H
#define SUPERVISOR_ACCOUNT_H

#include "handover/exchange.h"
#include "net/sock_diag.h"
#include "policy/plan.h"
#include "quotas.h"
#include "status/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct names;

/*
 * The account: every socket that the program uses, and what went over it.
 *
 *     socket(2)      nothing yet: as on App Engine a socket counts from its first use
 *   made ──────▶ aimed (connected, or a datagram sent) ──▶ ended
 *                  │    ▲                                   TCP: the kernel's last numbers (sock_end)
 *                  └────┘ looked at, again and again        UDP: nothing is missing
 *
 * UDP is counted where it is answered.  TCP is counted by the kernel: the keeper looks at the
 * numbers of a connection at growing distances while it is open, and gets the last ones from the
 * news of its end.  What a look finds more than the one before is added to the flow and to the quotas.
 *
 * A socket is known by its cookie (SO_COOKIE), which the kernel gives to no other until the next
 * boot.  We hold no descriptor of it, or it would not end when the program closes it.
 *
 * Threads: everything here, from any thread; one lock, never held over a system call that waits.
 */
struct account;

/* More sockets than this are refused (ENOBUFS): each is known by 300 bytes here. */
#define ACCOUNT_SOCKETS_MAX (1u << 18)

/* A socket on offer ends after so long where the policy says `idle never`. */
#define ACCOUNT_OFFER_MS (10u * 60 * 1000)

struct account_config {
	const struct plan *plan;
	struct quotas *quotas; /* owned from now on */
	struct names *names;   /* NULL: the policy has none */
	/* Called, with the lock held, when the next look comes to be at @at_ns, earlier than before. */
	void (*wake)(void *context, uint64_t at_ns);
	void *context;
};

/* Who makes a call, and by which number it knows the socket: where it is found again. */
struct account_caller {
	pid_t pid, tid;
	const char *process;
	const char *host; /* that it means, copied; NULL: unknown here */
	int fd;
	uint64_t cookie; /* of the socket */
	int domain;      /* AF_INET or AF_INET6 */
};

/* What the account says of a call before it is carried out. */
enum account_answer {
	ACCOUNT_FINE,
	ACCOUNT_SPENT,  /* a quota is used up: EDQUOT */
	ACCOUNT_CLOSED, /* the socket was reclaimed, or shut by a quota: EPIPE */
	ACCOUNT_HANDED, /* the socket was handed over, and this is what was left in its place: EPIPE */
	ACCOUNT_FULL,  /* no room for one more socket: ENOBUFS */
	ACCOUNT_BEGUN, /* account_may_begin() alone */
};

/** account_new() - Return: NULL when out of memory. */
struct account *account_new(const struct account_config *config);

/** account_knows() - the domain and type of a socket that was used before, without asking the kernel. */
bool account_knows(struct account *account, uint64_t cookie, int *domain, int *type);

/* Each may_*: @spent gets the quota where the answer is ACCOUNT_SPENT. */
/** account_may_connect() - a TCP connection is about to be begun. */
enum account_answer account_may_connect(struct account *account,
					const struct account_caller *caller,
					enum quota_kind *spent);
/**
 * account_may_begin() - the same, but ACCOUNT_BEGUN where one was begun on @caller's socket, as far as is
 * known here: asking how it fares takes nothing, and is a use of it.
 */
enum account_answer account_may_begin(struct account *account, const struct account_caller *caller,
				      enum quota_kind *spent);
/** account_may_bind() - the same for bind(2), TCP and UDP. */
enum account_answer account_may_bind(struct account *account, const struct account_caller *caller,
				     enum transport transport, enum quota_kind *spent);
/** account_may_send() - a datagram of @size bytes is about to be sent, as @datagrams packets. */
enum account_answer account_may_send(struct account *account, const struct account_caller *caller,
				     size_t size, unsigned int datagrams, enum quota_kind *spent);
/** account_may_receive() - a datagram may be received. */
enum account_answer account_may_receive(struct account *account,
					const struct account_caller *caller,
					enum quota_kind *spent);

/**
 * account_connected() - a TCP connection was begun, after account_may_connect().
 * @tuple: NULL: it failed at once
 * @certain: by this very call; else, with the same @tuple as before, it only asked how that one fares
 */
void account_connected(struct account *account, const struct account_caller *caller,
		       const struct net_endpoint *to, const struct sock_tuple *tuple, bool certain);

/** account_not_connected() - the call that account_may_connect() allowed began nothing. */
void account_not_connected(struct account *account);

/** account_failed() - connect(2) failed: how one fared that was begun before, or else this one, at once. */
void account_failed(struct account *account, const struct account_caller *caller,
		    const struct net_endpoint *to);

/** account_aimed() - a UDP socket was connected; @to NULL: to nothing.  Counts with the first datagram. */
void account_aimed(struct account *account, const struct account_caller *caller,
		   const struct net_endpoint *to);

/** account_placed() - where a connection is that account_connected() was told of without a tuple. */
void account_placed(struct account *account, uint64_t cookie, const struct sock_tuple *tuple);

/** account_counted() - the last numbers of a TCP socket that starts anew (connect(2) to AF_UNSPEC). */
void account_counted(struct account *account, uint64_t cookie, const struct tcp_numbers *numbers);

/**
 * account_note() - numbers of a TCP connection that may end without news of its last ones (SO_LINGER 0).
 */
void account_note(struct account *account, uint64_t cookie, const struct tcp_numbers *numbers);

/**
 * account_sent() - what became of a datagram that account_may_send() allowed.
 * @to: NULL: where the socket is connected
 * @sent: bytes, or negative: nothing was; @size, @datagrams: as asked for then
 * Return: false: where to is not known here: account_aimed() first, then again.
 */
bool account_sent(struct account *account, const struct account_caller *caller,
		  const struct net_endpoint *to, long sent, size_t size, unsigned int datagrams);

/** account_received() - @size bytes in @datagrams came in from @from (NULL: from where the socket is connected). */
void account_received(struct account *account, const struct account_caller *caller,
		      const struct net_endpoint *from, size_t size, unsigned int datagrams);

/**
 * account_bound() - a TCP socket was bound to @port: connections accepted there (where the policy lets
 * the program listen) are nobody's connect, and are counted when they end.
 */
void account_bound(struct account *account, const struct account_caller *caller, uint16_t port);

/**
 * account_uses() - which of @n addresses open sockets are connected to, or sent to last.
 * @addrs: ascending by net_addr_compare(); @used[i] is set where it is so
 */
void account_uses(struct account *account, const struct net_addr *addrs, size_t n, bool *used);

/** account_denied() - a destination rule refused. */
void account_denied(struct account *account, const struct account_caller *caller,
		    enum transport transport, const struct net_endpoint *to);

/** account_decided() - one more decision, for the sums. */
void account_decided(struct account *account, bool allowed);

/* --- for sockets that are handed over (account_move.c) --- */

/** account_is_connected() - was the TCP socket @cookie connected here, or taken over connected? */
bool account_is_connected(struct account *account, uint64_t cookie);

/** account_offer() - a socket is put on offer: no process need have it any more.  @spent: as may_*. */
enum account_answer account_offer(struct account *account, const struct account_caller *caller,
				  enum transport transport, enum quota_kind *spent);

/** account_withdraw() - it is no longer on offer, and the program's as before. */
void account_withdraw(struct account *account, uint64_t cookie);

/**
 * account_release() - a socket on offer goes to another account, which bills it from here on.
 * @numbers: of a TCP socket, just read; NULL: unknown, or UDP
 * @stays: the program keeps it as well (descriptors shared)
 * @moved: gets what goes with it; .domain and .transport are set already
 */
void account_release(struct account *account, uint64_t cookie, const struct tcp_numbers *numbers,
		     bool stays, struct moved_socket *moved);

/**
 * account_adopt() - a socket comes with what account_release() gave.
 * @caller: who has it from now on
 * @offered: nobody: it is on offer again
 * Return: ACCOUNT_FINE or ACCOUNT_FULL.
 */
enum account_answer account_adopt(struct account *account, const struct account_caller *caller,
				  const struct moved_socket *moved, bool offered);

/** account_put_aside() - @caller's socket is what is left in place of one that was handed over. */
void account_put_aside(struct account *account, const struct account_caller *caller,
		       enum transport transport);

/* --- for the keeper --- */

/* A socket whose time has come. */
struct account_look {
	uint64_t cookie;
	enum transport transport;
	bool has_tuple;
	struct sock_tuple tuple;
	struct net_endpoint to;
	pid_t pid, tid;
	int fd;
	char process[16];
	uint64_t quiet_ns; /* since the last operation or byte, as far as is known */
	/* The keeper's own, kept from one look to the next: how much traffic there was by then. */
	uint64_t traffic;
	bool
	    gone; /* set by the keeper: the kernel does not find it, nor does its process have it */
};

enum account_todo {
	ACCOUNT_LEAVE,
	ACCOUNT_RECLAIM,      /* idle too long: shut both ways */
	ACCOUNT_SHUT_WRITING, /* what the app may send is used up: shut for writing */
	ACCOUNT_SHUT,         /* what it may receive is used up: shut both ways */
};

/** account_first_look_ns() - how long after a connection was begun it is looked at first. */
uint64_t account_first_look_ns(const struct account *account);

/** account_next_look() - CLOCK_MONOTONIC nanoseconds, UINT64_MAX: none. */
uint64_t account_next_look(struct account *account);

/** account_due() - the next socket to be looked at by @now.  Return: false: none. */
bool account_due(struct account *account, uint64_t now, struct account_look *look);

/**
 * account_looked() - what the look found.
 * @numbers: of a TCP connection; NULL: UDP, or nothing can have changed since the last look
 * @look: gets .quiet_ns
 * A connection that is gone for a second while news was lost (account_doubt()) counts as lost.
 * Return: what is to be done with the socket.
 */
enum account_todo account_looked(struct account *account, uint64_t now, struct account_look *look,
				 const struct tcp_numbers *numbers);

/** account_spent_loc() - where the policy has the quota that is used up; built-in when none is. */
struct source_loc account_spent_loc(struct account *account);

/** account_shut() - what became of it: @done, or it is to be tried again later. */
void account_shut(struct account *account, uint64_t cookie, enum account_todo todo, bool done);

/** account_keep() - the socket is not idle after all. */
void account_keep(struct account *account, uint64_t cookie);

/** account_ended() - the kernel's last word.  @fin: the peer's FIN is in its bytes.  Return: was it one of ours? */
bool account_ended(struct account *account, const struct sock_end *end, bool fin);

/**
 * account_accepted() - the end of a connection that no socket of ours began: counted where it was
 * accepted at a port of ours, as a flow to the peer's address and our port.
 * Return: was it?
 */
bool account_accepted(struct account *account, const struct sock_end *end, bool fin);

/** account_accepts() - may there be such connections at this port? */
bool account_accepts(struct account *account, uint16_t port);

/** account_has() - does anybody here know the socket? */
bool account_has(struct account *account, uint64_t cookie);

/**
 * account_give_up() - connections that are gone, of a time when news was lost, count as lost:
 * nobody will tell their last bytes.  @all: so do all others.
 */
void account_give_up(struct account *account, bool all);

/**
 * account_doubt() - news was lost: every connection is to be looked at, now, and UDP sockets are
 * forgotten until they are used again.
 */
void account_doubt(struct account *account, uint64_t now);

/**
 * account_refresh() - have all open connections looked at, now, if they are @max at most.
 * Return: whether there are any and they will be.
 */
bool account_refresh(struct account *account, size_t max);

/**
 * account_deaf() - no news of ended sockets will ever come: a connection that is gone counts as lost,
 * and an idle UDP socket that nobody has is forgotten.  Before the first socket.
 */
void account_deaf(struct account *account);

/** account_open_tcp() - how many connections of the program's are open, those on offer left out; all of them are due at once if @look. */
size_t account_open_tcp(struct account *account, bool look);

/* --- for the clerk --- */

/** account_unwritten() - does the ledger lack anything? */
bool account_unwritten(struct account *account);

/**
 * account_take() - flows that the ledger lacks something of; they count as written from then on.
 * @rows: up to @max; .usage is only what is new
 * @lost: gets the sockets lost since the last time, once
 * Return: how many; less than @max: that was all for now.
 */
size_t account_take(struct account *account, struct status_flow *rows, size_t max, uint64_t *lost);

/** account_picture() - sums, sockets and flows into @status; what else it has is the caller's.  Return: 0 or -ENOMEM. */
int account_picture(struct account *account, struct status *status);

#endif
