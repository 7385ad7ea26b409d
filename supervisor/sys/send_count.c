/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/send_count.h"

#include "crew.h"
#include "request.h"
#include "send_job.h"
#include "supervisor.h"
#include "sys/control.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>

/*
 * How many packets @job will be.  Segmentation offload makes several of one message; with MSG_MORE
 * it is part of a later one.
 */
static unsigned int count_datagrams(const struct request *req, struct send_job *job)
{
	unsigned int segment = control_segment(job->control, job->control_size, UDP_SEGMENT);
	int option = 0;
	socklen_t size = sizeof(option);

	if (job->flags & MSG_MORE)
		return 0;
	if (segment == 0 && req->sup->may_segment &&
	    getsockopt(req->duplicate, SOL_UDP, UDP_SEGMENT, &option, &size) == 0)
		segment = (unsigned int)option;
	if (segment == 0 || job->total <= segment)
		return 1;
	return (unsigned int)((job->total + segment - 1) / segment);
}

/*
 * Before it is sent: a datagram is asked for at the account, the SYN of a fast open as any
 * connect.  Return: 0 or -errno.
 */
static long charge(struct request *req, struct send_job *job)
{
	struct account_caller caller = request_caller(req);
	enum quota_kind spent = QUOTA_KINDS;

	if (request_is_udp(req)) {
		job->datagrams = count_datagrams(req, job);
		return send_job_charge(req, job);
	}
	if (!job->fast_open || !job->has_name)
		return 0;
	return request_count(req, account_may_connect(req->sup->account, &caller, &spent), &spent);
}

/* A fast open was tried: where is it? */
static void settle_connect(struct request *req, long rc)
{
	struct account_caller caller = request_caller(req);
	struct sock_tuple tuple;
	bool begun = rc >= 0 || rc == SEND_WAITS || rc == -EINPROGRESS || rc == -EAGAIN;

	if (rc == -EALREADY || rc == -EISCONN)
		account_not_connected(req->sup->account);
	else if (begun && sock_tuple_of(req->duplicate, &req->dest.endpoint, &tuple) == 0)
		account_connected(req->sup->account, &caller, &req->dest.endpoint, &tuple, false);
	else
		account_connected(req->sup->account, &caller, &req->dest.endpoint, NULL, true);
}

long send_counted(struct crew_worker *worker, struct request *req, struct send_job *job,
		  size_t loaded)
{
	bool connects = job->fast_open && job->has_name;
	long rc = charge(req, job);

	if (rc < 0)
		return rc;
	rc = send_job_try(worker, req, job, loaded);
	if (connects)
		settle_connect(req, rc);
	return rc;
}
