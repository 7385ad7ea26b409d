/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SEND_COUNT_H
#define SYS_SEND_COUNT_H

#include <stddef.h>

struct crew_worker;
struct request;
struct send_job;

/**
 * send_counted() - ask the account, then send: a datagram, or the SYN of a fast open.
 * @loaded: bytes of the message that lie in worker->buffer already
 * Return: as send_job_try(), and the account's refusals; send_job_settle() is still to be called.
 */
long send_counted(struct crew_worker *worker, struct request *req, struct send_job *job,
		  size_t loaded);

#endif
