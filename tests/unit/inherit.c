/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/inherit.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static char error[480];

static int describe(int fd)
{
	error[0] = '\0';
	return inherit_describe(fd, error, sizeof(error));
}

Test(inherit, files_pipes_and_connected_unix_sockets_pass)
{
	int ends[2], pair[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_expect_eq(describe(ends[0]), 0, "%s", error);
	cr_expect_eq(describe(pair[0]), INHERIT_LOCAL, "%s", error);
	cr_expect_eq(describe(open("/dev/null", O_RDONLY | O_CLOEXEC)), 0, "%s", error);
	cr_expect_eq(describe(open("/", O_PATH | O_CLOEXEC)), 0, "%s", error);
}

Test(inherit, internet_sockets_are_refused_with_their_address)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	to.sin6_addr = in6addr_loopback;
	cr_expect_eq(describe(tcp), -EPERM);
	cr_expect(strstr(error, "an inherited TCP socket on 0.0.0.0:0;"), "%s", error);
	if (udp < 0 || connect(udp, (struct sockaddr *)&to, sizeof(to)) < 0)
		cr_skip_test("no IPv6 loopback here");
	cr_expect_eq(describe(udp), -EPERM);
	cr_expect(strstr(error, "an inherited UDP socket to [::1]:53;"), "%s", error);
}

Test(inherit, listening_sockets_are_refused_unix_ones_too)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(listen(tcp, 1), 0);
	cr_expect_eq(describe(tcp), -EPERM);
	cr_expect(strstr(error, "an inherited listening TCP socket on 0.0.0.0:"), "%s", error);
	/* autobind: an abstract name that the kernel chooses (unix(7)) */
	cr_assert_eq(bind(local, (struct sockaddr *)&name, sizeof(name.sun_family)), 0);
	cr_assert_eq(listen(local, 1), 0);
	cr_expect_eq(describe(local), -EPERM);
	cr_expect(strstr(error, "an inherited listening AF_UNIX socket"), "%s", error);
}

Test(inherit, other_families_and_rings_are_refused)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	char params[256] = {0};
	int ring = (int)syscall(SYS_io_uring_setup, 1, params);

	cr_expect_eq(describe(netlink), -EPERM);
	cr_expect(strstr(error, "an inherited netlink socket"), "%s", error);
	if (ring < 0)
		cr_skip_test("no io_uring here");
	cr_expect_eq(describe(ring), -EPERM);
	cr_expect(strstr(error, "io_uring"), "%s", error);
}

Test(inherit, our_own_descriptor_is_not_looked_at)
{
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(inherit_check(-1, error, sizeof(error)), -EPERM);
	cr_expect_geq(inherit_check(tcp, error, sizeof(error)), 0, "%s", error);
}
