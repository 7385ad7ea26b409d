/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/control.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

TestSuite(control, .timeout = 10);

struct built {
	_Alignas(struct cmsghdr) unsigned char bytes[512];
	size_t size;
};

static void add(struct built *built, int level, int type, const void *data, size_t size)
{
	struct cmsghdr *header = (struct cmsghdr *)(void *)(built->bytes + built->size);

	memset(header, 0, CMSG_SPACE(size));
	header->cmsg_level = level;
	header->cmsg_type = type;
	header->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(header), data, size);
	built->size += CMSG_SPACE(size);
}

static enum control_verdict check_one(int domain, int level, int type, const void *data,
				      size_t size)
{
	struct built built = {.size = 0};
	const char *why;

	add(&built, level, type, data, size);
	return control_check(domain, false, built.bytes, built.size, &why);
}

Test(control, no_control_data_is_fine)
{
	const char *why;

	cr_assert_eq(control_check(AF_INET, false, NULL, 0, &why), CONTROL_FINE);
}

Test(control, type_of_service_ttl_and_segment_size_pass)
{
	int value = 16;
	unsigned short segment = 100;

	cr_assert_eq(check_one(AF_INET, IPPROTO_IP, IP_TOS, &value, 4), CONTROL_FINE);
	cr_assert_eq(check_one(AF_INET, IPPROTO_IP, IP_TTL, &value, 4), CONTROL_FINE);
	cr_assert_eq(check_one(AF_INET6, IPPROTO_IPV6, IPV6_TCLASS, &value, 4), CONTROL_FINE);
	cr_assert_eq(check_one(AF_INET6, IPPROTO_IPV6, IPV6_HOPLIMIT, &value, 4), CONTROL_FINE);
	cr_assert_eq(check_one(AF_INET, SOL_UDP, 103, &segment, 2), CONTROL_FINE);
}

Test(control, options_that_route_elsewhere_are_refused)
{
	unsigned char route[] = {0x83, 7, 4, 10, 0, 0, 1, 0};

	cr_assert_eq(check_one(AF_INET, IPPROTO_IP, IP_RETOPTS, route, 8), CONTROL_REFUSED);
	cr_assert_eq(check_one(AF_INET6, IPPROTO_IP, IP_RETOPTS, route, 8), CONTROL_REFUSED);
	cr_assert_eq(check_one(AF_INET6, IPPROTO_IPV6, IPV6_RTHDR, route, 8), CONTROL_REFUSED);
	cr_assert_eq(check_one(AF_INET6, IPPROTO_IPV6, IPV6_HOPOPTS, route, 8), CONTROL_REFUSED);
	cr_assert_eq(check_one(AF_INET6, IPPROTO_IPV6, IPV6_DSTOPTS, route, 8), CONTROL_REFUSED);
	cr_assert_eq(check_one(AF_INET, SOL_SOCKET, SO_MARK, route, 4), CONTROL_REFUSED);
}

Test(control, packet_info_passes_only_when_it_chooses_nothing)
{
	struct in_pktinfo none = {0}, source = {.ipi_spec_dst.s_addr = 1};
	struct in_pktinfo interface = {.ipi_ifindex = 2};
	struct in6_pktinfo none6 = {0}, interface6 = {.ipi6_ifindex = 2};

	cr_assert_eq(check_one(AF_INET, IPPROTO_IP, IP_PKTINFO, &none, sizeof(none)), CONTROL_FINE);
	cr_assert_eq(check_one(AF_INET, IPPROTO_IP, IP_PKTINFO, &source, sizeof(source)),
		     CONTROL_REFUSED);
	cr_assert_eq(check_one(AF_INET, IPPROTO_IP, IP_PKTINFO, &interface, sizeof(interface)),
		     CONTROL_REFUSED);
	cr_assert_eq(check_one(AF_INET6, IPPROTO_IPV6, IPV6_PKTINFO, &none6, sizeof(none6)),
		     CONTROL_FINE);
	cr_assert_eq(
	    check_one(AF_INET6, IPPROTO_IPV6, IPV6_PKTINFO, &interface6, sizeof(interface6)),
	    CONTROL_REFUSED);
}

