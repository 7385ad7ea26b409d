/* SPDX-License-Identifier: Apache-2.0 */
#include "crew.h"
#include "notify.h"
#include "supervisor.h"
#include "sys/dispatch.h"
#include "sys/handover.h"

#include <errno.h>
#include <string.h>

void sys_setsockopt(struct crew_worker *worker, struct request *req)
{
	if (handover_is_meant(req))
		handover_claim(worker, req);
	else
		sys_none(worker, req);
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
