/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: socket shutdown fcntl getsockopt getpeername */
/*
 * Handing sockets over: the two calls of gae_sockets(3).  Who holds what in between: porter.h.
 *
 * What is offered is taken from the program: while its call waits, and only then, the kernel lets
 * us replace its descriptor, and a dead socket of the same kind takes the place.
 */
#include "sys/handover.h"

#include "claim.h"
#include "crew.h"
#include "holders.h"
#include "notify.h"
#include "porter.h"
#include "shared/base/fd.h"
#include "shared/base/log.h"
#include "shared/gae_sockets.h"
#include "supervisor.h"
#include "sys/dispatch.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* asm-generic/socket.h, 5.14 */
#endif

/* The usual answer is there by then; else the request waits in the loop. */
#define ANSWER_SOON_MS 1
#define ANSWER_NS (UINT64_C(2) * 1000000000u)

bool handover_is_meant(const struct request *req)
{
	return (int)req->call.args[1] == SOL_GAE && (int)req->call.args[2] == GAE_DESCRIPTOR;
}

static int deny(struct request *req, int error, const char *why)
{
	return (int)request_deny(req, error, req->sup->plan->descriptors.loc, why);
}

static int out_of_descriptors(struct request *req)
{
	return deny(req, ENOBUFS, "the supervisor is out of descriptors");
}

static bool is_inet(const struct request *req)
{
	return req->socket.domain == AF_INET || req->socket.domain == AF_INET6;
}

static enum transport transport_of(const struct request *req)
{
	return req->socket.type == SOCK_STREAM ? TRANSPORT_TCP : TRANSPORT_UDP;
}

static int take_inet_socket(struct crew_worker *worker, struct request *req)
{
	int rc = request_take_socket(worker, req, (int)req->call.args[0]);

	if (rc == 0 && !is_inet(req))
		return deny(req, EOPNOTSUPP, "only TCP and UDP sockets are handed over");
	return rc;
}

/* Puts @file at the caller's number @fd, in the place of a socket of the same kind. */
static int put(struct crew_worker *worker, struct request *req, int file, int fd, bool cloexec)
{
	if (request_is_udp(req))
		return window_put(worker, req, file, fd, cloexec);
	return notify_put(worker->sup->listener, req->id, file, fd, cloexec);
}

/* --- offering --- */

static int check_offer(struct request *req)
{
	bool tcp = req->socket.type == SOCK_STREAM;
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);
	struct stat st;
	int rc;

	if (tcp && (getsockopt(req->duplicate, SOL_TCP, TCP_INFO, &info, &size) < 0 ||
		    info.tcpi_state == TCP_SYN_SENT ||
		    !account_is_connected(req->sup->account, req->socket.cookie)))
		return deny(req, ENOTCONN, "it has not been connected");
	if (req->sup->plan->descriptors.word == DESCRIPTORS_SHARED)
		return 0;
	if (fstat(req->duplicate, &st) < 0)
		return -errno;
	rc = holders_find(req->tid, req->process.pid, req->fd, st.st_ino);
	if (rc == -EMFILE)
		return out_of_descriptors(req);
	if (rc < 0)
		return deny(req, EBUSY, "too many descriptors to look for another copy");
	return rc ? deny(req, EBUSY, "another descriptor has the same socket") : 0;
}

