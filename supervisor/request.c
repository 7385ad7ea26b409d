/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: getsockopt fcntl */
#include "request.h"

#include "claim.h"
#include "crew.h"
#include "dns_gate.h"
#include "loop.h"
#include "net/names.h"
#include "notify.h"
#include "policy/plan.h"
#include "send_job.h"
#include "shared/base/fd.h"
#include "shared/base/log.h"
#include "supervisor.h"
#include "sys/describe.h"
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void request_init(struct request *req, struct supervisor *sup, const struct seccomp_notif *notif)
{
	memset(req, 0, sizeof(*req));
	req->sup = sup;
	req->id = notif->id;
	req->tid = (pid_t)notif->pid;
	req->call = notif->data;
	req->name = "?";
	req->fd = -1;
	req->duplicate = -1;
	req->loc.file = PLAN_BUILTIN;
	req->begun_ns = sup->trace ? clock_now_ns() : 0;
}

static int socket_number(int fd, int option, int *value)
{
	socklen_t size = sizeof(*value);

	return getsockopt(fd, SOL_SOCKET, option, value, &size) < 0 ? -errno : 0;
}

/*
 * What it is, is asked of the very socket that is acted on, so no swap of numbers can
 * lie about it.  Type and protocol both: SOCK_STREAM may be MPTCP, and a raw socket may
 * have UDP's number.
 */
static int look_at_socket(struct request *req)
{
	socklen_t size = sizeof(req->socket.cookie);
	int protocol = 0, rc = 0;

	if (getsockopt(req->duplicate, SOL_SOCKET, SO_COOKIE, &req->socket.cookie, &size) < 0)
		return -errno;
	/* Nothing changes the family of a socket: IPV6_ADDRFORM is refused. */
	if (account_knows(req->sup->account, req->socket.cookie, &req->socket.domain,
			  &req->socket.type))
		return 0;
	rc = socket_number(req->duplicate, SO_DOMAIN, &req->socket.domain);
	if (rc == 0)
		rc = socket_number(req->duplicate, SO_TYPE, &req->socket.type);
	if (rc < 0 || (req->socket.domain != AF_INET && req->socket.domain != AF_INET6))
		return rc;
	rc = socket_number(req->duplicate, SO_PROTOCOL, &protocol);
	if (rc < 0)
		return rc;
	if ((req->socket.type == SOCK_STREAM && protocol == IPPROTO_TCP) ||
	    (req->socket.type == SOCK_DGRAM && protocol == IPPROTO_UDP))
		return 0;
	return (int)request_deny(req, EACCES, req->loc, "neither TCP nor UDP");
}

int request_take_socket(struct crew_worker *worker, struct request *req, int fd)
{
	int rc;

	req->fd = fd;
	rc = target_duplicate(&worker->targets, req->tid, fd);
	if (rc == -EBADF || rc == -ESRCH)
		return rc;
	if (rc < 0) {
		if (rc == -EMFILE || rc == -ENFILE)
			return (int)request_deny(req, ENOBUFS, req->loc,
						 "the supervisor is out of descriptors");
		return (int)request_deny(req, EACCES, req->loc,
					 "the kernel keeps the descriptors of this process closed");
	}
	req->duplicate = rc;
	req->process = *target_process(&worker->targets, req->tid, clock_now_ns());
	return look_at_socket(req);
}

int request_take_file(struct crew_worker *worker, struct request *req, int fd)
{
	int rc = request_take_socket(worker, req, fd);

	if (rc == -ENOTSOCK)
		req->socket = (struct socket_info){.domain = AF_UNSPEC};
	return rc == -ENOTSOCK ? 0 : rc;
}

bool request_is_udp(const struct request *req)
{
	return (req->socket.domain == AF_INET || req->socket.domain == AF_INET6) &&
	       req->socket.type == SOCK_DGRAM;
}

bool request_take_address(struct crew_worker *worker, struct request *req,
			  unsigned char bytes[SOCKADDR_MAX], size_t *size)
{
	/* net/socket.c, __sys_connect(), __sys_bind(): the descriptor first, then the length, then the memory. */
	int length = (int)req->call.args[2];
	int rc = request_take_socket(worker, req, (int)req->call.args[0]);

	memset(bytes, 0, SOCKADDR_MAX);
	if (rc == 0 && (length < 0 || length > SOCKADDR_MAX))
		rc = -EINVAL;
	if (rc == 0)
		rc = target_read(req->tid, req->call.args[1], bytes, (size_t)length);
	if (rc < 0) {
		request_answer(req, rc);
		return false;
	}
	*size = (size_t)length;
	if (notify_alive(req->sup->listener, req->id))
		return true;
	request_drop(req);
	return false;
}

