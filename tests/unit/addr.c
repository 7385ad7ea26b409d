/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>

static struct net_addr addr_of(const char *text)
{
	struct net_addr addr;

	cr_assert(zero(int, net_addr_parse(text, &addr)), "%s", text);
	return addr;
}

Test(addr, text_is_printed_as_rfc_5952_says)
{
	static const char *const pairs[][2] = {
	    {"192.0.2.1", "192.0.2.1"},
	    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
	    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
	    {"::", "::"},
	    {"::ffff:192.0.2.1", "192.0.2.1"},
	    {"::ffff:c000:201", "192.0.2.1"},
	};
	char text[NET_ADDR_TEXT_MAX];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct net_addr addr = addr_of(pairs[i][0]);

		cr_expect_str_eq(net_addr_format(&addr, text), pairs[i][1]);
	}
}

Test(addr, text_that_is_no_address_is_refused)
{
	static const char *const bad[] = {
	    "",         "1.2.3",      "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "0x1.2.3.4", " 1.2.3.4",
	    "1.2.3.4 ", "fe80::1%lo", "1::2::3",   ":::",      "12345::",   "localhost"};
	struct net_addr addr;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(eq(int, net_addr_parse(bad[i], &addr), -EINVAL), "%s", bad[i]);
}

Test(addr, the_longest_endpoint_fits)
{
	struct net_addr addr = addr_of("fe80:1111:2222:3333:4444:5555:6666:7777");
	struct net_endpoint endpoint = {net_addr_from_v6(addr.bytes, UINT32_MAX), 65535};
	char text[NET_ADDR_TEXT_MAX];

	cr_expect_str_eq(net_endpoint_format(&endpoint, text),
			 "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535");
	endpoint = (struct net_endpoint){addr_of("192.0.2.1"), 25};
	cr_expect_str_eq(net_endpoint_format(&endpoint, text), "192.0.2.1:25");
}

Test(addr, a_scope_is_kept_only_where_it_means_something)
{
	static const struct {
		const char *text;
		uint32_t scope_id;
	} rows[] = {{"fe80::1", 3}, {"febf::1", 3}, {"ff02::1", 3},
		    {"ff01::1", 3}, {"ff05::1", 0}, {"ff0e::1", 0},
		    {"fec0::1", 0}, {"::1", 0},     {"2001:db8::1", 0}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_addr addr = addr_of(rows[i].text);

		cr_expect(eq(u32, net_addr_from_v6(addr.bytes, 3).scope_id, rows[i].scope_id), "%s",
			  rows[i].text);
	}
}

Test(addr, the_unspecified_address_becomes_loopback_and_no_other)
{
	static const char *const pairs[][2] = {
	    {"0.0.0.0", "127.0.0.1"},
	    {"::", "::1"},
	    {"0.0.0.1", "0.0.0.1"},
	    {"::2", "::2"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct net_addr addr = addr_of(pairs[i][0]), want = addr_of(pairs[i][1]);

		net_addr_resolve_any(&addr);
		cr_expect(net_addr_equal(&addr, &want), "%s", pairs[i][0]);
	}
}

Test(addr, equality_looks_at_family_bytes_and_scope)
{
	struct net_addr a = addr_of("fe80::1"), b = a, v4 = addr_of("0.0.0.0"), v6 = addr_of("::");

	cr_expect(net_addr_equal(&a, &b));
	b.scope_id = 1;
	cr_expect(not(net_addr_equal(&a, &b)));
	b = addr_of("fe80::2");
	cr_expect(not(net_addr_equal(&a, &b)));
	cr_expect(not(net_addr_equal(&v4, &v6)));
}

Test(addr, the_ipv4_address_inside_a_transition_address_is_found)
{
	static const char *const pairs[][2] = {
	    {"64:ff9b::192.0.2.33", "192.0.2.33"},                  /* RFC 6052 2.4 */
	    {"2002:c000:204::1", "192.0.2.4"},                      /* RFC 3056 */
	    {"2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"}, /* RFC 4380 */
	    {"::192.0.2.1", "192.0.2.1"},                           /* RFC 4291 */
	    {"::2", "0.0.0.2"},
	    {"fe80::5efe:192.0.2.1", "192.0.2.1"}, /* RFC 5214 */
	    {"2001:db8::200:5efe:192.0.2.1", "192.0.2.1"},
	};
	struct net_addr inner;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct net_addr addr = addr_of(pairs[i][0]), want = addr_of(pairs[i][1]);

		cr_assert(net_addr_embedded_v4(&addr, &inner), "%s", pairs[i][0]);
		cr_expect(net_addr_equal(&inner, &want), "%s", pairs[i][0]);
	}
}

Test(addr, an_address_that_is_no_transition_address_has_nothing_inside)
{
	static const char *const rows[] = {"::",
					   "::1",
					   "192.0.2.1",
					   "2001:db8::1",
					   "64:ff9b:0:1::1",
					   "2001:1::1",
					   "2003::1",
					   "2001:db8::100:5efe:1.2.3.4",
					   "2001:db8::5eff:1.2.3.4"};
	struct net_addr inner;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_addr addr = addr_of(rows[i]);

		cr_expect(not(net_addr_embedded_v4(&addr, &inner)), "%s", rows[i]);
	}
}
