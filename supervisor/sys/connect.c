/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: connect shutdown fcntl getsockname */
#include "crew.h"
#include "notify.h"
#include "shared/base/kernel.h"
#include "socket_wait.h"
#include "supervisor.h"
#include "sys/dispatch.h"
#include "sys/netlink.h"
#include "sys/unix_path.h"
#include "urlfetch.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Ends what was begun, as connect(2) does itself when it has failed.  Return: what that says by default. */
static int give_up(struct request *req)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	(void)connect(req->duplicate, &none, sizeof(none));
	return -ECONNABORTED;
}

/*
 * connect(2) is carried out on our duplicate, never in the program.
 *
 * A blocking connect must not block us: it is begun non-blocking and the loop waits.
 * O_NONBLOCK is a flag of the open file, which the program shares, so it is set for
 * the one call only.  When the socket is ready, connect(2) is called once more: only
 * that moves the socket from "connecting" to "connected" as a blocking connect does.
 * After a failure SO_ERROR and AF_UNSPEC move it back (act_again()).
 * A call that was interrupted and restarted finds EALREADY and waits on.
 * @begun: gets what the first call said
 */
static int connect_unblocked(struct request *req, const struct sockaddr_storage *to, socklen_t size,
			     bool *blocking, int *begun)
{
	int flags = -1, rc;

	*blocking = false;
	*begun = 0;
	if (req->socket.type != SOCK_DGRAM) {
		flags = fcntl(req->duplicate, F_GETFL);
		*blocking = flags >= 0 && !(flags & O_NONBLOCK);
		/* Better no connect than one that blocks us. */
		if (flags < 0 ||
		    (*blocking && fcntl(req->duplicate, F_SETFL, flags | O_NONBLOCK) < 0))
			return -errno;
	}
	rc = *begun = connect(req->duplicate, (const struct sockaddr *)to, size) < 0 ? -errno : 0;
	/* On loopback the handshake is over by now; asking again saves the way through the loop. */
	if (*blocking && rc == -EINPROGRESS) {
		rc = connect(req->duplicate, (const struct sockaddr *)to, size) < 0 ? -errno : 0;
		if (rc == -EINPROGRESS)
			rc = give_up(req);
	}
	if (*blocking)
		fcntl(req->duplicate, F_SETFL, flags);
	return rc;
}

/*
 * Connects req->dest, which was decided.
 * @begun: gets what the first call said
 * Return: the answer, or 1: it must wait.
 */
static int act(struct request *req, int *begun)
{
	struct sockaddr_storage to;
	socklen_t size = sockaddr_build(req->socket.domain, &req->dest, &to);
	bool blocking;
	int rc = connect_unblocked(req, &to, size, &blocking, begun);

	return blocking && (rc == -EINPROGRESS || rc == -EALREADY) ? 1 : rc;
}

/*
 * connect(2) to AF_UNSPEC.  TCP's numbers are set to zero by it, so they are read before; and
 * before that sending is shut, or another thread's bytes could slip in between.
 */
static int disconnect(struct request *req)
{
	struct account_caller caller = request_caller(req);
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct tcp_numbers numbers;

	if (req->socket.type == SOCK_STREAM) {
		shutdown(req->duplicate, SHUT_WR);
		if (sock_diag_of(req->duplicate, &numbers) == 0)
			account_counted(req->sup->account, caller.cookie, &numbers);
	}
	if (connect(req->duplicate, &none, sizeof(none)) < 0)
		return -errno;
	if (req->socket.type == SOCK_DGRAM)
		account_aimed(req->sup->account, &caller, NULL);
	return 0;
}

static bool is_closed(const struct request *req)
{
	uint8_t state = TCP_CLOSE; /* the first byte of struct tcp_info */
	socklen_t size = sizeof(state);

	return getsockopt(req->duplicate, IPPROTO_TCP, TCP_INFO, &state, &size) < 0 ||
	       state == TCP_CLOSE;
}

/*
 * Goes on with a connection that act() has begun.  Where another thread has disconnected the socket
 * (AF_UNSPEC, shutdown(2)), connect(2) would begin a new one, which nobody has counted: one under way
 * says EALREADY, EISCONN, success or its error, never EINPROGRESS.
 */
static int act_again(struct request *req)
{
	int begun, rc, error = 0;
	socklen_t size = sizeof(error);

	if (is_closed(req)) {
		getsockopt(req->duplicate, SOL_SOCKET, SO_ERROR, &error, &size);
		rc = give_up(req);
		return error ? -error : rc;
	}
	rc = act(req, &begun);
	return begun == -EINPROGRESS ? give_up(req) : rc;
}

