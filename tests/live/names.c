/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/live/names_fixture.h"

TestSuite(names, .init = own_loopback);

Test(names, finds_ipv4_and_ipv6_addresses, .timeout = DEADLINE_S)
{
	struct server server = {0};
	struct names *names;

	SERVER(&server, "--host-record=one.test,192.0.2.1,2001:db8::1,60",
	       "--host-record=two.test,192.0.2.2,60");
	names = names_for(server.text, (struct names_config){0});
	cr_expect_eq(ask(names, 0, "192.0.2.1"), NAMES_UNKNOWN);
	cr_expect_eq(names_wait(names, 0, WAIT_MS), 0);
	cr_expect_eq(ask(names, 0, "192.0.2.1"), NAMES_YES);
	cr_expect_eq(ask(names, 0, "2001:db8::1"), NAMES_YES);
	cr_expect_eq(ask(names, 0, "192.0.2.2"), NAMES_NO);
	cr_expect_eq(ask(names, 1, "192.0.2.2"), NAMES_UNKNOWN, "not asked for, not looked up");
	cr_expect_str_eq(of(names, "192.0.2.1"), "one.test");
	cr_expect_str_eq(of(names, "192.0.2.2"), "");
	cr_expect_eq(names_wait(names, 1, WAIT_MS), 0);
	cr_expect_str_eq(of(names, "192.0.2.2"), "two.test");
	cr_expect_str_eq(names_error(names, 1), "");
	cr_expect_eq(reported, 2, "one report for each look-up");
	cr_expect_eq(names_timeout_ms(names), -1, "nothing to wait for any more");
	names_free(names);
	server_stop(&server);
}

Test(names, follows_a_chain_of_cnames, .timeout = DEADLINE_S)
{
	struct server server = {0};
	struct names *names;

	SERVER(&server, "--cname=one.test,middle.test,end.test",
	       "--host-record=end.test,192.0.2.9");
	names = names_for(server.text, (struct names_config){0});
	cr_expect_eq(names_wait(names, 0, WAIT_MS), 0);
	cr_expect_eq(ask(names, 0, "192.0.2.9"), NAMES_YES);
	names_free(names);
	server_stop(&server);
}

Test(names, takes_many_addresses_over_tcp, .timeout = DEADLINE_S)
{
	/* 50 A records are 826 bytes: truncated at 512 over UDP without EDNS (RFC 1035 4.2.1). */
	static char options[50][48];
	const char *argv[51] = {NULL};
	struct server server = {0};
	struct names *names;
	char text[32];

	for (unsigned int i = 0; i < 50; i++) {
		snprintf(options[i], sizeof(options[i]), "--host-record=one.test,192.0.2.%u",
			 200 - i);
		argv[i] = options[i];
	}
	server_start(&server, argv);
	names = names_for(server.text, (struct names_config){0});
	cr_expect_eq(names_wait(names, 0, WAIT_MS), 0);
	for (unsigned int i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", 200 - i);
		cr_expect_eq(ask(names, 0, text), NAMES_YES, "%s", text);
	}
	cr_expect_eq(ask(names, 0, "192.0.2.150"), NAMES_NO);
	names_free(names);
	server_stop(&server);
}

Test(names, remembers_that_a_name_does_not_exist, .timeout = DEADLINE_S)
{
	struct server server = {0};
	struct names *names;
	int64_t deadline;

	SERVER(&server, "--host-record=two.test,192.0.2.2");
	names = names_for(server.text, (struct names_config){.fail_s = 1});
	cr_expect_eq(names_wait(names, 0, WAIT_MS), 0);
	cr_expect_eq(ask(names, 0, "192.0.2.1"), NAMES_NO);
	cr_expect(strstr(names_error(names, 0), "not found"), "%s", names_error(names, 0));
	for (deadline = now_ms() + WAIT_MS; ask(names, 0, "192.0.2.1") == NAMES_NO; sched_yield())
		cr_assert_lt(now_ms(), deadline);
	cr_expect_eq(ask(names, 0, "192.0.2.1"), NAMES_UNKNOWN, "tried again later");
	names_free(names);
	server_stop(&server);
}

