/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_QUESTION_H
#define SYS_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crew_worker;
struct request;
struct send_job;

/* A paced question leaves after so long in any case: resolvers ask again after five seconds, and a connect will wait. */
#define QUESTION_PACE_NS UINT64_C(1000000000)

/**
 * question_look() - a datagram that the rules allow: is it a question to a name server that must
 * wait, or not be asked?  Where questions are judged, a datagram without an address gets that of
 * the connected socket.
 * @loaded: bytes of the message that lie in worker->buffer; only a whole one can be judged
 * @name: gets what it waits for
 * Return: 0 go on; 1 it waits for *@name; -errno.
 */
int question_look(struct crew_worker *worker, struct request *req, struct send_job *job,
		  size_t loaded, uint32_t *name);

/**
 * question_seal() - see to it that the message leaves as one datagram, or what was judged would not
 * be what is sent: a control message outdoes the socket's UDP_SEGMENT.  For a message that does not
 * wait yet.  Return: false: it asks for something else.
 */
bool question_seal(struct request *req, struct send_job *job);

#endif