/* Begins a TCP connection, counted.  Return: as act(). */
static int act_tcp(struct request *req)
{
	struct account *account = req->sup->account;
	struct account_caller caller = request_caller(req);
	const struct net_endpoint *to = &req->dest.endpoint;
	enum quota_kind spent = QUOTA_KINDS;
	enum account_answer answer = account_may_begin(account, &caller, &spent);
	struct sock_tuple tuple;
	int rc, begun;

	/* Then connect(2) begins nothing: it tells how the connection fares, and needs no quota. */
	if (answer == ACCOUNT_BEGUN && !is_closed(req))
		return act_again(req);
	if (answer == ACCOUNT_BEGUN)
		answer = account_may_connect(account, &caller, &spent);
	rc = (int)request_count(req, answer, &spent);
	if (rc < 0)
		return rc;
	rc = act(req, &begun);
	if (begun == -EALREADY || begun == -EISCONN)
		account_not_connected(account);
	else if (begun < 0 && begun != -EINPROGRESS)
		account_failed(account, &caller, to);
	else if ((rc >= 0 || rc == -EINPROGRESS) && sock_tuple_of(req->duplicate, to, &tuple) == 0)
		account_connected(account, &caller, to, &tuple, begun == -EINPROGRESS);
	else
		account_connected(account, &caller, to, NULL, true);
	return rc;
}

static int act_udp(struct request *req)
{
	struct account_caller caller = request_caller(req);
	int begun, rc = act(req, &begun);

	if (rc == 0)
		account_aimed(req->sup->account, &caller, &req->dest.endpoint);
	return rc;
}

/* What is to be done with a connect to req->dest. */
enum plan_of_connect { CONNECT_IT = 0, CONNECT_WAITS_FOR_NAME = 1, CONNECT_PROBES = 2 };

/*
 * A datagram socket that is "connected" asks the kernel for a source address and sends
 * nothing: getaddrinfo(3) sorts what it found that way, with the port that it was asked
 * for or with 0, and without an answer would put first what cannot be reached.  Where
 * only TCP is allowed there, the question is let through, and sending is shut on that
 * socket for good: nothing ever gets out of it.  @denial: the answer that UDP got.
 */
static int decide_probe(struct request *req, int denial)
{
	struct verdict udp = req->verdict;
	int rc;

	if (req->dest.endpoint.port == 0)
		return CONNECT_PROBES;
	rc = request_decide(req, TRANSPORT_TCP);
	if (rc == 0)
		return CONNECT_PROBES;
	if (rc == 1)
		return CONNECT_WAITS_FOR_NAME;
	req->verdict = udp;
	req->why = NULL;
	return denial;
}

/* Return: enum plan_of_connect, or -errno. */
static int decide(struct request *req)
{
	bool udp = req->socket.type == SOCK_DGRAM;
	int rc;

	req->denied = false;
	rc = request_decide(req, udp ? TRANSPORT_UDP : TRANSPORT_TCP);
	return rc < 0 && udp ? decide_probe(req, rc) : rc;
}

static int probe_source(struct request *req)
{
	int rc = -EACCES, begun;

	/*
	 * Before it is connected: not even another thread's send(2) finds a gap.  The kernel
	 * says ENOTCONN and shuts it all the same (inet_shutdown()).
	 */
	if (shutdown(req->duplicate, SHUT_WR) == 0 || errno == ENOTCONN)
		rc = act(req, &begun);
	/* No traffic, no decision: no line in the trace. */
	req->denied = false;
	req->by_policy = false;
	return rc;
}

/*
 * The one destination that no rule speaks of: gae-urlfetch, which is told whose connection comes.
 * What goes over it is no egress; what gae-urlfetch sends on is, and is counted there.
 */
static int connect_urlfetch(struct request *req)
{
	int begun, told = 0, rc = act(req, &begun);

	if (rc >= 0 || rc == -EINPROGRESS || rc == -EALREADY)
		told = urlfetch_announce(req->sup->urlfetch, req->duplicate, req->socket.cookie);
	req->has_dest = req->by_policy = true;
	req->denied = false;
	req->loc = (struct source_loc){.file = PLAN_BUILTIN};
	req->why = "gae-urlfetch";
	return told < 0 ? told : rc;
}

/* Return: the answer; 1 it waits for the socket; 2 it waits for a name. */
static int carry_out(struct request *req)
{
	int rc;

	if (req->socket.type == SOCK_STREAM &&
	    urlfetch_is_at(req->sup->urlfetch, &req->dest.endpoint))
		return connect_urlfetch(req);
	rc = decide(req);
	if (rc == CONNECT_WAITS_FOR_NAME)
		return 2;
	if (rc == CONNECT_PROBES)
		return probe_source(req);
	if (rc < 0)
		return rc;
	return req->socket.type == SOCK_STREAM ? act_tcp(req) : act_udp(req);
}

