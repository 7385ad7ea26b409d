/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_REQUEST_H
#define SUPERVISOR_REQUEST_H

#include "account.h"
#include "heap.h"
#include "net/sockaddr.h"
#include "policy/decide.h"
#include "policy/filter.h"
#include "shared/base/clock.h"
#include "target.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct supervisor;
struct crew_worker;
struct send_job;
struct claim;

/*
 * The life of a request
 *
 *   received --> read --> decided --> acted --> answered
 *                  |          |          |
 *                  |          |          +-- would block, the program's socket blocks:
 *                  |          |              WAITING in the loop until the socket is ready,
 *                  |          |              then acted again by a crew thread
 *                  |          +-- a name is not known yet: WAITING until it is, then decided again
 *                  +-- cannot be read: answered with the kernel's errno
 *
 * received   crew leader   the notification and its registers; nothing else is believed
 * read       crew thread   memory copied once, the socket duplicated; notify_alive() afterwards
 * decided    crew thread   pure functions on the copies
 * acted      crew thread   on the duplicate, with an address rebuilt from the copy
 * waiting    loop          only the loop touches it: readiness, deadline, signals, names, death
 * answered   whoever       exactly once; request_end() frees what it holds
 *
 * A request lives on its crew thread's stack and moves to the heap (struct op)
 * only when it must wait.
 */
struct socket_info {
	/* Of the duplicate itself; AF_INET*: TCP is SOCK_STREAM, UDP is SOCK_DGRAM.  AF_UNSPEC: no socket. */
	int domain, type;
	uint64_t cookie; /* SO_COOKIE */
};

struct request {
	struct supervisor *sup;
	uint64_t id; /* of the notification */
	pid_t tid;   /* of the calling thread */
	struct seccomp_data call;
	const char *name;  /* of the call */
	uint64_t begun_ns; /* CLOCK_MONOTONIC; 0 unless tracing */

	int fd;        /* the program's number, for the trace; -1 */
	int duplicate; /* ours, owned; -1 */
	struct socket_info socket;
	struct target_process process; /* whose thread it is; set with .duplicate */

	struct claim *claim; /* setsockopt(SOL_GAE) only, owned: see claim.h */

	/* For the trace and, in a waiting connect, for the second try. */
	bool has_dest;
	struct sockaddr_dest dest;
	struct verdict verdict;
	struct source_loc loc; /* rule or statement that decided when it was no destination rule */
	const char *why;       /* static text beside .loc */
	bool denied;           /* by policy, as opposed to an errno of the kernel */
	bool emulated;         /* answered, not done: a mocked or ignored option */
	/* Receives: messages so far, which an interrupted call gives; when recvmmsg(2) is to end, 0: never. */
	long done;
	uint64_t until_ns;
	bool by_policy; /* some rule decided (allowed or denied): worth a trace line with it */
};

/** request_init() - take over what the kernel says; nothing of the target is read. */
void request_init(struct request *req, struct supervisor *sup, const struct seccomp_notif *notif);

/**
 * request_take_socket() - duplicate descriptor @fd of the caller and look what it is.
 * Return: 0, or the -errno for the caller (-EBADF, -ENOTSOCK); a refusal of the
 *         kernel's becomes -EACCES with the reason in the trace.
 */
int request_take_socket(struct crew_worker *worker, struct request *req, int fd);

/**
 * request_take_file() - the same for calls that files of every kind take: a file that is no
 * socket is no error, but has socket.domain AF_UNSPEC.
 */
int request_take_file(struct crew_worker *worker, struct request *req, int fd);

/** request_is_udp() - is what was taken a UDP socket? */
bool request_is_udp(const struct request *req);

/**
 * request_take_address() - for connect(2) and bind(2): take the socket and read the address.
 * @bytes: gets the program's address, the rest zero; @size: its length
 * Return: false when the request has been answered (it cannot be read) or is over.
 */
bool request_take_address(struct crew_worker *worker, struct request *req,
			  unsigned char bytes[SOCKADDR_MAX], size_t *size);