/* Sends give EPIPE, reads the end. */
static int make_dead(const struct request *req)
{
	int flags = fcntl(req->duplicate, F_GETFL);
	int fd = socket(req->socket.domain,
			req->socket.type | SOCK_CLOEXEC |
			    (flags >= 0 && flags & O_NONBLOCK ? SOCK_NONBLOCK : 0),
			0);

	if (fd < 0)
		return -errno;
	/* inet_shutdown(): ENOTCONN, and shut all the same. */
	if (shutdown(fd, SHUT_RDWR) < 0 && errno != ENOTCONN) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

/* Takes the socket from the program. */
static int replace_by_dead(struct crew_worker *worker, struct request *req)
{
	int cloexec = holders_cloexec(req->tid, req->fd), rc;
	struct account_caller caller = request_caller(req);
	CLEANUP_FD int dead = cloexec < 0 ? cloexec : make_dead(req);

	if (dead < 0)
		return dead == -EMFILE || dead == -ENFILE ? out_of_descriptors(req) : dead;
	rc = put(worker, req, dead, req->fd, cloexec);
	if (rc < 0)
		return rc;
	caller.cookie = sock_cookie(dead);
	account_put_aside(req->sup->account, &caller, transport_of(req));
	return 0;
}

static int give_token(struct request *req, const char *text, size_t size)
{
	int length = (int)size;
	int rc = target_write(req->tid, req->call.args[3], text, size + 1);

	if (rc == 0)
		rc = target_write(req->tid, req->call.args[4], &length, sizeof(length));
	if (rc == 0 && !notify_alive(req->sup->listener, req->id))
		rc = -ESRCH;
	return rc;
}

static int read_room(struct request *req)
{
	int room = 0, rc = target_read(req->tid, req->call.args[4], &room, sizeof(room));

	if (rc == 0 && room < 0)
		return -EINVAL;
	if (rc == 0 && room < GAE_DESCRIPTOR_MAX)
		return deny(req, ERANGE, "the buffer is smaller than GAE_DESCRIPTOR_MAX");
	return rc;
}

static int offer(struct crew_worker *worker, struct request *req, int *place)
{
	struct account_caller caller = request_caller(req);
	enum quota_kind spent = QUOTA_KINDS;
	char text[GAE_DESCRIPTOR_MAX], line[256] = "";
	size_t size = 0;
	int rc = (int)request_count(
	    req, account_offer(req->sup->account, &caller, transport_of(req), &spent), &spent);

	if (rc < 0)
		return rc;
	rc = *place = porter_prepare(req->sup->porter, text, &size, line, sizeof(line));
	if (rc == -ENOBUFS)
		deny(req, ENOBUFS, "too many sockets are on offer");
	else if (rc < 0)
		deny(req, EIO, "the runtime directory cannot be used");
	if (rc == -EIO)
		log_info("descriptors cannot be handed over: %s", line);
	if (rc >= 0)
		rc = give_token(req, text, size);
	if (rc == 0 && req->sup->plan->descriptors.word == DESCRIPTORS_HANDOFF)
		rc = replace_by_dead(worker, req);
	if (rc == 0)
		return 0;
	if (*place >= 0)
		porter_cancel(req->sup->porter, *place);
	account_withdraw(req->sup->account, caller.cookie);
	return rc;
}

static void publish(struct request *req, int place)
{
	struct porter_owner owner = {.pid = req->process.pid,
				     .cookie = req->socket.cookie,
				     .domain = req->socket.domain,
				     .transport = transport_of(req)};

	memcpy(owner.process, req->process.name, sizeof(owner.process));
	porter_publish(req->sup->porter, place, req->duplicate, &owner);
	req->duplicate = -1;
	req->by_policy = true;
	req->loc = req->sup->plan->descriptors.loc;
	req->why = "on offer to other instances";
}

void handover_offer(struct crew_worker *worker, struct request *req)
{
	struct supervisor *sup = req->sup;
	uint64_t cookie, id = req->id;
	int place = -1, rc = take_inet_socket(worker, req);

	if (rc == 0)
		rc = read_room(req);
	if (rc == 0)
		rc = check_offer(req);
	if (rc == 0)
		rc = offer(worker, req, &place);
	if (rc < 0) {
		request_answer(req, rc);
		return;
	}
	cookie = req->socket.cookie;
	publish(req, place);
	request_finish(req, 0);
	/* Killed meanwhile: then nobody has read the token. */
	if (notify_answer(sup->listener, id, 0) == -ENOENT)
		porter_withdraw(sup->porter, place, cookie);
}

/* --- claiming --- */

/* What the fresh descriptor asked for is kept. */
static int look_at_fresh(struct request *req, struct claim *claim)
{
	int flags = fcntl(req->duplicate, F_GETFL);
	int cloexec = holders_cloexec(req->tid, req->fd);
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);

	if (flags < 0)
		return -errno;
	if (cloexec < 0)
		return cloexec == -EMFILE ? out_of_descriptors(req) : cloexec;
	if (account_has(req->sup->account, req->socket.cookie) ||
	    getpeername(req->duplicate, (struct sockaddr *)&peer, &size) == 0)
		return deny(req, EISCONN, "the socket is not fresh");
	claim->domain = req->socket.domain;
	claim->type = req->socket.type;
	claim->cloexec = cloexec;
	claim->nonblocking = flags & O_NONBLOCK;
	size = sizeof(claim->net);
	if (getsockopt(req->duplicate, SOL_SOCKET, SO_NETNS_COOKIE, &claim->net, &size) < 0)
		claim->net = 0;
	return 0;
}