static void resume_connect(struct crew_worker *worker, struct op *op)
{
	int rc;

	(void)worker;
	/* Denied for its time while a name was looked up, or killed: then nothing may be done any more. */
	if (!notify_alive(op->req.sup->listener, op->req.id)) {
		op_drop(op);
		return;
	}
	if (op->late)
		rc = (int)request_deny_late(&op->req);
	else
		rc = op->events == 0 ? carry_out(&op->req) : act_again(&op->req);
	if (rc == 1) {
		if (op->events == 0)
			op->deadline_ns = socket_deadline(op->req.duplicate, SO_SNDTIMEO);
		op->timeout_error = EINPROGRESS;
		op_wait_again(op, EPOLLOUT);
	} else if (rc == 2) {
		op_wait_again_name(op, op->req.verdict.name);
	} else {
		op_answer(op, rc);
	}
}

static void connect_ip(struct request *req, const void *bytes, size_t size)
{
	int rc = sockaddr_read(req->socket.domain, req->socket.type, SOCKADDR_CONNECT, bytes, size,
			       &req->dest);

	if (rc == 0 && req->dest.kind == SOCKADDR_DISCONNECT) {
		request_answer(req, disconnect(req));
		return;
	}
	if (rc == 0)
		rc = carry_out(req);
	if (rc == 1)
		op_wait(req, NULL, EPOLLOUT, socket_deadline(req->duplicate, SO_SNDTIMEO),
			EINPROGRESS, resume_connect);
	else if (rc == 2)
		op_wait_name(req, NULL, req->verdict.name, clock_now_ns() + REQUEST_NAMES_NS,
			     resume_connect);
	else
		request_answer(req, rc);
}

/* Return: the answer, or 1: the listener's queue is full, and the program waits for room. */
static int try_unix(struct request *req, const void *bytes, size_t size)
{
	struct sockaddr_storage to;
	socklen_t to_size;
	int rc = unix_path_check(req, bytes, size, &to, &to_size);
	int path = rc, begun;
	bool blocking;

	if (rc < 0)
		return rc;
	rc = connect_unblocked(req, &to, to_size, &blocking, &begun);
	unix_path_close(path);
	/* Nobody hears what it writes before it is shut: the porter asks who has written. */
	if (rc == 0 && unix_is_ours(req->duplicate)) {
		shutdown(req->duplicate, SHUT_RDWR);
		return (int)request_deny(req, EACCES, req->sup->plan->unix_sockets.loc,
					 "a supervisor's socket");
	}
	return rc == -EAGAIN && blocking ? 1 : rc;
}

/* Nothing tells of room in a queue: it is tried again now and then, with the name read and decided anew. */
static void resume_unix(struct crew_worker *worker, struct op *op)
{
	struct request *req = &op->req;
	unsigned char bytes[SOCKADDR_MAX] = {0};
	size_t size = (size_t)(int)req->call.args[2]; /* as request_take_address() has checked it */
	int rc = target_read(req->tid, req->call.args[1], bytes, size);

	(void)worker;
	if (!notify_alive(req->sup->listener, req->id)) {
		op_drop(op);
		return;
	}
	if (rc == 0)
		rc = try_unix(req, bytes, size);
	if (rc == 1) {
		op->by_time = true;
		op_wait_again(op, EPOLLOUT);
	} else {
		op_answer(op, rc);
	}
}

static void connect_unix(struct request *req, const void *bytes, size_t size)
{
	int rc = try_unix(req, bytes, size);

	if (rc == 1)
		op_wait(req, NULL, EPOLLOUT, socket_deadline(req->duplicate, SO_SNDTIMEO), EAGAIN,
			resume_unix);
	else
		request_answer(req, rc);
}

void sys_connect(struct crew_worker *worker, struct request *req)
{
	unsigned char bytes[SOCKADDR_MAX];
	size_t size;

	if (!request_take_address(worker, req, bytes, &size))
		return;
	switch (req->socket.domain) {
	case AF_INET:
	case AF_INET6:
		connect_ip(req, bytes, size);
		break;
	case AF_UNIX:
		connect_unix(req, bytes, size);
		break;
	case AF_NETLINK:
		request_answer(req, netlink_connect(req, bytes, size));
		break;
	default:
		request_answer(req, request_deny(req, EACCES, req->loc, "address family"));
	}
}
