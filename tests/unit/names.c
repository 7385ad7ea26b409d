/* SPDX-License-Identifier: Apache-2.0 */
#include "net/names_inner.h"
#include "shared/base/clock.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The name servers of a resolv.conf with @text, as words. */
static const char *servers(const char *text, size_t max)
{
	char path[] = "/tmp/gae-resolv-XXXXXX";
	static char out[512];
	struct net_addr addr[16];
	int fd = mkstemp(path);
	size_t n;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	n = names_system_resolvers(path, addr, max);
	unlink(path);
	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		char word[INET6_ADDRSTRLEN];

		inet_ntop(addr[i].family, addr[i].bytes, word, sizeof(word));
		if (i)
			strcat(out, " ");
		strcat(out, word);
	}
	return out;
}

Test(names_system_resolvers, reads_ipv4_and_ipv6_in_order)
{
	cr_expect_str_eq(servers("nameserver 192.0.2.1\nnameserver\t2001:db8::53\n", 16),
			 "192.0.2.1 2001:db8::53");
	cr_expect_str_eq(servers("nameserver 192.0.2.1", 16), "192.0.2.1");
}

Test(names_system_resolvers, skips_comments_other_keywords_and_what_it_cannot_read)
{
	cr_expect_str_eq(servers("# nameserver 192.0.2.1\n;nameserver 192.0.2.2\n"
				 "search nameserver 192.0.2.3\noptions ndots:2\n"
				 "nameserver192.0.2.4\n nameserver 192.0.2.5\n"
				 "nameserver dns.example\nnameserver\nnameserver 192.0.2.300\n"
				 "nameserver 192.0.2.6\n",
				 16),
			 "192.0.2.6");
}

Test(names_system_resolvers, ignores_scope_trailing_comment_and_carriage_return)
{
	cr_expect_str_eq(servers("nameserver fe80::1%eth0\r\nnameserver 192.0.2.1 # office\n"
				 "nameserver   192.0.2.2;home\n",
				 16),
			 "fe80::1 192.0.2.1 192.0.2.2");
}

Test(names_system_resolvers, means_loopback_by_the_unspecified_address)
{
	cr_expect_str_eq(servers("nameserver 0.0.0.0\n", 16), "127.0.0.1");
}

Test(names_system_resolvers, falls_back_to_loopback)
{
	struct net_addr addr;

	cr_expect_str_eq(servers("", 16), "127.0.0.1");
	cr_expect_eq(names_system_resolvers("/nonexistent/resolv.conf", &addr, 1), 1);
	cr_expect_eq(addr.family, AF_INET);
	cr_expect_eq(memcmp(addr.bytes, "\177\0\0\1", 4), 0);
}

Test(names_system_resolvers, keeps_within_the_callers_room)
{
	cr_expect_str_eq(servers("nameserver 192.0.2.1\nnameserver 192.0.2.2\n", 1), "192.0.2.1");
	cr_expect_str_eq(servers("", 0), "");
}

Test(names, nothing_is_known_or_looked_up_before_it_is_started)
{
	static const char *const list[] = {"a.test"};
	struct names *names = names_new(&(struct names_config){.names = list, .n_names = 1});
	struct net_addr addr = {.family = AF_INET, .bytes = {192, 0, 2, 1}};
	uint32_t name = 0, which;
	char text[NAMES_TEXT_MAX];

	cr_assert_not_null(names);
	cr_expect_geq(names_fd(names), 0);
	cr_expect_eq(names_ask(names, &name, 1, &addr, &which), NAMES_UNKNOWN);
	cr_expect_eq(which, 0);
	cr_expect_null(names_of(names, &addr, text));
	cr_expect_eq(names_timeout_ms(names), -1);
	cr_expect_str_eq(names_error(names, 0), "");
	names_run(names);
	names_free(names);
	names_free(NULL);
}

/* The search list of a resolv.conf with @text, as words. */
static const char *search(const char *text)
{
	char list[NAMES_SEARCH_MAX][NAMES_TEXT_MAX];
	char path[] = "/tmp/gae-resolv-XXXXXX";
	static char out[NAMES_SEARCH_MAX * NAMES_TEXT_MAX];
	int fd = mkstemp(path);
	size_t n;

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	n = names_system_search(path, list);
	unlink(path);
	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		strcat(strcat(out, i ? " " : ""), list[i]);
	return out;
}

Test(names_system_search, the_last_line_holds_in_lower_case_without_dots)
{
	cr_expect_str_eq(search("search A.example. b.example\n"), "a.example b.example");
	cr_expect_str_eq(search("domain old.example\nsearch\tnew.example  x.example\n"),
			 "new.example x.example");
	cr_expect_str_eq(search("searching a.example\n search b.example\n#search c\nsearch\n"), "");
	cr_expect_str_eq(search("search .\nnameserver 192.0.2.1\n"), "");
	cr_expect_eq(names_system_search("/nonexistent", NULL), 0);
}

Test(names_system_search, keeps_sixteen)
{
	cr_expect_str_eq(search("search a b c d e f g h i j k l m n o p q r\n"),
			 "a b c d e f g h i j k l m n o p");
}

/* --- addresses --- */

static struct net_addr numbered(unsigned int i)
{
	return (struct net_addr){.family = AF_INET, .bytes = {203, 0, 113, (uint8_t)i}};
}

static void keep(struct names *names, uint32_t name, unsigned int i, int64_t from_now)
{
	struct net_addr addr = numbered(i);
	int64_t now = clock_now_ms();

	names_keep(names, name, &addr, now + from_now, now);
}

static bool has(struct names *names, uint32_t name, unsigned int i)
{
	struct net_addr addr = numbered(i);

	return names_has(names, name, &addr);
}

Test(names, the_addresses_answered_last_take_the_place_of_the_first_to_end)
{
	static const char *const list[] = {"*.pool.test"};
	struct names *names = names_new(&(struct names_config){.names = list, .n_names = 1});
	uint32_t name;

	cr_assert_eq(names_observe(names, "a.pool.test", &name), NAMES_STALE);
	for (unsigned int i = 0; i < ADDRESSES_OBSERVED_MAX; i++)
		keep(names, name, i, 50000 + 100 * i);
	/* The first of the list was kept last. */
	names->entries[name].addresses->expires_ms = 1;
	names->entries[name].addresses->held_ms = clock_now_ms() + 60000;
	for (unsigned int i = 100; i < 108; i++)
		keep(names, name, i, 90000);
	keep(names, name, 200, 10000);
	for (unsigned int i = 100; i < 108; i++)
		cr_expect(has(names, name, i), "%u", i);
	for (unsigned int i = 0; i < ADDRESSES_OBSERVED_MAX - 1; i++)
		cr_expect_eq(has(names, name, i), i >= 8, "%u", i);
	cr_expect(has(names, name, ADDRESSES_OBSERVED_MAX - 1), "a connection needs it");
	cr_expect_not(has(names, name, 200), "older than all that there are");
	cr_expect_eq(names->entries[name].n, ADDRESSES_OBSERVED_MAX);
	cr_expect_eq(names->n_addresses, ADDRESSES_OBSERVED_MAX);
	names_free(names);
}
