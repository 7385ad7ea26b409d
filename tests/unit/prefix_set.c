/* SPDX-License-Identifier: Apache-2.0 */
#include "net/prefix_set.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>

static int add(struct prefix_set *set, const char *text, bool member, uint32_t label)
{
	struct net_addr addr;
	unsigned int length;

	cr_assert(zero(int, prefix_parse(text, &addr, &length)), "%s", text);
	return prefix_set_add(set, &addr, length, member, label);
}

/* Label of the prefix that decides, -1 when @text is not in the set. */
static long find(const struct prefix_set *set, const char *text)
{
	struct net_addr addr;
	uint32_t label = 0;

	cr_assert(zero(int, net_addr_parse(text, &addr)), "%s", text);
	return prefix_set_contains(set, &addr, &label) ? (long)label : -1;
}

Test(prefix_set, the_longest_prefix_decides)
{
	struct prefix_set *set = prefix_set_new();

	cr_assert(zero(int, add(set, "10.1.2.0/24", true, 3)));
	cr_assert(zero(int, add(set, "10.0.0.0/8", true, 1)));
	cr_assert(zero(int, add(set, "10.1.0.0/16", false, 2)));
	cr_assert(zero(int, add(set, "2001:db8::/32", true, 4)));
	cr_assert(zero(int, add(set, "2001:db8:1::/48", false, 5)));
	cr_assert(zero(int, add(set, "2001:db8:1::7/128", true, 6)));
	cr_assert(zero(int, prefix_set_finish(set, NULL)));
	cr_expect(eq(sz, prefix_set_size(set), 6));
	cr_expect(eq(long, find(set, "9.255.255.255"), -1));
	cr_expect(eq(long, find(set, "10.0.0.0"), 1));
	cr_expect(eq(long, find(set, "10.0.255.255"), 1));
	cr_expect(eq(long, find(set, "10.1.0.0"), -1));
	cr_expect(eq(long, find(set, "10.1.2.0"), 3));
	cr_expect(eq(long, find(set, "10.1.2.255"), 3));
	cr_expect(eq(long, find(set, "10.1.3.0"), -1));
	cr_expect(eq(long, find(set, "10.2.0.0"), 1));
	cr_expect(eq(long, find(set, "10.255.255.255"), 1));
	cr_expect(eq(long, find(set, "11.0.0.0"), -1));
	cr_expect(eq(long, find(set, "2001:db8::"), 4));
	cr_expect(eq(long, find(set, "2001:db8:1::6"), -1));
	cr_expect(eq(long, find(set, "2001:db8:1::7"), 6));
	cr_expect(eq(long, find(set, "2001:db8:1::8"), -1));
	cr_expect(eq(long, find(set, "2001:db8:2::"), 4));
	cr_expect(eq(long, find(set, "2001:db9::"), -1));
	prefix_set_free(set);
}