bool request_is_blocking(const struct request *req)
{
	int flags = fcntl(req->duplicate, F_GETFL);

	return flags >= 0 && !(flags & O_NONBLOCK);
}

enum name_answer request_ask_names(void *context, const uint32_t *list, size_t n,
				   const struct net_addr *addr, uint32_t *which)
{
	static const enum name_answer said[] = {[NAMES_NO] = NAME_NO,
						[NAMES_YES] = NAME_YES,
						[NAMES_UNKNOWN] = NAME_UNKNOWN,
						[NAMES_FAILED] = NAME_FAILED};

	return said[names_ask(context, list, n, addr, which)];
}

static void want_name(void *context, uint32_t name)
{
	names_want(context, name);
}

int request_decide(struct request *req, enum transport transport)
{
	struct name_view view = {request_ask_names, req->sup->names};

	req->has_dest = true;
	req->by_policy = true;
	req->verdict = decide_destination(req->sup->plan, transport, &req->dest.endpoint,
					  req->sup->names ? &view : NULL);
	if (req->verdict.kind == VERDICT_ALLOW)
		return transport == TRANSPORT_TCP
			   ? dns_gate_connect(req->sup->dns, req, req->dest.endpoint.port)
			   : 0;
	if (req->verdict.kind == VERDICT_NEEDS_NAME && req->sup->names) {
		decide_names(req->sup->plan, transport, &req->dest.endpoint, want_name,
			     req->sup->names);
		return 1;
	}
	req->denied = true;
	return req->verdict.kind == VERDICT_DENY ? -req->verdict.error : -EACCES;
}

struct account_caller request_caller(const struct request *req)
{
	return (struct account_caller){.pid = req->process.pid,
				       .tid = req->tid,
				       .process = req->process.name,
				       .fd = req->fd,
				       .cookie = req->socket.cookie,
				       .domain = req->socket.domain};
}

long request_count(struct request *req, enum account_answer answer, const enum quota_kind *spent)
{
	static const char *const why[] = {
	    "the quota of sockets is used up",       "the quota of binds is used up",
	    "the quota of connects is used up",      "the quota of sends is used up",
	    "the quota of receives is used up",      "the quota of bytes-sent is used up",
	    "the quota of bytes-received is used up"};
	struct source_loc builtin = {.file = PLAN_BUILTIN};

	_Static_assert(sizeof(why) / sizeof(why[0]) == QUOTA_KINDS, "one text per quota");
	switch (answer) {
	case ACCOUNT_FINE:
		return 0;
	case ACCOUNT_SPENT:
		return request_deny(req, EDQUOT, req->sup->plan->quotas[*spent].loc, why[*spent]);
	case ACCOUNT_CLOSED:
		return request_deny(req, EPIPE, req->sup->plan->idle.loc,
				    "the socket was idle and has been reclaimed");
	case ACCOUNT_HANDED:
		return request_deny(req, EPIPE, req->sup->plan->descriptors.loc,
				    "the socket was handed over");
	case ACCOUNT_FULL:
	case ACCOUNT_BEGUN:
		break;
	}
	return request_deny(req, ENOBUFS, builtin, "too many sockets to account for");
}

long request_deny(struct request *req, int error, struct source_loc loc, const char *why)
{
	req->denied = true;
	req->by_policy = true;
	req->loc = loc;
	req->why = why;
	return -error;
}

long request_deny_late(struct request *req)
{
	return request_deny(req, EACCES, (struct source_loc){.file = PLAN_BUILTIN},
			    "the names that rules have for it could not be looked up in time");
}

static const char *transport_name(const struct request *req)
{
	switch (req->socket.domain) {
	case AF_INET:
	case AF_INET6:
		return req->socket.type == SOCK_STREAM ? "tcp" : "udp";
	case AF_UNIX:
		return "unix";
	case AF_NETLINK:
		return "netlink";
	default:
		return NULL;
	}
}