Test(names, sees_a_changed_record_after_its_time_and_keeps_the_old_one_for_the_grace_period,
     .timeout = DEADLINE_S)
{
	struct server server = {0};
	struct names *names;
	int64_t deadline = now_ms() + WAIT_MS;

	SERVER(&server, "--host-record=one.test,192.0.2.1,1");
	names = names_for(server.text, (struct names_config){.ttl_min_s = 1, .grace_s = 3});
	cr_expect_eq(names_wait(names, 0, WAIT_MS), 0);
	cr_expect_eq(ask(names, 0, "192.0.2.7"), NAMES_NO);
	server_stop(&server);
	SERVER(&server, "--host-record=one.test,192.0.2.7,1");
	for (; ask(names, 0, "192.0.2.7") == NAMES_NO; sched_yield())
		cr_assert_lt(now_ms(), deadline);
	cr_expect_eq(ask(names, 0, "192.0.2.7"), NAMES_UNKNOWN);
	cr_expect_eq(ask(names, 0, "192.0.2.1"), NAMES_YES, "grace");
	cr_expect_eq(names_wait(names, 0, WAIT_MS), 0);
	cr_expect_eq(ask(names, 0, "192.0.2.7"), NAMES_YES);
	cr_expect_eq(ask(names, 0, "192.0.2.1"), NAMES_YES, "grace");
	for (; ask(names, 0, "192.0.2.1") == NAMES_YES; sched_yield())
		cr_assert_lt(now_ms(), deadline, "the grace period ends");
	cr_expect_str_eq(of(names, "192.0.2.1"), "");
	names_free(names);
	server_stop(&server);
}

/* A day, whatever the record says of itself, and the same behind a CNAME. */
Test(names, no_answer_is_good_for_longer_than_the_ceiling, .timeout = DEADLINE_S)
{
	static const char *const records[][2] = {
	    {"--host-record=one.test,192.0.2.1,86400", NULL},
	    {"--cname=one.test,end.test,86400", "--host-record=end.test,192.0.2.1,86400"}};
	struct names_config ceiling = {.ttl_min_s = 1, .ttl_max_s = 1, .grace_s = 1};
	struct names_config none = {.ttl_min_s = 1, .grace_s = 1};

	for (size_t i = 0; i < 2; i++) {
		struct server server = {0};
		struct names *names, *longer;
		int64_t deadline = now_ms() + WAIT_MS;

		SERVER(&server, records[i][0], records[i][1]);
		names = names_for(server.text, ceiling);
		longer = names_for(server.text, none);
		cr_expect_eq(names_wait(names, 0, WAIT_MS), 0);
		cr_expect_eq(names_wait(longer, 0, WAIT_MS), 0);
		cr_expect_eq(ask(names, 0, "192.0.2.1"), NAMES_YES);
		cr_expect_eq(ask(names, 0, "192.0.2.7"), NAMES_NO);
		while (ask(names, 0, "192.0.2.7") == NAMES_NO ||
		       ask(names, 0, "192.0.2.1") == NAMES_YES) {
			cr_assert_lt(now_ms(), deadline, "row %zu: good for longer", i);
			sched_yield();
		}
		cr_expect_eq(ask(longer, 0, "192.0.2.1"), NAMES_YES, "its own time is longer");
		cr_expect_eq(ask(longer, 0, "192.0.2.7"), NAMES_NO);
		names_free(names);
		names_free(longer);
		server_stop(&server);
	}
}

Test(names, a_silent_server_costs_the_time_out_and_never_blocks, .timeout = DEADLINE_S)
{
	struct names *names;
	char servers[32];
	uint16_t port;
	int fd = udp_socket(&port);
	int64_t before, longest = 0, begin = now_ms();

	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	names = names_for(servers, (struct names_config){.timeout_ms = 400});
	cr_expect_eq(names_wait(names, 0, 100), -ETIMEDOUT);
	while (reported == 0) {
		cr_assert_geq(names_timeout_ms(names), 0);
		cr_assert_lt(now_ms() - begin, WAIT_MS);
		before = own_ms();
		names_run(names);
		if (own_ms() - before > longest)
			longest = own_ms() - before;
	}
	cr_expect_lt(longest, 200, "names_run() took %ld ms", (long)longest);
	cr_expect_eq(ask(names, 0, "192.0.2.1"), NAMES_FAILED);
	cr_expect_str_neq(names_error(names, 0), "");
	names_start(names, 1);
	names_free(names); /* in the middle of a look-up */
	close(fd);
}

