/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/netlink.h"

#include <criterion/criterion.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

TestSuite(netlink, .timeout = 10);

struct pair {
	struct nlmsghdr first, second;
};

static struct nlmsghdr message(int type)
{
	return (struct nlmsghdr){.nlmsg_len = sizeof(struct nlmsghdr), .nlmsg_type = (__u16)type};
}

Test(netlink, listing_requests_pass)
{
	static const int gets[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH,
				   RTM_GETRULE};

	for (size_t i = 0; i < sizeof(gets) / sizeof(gets[0]); i++) {
		struct nlmsghdr header = message(gets[i]);

		cr_assert(netlink_is_read_only(&header, sizeof(header)), "type %d", gets[i]);
	}
}

Test(netlink, everything_that_changes_something_is_refused)
{
	for (int type = RTM_BASE; type < RTM_MAX; type++) {
		struct nlmsghdr header = message(type);
		bool is_get = (type - RTM_BASE) % 4 == 2;

		cr_assert_eq(netlink_is_read_only(&header, sizeof(header)), is_get, "type %d",
			     type);
	}
}

Test(netlink, a_change_behind_a_listing_is_refused)
{
	struct pair pair = {message(RTM_GETLINK), message(RTM_NEWLINK)};

	cr_assert_not(netlink_is_read_only(&pair, sizeof(pair)));
	pair.second.nlmsg_type = RTM_GETADDR;
	cr_assert(netlink_is_read_only(&pair, sizeof(pair)));
}

Test(netlink, lengths_that_lie_are_refused)
{
	struct pair pair = {message(RTM_GETLINK), message(RTM_NEWLINK)};

	pair.first.nlmsg_len = sizeof(pair) + 1;
	cr_assert_not(netlink_is_read_only(&pair, sizeof(pair)));
	pair.first.nlmsg_len = 3;
	cr_assert_not(netlink_is_read_only(&pair, sizeof(pair)));
}

Test(netlink, only_the_kernel_may_be_addressed)
{
	struct sockaddr_nl to = {.nl_family = AF_NETLINK};

	cr_assert(netlink_to_kernel(&to, sizeof(to)));
	cr_assert_not(netlink_to_kernel(&to, sizeof(to) - 1));
	to.nl_pid = 1;
	cr_assert_not(netlink_to_kernel(&to, sizeof(to)));
	to.nl_pid = 0;
	to.nl_groups = 1;
	cr_assert_not(netlink_to_kernel(&to, sizeof(to)));
}