static int socket_number(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

/* Whatever the exporter says, what came is looked at. */
static int check_handed(struct request *req)
{
	const struct claim *claim = req->claim;
	int fd = claim->socket, type = socket_number(fd, SO_TYPE);
	int protocol = socket_number(fd, SO_PROTOCOL);
	bool tcp = type == SOCK_STREAM;
	socklen_t size = sizeof(uint64_t);
	uint64_t net = 0;

	if (socket_number(fd, SO_DOMAIN) != claim->domain || type != claim->type ||
	    protocol != (tcp ? IPPROTO_TCP : IPPROTO_UDP) || claim->moved.domain != claim->domain ||
	    claim->moved.transport != (tcp ? TRANSPORT_TCP : TRANSPORT_UDP))
		return deny(req, EPROTOTYPE, "the socket on offer is of another kind");
	if (claim->net && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &net, &size) == 0 &&
	    net != claim->net)
		return deny(req, EXDEV, "the socket is of another network namespace");
	req->socket.domain = claim->domain;
	req->socket.type = type;
	req->socket.cookie = sock_cookie(fd);
	return 0;
}

/*
 * By our policy, not by the exporter's.  Return: 0; -errno; 1 a name must be looked up first.
 * A connection that is over has no peer any more: then where it went to is the exporter's word.
 */
static int decide(struct request *req)
{
	const struct claim *claim = req->claim;
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	int rc;

	req->denied = false;
	if (getpeername(claim->socket, (struct sockaddr *)&peer, &size) == 0) {
		rc = sockaddr_read(req->socket.domain, req->socket.type, SOCKADDR_CONNECT, &peer,
				   size, &req->dest);
		if (rc < 0 || req->dest.kind != SOCKADDR_IP)
			return deny(req, EACCES, "its destination cannot be read");
	} else if (req->socket.type == SOCK_STREAM && claim->moved.has_to) {
		req->dest = (struct sockaddr_dest){.kind = SOCKADDR_IP,
						   .endpoint = claim->moved.to,
						   .as_family = (sa_family_t)req->socket.domain};
	} else {
		return 0;
	}
	return request_decide(req, transport_of(req));
}

static int match_flags(const struct claim *claim)
{
	int flags = fcntl(claim->socket, F_GETFL);
	int wanted = claim->nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;

	if (flags < 0 || (wanted != flags && fcntl(claim->socket, F_SETFL, wanted) < 0))
		return -errno;
	return 0;
}

/* Decided: the program gets it. */
static int place_handed(struct crew_worker *worker, struct request *req)
{
	struct claim *claim = req->claim;
	struct account_caller caller = request_caller(req);
	struct account *account = req->sup->account;
	struct moved_socket again = claim->moved;
	const enum quota_kind none = QUOTA_KINDS; /* of what is taken over no quota is used */
	bool known = account_has(account, caller.cookie); /* shared, and here already */
	int rc = match_flags(claim);

	if (rc < 0)
		return rc;
	rc = (int)request_count(req, account_adopt(account, &caller, &claim->moved, false), &none);
	if (rc < 0)
		return rc;
	rc = put(worker, req, claim->socket, req->fd, claim->cloexec);
	if (rc < 0) {
		if (!known)
			account_release(account, caller.cookie, NULL, false, &again);
		return rc;
	}
	claim_keep(claim, req->duplicate);
	if (!req->has_dest) {
		req->by_policy = true;
		req->loc = req->sup->plan->descriptors.loc;
		req->why = "taken over";
	}
	return 0;
}