Test(names, a_look_up_ends_at_its_deadline_however_many_servers_are_silent, .timeout = DEADLINE_S)
{
	int64_t begin = own_ms();
	struct names *names;
	char servers[128];
	uint16_t port;
	int fd = udp_socket(&port);

	snprintf(servers, sizeof(servers), "127.0.0.1:%u,127.0.0.2:%u,127.0.0.3:%u", port, port,
		 port);
	/* Bound to every loopback address, or the others would refuse at once. */
	close(fd);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd,
			  (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET,
								   .sin_port = htons(port)},
			  sizeof(struct sockaddr_in)),
		     0);
	names = names_for(servers, (struct names_config){.timeout_ms = 800});
	cr_expect_eq(names_wait(names, 0, WAIT_MS), 0);
	cr_expect_lt(own_ms() - begin, 1400);
	cr_expect_str_eq(names_error(names, 0), "no answer from the name server within 800 ms");
	names_free(names);
	close(fd);
}

/* Answer queries for A with 192.0.2.1, after a forged answer (another id, 192.0.2.66); leave AAAA alone. */
static void answer_a_only(int fd)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 66};
	struct sockaddr_in from;
	socklen_t from_size = sizeof(from);
	uint8_t packet[600];
	ssize_t n = recvfrom(fd, packet, 512, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);

	if (n < 17 || packet[n - 3] != 1) /* QTYPE, then QCLASS, at the end (RFC 1035 4.1.2) */
		return;
	packet[2] = 0x81;
	packet[3] = 0x80;
	packet[7] = 1;
	memcpy(packet + n, record, sizeof(record));
	n += (ssize_t)sizeof(record);
	packet[0] ^= 1;
	sendto(fd, packet, (size_t)n, 0, (struct sockaddr *)&from, from_size);
	packet[0] ^= 1;
	packet[n - 1] = 1;
	sendto(fd, packet, (size_t)n, 0, (struct sockaddr *)&from, from_size);
}

Test(names, half_an_answer_counts_and_a_forged_one_does_not, .timeout = DEADLINE_S)
{
	int64_t deadline = now_ms() + WAIT_MS;
	struct names *names;
	char servers[32];
	uint16_t port;
	int fd = udp_socket(&port);

	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	names = names_for(servers, (struct names_config){.timeout_ms = 400, .fail_s = 1});
	names_start(names, 0);
	while (!reported) {
		cr_assert_lt(now_ms(), deadline);
		answer_a_only(fd);
		names_run(names);
	}
	cr_expect_eq(ask(names, 0, "192.0.2.1"), NAMES_YES);
	cr_expect_eq(ask(names, 0, "192.0.2.66"), NAMES_NO);
	cr_expect_str_neq(names_error(names, 0), "", "of the other half");
	for (; ask(names, 0, "2001:db8::1") == NAMES_FAILED; sched_yield())
		cr_assert_lt(now_ms(), deadline, "a no of half an answer is short-lived");
	names_free(names);
	close(fd);
}

Test(names, a_port_nobody_listens_on_fails_at_once, .timeout = DEADLINE_S)
{
	int64_t begin = own_ms();
	struct names *names;
	char servers[32];
	uint16_t port;

	close(udp_socket(&port));
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	names = names_for(servers, (struct names_config){.timeout_ms = 15000});
	cr_expect_eq(names_wait(names, 0, WAIT_MS), 0);
	cr_expect_lt(own_ms() - begin, 3000);
	cr_expect(strstr(names_error(names, 0), "contact"), "%s", names_error(names, 0));
	names_free(names);
}

/* An IPv4 line of the hosts file.  Not "localhost", which c-ares knows by itself (RFC 6761). */
static bool hosts_entry(char *addr, char *name)
{
	FILE *file = fopen("/etc/hosts", "re");
	bool found = false;
	char line[256];

	while (file && !found && fgets(line, sizeof(line), file))
		found =
		    sscanf(line, "%63[0-9.] %63s", addr, name) == 2 && !strstr(name, "localhost");
	if (file)
		fclose(file);
	return found;
}

Test(names, reads_the_hosts_file_without_a_server, .timeout = DEADLINE_S)
{
	char servers[32], addr[64], name[64];
	const char *const list[] = {name};
	struct names *names;
	uint16_t port;
	int fd;

	if (!hosts_entry(addr, name))
		cr_skip_test("/etc/hosts has no IPv4 line but localhost");
	fd = udp_socket(&port);
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	reported = 0;
	names = names_new(&(struct names_config){.names = list,
						 .n_names = 1,
						 .servers = servers,
						 .timeout_ms = 300,
						 .done = count_done,
						 .context = &reported});
	cr_assert_not_null(names);
	names_start(names, 0);
	cr_expect_eq(reported, 0, "reports come from names_run() only");
	cr_expect_eq(names_wait(names, 0, WAIT_MS), 0);
	cr_expect_eq(ask(names, 0, addr), NAMES_YES);
	cr_expect_eq(reported, 1);
	names_free(names);
	close(fd);
}
