/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_NETLINK_H
#define SYS_NETLINK_H

#include "request.h"

/*
 * Route netlink, read only: interface and route listings (getifaddrs, Go, Node).
 * Socket addresses must name the kernel; messages must be RTM_GET* requests.
 * That nothing can be changed rests on two fences: CAP_NET_ADMIN is taken from the
 * program, and what comes through here is checked and sent from the copy.
 */
long netlink_bind(struct request *req, const void *bytes, size_t size);
long netlink_connect(struct request *req, const void *bytes, size_t size);

/** netlink_to_kernel() - is this the kernel's address (nl_pid 0, no groups)?  Pure. */
bool netlink_to_kernel(const void *bytes, size_t size);

/**
 * netlink_is_read_only() - does @data hold RTM_GET* requests and nothing else?
 * Pure.  Follows netlink_rcv_skb(): messages that it would not look at (shorter than
 * a header) end the walk.
 */
bool netlink_is_read_only(const void *data, size_t size);

#endif
