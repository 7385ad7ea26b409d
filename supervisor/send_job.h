/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SEND_JOB_H
#define SUPERVISOR_SEND_JOB_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct crew_worker;
struct request;

/* Control data and descriptors that one message may carry; the kernel's own bound is net.core.optmem_max. */
#define SEND_CONTROL_MAX 8192
#define SEND_FDS_MAX 253 /* SCM_MAX_FD */
/* Longest datagram that is carried; the largest that UDP can have is 65,535. */
#define SEND_DATAGRAM_MAX (1u << 20)

/*
 * A send(2) in progress, carried out in the program's place.
 *
 * What decides - address, control data, descriptors - was copied once and stays as
 * it was copied.  The bytes to be sent decide nothing (but for netlink, which never
 * waits): of a message that must wait they are read again from the program when the
 * socket is ready, so that a thousand waiting sends cost no memory here.
 */
struct send_job {
	int flags;
	bool stream; /* a part may be sent; goes on until all is */
	bool has_name;
	bool fast_open; /* MSG_FASTOPEN: .name is connected to */
	bool sealed;    /* leaves as one datagram, whatever the socket's options */
	bool paced;     /* its question waits for our own look-up, and for nothing else */
	bool aimed;     /* .name is where the socket was connected when we looked */
	bool charged;   /* the account has allowed it, and waits to hear what became of it */
	unsigned int datagrams; /* UDP: packets that it becomes */
	int timeout_error;      /* positive errno when the socket's time-out ends the wait */
	struct sockaddr_storage name;
	socklen_t name_size;
	int fds[SEND_FDS_MAX]; /* our duplicates of what SCM_RIGHTS carries, owned */
	size_t n_fds;
	void *held; /* all of a datagram that waits and must stay as it was judged, owned; NULL */
	int path;   /* open file behind a local socket's name, owned; -1 */

	const struct iovec *parts; /* ranges in the program; .own_parts once it waits */
	size_t n_parts;
	struct iovec *own_parts;
	size_t total;      /* bytes in .parts */
	size_t sent;       /* of these */
	uint64_t count_at; /* sendmmsg: where msg_len is written; 0: none */
	size_t control_size;
	/* Last, so that what waits on the heap is cut behind .control_size. */
	_Alignas(struct cmsghdr) unsigned char control[SEND_CONTROL_MAX];
};

/** send_job_init() - an empty message. */
void send_job_init(struct send_job *job);

/** send_job_fini() - close what it holds. */
void send_job_fini(struct send_job *job);

/** send_job_keep() - a copy on the heap that owns all that @job held.  NULL: out of memory, @job unchanged. */
struct send_job *send_job_keep(struct send_job *job);

/** send_job_hold() - keep @data, .total bytes, for when it goes on.  Return: false: out of memory. */
bool send_job_hold(struct send_job *job, const void *data);

/** send_job_free() - fini and free; NULL allowed. */
void send_job_free(struct send_job *job);

/**
 * send_job_charge() - ask the account for a UDP datagram; other sockets are the kernel's to count.
 * Return: 0 go on; -errno for the caller.
 */
long send_job_charge(struct request *req, struct send_job *job);

/** send_job_settle() - tell the account what became of it.  @result: bytes sent, or negative. */
void send_job_settle(struct request *req, struct send_job *job, long result);

#define SEND_WAITS LONG_MIN

/**
 * send_job_try() - send as much as the socket takes now.
 * @loaded: bytes of the message that lie in worker->buffer already (from .sent on)
 * Return: the answer for the program (bytes sent, of a stream perhaps not all, or -errno; SIGPIPE has been raised
 *         where due), or SEND_WAITS: a blocking socket is full.
 */
long send_job_try(struct crew_worker *worker, struct request *req, struct send_job *job,
		  size_t loaded);

#endif
