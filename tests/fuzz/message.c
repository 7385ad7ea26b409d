/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The readers of a message: control data and netlink data.  The first byte chooses the
 * family, the rest is the data.  What passes is walked once more, with the C library's
 * macros, and must hold nothing that routes a datagram elsewhere, and no change of the
 * network's set-up; descriptors lie within the data.
 */
#include "fuzz.h"
#include "sys/control.h"
#include "sys/netlink.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void expect_harmless(int domain, const struct cmsghdr *header)
{
	if (header->cmsg_level == IPPROTO_IP)
		expect(domain != AF_UNIX &&
		       (header->cmsg_type == IP_TOS || header->cmsg_type == IP_TTL ||
			header->cmsg_type == IP_PKTINFO));
	else if (header->cmsg_level == IPPROTO_IPV6)
		expect(domain == AF_INET6 && header->cmsg_type != IPV6_RTHDR &&
		       header->cmsg_type != IPV6_HOPOPTS && header->cmsg_type != IPV6_DSTOPTS);
	else if (header->cmsg_level == SOL_SOCKET)
		expect(header->cmsg_type != SO_MARK &&
		       (domain == AF_UNIX || header->cmsg_type != SCM_RIGHTS));
}

static void read_control(int domain, unsigned char *control, size_t size)
{
	struct msghdr message = {.msg_control = control, .msg_controllen = size};
	const char *why = NULL;
	int *fds = NULL;
	size_t n;
	enum control_verdict verdict = control_check(domain, false, control, size, &why);

	if (verdict == CONTROL_REFUSED)
		expect(why != NULL);
	if (verdict == CONTROL_FINE || verdict == CONTROL_RIGHTS)
		for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
		     header = CMSG_NXTHDR(&message, header))
			expect_harmless(domain, header);
	if (verdict != CONTROL_RIGHTS)
		return;
	for (size_t nth = 0; n = control_fds(control, size, nth, &fds), fds; nth++) {
		expect((unsigned char *)fds >= control &&
		       (unsigned char *)(fds + n) <= control + size);
		/* As the sender does: it puts its own numbers there. */
		for (size_t i = 0; i < n; i++)
			fds[i] = -1;
	}
}

static void read_netlink(unsigned char *data, size_t size)
{
	int left = (int)size;
	struct nlmsghdr *header = (struct nlmsghdr *)(void *)data;

	netlink_to_kernel(data, size);
	if (!netlink_is_read_only(data, size))
		return;
	for (; left >= (int)sizeof(*header) && NLMSG_OK(header, (unsigned int)left);
	     header = NLMSG_NEXT(header, left))
		expect(header->nlmsg_type < RTM_BASE || (header->nlmsg_type - RTM_BASE) % 4 == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int domains[] = {AF_INET, AF_INET6, AF_UNIX};
	unsigned char *copy;

	if (size < 1 || size > 8192)
		return 0;
	/* On the heap, so that a byte too far is seen; malloc aligns as struct cmsghdr wants. */
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (data[0] % 4 == 3)
		read_netlink(copy, size - 1);
	else
		read_control(domains[data[0] % 4], copy, size - 1);
	free(copy);
	return 0;
}
