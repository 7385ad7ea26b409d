/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_mapped[12] = {
    [10] = 0xff, [11] = 0xff};                             /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */
static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b}; /* RFC 6052 2.1 */
static const uint8_t zeros[12];

/* Kernel: __ipv6_addr_needs_scope_id(): fe80::/10, and multicast of interface-local and link-local scope. */
static bool v6_has_scope(const uint8_t *bytes)
{
	if (bytes[0] == 0xff)
		return (bytes[1] & 0x0f) == 1 || (bytes[1] & 0x0f) == 2;
	return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

struct net_addr net_addr_from_v4(const void *four_bytes)
{
	struct net_addr addr = {.family = AF_INET};

	memcpy(addr.bytes, four_bytes, 4);
	return addr;
}

struct net_addr net_addr_from_v6(const void *sixteen_bytes, uint32_t scope_id)
{
	struct net_addr addr = {.family = AF_INET6};

	memcpy(addr.bytes, sixteen_bytes, 16);
	if (!memcmp(addr.bytes, v4_mapped, sizeof(v4_mapped)))
		return net_addr_from_v4(addr.bytes + 12);
	if (v6_has_scope(addr.bytes))
		addr.scope_id = scope_id;
	return addr;
}

int net_addr_parse(const char *text, struct net_addr *addr)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		*addr = net_addr_from_v4(bytes);
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		*addr = net_addr_from_v6(bytes, 0);
	else
		return -EINVAL;
	return 0;
}

char *net_addr_format(const struct net_addr *addr, char *out)
{
	size_t length;

	if (!inet_ntop(addr->family, addr->bytes, out, NET_ADDR_TEXT_MAX)) {
		snprintf(out, NET_ADDR_TEXT_MAX, "family %u", (unsigned int)addr->family);
		return out;
	}
	if (addr->scope_id) {
		length = strlen(out);
		snprintf(out + length, NET_ADDR_TEXT_MAX - length, "%%%u", addr->scope_id);
	}
	return out;
}

char *net_endpoint_format(const struct net_endpoint *endpoint, char *out)
{
	bool v6 = endpoint->addr.family == AF_INET6;
	char addr[NET_ADDR_TEXT_MAX];

	net_addr_format(&endpoint->addr, addr);
	/* 39 characters of address (the dotted forms have no scope), 11 of scope, 8 of brackets and port. */
	snprintf(out, NET_ADDR_TEXT_MAX, "%s%.*s%s:%u", v6 ? "[" : "", 55, addr, v6 ? "]" : "",
		 (unsigned int)endpoint->port);
	return out;
}

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && a->scope_id == b->scope_id &&
	       !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int net_addr_compare(const struct net_addr *a, const struct net_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->scope_id != b->scope_id)
		return a->scope_id < b->scope_id ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

void net_addr_resolve_any(struct net_addr *addr)
{
	static const uint8_t any[16];

	if (memcmp(addr->bytes, any, sizeof(any)) != 0)
		return;
	if (addr->family == AF_INET)
		addr->bytes[0] = 127;
	if (addr->family == AF_INET || addr->family == AF_INET6)
		addr->bytes[addr->family == AF_INET ? 3 : 15] = 1;
}

/* RFC 5214 6.1: interface id 0000:5efe or, with the universal bit, 0200:5efe, then the IPv4 address. */
static bool v6_is_isatap(const uint8_t *b)
{
	return (b[8] & ~0x02) == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe;
}

/* RFC 4291 2.5.5.1, without :: and ::1. */
static bool v6_is_v4_compatible(const uint8_t *b)
{
	return !memcmp(b, zeros, sizeof(zeros)) && (b[12] || b[13] || b[14] || b[15] > 1);
}

bool net_addr_embedded_v4(const struct net_addr *addr, struct net_addr *inner)
{
	const uint8_t *b = addr->bytes;
	uint8_t v4[4];

	if (addr->family != AF_INET6)
		return false;
	if (b[0] == 0x20 && b[1] == 0x02) {
		memcpy(v4, b + 2, 4);
	} else if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0) {
		for (int i = 0; i < 4; i++)
			v4[i] = (uint8_t)~b[12 + i];
	} else if (!memcmp(b, nat64, sizeof(nat64)) || v6_is_v4_compatible(b) || v6_is_isatap(b)) {
		memcpy(v4, b + 12, 4);
	} else {
		return false;
	}
	*inner = net_addr_from_v4(v4);
	return true;
}
