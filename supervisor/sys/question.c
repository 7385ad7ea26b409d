/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/question.h"

#include "crew.h"
#include "dns_gate.h"
#include "net/dns_message.h"
#include "request.h"
#include "send_job.h"
#include "supervisor.h"
#include "sys/control.h"
#include "sys/send_count.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

/*
 * Where a socket is connected.  Where questions are judged the datagram is aimed there by name, or
 * another thread could connect the socket to a name server between our look and the sending.
 */
static int aim(struct request *req, struct send_job *job)
{
	bool judges = dns_gate_judges(req->sup->dns);
	struct sockaddr_storage peer = {0};
	socklen_t size = sizeof(peer);
	int rc;

	if (getpeername(req->duplicate, (struct sockaddr *)&peer, &size) < 0)
		return judges ? -EDESTADDRREQ : 0;
	rc = sockaddr_read(req->socket.domain, SOCK_DGRAM, SOCKADDR_SEND, &peer, size, &req->dest);
	if (rc < 0)
		return judges ? rc : 0;
	job->aimed = true;
	if (judges) {
		job->has_name = true;
		job->name_size = sockaddr_build(req->socket.domain, &req->dest, &job->name);
	}
	return 0;
}

bool question_seal(struct request *req, struct send_job *job)
{
	struct cmsghdr *header;

	if (job->sealed)
		return true;
	/* On the heap it has no room for more control data. */
	if (job->own_parts || (job->flags & MSG_MORE) ||
	    control_segment(job->control, job->control_size, UDP_SEGMENT))
		return false;
	job->sealed = true;
	if (!req->sup->may_segment)
		return true;
	job->control_size = CMSG_ALIGN(job->control_size);
	job->sealed = job->control_size + CMSG_SPACE(sizeof(uint16_t)) <= sizeof(job->control);
	if (!job->sealed)
		return false;
	header = (struct cmsghdr *)(void *)(job->control + job->control_size);
	memset(header, 0, CMSG_SPACE(sizeof(uint16_t)));
	header->cmsg_level = SOL_UDP;
	header->cmsg_type = UDP_SEGMENT;
	header->cmsg_len = CMSG_LEN(sizeof(uint16_t));
	job->control_size += CMSG_SPACE(sizeof(uint16_t));
	return true;
}

/* For musl, which looks at no error: the server answers that what it asked for does not exist. */
static void send_nowhere(struct crew_worker *worker, struct request *req, struct send_job *job,
			 uint16_t id)
{
	dns_question_nowhere(id, worker->buffer);
	job->total = DNS_NOWHERE_SIZE;
	send_job_settle(req, job, send_counted(worker, req, job, DNS_NOWHERE_SIZE));
}

int question_look(struct crew_worker *worker, struct request *req, struct send_job *job,
		  size_t loaded, uint32_t *name)
{
	bool judges = dns_gate_judges(req->sup->dns), named = job->has_name, whole, is_question;
	uint16_t id = 0;
	int rc;

	if (!req->sup->dns || !request_is_udp(req))
		return 0;
	rc = named ? 0 : aim(req, job);
	if (rc < 0 || (!named && !job->aimed) || req->dest.endpoint.port != DNS_PORT)
		return rc;
	whole = loaded == job->total && (!judges || question_seal(req, job));
	/* It must not be read a second time. */
	if (judges)
		job->flags |= MSG_DONTWAIT;
	switch (dns_gate_look(req->sup->dns, req, whole ? worker->buffer : NULL, job->total, name,
			      &is_question, &id)) {
	case DNS_PASSES:
		break;
	case DNS_WAITS:
		return 1;
	case DNS_REFUSED:
		if (is_question && named)
			send_nowhere(worker, req, job, id);
		req->has_dest = true;
		return -ECONNREFUSED;
	}
	return 0;
}
