/* SPDX-License-Identifier: Apache-2.0 */
/* Wildcards, what the program asks for, names in use, and many of them. */
#include "tests/live/names_fixture.h"

TestSuite(names_observed, .init = own_loopback);

/* --- wildcards, and what the program asks for --- */

static enum names_seen observe(struct names *names, const char *text)
{
	uint32_t name;

	return names_observe(names, text, &name);
}

/* The program asks for @text, and the look-up of it here ends. */
static uint32_t see(struct names *names, const char *text)
{
	uint32_t name;

	cr_assert_eq(names_observe(names, text, &name), NAMES_STALE, "%s", text);
	cr_assert_eq(names_wait(names, name, WAIT_MS), 0);
	return name;
}

Test(names_observed, a_wildcard_has_the_addresses_of_names_that_were_asked_for,
     .timeout = DEADLINE_S)
{
	struct server server = {0};
	struct names *names;
	uint32_t name;

	SERVER(&server, "--host-record=a.wild.test,192.0.2.1,60",
	       "--host-record=b.in.wild.test,192.0.2.2,60", "--host-record=wild.test,192.0.2.3,60",
	       "--host-record=named.wild.test,192.0.2.4,60");
	names = names_for(server.text, (struct names_config){0});
	cr_expect_eq(ask(names, WILD, "192.0.2.1"), NAMES_NO, "nobody asked: nothing to wait for");
	name = see(names, "a.wild.test");
	cr_expect_geq(name, N_NAMES);
	cr_expect_eq(ask(names, WILD, "192.0.2.1"), NAMES_YES);
	cr_expect_eq(ask(names, IN_WILD, "192.0.2.1"), NAMES_NO);
	cr_expect_str_eq(of(names, "192.0.2.1"), "a.wild.test");
	cr_expect_eq(observe(names, "a.wild.test"), NAMES_FRESH);
	see(names, "b.in.wild.test");
	cr_expect_eq(ask(names, WILD, "192.0.2.2"), NAMES_YES, "below, at any depth");
	cr_expect_eq(ask(names, IN_WILD, "192.0.2.2"), NAMES_YES);
	cr_expect_eq(observe(names, "wild.test"), NAMES_FOREIGN, "not below itself");
	cr_expect_eq(ask(names, WILD, "192.0.2.3"), NAMES_NO);
	cr_expect_eq(observe(names, "xwild.test"), NAMES_FOREIGN);
	cr_expect_eq(observe(names, "*.wild.test"), NAMES_FOREIGN);
	cr_expect_eq(see(names, "named.wild.test"), NAMED, "a name of the policy has its number");
	cr_expect_eq(ask(names, WILD, "192.0.2.4"), NAMES_YES);
	cr_expect_eq(ask(names, NAMED, "192.0.2.4"), NAMES_YES);
	names_free(names);
	server_stop(&server);
}

Test(names_observed, lists_exact_names_and_what_is_below_wildcards, .timeout = DEADLINE_S)
{
	struct names *names = names_for("127.0.0.1:9", (struct names_config){0});

	cr_expect(names_lists(names, "one.test"));
	cr_expect(names_lists(names, "x.y.wild.test"));
	cr_expect_not(names_lists(names, "wild.test"));
	cr_expect_not(names_lists(names, "x.one.test"));
	cr_expect_not(names_lists(names, "test"));
	cr_expect_not(names_lists(names, ""));
	cr_expect_not(names_lists(names, "*.wild.test"));
	names_free(names);
}

Test(names_observed, a_question_under_way_keeps_a_wildcard_open_until_it_ends,
     .timeout = DEADLINE_S)
{
	struct names *names;
	char servers[32];
	uint16_t port;
	int fd = udp_socket(&port);
	uint32_t name;

	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	names = names_for(servers, (struct names_config){.timeout_ms = 300});
	cr_expect_eq(names_observe(names, "a.wild.test", &name), NAMES_STALE);
	cr_expect_eq(ask(names, WILD, "192.0.2.1"), NAMES_UNKNOWN);
	cr_expect_eq(ask(names, IN_WILD, "192.0.2.1"), NAMES_NO);
	cr_expect_eq(names_wait(names, name, WAIT_MS), 0);
	cr_expect_eq(ask(names, WILD, "192.0.2.1"), NAMES_NO);
	cr_expect_eq(reported, 2, "the name and the wildcard above it");
	cr_expect_str_neq(names_error(names, name), "");
	names_start(names, WILD);
	names_run(names);
	cr_expect_eq(reported, 3, "who comes too late to wait is told at once");
	names_free(names);
	close(fd);
}

Test(names_observed, a_million_observed_names_have_a_thousand_places, .timeout = DEADLINE_S)
{
	struct server server = {0};
	struct names *names;
	char text[64];
	int64_t begin;

	SERVER(&server, "--address=/wild.test/192.0.2.1", "--host-record=one.test,192.0.2.9,60");
	names = names_for(server.text, (struct names_config){.observed_max = 4});
	for (unsigned int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "n%u.wild.test", i);
		see(names, text);
	}
	cr_expect_eq(observe(names, "n19.wild.test"), NAMES_FRESH);
	cr_expect_eq(observe(names, "n16.wild.test"), NAMES_FRESH);
	cr_expect_eq(observe(names, "n15.wild.test"), NAMES_STALE, "gave way long ago");
	cr_expect_eq(ask(names, WILD, "192.0.2.1"), NAMES_YES);
	/* While all places are looked up, more are not followed; the policy's own names have their turn. */
	for (unsigned int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "m%u.wild.test", i);
		observe(names, text);
	}
	cr_expect_eq(observe(names, "m9.wild.test"), NAMES_CROWDED);
	cr_expect_eq(names_wait(names, ONE, WAIT_MS), 0);
	cr_expect_eq(ask(names, ONE, "192.0.2.9"), NAMES_YES);
	begin = own_ms();
	for (unsigned int i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "k%u.wild.test", i);
		observe(names, text);
	}
	cr_expect_lt(own_ms() - begin, 2000);
	names_free(names);
	server_stop(&server);
}