static void trace_request(struct request *req, long result)
{
	const struct plan *plan = req->sup->plan;
	const struct rule *rule = req->has_dest ? req->verdict.rule : NULL;
	char location[300], arguments[160], reason[640], comm[16], host[NAMES_TEXT_MAX];
	struct trace_record record = {
	    .call = req->name,
	    .tid = req->tid,
	    .comm = comm,
	    .fd = req->fd,
	    .transport = transport_name(req),
	    .to = req->has_dest ? &req->dest.endpoint : NULL,
	    .decision = req->denied     ? TRACE_DENY
			: req->emulated ? TRACE_EMULATE
					: TRACE_ALLOW,
	    .result = result,
	    .location = location,
	    .duration_ns = clock_now_ns() - req->begun_ns,
	};
	bool dest_decided = req->has_dest && !req->why;

	target_name(req->tid, comm);
	if (!dest_decided)
		plan_location(plan, req->loc, location, sizeof(location));
	else if (rule)
		plan_location(plan, rule->loc, location, sizeof(location));
	else
		strcpy(location, "built-in");
	record.reason = describe_reason(req, reason, sizeof(reason));
	if (!record.to)
		record.arguments = describe_arguments(req, arguments, sizeof(arguments));
	if (record.to && req->sup->names)
		record.host = names_of(req->sup->names, &record.to->addr, host);
	trace_decided(req->sup->trace, &record);
}

/* Decided by a destination rule, or else by a quota or a bind statement, which say why. */
static void account_destination(struct request *req)
{
	struct account_caller caller = request_caller(req);

	account_decided(req->sup->account, !req->denied);
	if (req->denied && !req->why)
		account_denied(req->sup->account, &caller,
			       req->socket.type == SOCK_STREAM ? TRANSPORT_TCP : TRANSPORT_UDP,
			       &req->dest.endpoint);
}

void request_finish(struct request *req, long result)
{
	if (req->sup->trace && req->by_policy && (!req->emulated || req->sup->trace_all))
		trace_request(req, result);
	if (req->denied && req->has_dest)
		atomic_fetch_add_explicit(&req->sup->denials, 1, memory_order_relaxed);
	if (req->has_dest && req->by_policy)
		account_destination(req);
	/*
	 * First let go of the socket: when the program closes it next, its close must be the
	 * last one, so that the connection ends then and not when we get around to it.
	 */
	request_end(req);
}

void request_answer(struct request *req, long result)
{
	request_finish(req, result);
	notify_answer(req->sup->listener, req->id, result);
}

void request_drop(struct request *req)
{
	request_end(req);
	notify_answer(req->sup->listener, req->id, -EACCES);
}

void request_end(struct request *req)
{
	if (req->claim)
		claim_free(req->claim);
	req->claim = NULL;
	fd_close(&req->duplicate);
}

/* Return: an op that knows no more yet; NULL: out of memory, and the request is answered. */
static struct op *op_new(struct request *req, struct send_job *job, uint64_t deadline_ns,
			 void (*resume)(struct crew_worker *, struct op *))
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op) {
		send_job_free(job);
		request_answer(req, -ENOMEM);
		return NULL;
	}
	op->req = *req;
	op->job = job;
	op->deadline_ns = deadline_ns;
	op->resume = resume;
	return op;
}

void op_wait(struct request *req, struct send_job *job, uint32_t events, uint64_t deadline_ns,
	     int timeout_error, void (*resume)(struct crew_worker *, struct op *))
{
	struct op *op = op_new(req, job, deadline_ns, resume);

	if (!op)
		return;
	op->timeout_error = timeout_error;
	op_wait_again(op, events);
}

void op_wait_name(struct request *req, struct send_job *job, uint32_t name, uint64_t deadline_ns,
		  void (*resume)(struct crew_worker *, struct op *))
{
	struct op *op = op_new(req, job, deadline_ns, resume);

	if (op)
		op_wait_again_name(op, name);
}

void op_wait_again(struct op *op, uint32_t events)
{
	op->events = events;
	op->name_wanted = UINT32_MAX;
	loop_add(op->req.sup->loop, op);
}

void op_wait_again_name(struct op *op, uint32_t name)
{
	op->events = 0;
	op->name_wanted = name;
	loop_add(op->req.sup->loop, op);
}

static void op_free(struct op *op)
{
	if (op->job && op->job->charged)
		send_job_settle(&op->req, op->job, -1);
	send_job_free(op->job);
	free(op);
}

void op_answer(struct op *op, long result)
{
	request_answer(&op->req, result);
	op_free(op);
}

void op_drop(struct op *op)
{
	request_drop(&op->req);
	op_free(op);
}