/** request_is_blocking() - does the open file block (no O_NONBLOCK)?  Asked when it matters: it is a system call. */
bool request_is_blocking(const struct request *req);

/**
 * request_decide() - decide req->dest for @transport; fills verdict.
 * Return: 0 allowed; -errno denied; 1 a name must be looked up first (verdict.name).
 */
int request_decide(struct request *req, enum transport transport);

/* How long a call waits for the names that it depends on. */
#define REQUEST_NAMES_NS (10u * UINT64_C(1000000000))

/** request_deny_late() - the names were not looked up in time.  Return: -EACCES. */
long request_deny_late(struct request *req);

/** request_caller() - for the account; .process points into @req. */
struct account_caller request_caller(const struct request *req);

/**
 * request_count() - what the account's answer means for the caller.
 * @spent: what may_*() was given; a pointer, for it is set by the argument before
 * Return: 0 go on; -EDQUOT, -EPIPE, -ENOBUFS with the reason in the trace.
 */
long request_count(struct request *req, enum account_answer answer, const enum quota_kind *spent);

/** request_ask_names() - what the names engine (@context) says, as a struct name_view asks. */
enum name_answer request_ask_names(void *context, const uint32_t *list, size_t n,
				   const struct net_addr *addr, uint32_t *which);

/** request_deny() - note that a statement (not a destination rule) refused.  Return: -@error. */
long request_deny(struct request *req, int error, struct source_loc loc, const char *why);

/** request_answer() - give the caller @result, trace it, free what @req holds. */
void request_answer(struct request *req, long result);

/** request_finish() - as request_answer() for a caller that was answered otherwise (notify_give()). */
void request_finish(struct request *req, long result);

/**
 * request_drop() - the caller seems to be gone: free what @req holds.  Should it be there all the
 * same (its look failed for another reason), it is refused, for without an answer it waits for ever.
 */
void request_drop(struct request *req);

/** request_end() - free what @req holds, without an answer. */
void request_end(struct request *req);

/* A request that waits, on the heap, owned by the loop while it does. */
struct op {
	struct request req;
	/* Called on a crew thread when what it waited for has come; answers, or waits again. */
	void (*resume)(struct crew_worker *worker, struct op *op);
	struct send_job *job; /* sends only, owned */
	bool by_time;         /* readiness says nothing here: try again at the next look */
	uint32_t events;      /* EPOLLIN | EPOLLOUT on req.duplicate; 0: waits for verdict.name */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
	int timeout_error;    /* positive errno at the deadline */
	bool late;            /* its deadline came while it waited for a name */

	/* The loop's own. */
	struct heap_node look; /* the next one */
	uint64_t look_interval_ns;
	unsigned int maybes, looks;
	bool registered;
	uint32_t name_wanted;
	struct op *next, *prev;
};

/**
 * op_wait() - hand a request over to the loop; the caller forgets it.
 * @req:  copied; its resources move along
 * @job:  moves along, may be NULL
 * Out of memory: the request is answered with -ENOMEM.
 */
void op_wait(struct request *req, struct send_job *job, uint32_t events, uint64_t deadline_ns,
	     int timeout_error, void (*resume)(struct crew_worker *, struct op *));

/**
 * op_wait_name() - the same until the name @name has been looked up, or @deadline_ns: then it goes
 * on with .late set.
 */
void op_wait_name(struct request *req, struct send_job *job, uint32_t name, uint64_t deadline_ns,
		  void (*resume)(struct crew_worker *, struct op *));

/** op_wait_again() - a resumed op goes back to the loop. */
void op_wait_again(struct op *op, uint32_t events);

/** op_wait_again_name() - the same for one that waits for a name (again); its deadline stays. */
void op_wait_again_name(struct op *op, uint32_t name);

/** op_answer() - answer and free. */
void op_answer(struct op *op, long result);
/** op_drop() - free without an answer. */
void op_drop(struct op *op);

#endif
