/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First byte: bit 0 the domain, bit 1 the type, bits 2-3 the use; the rest is
 * the program's address.  What is read must be in normal form, and what is
 * built from it must be read again as the same destination.
 */
#include "net/sockaddr.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_normal(const struct sockaddr_dest *dest, enum sockaddr_use use)
{
	static const uint8_t any[16], mapped[12] = {[10] = 0xff, [11] = 0xff};
	const struct net_addr *addr = &dest->endpoint.addr;

	if (dest->kind != SOCKADDR_IP) {
		expect(addr->family == 0 && dest->endpoint.port == 0);
		return;
	}
	expect(addr->family == AF_INET || addr->family == AF_INET6);
	if (addr->family == AF_INET)
		expect(!memcmp(addr->bytes + 4, any, 12) && addr->scope_id == 0);
	else
		expect(memcmp(addr->bytes, mapped, sizeof(mapped)) != 0);
	if (use != SOCKADDR_BIND)
		expect(memcmp(addr->bytes, any, sizeof(any)) != 0);
}

static void check_round_trip(int domain, int type, enum sockaddr_use use,
			     const struct sockaddr_dest *dest)
{
	struct sockaddr_storage built;
	struct sockaddr_dest again;
	socklen_t length = sockaddr_build(domain, dest, &built);

	expect(length <= sizeof(built));
	expect((length == 0) == (dest->kind == SOCKADDR_NONE));
	if (!length)
		return;
	expect(sockaddr_read(domain, type, use, &built, length, &again) == 0);
	expect(again.kind == dest->kind && again.as_family == dest->as_family);
	expect(net_addr_equal(&again.endpoint.addr, &dest->endpoint.addr));
	expect(again.endpoint.port == dest->endpoint.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int domain, type;
	enum sockaddr_use use;
	struct sockaddr_dest dest;
	uint8_t *copy;

	if (!size)
		return 0;
	domain = data[0] & 1 ? AF_INET6 : AF_INET;
	type = data[0] & 2 ? SOCK_DGRAM : SOCK_STREAM;
	use = (enum sockaddr_use)((data[0] >> 2 & 3) % 3);
	/* A heap copy of exactly this size: a read behind it is seen by the sanitizer. */
	copy = malloc(size - 1 ? size - 1 : 1);
	expect(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	if (sockaddr_read(domain, type, use, copy, size - 1, &dest) == 0) {
		check_normal(&dest, use);
		check_round_trip(domain, type, use, &dest);
	}
	free(copy);
	return 0;
}