/* --- in use --- */

static bool has_connection;

static void in_use(void *context, const struct net_addr *addrs, size_t n, bool *used)
{
	(void)context;
	for (size_t i = 0; i < n; i++) {
		cr_assert(i == 0 || net_addr_compare(&addrs[i - 1], &addrs[i]) < 0);
		used[i] = has_connection;
	}
}

/* Runs the loop's part for @ms. */
static void run_for(struct names *names, int64_t ms)
{
	int64_t deadline = now_ms() + ms;

	while (now_ms() < deadline) {
		struct timespec pause = {.tv_nsec = 5000000};
		int timeout = names_timeout_ms(names);

		if (timeout)
			nanosleep(&pause, NULL);
		names_run(names);
	}
}

Test(names_observed, an_address_stays_valid_while_a_connection_to_it_lives, .timeout = DEADLINE_S)
{
	struct server server = {0};
	struct names *names;

	SERVER(&server, "--host-record=one.test,192.0.2.1,1");
	names = names_for(
	    server.text,
	    (struct names_config){.ttl_min_s = 1, .grace_s = 1, .renew = true, .in_use = in_use});
	has_connection = true;
	cr_expect_eq(names_wait(names, ONE, WAIT_MS), 0);
	server_stop(&server);
	SERVER(&server, "--host-record=one.test,192.0.2.7,1");
	run_for(names, 3000);
	cr_expect_eq(ask(names, ONE, "192.0.2.1"), NAMES_YES, "held");
	names_free(names);
	/* The same without a connection. */
	has_connection = false;
	names = names_for(
	    server.text,
	    (struct names_config){.ttl_min_s = 1, .grace_s = 1, .renew = true, .in_use = in_use});
	cr_expect_eq(names_wait(names, ONE, WAIT_MS), 0);
	cr_expect_eq(ask(names, ONE, "192.0.2.7"), NAMES_YES);
	server_stop(&server);
	SERVER(&server, "--host-record=one.test,192.0.2.8,1");
	run_for(names, 3000);
	cr_expect_neq(ask(names, ONE, "192.0.2.7"), NAMES_YES, "not held");
	names_free(names);
	server_stop(&server);
}

Test(names_observed, a_name_in_use_is_renewed_in_time_and_another_is_not, .timeout = DEADLINE_S)
{
	struct server server = {0};
	struct names *names;

	SERVER(&server, "--host-record=one.test,192.0.2.1,3", "--host-record=two.test,192.0.2.2,3");
	names = names_for(server.text, (struct names_config){.ttl_min_s = 1, .renew = true});
	cr_expect_eq(names_wait(names, ONE, WAIT_MS), 0);
	cr_expect_eq(names_wait(names, TWO, WAIT_MS), 0);
	cr_expect_eq(reported, 2);
	cr_expect_eq(ask(names, ONE, "192.0.2.1"), NAMES_YES);
	run_for(names, 6500);
	cr_expect_eq(reported, 3, "one of them, once: it was used once");
	names_free(names);
	server_stop(&server);
}

Test(names_observed, ten_thousand_names_are_looked_up_side_by_side, .timeout = DEADLINE_S)
{
	enum { MANY = 10000 };
	static char texts[MANY][24];
	static const char *list[MANY];
	static uint32_t numbers[MANY];
	struct server server = {0};
	struct net_addr other = address("192.0.2.66");
	struct names *names;
	int64_t begin;
	uint32_t which;

	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(texts[i], sizeof(texts[i]), "h%u.test", i);
		list[i] = texts[i];
		numbers[i] = i;
	}
	SERVER(&server, "--address=/test/192.0.2.1");
	begin = own_ms();
	names = names_new(&(struct names_config){
	    .names = list, .n_names = MANY, .servers = server.text, .timeout_ms = 4000});
	cr_expect_lt(own_ms() - begin, 200);
	begin = now_ms();
	cr_expect_eq(names_ask(names, numbers, MANY, &other, &which), NAMES_UNKNOWN);
	for (uint32_t i = 0; i < MANY; i++)
		names_want(names, i);
	cr_expect_eq(names_wait(names, MANY - 1, 15000), 0);
	while (names_timeout_ms(names) >= 0 && now_ms() - begin < 18000)
		names_run(names);
	cr_expect_eq(names_ask(names, numbers, MANY, &other, &which), NAMES_NO);
	other = address("192.0.2.1");
	cr_expect_eq(names_ask(names, numbers + 5000, 1, &other, &which), NAMES_YES);
	cr_expect_eq(which, 5000);
	printf("# 10,000 names looked up in %ld ms\n", (long)(now_ms() - begin));
	names_free(names);
	server_stop(&server);
}