Test(prefix_set, the_edges_of_the_address_space_belong_to_it)
{
	struct prefix_set *set = prefix_set_new();

	cr_assert(zero(int, add(set, "0.0.0.0/0", true, 1)));
	cr_assert(zero(int, add(set, "255.255.255.255", false, 2)));
	cr_assert(zero(int, add(set, "0.0.0.0", true, 3)));
	cr_assert(zero(int, add(set, "::/0", true, 4)));
	cr_assert(zero(int, add(set, "ff00::/8", true, 5)));
	cr_assert(zero(int, prefix_set_finish(set, NULL)));
	cr_expect(eq(long, find(set, "0.0.0.0"), 3));
	cr_expect(eq(long, find(set, "0.0.0.1"), 1));
	cr_expect(eq(long, find(set, "255.255.255.254"), 1));
	cr_expect(eq(long, find(set, "255.255.255.255"), -1));
	cr_expect(eq(long, find(set, "::"), 4));
	cr_expect(eq(long, find(set, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 5));
	prefix_set_free(set);
}

Test(prefix_set, an_empty_set_contains_nothing)
{
	struct prefix_set *set = prefix_set_new();

	cr_assert(zero(int, prefix_set_finish(set, NULL)));
	cr_expect(eq(long, find(set, "0.0.0.0"), -1));
	cr_expect(eq(long, find(set, "::"), -1));
	cr_expect(zero(sz, prefix_set_size(set)));
	prefix_set_free(set);
}

Test(prefix_set, ipv4_and_ipv6_do_not_mix)
{
	struct prefix_set *set = prefix_set_new();

	cr_assert(zero(int, add(set, "::/0", true, 1)));
	cr_assert(zero(int, prefix_set_finish(set, NULL)));
	cr_expect(eq(long, find(set, "192.0.2.1"), -1));
	cr_expect(eq(long, find(set, "::ffff:192.0.2.1"), -1));
	cr_expect(eq(long, find(set, "::192.0.2.1"), 1));
	prefix_set_free(set);
}

Test(prefix_set, a_prefix_given_twice_is_refused_with_its_label)
{
	struct prefix_set *set = prefix_set_new();
	uint32_t duplicate = 0;

	cr_assert(zero(int, add(set, "192.0.2.0/24", true, 1)));
	cr_assert(zero(int, add(set, "192.0.2.0/25", true, 2)));
	cr_assert(zero(int, add(set, "192.0.2.0/24", true, 1)));
	cr_expect(eq(int, prefix_set_finish(set, &duplicate), -EEXIST));
	cr_expect(eq(u32, duplicate, 1));
	prefix_set_free(set);
}

Test(prefix_set, add_refuses_host_bits_lengths_and_a_finished_set)
{
	struct prefix_set *set = prefix_set_new();
	struct net_addr addr;

	cr_assert(zero(int, net_addr_parse("10.0.0.1", &addr)));
	cr_expect(eq(int, prefix_set_add(set, &addr, 31, true, 0), -EINVAL));
	cr_expect(eq(int, prefix_set_add(set, &addr, 33, true, 0), -EINVAL));
	cr_expect(zero(int, prefix_set_add(set, &addr, 32, true, 0)));
	cr_expect(zero(int, prefix_set_finish(set, NULL)));
	cr_expect(eq(int, prefix_set_add(set, &addr, 32, true, 0), -EINVAL));
	prefix_set_free(set);
}

/* --- against a linear search --- */

struct model {
	uint32_t first;
	unsigned int length;
	bool member;
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct net_addr number_addr(uint32_t number, bool v6)
{
	uint32_t word = htonl(number);
	uint8_t wide[16] = {0x20, 0x01, 0x0d, 0xb8};

	/* The same tree in IPv6, its 32 bits across the middle of the two halves. */
	memcpy(wide + 6, &word, 4);
	return v6 ? net_addr_from_v6(wide, 0) : net_addr_from_v4(&word);
}

static long model_find(const struct model *models, size_t n, uint32_t number)
{
	long best = -1;

	for (size_t i = 0; i < n; i++) {
		uint32_t mask = models[i].length ? UINT32_MAX << (32 - models[i].length) : 0;

		if ((number & mask) == models[i].first &&
		    (best < 0 || models[i].length > models[best].length))
			best = (long)i;
	}
	return best >= 0 && models[best].member ? best : -1;
}

static void check_number(const struct prefix_set *set, const struct model *models, size_t n,
			 uint32_t number, bool v6)
{
	struct net_addr addr = number_addr(number, v6);
	uint32_t label = 0;
	long got = prefix_set_contains(set, &addr, &label) ? (long)label : -1;

	cr_assert(eq(long, got, model_find(models, n, number)), "%#x", number);
}

static size_t model_fill(struct model *models, size_t max, struct prefix_set *set, bool v6,
			 uint64_t *state)
{
	size_t n = 0;

	while (n < max) {
		uint64_t random = next_random(state);
		unsigned int length = (unsigned int)(random >> 40) % 33;
		/* Few address bits, so that prefixes nest. */
		uint32_t first = (uint32_t)random & 0xe0c00107u;
		struct model m = {length ? first & UINT32_MAX << (32 - length) : 0, length,
				  random >> 60 & 1};
		struct net_addr addr = number_addr(m.first, v6);
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known |= models[i].first == m.first && models[i].length == length;
		if (known) {
			max--;
			continue;
		}
		cr_assert(zero(int, prefix_set_add(set, &addr, length + (v6 ? 48 : 0), m.member,
						   (uint32_t)n)));
		models[n++] = m;
	}
	return n;
}

static void check_random_tree(bool v6, uint64_t seed)
{
	struct prefix_set *set = prefix_set_new();
	struct model models[60];
	uint64_t state = seed;
	size_t n = model_fill(models, 60, set, v6, &state);

	cr_assert(zero(int, prefix_set_finish(set, NULL)));
	for (size_t i = 0; i < n; i++) {
		uint32_t host = models[i].length == 32 ? 0 : UINT32_MAX >> models[i].length;

		for (int step = -1; step <= 1; step++) {
			check_number(set, models, n, models[i].first + (uint32_t)step, v6);
			check_number(set, models, n, (models[i].first | host) + (uint32_t)step, v6);
		}
		check_number(set, models, n, (uint32_t)next_random(&state), v6);
	}
	prefix_set_free(set);
}

Test(prefix_set, random_trees_answer_as_a_linear_search_does, .timeout = 30)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		check_random_tree(false, seed * 0x9e3779b97f4a7c15u);
		check_random_tree(true, seed * 0x9e3779b97f4a7c15u);
	}
}

