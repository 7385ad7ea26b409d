/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Addresses in normal form.  Normalise first, decide after: a v4-mapped IPv6
 * address is an IPv4 address, the unspecified address means loopback, and the
 * kernel is given an address rebuilt from this form, never the program's bytes.
 */
struct net_addr {
	sa_family_t family; /* AF_INET or AF_INET6 */
	uint8_t bytes[16];  /* network order; AF_INET uses the first four, the rest is zero */
	uint32_t scope_id;  /* AF_INET6 only: interface index of a link-local address, else 0 */
};

struct net_endpoint {
	struct net_addr addr;
	uint16_t port; /* host order */
};

/* Room for the longest text: IPv6 with scope in brackets, colon, port, NUL. */
#define NET_ADDR_TEXT_MAX 64

/** net_addr_from_v4() - from 32 bits in network order. */
struct net_addr net_addr_from_v4(const void *four_bytes);

/** net_addr_from_v6() - from 128 bits; v4-mapped (::ffff:0:0/96) becomes AF_INET. @scope_id is kept for link-local only. */
struct net_addr net_addr_from_v6(const void *sixteen_bytes, uint32_t scope_id);

/** net_addr_parse() - dotted quad (four decimal parts, no leading zeros) or RFC 4291 text, "%scope" not accepted.  Return: 0 or -EINVAL. */
int net_addr_parse(const char *text, struct net_addr *addr);

/** net_addr_format() - RFC 5952 text.  @out: at least NET_ADDR_TEXT_MAX bytes.  Return: @out. */
char *net_addr_format(const struct net_addr *addr, char *out);

/** net_endpoint_format() - "192.0.2.1:25" or "[2001:db8::1]:25".  @out as above.  Return: @out. */
char *net_endpoint_format(const struct net_endpoint *endpoint, char *out);

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b);

/** net_addr_compare() - some order, the same for all: below 0, 0 when equal, above 0. */
int net_addr_compare(const struct net_addr *a, const struct net_addr *b);

/** net_addr_resolve_any() - 0.0.0.0 -> 127.0.0.1, :: -> ::1 (what the kernel connects to); others stay. */
void net_addr_resolve_any(struct net_addr *addr);

/**
 * net_addr_embedded_v4() - the IPv4 address inside a transition address.
 * NAT64 64:ff9b::/96 (RFC 6052), 6to4 2002::/16 (RFC 3056), Teredo 2001::/32
 * (RFC 4380: the client's address, bits inverted), v4-compatible ::/96
 * (RFC 4291, but for :: and ::1), ISATAP interface ids (RFC 5214).
 * Such an address is judged twice: as IPv6 and by what is inside.
 * Return: true and *@inner when there is one.
 */
bool net_addr_embedded_v4(const struct net_addr *addr, struct net_addr *inner);

#endif
