/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: getsockopt */
#include "sys/send_control.h"
#include "crew.h"
#include "notify.h"
#include "policy/plan.h"
#include "request.h"
#include "send_job.h"
#include "supervisor.h"
#include "sys/control.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define DENY(req, error, why)                                                                      \
	((int)request_deny((req), (error), (struct source_loc){.file = PLAN_BUILTIN}, (why)))

static bool is_udp(int file)
{
	int domain = AF_UNSPEC, type = 0;
	socklen_t size = sizeof(domain);

	if (getsockopt(file, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
	    getsockopt(file, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return false;
	return (domain == AF_INET || domain == AF_INET6) && type == SOCK_DGRAM;
}

/* Replaces @n of the program's descriptor numbers by our duplicates of what they stand for. */
static int take_numbers(struct crew_worker *worker, struct request *req, struct send_job *job,
			int *numbers, size_t n)
{
	int *copies = job->fds + job->n_fds;

	if (n > SEND_FDS_MAX - job->n_fds)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int copy = target_duplicate(&worker->targets, req->tid, numbers[i]);

		if (copy < 0)
			return copy;
		job->fds[job->n_fds++] = copy;
		if (is_udp(copy))
			return DENY(
			    req, EPERM,
			    "a UDP socket stays in its process's window of descriptor numbers");
	}
	if (n)
		memcpy(numbers, copies, n * sizeof(int));
	return 0;
}

/* Of all SCM_RIGHTS messages, which the kernel adds up (scm_fp_copy()). */
static int take_descriptors(struct crew_worker *worker, struct request *req, struct send_job *job)
{
	int *numbers, rc = 0;

	for (size_t i = 0; rc == 0; i++) {
		size_t n = control_fds(job->control, job->control_size, i, &numbers);

		if (!numbers)
			break;
		rc = take_numbers(worker, req, job, numbers, n);
	}
	if (rc < 0)
		return rc;
	/* Its descriptors, or those of a successor with the same thread id? */
	return notify_alive(req->sup->listener, req->id) ? 0 : -ESRCH;
}

int send_check_control(struct crew_worker *worker, struct request *req, struct send_job *job)
{
	const char *why = NULL;

	if (job->control_size == 0)
		return 0;
	switch (control_check(req->socket.domain, req->sup->plan->bind.word == BIND_ANY,
			      job->control, job->control_size, &why)) {
	case CONTROL_INVALID:
		return -EINVAL;
	case CONTROL_REFUSED:
		return DENY(req, EACCES, why);
	case CONTROL_RIGHTS:
		return take_descriptors(worker, req, job);
	case CONTROL_FINE:
		break;
	}
	return 0;
}
