/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sockaddr.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * The kernel is the oracle: every combination of socket, use, family and length
 * is tried on a real socket and must be classified as sockaddr_read() does.
 */
static const int domains[] = {AF_INET, AF_INET6};
static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
static const sa_family_t families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX, 99};

#define CLOSED_PORT 1 /* tcpmux: nothing listens there */

static bool have_ipv6(void)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool have = fd >= 0 && !bind(fd, (struct sockaddr *)&any, sizeof(any));

	if (fd >= 0)
		close(fd);
	if (!have)
		fprintf(stderr, "skip: no IPv6 loopback address here\n");
	return have;
}

/* The bytes of an address as the family lays it out; @any: the unspecified address, else loopback. */
static void fill(uint8_t *bytes, sa_family_t family, uint16_t port, bool any)
{
	struct sockaddr_in v4 = {.sin_family = family, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = family, .sin6_port = htons(port)};

	memset(bytes, 0, SOCKADDR_MAX);
	if (family == AF_INET6) {
		v6.sin6_addr = any ? in6addr_any : in6addr_loopback;
		memcpy(bytes, &v6, sizeof(v6));
	} else {
		v4.sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK);
		memcpy(bytes, &v4, sizeof(v4));
	}
}

/* What the kernel makes of it: 0 or the errno of the call. */
static int ask_kernel(int domain, int type, enum sockaddr_use use, const uint8_t *bytes,
		      size_t size)
{
	int fd = socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct sockaddr *addr = (const void *)bytes;
	int flags = type == SOCK_STREAM ? MSG_FASTOPEN | MSG_NOSIGNAL : 0;
	ssize_t result = -1;

	cr_assert(ge(int, fd, 0));
	if (use == SOCKADDR_CONNECT)
		result = connect(fd, addr, (socklen_t)size);
	else if (use == SOCKADDR_BIND)
		result = bind(fd, addr, (socklen_t)size);
	else
		result = sendto(fd, "x", 1, flags, addr, (socklen_t)size);
	result = result < 0 ? errno : 0;
	close(fd);
	return (int)result;
}

static bool is_address_error(int error)
{
	return error == EINVAL || error == EAFNOSUPPORT || error == EOPNOTSUPP;
}

static const char *use_names[] = {"connect", "send", "bind"};

static void compare(int domain, int type, enum sockaddr_use use, sa_family_t family, size_t size,
		    bool any)
{
	uint8_t bytes[SOCKADDR_MAX];
	struct sockaddr_dest dest;
	int ours, theirs;

	fill(bytes, family, use == SOCKADDR_BIND ? 0 : CLOSED_PORT, any);
	ours = -sockaddr_read(domain, type, use, bytes, size, &dest);
	theirs = ask_kernel(domain, type, use, bytes, size);
	/* An address that is read can still be refused later, but not for its shape. */
	if (!is_address_error(theirs))
		theirs = 0;
	cr_expect(eq(int, ours, theirs), "%s on domain %d type %d: family %u, %zu bytes, any %d",
		  use_names[use], domain, type, (unsigned int)family, size, any);
}

static void compare_lengths(int domain, int type, enum sockaddr_use use)
{
	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
		for (int any = 0; any < 2; any++) {
			for (size_t size = 0; size <= 40; size++)
				compare(domain, type, use, families[f], size, any);
			compare(domain, type, use, families[f], SOCKADDR_MAX, any);
		}
	}
}

Test(sockaddr, every_family_and_length_is_classified_as_the_kernel_does, .timeout = 60)
{
	bool ipv6 = have_ipv6();

	for (int d = 0; d < 2; d++)
		for (int t = 0; t < 2; t++)
			for (int use = SOCKADDR_CONNECT; use <= SOCKADDR_BIND; use++)
				if (ipv6 || domains[d] != AF_INET6)
					compare_lengths(domains[d], types[t], use);
}

/* One address in, by text; the destination's text out ("" for none, "disconnect"). */
struct sample {
	int domain, type;
	enum sockaddr_use use;
	sa_family_t family;
	const char *text;
	uint16_t port;
	const char *want;
	sa_family_t as_family;
};

