/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SEND_H
#define SYS_SEND_H

#include <stddef.h>
#include <sys/uio.h>

struct crew_worker;
struct request;

/* The kernel's bound on one call (MAX_RW_COUNT, lib/iov_iter.c). */
#define LENGTH_MAX 0x7ffff000u

/**
 * send_sum_parts() - as import_iovec(): a negative length is -EINVAL, the sum is cut to LENGTH_MAX.
 * Return: 0 and *@total.
 */
int send_sum_parts(struct iovec *parts, size_t n, size_t *total);

/**
 * send_data() - send what lies at @parts in the program on the socket that @req has taken, to
 * where that is connected.  Answers, or lets the request wait.
 * @n: at most UIO_MAXIOV; @total: their sum; @flags: MSG_* of send(2)
 */
void send_data(struct crew_worker *worker, struct request *req, const struct iovec *parts, size_t n,
	       size_t total, int flags);

#endif
