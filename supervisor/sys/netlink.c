/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/netlink.h"

#include "supervisor.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

bool netlink_to_kernel(const void *bytes, size_t size)
{
	struct sockaddr_nl to;

	if (size < sizeof(to))
		return false;
	memcpy(&to, bytes, sizeof(to));
	return to.nl_family == AF_NETLINK && to.nl_pid == 0 && to.nl_groups == 0;
}

bool netlink_is_read_only(const void *data, size_t size)
{
	const unsigned char *at = data;

	while (size >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr header;
		size_t step;

		memcpy(&header, at, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > size)
			return false;
		/* Control messages (below RTM_BASE) do nothing; of each group of four the third is the GET. */
		if (header.nlmsg_type >= RTM_BASE && (header.nlmsg_type - RTM_BASE) % 4 != 2)
			return false;
		step = NLMSG_ALIGN(header.nlmsg_len);
		if (step >= size)
			return true;
		at += step;
		size -= step;
	}
	return true;
}

static long with_address(struct request *req, const void *bytes, size_t size,
			 int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_nl at;

	if (size < sizeof(at))
		return -EINVAL;
	memcpy(&at, bytes, sizeof(at));
	return call(req->duplicate, (const struct sockaddr *)&at, sizeof(at)) < 0 ? -errno : 0;
}

long netlink_bind(struct request *req, const void *bytes, size_t size)
{
	return with_address(req, bytes, size, bind);
}

long netlink_connect(struct request *req, const void *bytes, size_t size)
{
	if (!netlink_to_kernel(bytes, size))
		return request_deny(req, EPERM, req->sup->plan->netlink.loc,
				    "netlink to others than the kernel");
	return with_address(req, bytes, size, connect);
}