static size_t sample_bytes(const struct sample *s, uint8_t *bytes)
{
	struct sockaddr_in v4 = {.sin_family = s->family, .sin_port = htons(s->port)};
	struct sockaddr_in6 v6 = {.sin6_family = s->family, .sin6_port = htons(s->port)};

	if (inet_pton(AF_INET6, s->text, &v6.sin6_addr) == 1) {
		v6.sin6_scope_id = 7;
		memcpy(bytes, &v6, sizeof(v6));
		return sizeof(v6);
	}
	cr_assert(eq(int, inet_pton(AF_INET, s->text, &v4.sin_addr), 1));
	memcpy(bytes, &v4, sizeof(v4));
	return sizeof(v4);
}

static const struct sample samples[] = {
    {AF_INET, SOCK_STREAM, SOCKADDR_CONNECT, AF_INET, "192.0.2.1", 25, "192.0.2.1:25", AF_INET},
    {AF_INET, SOCK_STREAM, SOCKADDR_CONNECT, AF_INET, "0.0.0.0", 25, "127.0.0.1:25", AF_INET},
    {AF_INET, SOCK_DGRAM, SOCKADDR_CONNECT, AF_INET, "192.0.2.1", 0, "192.0.2.1:0", AF_INET},
    {AF_INET, SOCK_DGRAM, SOCKADDR_SEND, AF_INET, "0.0.0.0", 53, "127.0.0.1:53", AF_INET},
    {AF_INET, SOCK_DGRAM, SOCKADDR_SEND, AF_INET, "192.0.2.1", 0, "192.0.2.1:0", AF_INET},
    {AF_INET, SOCK_DGRAM, SOCKADDR_SEND, AF_UNSPEC, "192.0.2.1", 53, "192.0.2.1:53", AF_INET},
    {AF_INET, SOCK_STREAM, SOCKADDR_BIND, AF_UNSPEC, "0.0.0.0", 9, "0.0.0.0:9", AF_INET},
    {AF_INET, SOCK_STREAM, SOCKADDR_BIND, AF_INET, "0.0.0.0", 0, "0.0.0.0:0", AF_INET},
    {AF_INET6, SOCK_STREAM, SOCKADDR_CONNECT, AF_INET6, "2001:db8::1", 25, "[2001:db8::1]:25",
     AF_INET6},
    {AF_INET6, SOCK_STREAM, SOCKADDR_CONNECT, AF_INET6, "::", 25, "[::1]:25", AF_INET6},
    {AF_INET6, SOCK_STREAM, SOCKADDR_CONNECT, AF_INET6, "::ffff:192.0.2.1", 25, "192.0.2.1:25",
     AF_INET6},
    {AF_INET6, SOCK_STREAM, SOCKADDR_CONNECT, AF_INET6, "::ffff:0.0.0.0", 25, "127.0.0.1:25",
     AF_INET6},
    {AF_INET6, SOCK_STREAM, SOCKADDR_CONNECT, AF_INET6, "fe80::1", 25, "[fe80::1%7]:25", AF_INET6},
    {AF_INET6, SOCK_DGRAM, SOCKADDR_CONNECT, AF_INET, "192.0.2.1", 0, "192.0.2.1:0", AF_INET},
    {AF_INET6, SOCK_DGRAM, SOCKADDR_CONNECT, AF_INET, "0.0.0.0", 53, "127.0.0.1:53", AF_INET},
    {AF_INET6, SOCK_DGRAM, SOCKADDR_SEND, AF_INET, "192.0.2.1", 53, "192.0.2.1:53", AF_INET},
    {AF_INET6, SOCK_DGRAM, SOCKADDR_SEND, AF_INET6, "::ffff:0.0.0.0", 53, "127.0.0.1:53", AF_INET6},
    {AF_INET6, SOCK_DGRAM, SOCKADDR_SEND, AF_INET6, "ff02::fb", 53, "[ff02::fb%7]:53", AF_INET6},
    {AF_INET6, SOCK_DGRAM, SOCKADDR_SEND, AF_UNSPEC, "192.0.2.1", 53, "", 0},
    {AF_INET6, SOCK_DGRAM, SOCKADDR_BIND, AF_INET6, "::", 0, "[::]:0", AF_INET6},
    {AF_INET6, SOCK_DGRAM, SOCKADDR_BIND, AF_INET6, "::ffff:0.0.0.0", 0, "0.0.0.0:0", AF_INET6},
    {AF_INET, SOCK_STREAM, SOCKADDR_CONNECT, AF_UNSPEC, "192.0.2.1", 25, "disconnect", 0},
    {AF_INET6, SOCK_DGRAM, SOCKADDR_CONNECT, AF_UNSPEC, "192.0.2.1", 25, "disconnect", 0},
};