/* --- text --- */

Test(prefix_set, a_prefix_is_parsed_and_normalised)
{
	static const struct {
		const char *text, *addr;
		unsigned int length;
	} rows[] = {{"10.0.0.0/8", "10.0.0.0", 8},
		    {"192.0.2.1", "192.0.2.1", 32},
		    {"0.0.0.0/0", "0.0.0.0", 0},
		    {"2001:db8::/32", "2001:db8::", 32},
		    {"::1", "::1", 128},
		    {"::ffff:10.0.0.0/104", "10.0.0.0", 8},
		    {"::ffff:0:0/96", "0.0.0.0", 0},
		    {"::ffff:192.0.2.1", "192.0.2.1", 32},
		    {"::/0", "::", 0},
		    {"::/95", "::", 95}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_addr addr, want;
		unsigned int length;

		cr_assert(zero(int, prefix_parse(rows[i].text, &addr, &length)), "%s",
			  rows[i].text);
		cr_assert(zero(int, net_addr_parse(rows[i].addr, &want)));
		cr_expect(net_addr_equal(&addr, &want), "%s", rows[i].text);
		cr_expect(eq(u32, length, rows[i].length), "%s", rows[i].text);
	}
}

Test(prefix_set, text_that_is_no_prefix_is_refused_with_its_reason)
{
	static const struct {
		const char *text;
		int error;
	} rows[] = {{"10.0.0.1/8", -EDOM},
		    {"2001:db8::1/64", -EDOM},
		    {"::ffff:0:0/95", -EDOM},
		    {"10.0.0.0/33", -ERANGE},
		    {"::/129", -ERANGE},
		    {"10.0.0.0/999", -ERANGE},
		    {"10.0.0.0/", -EINVAL},
		    {"10.0.0.0/08", -EINVAL},
		    {"10.0.0.0/+8", -EINVAL},
		    {"10.0.0.0/8x", -EINVAL},
		    {"10.0.0.0/-1", -EINVAL},
		    {"10.0.0/8", -EINVAL},
		    {"/8", -EINVAL},
		    {"", -EINVAL},
		    {"x", -EINVAL},
		    {"10.0.0.0/00000", -EINVAL},
		    {"10.0.0.0/99999", -EINVAL},
		    {"10.0.0.0/8/8", -EINVAL}};
	struct net_addr addr;
	unsigned int length;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect(eq(int, prefix_parse(rows[i].text, &addr, &length), rows[i].error), "%s",
			  rows[i].text);
}
