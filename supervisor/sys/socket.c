/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: socket */
#include "crew.h"
#include "supervisor.h"
#include "sys/dispatch.h"
#include "window.h"

#include <errno.h>
#include <sys/socket.h>

/*
 * socket(2) for UDP: made here, so that it stands in the window from its first moment.  We and
 * the program are in one network namespace (it cannot change its own), so it is the same socket.
 */
void sys_socket(struct crew_worker *worker, struct request *req)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	struct source_loc builtin = {.file = PLAN_BUILTIN};
	int domain = (int)arg[0], type = (int)arg[1], rc;
	bool outside;

	req->duplicate = socket(domain, type | SOCK_CLOEXEC, (int)arg[2]);
	if (req->duplicate < 0) {
		/* Our want of descriptors, not the program's. */
		if (errno == EMFILE)
			request_answer(req, request_deny(req, ENOBUFS, builtin,
							 "the supervisor is out of descriptors"));
		else
			request_answer(req, -errno);
		return;
	}
	req->socket = (struct socket_info){.domain = domain, .type = SOCK_DGRAM};
	rc = window_place(worker, req, req->duplicate, 0, type & SOCK_CLOEXEC, &outside);
	if (rc < 0)
		request_answer(req, rc);
	else
		request_finish(req, rc);
}
