/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: setsockopt */
#include "crew.h"
#include "net/sock_diag.h"
#include "notify.h"
#include "supervisor.h"
#include "sys/dispatch.h"
#include "sys/handover.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/*
 * With SO_LINGER and 0, close(2) sets a connection's numbers to zero before anybody hears of its end
 * (tcp_disconnect()), and mostly it comes next: this is the last moment to read them.  While we hold
 * the socket it cannot end.  The option is set first, so that nothing is sent in between unseen.
 */
static int set_linger(struct request *req)
{
	struct linger linger = {0};
	struct tcp_numbers numbers;
	int size = (int)req->call.args[4], rc;

	/* As sk_setsockopt(): the length of an int at least, the bytes, the length of the structure. */
	if (size < (int)sizeof(int))
		return -EINVAL;
	rc = target_read(req->tid, req->call.args[3], &linger,
			 size < (int)sizeof(linger) ? sizeof(int) : sizeof(linger));
	if (rc == 0 && size < (int)sizeof(linger))
		rc = -EINVAL;
	if (rc == 0 && !notify_alive(req->sup->listener, req->id))
		rc = -ESRCH;
	if (rc == 0 &&
	    setsockopt(req->duplicate, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		rc = -errno;
	if (rc == 0 && linger.l_onoff && linger.l_linger == 0 && req->socket.type == SOCK_STREAM &&
	    req->socket.domain != AF_UNIX && sock_diag_of(req->duplicate, &numbers) == 0)
		account_note(req->sup->account, req->socket.cookie, &numbers);
	return rc;
}

void sys_setsockopt(struct crew_worker *worker, struct request *req)
{
	int rc;

	if (handover_is_meant(req)) {
		handover_claim(worker, req);
		return;
	}
	rc = request_take_socket(worker, req, (int)req->call.args[0]);
	if (rc == 0)
		rc = set_linger(req);
	request_answer(req, rc);
}

/*
 * getsockopt(2) of a mocked option: the rule's bytes, whatever was set before.
 * As in the kernel, a short buffer gets the first bytes, and the length says how many.
 */
void sys_getsockopt(struct crew_worker *worker, struct request *req)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	const struct sockopt_rule *rule =
	    plan_sockopt(req->sup->plan, SOCKOPT_GET, (int)arg[1], (int)arg[2]);
	int size = 0, rc;

	if (handover_is_meant(req)) {
		handover_offer(worker, req);
		return;
	}
	rc = request_take_socket(worker, req, (int)arg[0]);
	if (rc == 0 && rule->action != SOCKOPT_MOCK)
		rc = (int)request_deny(req, rule->action == SOCKOPT_DENY ? rule->error : EACCES,
				       rule->loc, "socket option");
	if (rc == 0)
		rc = target_read(req->tid, arg[4], &size, sizeof(size));
	if (rc == 0 && size < 0)
		rc = -EINVAL;
	if (rc == 0 && size > rule->value_size)
		size = rule->value_size;
	if (rc == 0)
		rc = target_write(req->tid, arg[3], rule->value, (size_t)size);
	if (rc == 0)
		rc = target_write(req->tid, arg[4], &size, sizeof(size));
	if (rc == 0) {
		req->by_policy = req->emulated = true;
		req->loc = rule->loc;
		req->why = "mock";
	}
	request_answer(req, rc);
}
