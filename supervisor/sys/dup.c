/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dup(2) and its kin on numbers inside the window.  A copy of a UDP socket goes to another slot
 * of the window or nowhere; any other file is the kernel's to duplicate.
 */
#include "crew.h"
#include "supervisor.h"
#include "sys/dispatch.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>

static void answer_placed(struct request *req, int rc)
{
	struct source_loc builtin = {.file = PLAN_BUILTIN};

	if (rc >= 0)
		request_finish(req, rc);
	else if (rc == -EPERM)
		request_answer(req, request_deny(req, EPERM, builtin,
						 "a UDP socket stays in the window of descriptor "
						 "numbers where its bytes are counted"));
	else
		request_answer(req, rc);
}

static void place_copy(struct crew_worker *worker, struct request *req, int from, bool cloexec)
{
	bool outside;
	int rc = window_place(worker, req, req->duplicate, from, cloexec, &outside);

	answer_placed(req, rc);
}

void sys_dup(struct crew_worker *worker, struct request *req)
{
	if (window_take_udp(worker, req, (int)req->call.args[0]))
		place_copy(worker, req, 0, false);
}

void sys_dup2(struct crew_worker *worker, struct request *req)
{
	int old = (int)req->call.args[0], new = (int)req->call.args[1];

	if (!window_take_udp(worker, req, old))
		return;
	if (old == new)
		request_answer(req, new);
	else
		answer_placed(req, window_replace(worker, req, req->duplicate, new, false));
}

void sys_dup3(struct crew_worker *worker, struct request *req)
{
	int old = (int)req->call.args[0], new = (int)req->call.args[1];
	int flags = (int)req->call.args[2];

	/* fs/file.c, ksys_dup3() */
	if ((flags & ~O_CLOEXEC) || old == new)
		request_answer(req, -EINVAL);
	else if (window_take_udp(worker, req, old))
		answer_placed(req,
			      window_replace(worker, req, req->duplicate, new, flags & O_CLOEXEC));
}

void sys_fcntl(struct crew_worker *worker, struct request *req)
{
	int from = (int)req->call.args[2];
	bool cloexec = (int)req->call.args[1] == F_DUPFD_CLOEXEC;

	if (!window_take_udp(worker, req, (int)req->call.args[0]))
		return;
	if (from < 0)
		request_answer(req, -EINVAL);
	else
		place_copy(worker, req, from, cloexec);
}