static const char *dest_text(const struct sockaddr_dest *dest, char *out)
{
	if (dest->kind == SOCKADDR_NONE)
		return "";
	if (dest->kind == SOCKADDR_DISCONNECT)
		return "disconnect";
	return net_endpoint_format(&dest->endpoint, out);
}

Test(sockaddr, the_destination_is_the_one_that_the_kernel_would_reach)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		uint8_t bytes[SOCKADDR_MAX] = {0};
		char text[NET_ADDR_TEXT_MAX];
		struct sockaddr_dest dest;
		size_t size = sample_bytes(s, bytes);

		cr_expect(zero(int, sockaddr_read(s->domain, s->type, s->use, bytes, size, &dest)),
			  "sample %zu", i);
		cr_expect_str_eq(dest_text(&dest, text), s->want, "sample %zu", i);
		cr_expect(eq(int, dest.as_family, s->as_family), "sample %zu", i);
	}
}

Test(sockaddr, what_is_built_is_read_again_as_the_same_destination)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		uint8_t bytes[SOCKADDR_MAX] = {0};
		struct sockaddr_storage built;
		struct sockaddr_dest first, again;
		size_t size = sample_bytes(s, bytes);

		cr_assert(
		    zero(int, sockaddr_read(s->domain, s->type, s->use, bytes, size, &first)));
		size = sockaddr_build(s->domain, &first, &built);
		if (first.kind == SOCKADDR_NONE) {
			cr_expect(zero(sz, size));
			continue;
		}
		cr_assert(
		    zero(int, sockaddr_read(s->domain, s->type, s->use, &built, size, &again)));
		cr_expect(eq(int, again.kind, first.kind), "sample %zu", i);
		cr_expect(eq(int, again.as_family, first.as_family), "sample %zu", i);
		cr_expect(net_addr_equal(&again.endpoint.addr, &first.endpoint.addr), "sample %zu",
			  i);
		cr_expect(eq(u16, again.endpoint.port, first.endpoint.port), "sample %zu", i);
	}
}

Test(sockaddr, a_short_ipv6_address_has_no_scope)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = 7};
	struct sockaddr_dest dest;

	cr_assert(eq(int, inet_pton(AF_INET6, "fe80::1", &v6.sin6_addr), 1));
	for (size_t size = 24; size < sizeof(v6); size++) {
		cr_assert(zero(
		    int, sockaddr_read(AF_INET6, SOCK_DGRAM, SOCKADDR_SEND, &v6, size, &dest)));
		cr_expect(zero(u32, dest.endpoint.addr.scope_id));
	}
}

Test(sockaddr, bind_of_unspec_with_an_address_is_refused)
{
	struct sockaddr_in v4 = {.sin_family = AF_UNSPEC,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_dest dest;

	cr_expect(eq(int,
		     sockaddr_read(AF_INET, SOCK_STREAM, SOCKADDR_BIND, &v4, sizeof(v4), &dest),
		     -EAFNOSUPPORT));
}

Test(sockaddr, more_bytes_than_a_sockaddr_storage_and_other_sockets_are_refused)
{
	uint8_t bytes[SOCKADDR_MAX + 1] = {AF_INET};
	struct sockaddr_dest dest;

	cr_expect(eq(int,
		     sockaddr_read(AF_INET, SOCK_DGRAM, SOCKADDR_SEND, bytes, sizeof(bytes), &dest),
		     -EINVAL));
	cr_expect(eq(int, sockaddr_read(AF_UNIX, SOCK_DGRAM, SOCKADDR_SEND, bytes, 16, &dest),
		     -EAFNOSUPPORT));
	cr_expect(eq(int, sockaddr_read(AF_INET, SOCK_RAW, SOCKADDR_SEND, bytes, 16, &dest),
		     -EAFNOSUPPORT));
}
