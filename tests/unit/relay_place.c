/* SPDX-License-Identifier: Apache-2.0 */
#include "net/relay_place.h"

#include <criterion/criterion.h>
#include <string.h>

static struct net_endpoint there_and_back(const struct net_endpoint *endpoint)
{
	const struct relay_place place = relay_place_of(endpoint);

	return relay_place_endpoint(&place);
}

Test(relay_place, an_address_comes_out_as_it_went_in)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1", "fe80::1"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct net_endpoint before = {.port = 443}, after;

		cr_assert_eq(net_addr_parse(texts[i], &before.addr), 0);
		before.addr.scope_id = texts[i][0] == 'f' ? 7 : 0;
		after = there_and_back(&before);
		cr_expect(net_addr_equal(&before.addr, &after.addr), "%s", texts[i]);
		cr_expect_eq(before.addr.scope_id, after.addr.scope_id, "%s", texts[i]);
		cr_expect_eq(before.port, after.port);
	}
}

Test(relay_place, what_is_not_in_normal_form_is_brought_into_it)
{
	struct relay_place mapped = {.family = AF_INET6, .port = 80, .scope = 3};
	struct net_endpoint endpoint;

	memset(mapped.bytes + 10, 0xff, 2);
	memcpy(mapped.bytes + 12, "\x0a\x00\x00\x01", 4);
	endpoint = relay_place_endpoint(&mapped);
	cr_expect_eq(endpoint.addr.family, AF_INET);
	cr_expect_eq(memcmp(endpoint.addr.bytes, "\x0a\x00\x00\x01", 4), 0);
}