Test(control, packet_info_chooses_where_any_address_may_be_bound)
{
	struct built built = {.size = 0};
	struct in_pktinfo source = {.ipi_spec_dst.s_addr = 1};
	struct in6_pktinfo interface6 = {.ipi6_ifindex = 2};
	unsigned char route[8] = {0x83, 7, 4};
	const char *why = NULL;

	add(&built, IPPROTO_IP, IP_PKTINFO, &source, sizeof(source));
	add(&built, IPPROTO_IPV6, IPV6_PKTINFO, &interface6, sizeof(interface6));
	cr_assert_eq(control_check(AF_INET6, true, built.bytes, built.size, &why), CONTROL_FINE);
	add(&built, IPPROTO_IP, IP_RETOPTS, route, 8);
	cr_assert_eq(control_check(AF_INET6, true, built.bytes, built.size, &why), CONTROL_REFUSED);
}

Test(control, a_refused_message_behind_a_fine_one_is_seen)
{
	struct built built = {.size = 0};
	unsigned char route[8] = {0x83, 7, 4};
	const char *why = NULL;
	int tos = 16;

	add(&built, IPPROTO_IP, IP_TOS, &tos, 4);
	add(&built, IPPROTO_IP, IP_RETOPTS, route, 8);
	cr_assert_eq(control_check(AF_INET, false, built.bytes, built.size, &why), CONTROL_REFUSED);
	cr_assert_not_null(why);
}

Test(control, a_length_outside_the_buffer_is_invalid)
{
	struct cmsghdr header = {.cmsg_len = 4096, .cmsg_level = IPPROTO_IP, .cmsg_type = IP_TOS};
	const char *why;

	cr_assert_eq(control_check(AF_INET, false, &header, sizeof(header), &why), CONTROL_INVALID);
	header.cmsg_len = 3;
	cr_assert_eq(control_check(AF_INET, false, &header, sizeof(header), &why), CONTROL_INVALID);
}

Test(control, descriptors_travel_on_local_sockets_only)
{
	int fds[2] = {5, 6};

	cr_assert_eq(check_one(AF_UNIX, SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds)), CONTROL_RIGHTS);
	cr_assert_eq(check_one(AF_INET, SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds)), CONTROL_REFUSED);
}

Test(control, credentials_of_ones_own_choice_go_nowhere_that_believes_them)
{
	struct ucred root = {.pid = 1};

	cr_assert_eq(check_one(AF_UNIX, SOL_SOCKET, SCM_CREDENTIALS, &root, sizeof(root)),
		     CONTROL_REFUSED);
	cr_assert_eq(check_one(AF_NETLINK, SOL_SOCKET, SCM_CREDENTIALS, &root, sizeof(root)),
		     CONTROL_REFUSED);
	cr_assert_eq(check_one(AF_INET, SOL_SOCKET, SCM_CREDENTIALS, &root, sizeof(root)),
		     CONTROL_FINE);
}

Test(control, two_sets_of_descriptors_are_added_up)
{
	struct built built = {.size = 0};
	const char *why;
	int fd = 5;

	add(&built, SOL_SOCKET, SCM_RIGHTS, &fd, 4);
	add(&built, SOL_SOCKET, SCM_RIGHTS, &fd, 4);
	cr_assert_eq(control_check(AF_UNIX, false, built.bytes, built.size, &why), CONTROL_RIGHTS);
}

Test(control, the_descriptors_are_found_behind_another_message)
{
	struct built built = {.size = 0};
	int fds[2] = {5, 6}, more = 7, *found = NULL;
	struct ucred credentials = {1, 2, 3};

	add(&built, SOL_SOCKET, SCM_CREDENTIALS, &credentials, sizeof(credentials));
	add(&built, SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds));
	add(&built, SOL_SOCKET, SCM_RIGHTS, &more, sizeof(more));
	cr_assert_eq(control_fds(built.bytes, built.size, 0, &found), 2);
	cr_assert_eq(found[0], 5);
	cr_assert_eq(found[1], 6);
	cr_assert_eq(control_fds(built.bytes, built.size, 1, &found), 1);
	cr_assert_eq(found[0], 7);
	cr_assert_eq(control_fds(built.bytes, built.size, 2, &found), 0);
	cr_assert_null(found);
}
