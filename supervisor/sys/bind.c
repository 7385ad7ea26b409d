/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: bind */
#include "crew.h"
#include "notify.h"
#include "supervisor.h"
#include "sys/dispatch.h"
#include "sys/netlink.h"
#include "sys/unix_bind.h"
#include "sys/unix_path.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_wildcard(const struct net_addr *addr)
{
	static const struct net_addr v4 = {.family = AF_INET}, v6 = {.family = AF_INET6};

	return net_addr_equal(addr, &v4) || net_addr_equal(addr, &v6);
}

/* The `bind` statement: nothing, the wildcard address with a port of the kernel's choice, or anything. */
static bool is_permitted(const struct plan *plan, const struct net_endpoint *at)
{
	switch ((enum bind_word)plan->bind.word) {
	case BIND_ANY:
		return true;
	case BIND_EPHEMERAL:
		return at->port == 0 && is_wildcard(&at->addr);
	case BIND_DENY:
		break;
	}
	return false;
}

/* Ports below 1024 are root's, and so are we: not for a program that has become another user. */
static bool would_lend_port(const struct request *req)
{
	uint16_t port = req->dest.endpoint.port;

	return port > 0 && port < IPPORT_RESERVED && geteuid() == 0 && !unix_has_our_uid(req->tid);
}

static long bind_ip(struct request *req, const void *bytes, size_t size)
{
	const struct plan *plan = req->sup->plan;
	struct account_caller caller = request_caller(req);
	enum quota_kind spent = QUOTA_KINDS;
	struct sockaddr_storage at;
	struct sock_tuple tuple;
	socklen_t at_size;
	long counted;
	int rc = sockaddr_read(req->socket.domain, req->socket.type, SOCKADDR_BIND, bytes, size,
			       &req->dest);

	if (rc < 0)
		return rc;
	req->has_dest = true;
	req->by_policy = true;
	req->loc = plan->bind.loc;
	req->why = "bind";
	if (!is_permitted(plan, &req->dest.endpoint))
		return request_deny(req, plan->bind.error ? plan->bind.error : EACCES,
				    plan->bind.loc,
				    "only the wildcard address and port 0 may be bound");
	counted = request_count(
	    req,
	    account_may_bind(req->sup->account, &caller,
			     req->socket.type == SOCK_STREAM ? TRANSPORT_TCP : TRANSPORT_UDP,
			     &spent),
	    &spent);
	if (counted < 0)
		return counted;
	if (would_lend_port(req))
		return -EACCES;
	at_size = sockaddr_build(req->socket.domain, &req->dest, &at);
	if (bind(req->duplicate, (const struct sockaddr *)&at, at_size) < 0)
		return -errno;
	if (req->socket.type == SOCK_STREAM && plan->listen.word == LISTEN_ALLOW &&
	    sock_tuple_of(req->duplicate, &req->dest.endpoint, &tuple) == 0)
		account_bound(req->sup->account, &caller, tuple.local.port);
	return 0;
}

void sys_bind(struct crew_worker *worker, struct request *req)
{
	unsigned char bytes[SOCKADDR_MAX];
	size_t size;

	if (!request_take_address(worker, req, bytes, &size))
		return;
	switch (req->socket.domain) {
	case AF_INET:
	case AF_INET6:
		request_answer(req, bind_ip(req, bytes, size));
		break;
	case AF_NETLINK:
		request_answer(req, netlink_bind(req, bytes, size));
		break;
	case AF_UNIX:
		request_answer(req, unix_bind(req, bytes, size));
		break;
	default:
		request_answer(req, request_deny(req, EACCES, req->loc, "address family"));
	}
}
