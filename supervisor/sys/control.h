/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CONTROL_H
#define SYS_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Control messages of sendmsg(2), judged on the copy against an allow-list.
 * IP_RETOPTS and routing headers would send a datagram for an allowed address to
 * another host; packet info chooses the local address and the interface, which is
 * bind by another name and goes by its statement.  Pure.
 */
enum control_verdict {
	CONTROL_FINE,
	CONTROL_INVALID, /* the kernel says EINVAL */
	CONTROL_REFUSED, /* not on the list: EACCES */
	CONTROL_RIGHTS,  /* fine, and there are descriptors (SCM_RIGHTS) in it */
};

/**
 * control_check() - walk @control as the kernel does (CMSG_OK, __scm_send, ip_cmsg_send).
 * @domain: SO_DOMAIN of the socket; @bind_any: may it choose a local address?
 * @control: @size bytes, aligned for struct cmsghdr
 * @why: static text for CONTROL_REFUSED
 */
enum control_verdict control_check(int domain, bool bind_any, const void *control, size_t size,
				   const char **why);

/**
 * control_segment() - the size of packets that one message was made of, or is to be cut into.
 * @type: UDP_SEGMENT (sending) or UDP_GRO (receiving)
 * Return: 0 where @control does not say.
 */
unsigned int control_segment(const void *control, size_t size, int type);

/**
 * control_fds() - the descriptors in SCM_RIGHTS message @nth (from 0), in place, so that
 * they can be replaced by the sender's own.
 * Return: how many; *@fds points into @control (int, may be unaligned only if @control is),
 *         or is NULL: there are no more such messages.
 */
size_t control_fds(void *control, size_t size, size_t nth, int **fds);

#endif
