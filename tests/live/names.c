/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups against a dnsmasq of the test's own on a free loopback port. */
#include "net/names.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 20
#define WAIT_MS 10000
#define OBSERVED_MAX 64

static struct net_addr address(const char *text)
{
	struct net_addr addr = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

	cr_assert_eq(inet_pton(addr.family, text, addr.bytes), 1);
	return addr;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * Tests run side by side and a free port is free only until somebody else takes it:
 * each test gets a loopback of its own where the system lets it.
 */
static void own_loopback(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
}

TestSuite(names, .init = own_loopback);

/* A UDP socket on a loopback port that was free. */
static int udp_socket(uint16_t *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(in);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &size), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

struct server {
	uint16_t port;
	pid_t pid;
	char text[32]; /* names_config.servers */
};

static bool server_accepts(const struct server *server)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(server->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0;

	close(fd);
	return ok;
}

/* @options: NULL-terminated; .port is chosen where it is 0. */
static void server_start(struct server *server, const char *const *options)
{
	const char *argv[64] = {"dnsmasq",
				"--keep-in-foreground",
				"--conf-file=/dev/null",
				"--no-resolv",
				"--no-hosts",
				"--local=/test/",
				"--bind-interfaces",
				"--listen-address=127.0.0.1",
				"--pid-file",
				"--local-ttl=1",
				getuid() == 0 ? "--user=root" : "--no-poll"};
	int64_t deadline = now_ms() + WAIT_MS;
	char port[32];
	size_t n = 11;

	if (system("PATH=$PATH:/usr/sbin command -v dnsmasq >/dev/null") != 0)
		cr_skip_test("dnsmasq is not installed");
	/* Below the ports that connect(2) takes by itself: a probe of a closed one could meet itself. */
	if (!server->port)
		server->port = (uint16_t)(10000 + getpid() % 20000);
	snprintf(server->text, sizeof(server->text), "127.0.0.1:%u", server->port);
	snprintf(port, sizeof(port), "--port=%u", server->port);
	argv[n++] = port;
	while (*options && n < 63)
		argv[n++] = *options++;
	server->pid = fork();
	if (server->pid == 0) {
		setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (!server_accepts(server)) {
		cr_assert_eq(waitpid(server->pid, NULL, WNOHANG), 0, "dnsmasq ended");
		cr_assert_lt(now_ms(), deadline, "dnsmasq does not answer");
		sched_yield();
	}
}

static void server_stop(struct server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
}

#define SERVER(server, ...) server_start(server, (const char *const[]){__VA_ARGS__, NULL})

/* The names of names_for(); behind them the observed ones. */
enum { ONE, TWO, WILD, IN_WILD, NAMED, N_NAMES };

static unsigned int reported;

static void count_done(void *context, uint32_t name)
{
	cr_assert_eq(context, &reported);
	cr_assert_lt(name, N_NAMES + OBSERVED_MAX);
	reported++;
}

static struct names *names_for(const char *servers, struct names_config config)
{
	static const char *const list[N_NAMES] = {"one.test", "two.test", "*.wild.test",
						  "*.in.wild.test", "named.wild.test"};
	struct names *names;

	config.names = list;
	config.n_names = N_NAMES;
	config.servers = servers;
	config.observed_max = config.observed_max ? config.observed_max : OBSERVED_MAX;
	config.done = count_done;
	config.context = &reported;
	reported = 0;
	names = names_new(&config);
	cr_assert_not_null(names);
	return names;
}

static enum names_answer ask(struct names *names, uint32_t name, const char *text)
{
	struct net_addr addr = address(text);
	uint32_t which;

	return names_ask(names, &name, 1, &addr, &which);
}

static const char *of(struct names *names, const char *text)
{
	static char out[NAMES_TEXT_MAX];
	struct net_addr addr = address(text);
	const char *name = names_of(names, &addr, out);

	return name ? name : "";
}

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
		before = now_ms();
		names_run(names);
		if (now_ms() - before > longest)
			longest = now_ms() - before;
	}
	cr_expect_lt(longest, 200, "names_run() took %ld ms", (long)longest);
	cr_expect_eq(ask(names, 0, "192.0.2.1"), NAMES_NO);
	cr_expect_str_neq(names_error(names, 0), "");
	names_start(names, 1);
	names_free(names); /* in the middle of a look-up */
	close(fd);
}

Test(names, a_look_up_ends_at_its_deadline_however_many_servers_are_silent, .timeout = DEADLINE_S)
{
	int64_t begin = now_ms();
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
	cr_expect_lt(now_ms() - begin, 1400);
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
	cr_expect_str_eq(names_error(names, 0), "");
	for (; ask(names, 0, "2001:db8::1") == NAMES_NO; sched_yield())
		cr_assert_lt(now_ms(), deadline, "a no of half an answer is short-lived");
	names_free(names);
	close(fd);
}

Test(names, a_port_nobody_listens_on_fails_at_once, .timeout = DEADLINE_S)
{
	int64_t begin = now_ms();
	struct names *names;
	char servers[32];
	uint16_t port;

	close(udp_socket(&port));
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	names = names_for(servers, (struct names_config){.timeout_ms = 15000});
	cr_expect_eq(names_wait(names, 0, WAIT_MS), 0);
	cr_expect_lt(now_ms() - begin, 3000);
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

Test(names, a_wildcard_has_the_addresses_of_names_that_were_asked_for, .timeout = DEADLINE_S)
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

Test(names, lists_exact_names_and_what_is_below_wildcards, .timeout = DEADLINE_S)
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

Test(names, a_question_under_way_keeps_a_wildcard_open_until_it_ends, .timeout = DEADLINE_S)
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

Test(names, a_million_observed_names_have_a_thousand_places, .timeout = DEADLINE_S)
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
	begin = now_ms();
	for (unsigned int i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "k%u.wild.test", i);
		observe(names, text);
	}
	cr_expect_lt(now_ms() - begin, 2000);
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

Test(names, an_address_stays_valid_while_a_connection_to_it_lives, .timeout = DEADLINE_S)
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

Test(names, a_name_in_use_is_renewed_in_time_and_another_is_not, .timeout = DEADLINE_S)
{
	struct server server = {0};
	struct names *names;

	SERVER(&server, "--host-record=one.test,192.0.2.1,1", "--host-record=two.test,192.0.2.2,1");
	names = names_for(server.text, (struct names_config){.ttl_min_s = 1, .renew = true});
	cr_expect_eq(names_wait(names, ONE, WAIT_MS), 0);
	cr_expect_eq(names_wait(names, TWO, WAIT_MS), 0);
	cr_expect_eq(reported, 2);
	cr_expect_eq(ask(names, ONE, "192.0.2.1"), NAMES_YES);
	run_for(names, 2300);
	cr_expect_eq(reported, 3, "one of them, once: it was used once");
	names_free(names);
	server_stop(&server);
}

Test(names, ten_thousand_names_are_looked_up_side_by_side, .timeout = DEADLINE_S)
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
	begin = now_ms();
	names = names_new(&(struct names_config){
	    .names = list, .n_names = MANY, .servers = server.text, .timeout_ms = 4000});
	cr_expect_lt(now_ms() - begin, 200);
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