enum { WAITS_FOR_NAME = 1, WAITS_FOR_EXPORTER = 2 };

/* Goes on as far as it gets.  Return: the answer, or one of the above. */
static int go_on(struct crew_worker *worker, struct request *req)
{
	struct claim *claim = req->claim;
	const char *why = "";
	int rc = 0;

	if (claim->socket < 0) {
		rc = claim_hear(claim, req->duplicate, &why);
		if (rc == -EAGAIN)
			return WAITS_FOR_EXPORTER;
		if (rc < 0) {
			porter_claim_failed(req->sup->porter);
			return deny(req, -rc, why);
		}
		rc = check_handed(req);
	} else if (!req->has_dest) {
		rc = check_handed(req);
	}
	if (rc == 0)
		rc = decide(req);
	if (rc == WAITS_FOR_NAME)
		return rc;
	if (rc == 0)
		rc = place_handed(worker, req);
	if (rc < 0)
		claim_return(claim, req->duplicate);
	return rc;
}

static void resume_claim(struct crew_worker *worker, struct op *op)
{
	int rc;

	if (!notify_alive(op->req.sup->listener, op->req.id)) {
		op_drop(op);
		return;
	}
	if (op->late) {
		rc = (int)request_deny_late(&op->req);
		claim_return(op->req.claim, op->req.duplicate);
	} else {
		rc = go_on(worker, &op->req);
	}
	if (rc == WAITS_FOR_EXPORTER) {
		op_wait_again(op, EPOLLIN);
	} else if (rc == WAITS_FOR_NAME) {
		if (op->events != 0) /* so far the exporter was waited for */
			op->deadline_ns = clock_now_ns() + REQUEST_NAMES_NS;
		op_wait_again_name(op, op->req.verdict.name);
	} else {
		op_answer(op, rc);
	}
}

/* Reads the token and asks for the socket.  Return: 0 asked; -errno. */
static int ask(struct request *req)
{
	char text[GAE_DESCRIPTOR_MAX], line[256] = "";
	int size = (int)req->call.args[4], rc;
	const char *why = "";

	if (size < 0 || size > GAE_DESCRIPTOR_MAX)
		return deny(req, EINVAL, "no token has this length");
	rc = target_read(req->tid, req->call.args[3], text, (size_t)size);
	if (rc < 0)
		return rc;
	if (!notify_alive(req->sup->listener, req->id))
		return -ESRCH;
	if (!porter_may_claim(req->sup->porter))
		return deny(req, EAGAIN, "too many claims have failed in this second");
	fd_close(&req->duplicate);
	rc = claim_ask(req->claim, text, (size_t)size, &req->duplicate, line, sizeof(line), &why);
	if (rc == 0) {
		struct pollfd answer = {.fd = req->duplicate, .events = POLLIN};

		if (req->duplicate >= 0)
			poll(&answer, 1, ANSWER_SOON_MS);
		return 0;
	}
	porter_claim_failed(req->sup->porter);
	if (rc == -EIO) {
		log_info("descriptors cannot be taken over: %s", line);
		why = "the runtime directory cannot be used";
	}
	return deny(req, -rc, why);
}

void handover_claim(struct crew_worker *worker, struct request *req)
{
	int rc = take_inet_socket(worker, req);

	req->claim = rc == 0 ? claim_new(req->sup) : NULL;
	if (rc == 0 && !req->claim)
		rc = -ENOMEM;
	if (rc == 0)
		rc = look_at_fresh(req, req->claim);
	if (rc == 0)
		rc = ask(req);
	if (rc == 0)
		rc = go_on(worker, req);
	if (rc == WAITS_FOR_EXPORTER) {
		op_wait(req, NULL, EPOLLIN, clock_now_ns() + ANSWER_NS, ETIMEDOUT, resume_claim);
		return;
	}
	if (rc == WAITS_FOR_NAME) {
		op_wait_name(req, NULL, req->verdict.name, clock_now_ns() + REQUEST_NAMES_NS,
			     resume_claim);
		return;
	}
	request_answer(req, rc);
}
