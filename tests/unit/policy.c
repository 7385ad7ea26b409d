/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include "net/names.h"
#include "policy/decide.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A directory of a test's own, removed behind it. */
static char root[64];

static void make_root(void)
{
	snprintf(root, sizeof(root), "/tmp/gae-policy-test-XXXXXX");
	cr_assert_not_null(mkdtemp(root));
}

static void remove_root(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	cr_assert_eq(system(command), 0);
}

TestSuite(policy, .init = make_root, .fini = remove_root, .timeout = 20);

static const char *path_of(const char *name)
{
	static char paths[32][256];
	static size_t turn;
	char *path = paths[turn++ % 32];

	snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
	return path;
}

static void make_dir(const char *name)
{
	cr_assert_eq(mkdir(path_of(name), 0700), 0);
}

static void write_file(const char *name, const char *text)
{
	FILE *out = fopen(path_of(name), "w");

	cr_assert_not_null(out);
	fputs(text, out);
	fclose(out);
}

static struct plan *load(const char *const *sources, size_t n, const char *const *installed)
{
	struct policy_error error;
	struct plan *plan = policy_load(sources, n, installed, &error);
	char line[1024];

	if (!plan)
		cr_assert_fail("%s", policy_error_format(&error, line, sizeof(line)));
	return plan;
}

static void expect_error(const char *const *sources, size_t n, const char *const *installed,
			 const char *expected)
{
	struct policy_error error;
	struct plan *plan = policy_load(sources, n, installed, &error);
	char line[1024];

	cr_assert_null(plan);
	policy_error_format(&error, line, sizeof(line));
	cr_assert(strstr(line, expected), "'%s' is not in '%s'", expected, line);
}

static int first_port(const struct plan *plan, size_t rule)
{
	return plan->rules[rule].ports[0].first;
}

Test(policy, files_of_a_directory_are_read_in_order_of_base_name)
{
	const char *sources[] = {root};
	struct plan *plan;

	write_file("20-b.conf", "gae-policy 1\nallow tcp to any port 20\n");
	write_file("10-a.conf", "gae-policy 1\nallow tcp to any port 10\n");
	write_file("30-c.conf", "gae-policy 1\nallow tcp to any port 30\n");
	write_file(".hidden.conf", "not a policy");
	write_file("notes.txt", "not a policy");
	plan = load(sources, 1, NULL);
	cr_assert_eq(plan->n_rules, 3);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(first_port(plan, (size_t)i), 10 * (i + 1));
	plan_free(plan);
}

Test(policy, etc_masks_share_by_base_name_and_empty_files_disable)
{
	const char *installed[] = {path_of("etc"), path_of("share"), NULL};
	struct plan *plan;

	make_dir("etc");
	make_dir("share");
	write_file("share/10-a.conf", "gae-policy 1\nallow tcp to any port 1\n");
	write_file("share/20-b.conf", "gae-policy 1\nallow tcp to any port 2\n");
	write_file("share/30-c.conf", "gae-policy 1\nallow tcp to any port 3\n");
	write_file("share/40-d.conf", "gae-policy 1\nallow tcp to any port 4\n");
	write_file("etc/20-b.conf", "gae-policy 1\nallow tcp to any port 22\n");
	write_file("etc/30-c.conf", "");
	cr_assert_eq(symlink("/dev/null", path_of("etc/40-d.conf")), 0);
	plan = load(NULL, 0, installed);
	cr_assert_eq(plan->n_rules, 2);
	cr_assert_eq(first_port(plan, 0), 1);
	cr_assert_eq(first_port(plan, 1), 22);
	plan_free(plan);
}

Test(policy, data_of_the_installed_policy_is_masked_too)
{
	const char *installed[] = {path_of("etc"), path_of("share"), NULL};
	struct plan *plan;

	make_dir("etc");
	make_dir("share");
	write_file("share/10-a.conf", "gae-policy 1\nset a file \"a.cidr\"\ndeny tcp to @a\n");
	write_file("share/a.cidr", "192.0.2.0/24\n");
	plan = load(NULL, 0, installed);
	cr_assert_str_eq(plan->labels[0].text, "192.0.2.0/24");
	plan_free(plan);
	write_file("etc/a.cidr", "198.51.100.0/24\n");
	plan = load(NULL, 0, installed);
	cr_assert_str_eq(plan->labels[0].text, "198.51.100.0/24");
	plan_free(plan);
}

Test(policy, sources_are_read_in_their_order_with_the_installed_one_among_them)
{
	const char *installed[] = {path_of("absent"), path_of("share"), NULL};
	const char *sources[] = {path_of("mine.conf"), "default"};
	struct plan *plan;

	make_dir("share");
	write_file("share/10-a.conf",
		   "gae-policy 1\nallow tcp to any port 1\nlisten deny EPERM\nbind any\n");
	write_file("mine.conf", "gae-policy 1\nallow tcp to any port 7\nlisten allow\n");
	plan = load(sources, 2, installed);
	cr_assert_eq(first_port(plan, 0), 7);
	cr_assert_eq(first_port(plan, 1), 1);
	/* Of one-word statements the first file's holds. */
	cr_assert_eq(plan->listen.word, LISTEN_ALLOW);
	cr_assert_eq(plan->bind.word, BIND_ANY);
	plan_free(plan);
}

Test(policy, a_directory_without_policies_is_an_error)
{
	const char *sources[] = {root}, *installed[] = {root, NULL};

	expect_error(sources, 1, NULL, "no policy in this directory");
	expect_error(NULL, 0, installed, "no installed policy here");
}

Test(policy, what_cannot_be_read_is_an_error)
{
	const char *absent[] = {path_of("absent.conf")}, *dir[] = {path_of("locked")};

	expect_error(absent, 1, NULL, "absent.conf: No such file or directory");
	make_dir("locked");
	write_file("locked/a.conf", "gae-policy 1\n");
	if (geteuid() == 0) {
		/* Root reads everything: let the same happen by a file that is a directory. */
		make_dir("locked/b.conf");
		expect_error(dir, 1, NULL, "locked/b.conf: Is a directory");
		return;
	}
	cr_assert_eq(chmod(path_of("locked"), 0), 0);
	expect_error(dir, 1, NULL, "locked: Permission denied");
	cr_assert_eq(chmod(path_of("locked"), 0700), 0);
}

Test(policy, an_error_names_file_line_and_column)
{
	const char *sources[] = {path_of("a.conf")};
	char expected[320];

	write_file("a.conf", "gae-policy 1\n\n  deny tcp to any port 0\n");
	snprintf(expected, sizeof(expected), "%s/a.conf:3:24: found '0'; expected a port", root);
	expect_error(sources, 1, NULL, expected);
}

Test(policy, a_set_of_two_files_is_defined_once)
{
	const char *sources[] = {path_of("a.conf"), path_of("b.conf")};

	write_file("a.conf", "gae-policy 1\nset s { 192.0.2.1 }\n");
	write_file("b.conf", "gae-policy 1\nset s { 192.0.2.2 }\n");
	expect_error(sources, 2, NULL,
		     "b.conf:2:5: set 's' a second time; it is defined at a.conf:2:5");
}

Test(policy, a_file_may_use_a_set_of_a_later_file)
{
	const char *sources[] = {path_of("a.conf"), path_of("b.conf")};
	struct plan *plan;

	write_file("a.conf", "gae-policy 1\ndeny tcp to @s\n");
	write_file("b.conf", "gae-policy 1\nset s { 192.0.2.2 }\n");
	plan = load(sources, 2, NULL);
	cr_assert_eq(prefix_set_size(plan->rules[0].to->prefixes), 1);
	plan_free(plan);
}

Test(policy, resolvers_are_the_name_servers_of_the_system)
{
	const char *sources[] = {path_of("a.conf")};
	struct net_addr servers[16];
	size_t n = names_system_resolvers(NULL, servers, 16);
	struct plan *plan;

	write_file("a.conf", "gae-policy 1\nallow udp to @resolvers port 53\n");
	plan = load(sources, 1, NULL);
	cr_assert(plan->rules[0].to->resolvers);
	for (size_t i = 0; i < n; i++)
		cr_assert(prefix_set_contains(plan->rules[0].to->prefixes, &servers[i], NULL));
	cr_assert_gt(n, 0);
	plan_free(plan);
}

Test(policy, the_built_in_statements_stand_where_no_file_speaks)
{
	const char *sources[] = {path_of("a.conf")};
	struct plan *plan;

	write_file("a.conf", "gae-policy 1\n");
	plan = load(sources, 1, NULL);
	cr_assert_eq(plan->listen.word, LISTEN_DENY);
	cr_assert_eq(plan->listen.error, EACCES);
	cr_assert_eq(plan->bind.word, BIND_EPHEMERAL);
	cr_assert_eq(plan->bind.error, EACCES);
	cr_assert_eq(plan->unix_sockets.word, UNIX_NONE);
	cr_assert_eq(plan->netlink.word, NETLINK_NONE);
	cr_assert_eq(plan->async.word, ASYNC_ALLOW);
	cr_assert_eq(plan->http.word, HTTP_AUTO);
	cr_assert_eq(plan->listen.loc.file, PLAN_BUILTIN);
	cr_assert_eq(plan->idle.ms, 0);
	cr_assert_eq(plan->idle.loc.file, PLAN_BUILTIN);
	for (int i = 0; i < QUOTA_KINDS; i++) {
		cr_assert_eq(plan->quotas[i].per_minute, QUOTA_UNLIMITED);
		cr_assert_eq(plan->quotas[i].per_day, QUOTA_UNLIMITED);
		cr_assert_eq(plan->quotas[i].loc.file, PLAN_BUILTIN);
	}
	plan_free(plan);
}

/* The plan of one file with this one statement. */
static struct plan *load_statement(const char *statement)
{
	const char *sources[] = {path_of("a.conf")};
	char text[256];

	snprintf(text, sizeof(text), "gae-policy 1\n%s\n", statement);
	write_file("a.conf", text);
	return load(sources, 1, NULL);
}

Test(policy, idle_is_kept_in_milliseconds)
{
	static const struct {
		const char *statement;
		uint64_t ms;
	} rows[] = {
	    {"idle never", 0},
	    {"idle 10ms", 10},
	    {"idle 0500ms", 500},
	    {"idle 30s", 30000},
	    {"idle 10m", 600000},
	    {"idle 1h", 3600000},
	    {"idle 525600m", 31536000000},
	    {"idle 8760h", 31536000000},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct plan *plan = load_statement(rows[i].statement);

		cr_expect_eq(plan->idle.ms, rows[i].ms, "%s", rows[i].statement);
		cr_expect_eq(plan->idle.loc.line, 2);
		plan_free(plan);
	}
}

Test(policy, quotas_are_kept_in_ones_and_bytes)
{
	static const uint64_t no = QUOTA_UNLIMITED;
	const struct {
		const char *statement;
		enum quota_kind kind;
		uint64_t per_minute, per_day;
	} rows[] = {
	    {"quota creates 0/min", QUOTA_CREATES, 0, no},
	    {"quota binds 0/day", QUOTA_BINDS, no, 0},
	    {"quota connects 864000/day 4800/min", QUOTA_CONNECTS, 4800, 864000},
	    {"quota connects 9/min 8/day", QUOTA_CONNECTS, 9, 8},
	    {"quota sends unlimited", QUOTA_SENDS, no, no},
	    {"quota sends 274877906943/min", QUOTA_SENDS, 274877906943, no},
	    {"quota receives 281474976710655/day", QUOTA_RECEIVES, no, 281474976710655},
	    {"quota bytes-sent 113MB/min 20GB/day", QUOTA_BYTES_SENT, 113000000, 20000000000},
	    {"quota bytes-sent 5/min 6B/day", QUOTA_BYTES_SENT, 5, 6},
	    {"quota bytes-sent 7KB/min 8TB/day", QUOTA_BYTES_SENT, 7000, 8000000000000},
	    {"quota bytes-received 1KiB/min 1MiB/day", QUOTA_BYTES_RECEIVED, 1024, 1048576},
	    {"quota bytes-received 1GiB/min 1TiB/day", QUOTA_BYTES_RECEIVED, 1073741824,
	     1099511627776},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct plan *plan = load_statement(rows[i].statement);
		const struct quota *quota = &plan->quotas[rows[i].kind];

		cr_expect_eq(quota->per_minute, rows[i].per_minute, "%s", rows[i].statement);
		cr_expect_eq(quota->per_day, rows[i].per_day, "%s", rows[i].statement);
		cr_expect_eq(quota->loc.line, 2);
		plan_free(plan);
	}
}

Test(policy, limits_of_a_kind_hold_from_the_first_file_that_speaks_of_it)
{
	const char *sources[] = {path_of("site.conf"), path_of("base.conf")};
	struct plan *plan;

	write_file("site.conf", "gae-policy 1\nquota connects unlimited\nquota binds 5/day\n");
	write_file("base.conf", "gae-policy 1\nquota connects 1/min 2/day\nquota binds 3/min\n"
				"quota sends 4/min\nidle 10m\n");
	plan = load(sources, 2, NULL);
	cr_assert_eq(plan->quotas[QUOTA_CONNECTS].per_minute, QUOTA_UNLIMITED);
	cr_assert_eq(plan->quotas[QUOTA_CONNECTS].per_day, QUOTA_UNLIMITED);
	/* Both rates of a kind are one statement: the later file's per minute is not mixed in. */
	cr_assert_eq(plan->quotas[QUOTA_BINDS].per_minute, QUOTA_UNLIMITED);
	cr_assert_eq(plan->quotas[QUOTA_BINDS].per_day, 5);
	cr_assert_eq(plan->quotas[QUOTA_SENDS].per_minute, 4);
	cr_assert_eq(plan->quotas[QUOTA_SENDS].loc.file, 1);
	cr_assert_eq(plan->idle.ms, 600000);
	plan_free(plan);
}

Test(policy, a_dropped_limit_is_still_read)
{
	const char *sources[] = {path_of("site.conf"), path_of("base.conf")};

	write_file("site.conf", "gae-policy 1\nidle never\nquota connects unlimited\n");
	write_file("base.conf", "gae-policy 1\nidle 5\n");
	expect_error(sources, 2, NULL, "base.conf:2:6: found '5'; expected a whole number");
	write_file("base.conf", "gae-policy 1\nquota connects 1/min\nquota connects 1/day\n");
	expect_error(sources, 2, NULL,
		     "base.conf:3:1: 'quota connects' a second time in this "
		     "file; it is at base.conf:2:1 already");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

Test(policy, a_hundred_thousand_prefixes_load_and_decide)
{
	const char *sources[] = {path_of("a.conf")};
	FILE *out = fopen(path_of("big.cidr"), "w");
	struct net_endpoint to = {.port = 80};
	struct plan *plan;
	double start;

	for (unsigned int i = 0; i < 100000; i++)
		fprintf(out, "%u.%u.%u.0/24 # row %u\n", 1 + i / 65536, i / 256 % 256, i % 256, i);
	fclose(out);
	write_file("a.conf", "gae-policy 1\nset big file \"big.cidr\"\ndeny tcp to @big\n");
	start = seconds();
	plan = load(sources, 1, NULL);
	cr_log_info("loaded in %.3f s of processor time", seconds() - start);
	cr_assert_eq(prefix_set_size(plan->rules[0].to->prefixes), 100000);
	cr_assert_eq(net_addr_parse("2.134.159.9", &to.addr), 0);
	cr_assert_str_eq(
	    plan->labels[decide_destination(plan, TRANSPORT_TCP, &to, NULL).label].text,
	    "2.134.159.0/24  row 99999");
	plan_free(plan);
}

Test(policy, a_build_directory_uses_the_policy_of_its_tree)
{
	char expected[128];

	make_dir("build");
	make_dir("policy.d");
	snprintf(expected, sizeof(expected), "%s/build/../policy.d", root);
	cr_assert_str_eq(policy_installed(path_of("build"))[0], expected);
	cr_assert_null(policy_installed(path_of("build"))[1]);
}

Test(policy, an_installed_program_uses_etc_and_the_share_beside_it)
{
	const char *const *dirs;
	char expected[128];

	make_dir("bin");
	dirs = policy_installed(path_of("bin"));
	cr_assert_str_eq(dirs[0], GAE_RUN_SYSCONFDIR "/policy.d");
	cr_assert_str_eq(dirs[1], GAE_RUN_DATADIR "/policy.d");
	cr_assert_null(dirs[2]);
	make_dir("share");
	make_dir("share/gae-run");
	make_dir("share/gae-run/policy.d");
	snprintf(expected, sizeof(expected), "%s/bin/../share/gae-run/policy.d", root);
	cr_assert_str_eq(policy_installed(path_of("bin"))[1], expected);
}

/* Seconds of this processor that a policy of @n rules takes, the least of three times. */
static double seconds_of_rules(size_t n)
{
	double least = 1e9;

	for (int round = 0; round < 3; round++) {
		FILE *out = fopen(path_of("rules.conf"), "w");
		const char *source = path_of("rules.conf");
		struct policy_error error;
		struct plan *plan;
		clock_t begin;

		cr_assert_not_null(out);
		fputs("gae-policy 1\n", out);
		for (size_t i = 0; i < n; i++)
			fprintf(out, "allow tcp to 10.%zu.%zu.%zu\n", i >> 16, i >> 8 & 255,
				i & 255);
		cr_assert_eq(fclose(out), 0);
		begin = clock();
		plan = policy_load(&source, 1, NULL, &error);
		begin = clock() - begin;
		cr_assert_not_null(plan);
		cr_expect_eq(plan->n_rules, n);
		plan_free(plan);
		if ((double)begin / CLOCKS_PER_SEC < least)
			least = (double)begin / CLOCKS_PER_SEC;
	}
	return least;
}

Test(policy, many_rules_cost_as_much_as_they_are)
{
	double few = seconds_of_rules(2500), many = seconds_of_rules(20000);

	/* Eight times as many; to compare each with each were 64 times the work. */
	cr_expect_lt(many, 24 * few, "2,500 rules %.3f s, 20,000 rules %.3f s", few, many);
}

Test(policy, names_of_files_are_escaped_where_they_are_printed)
{
	const char *source;
	struct policy_error error;
	struct plan *plan;
	char line[1024];

	make_dir("\033[2Jd");
	write_file("\033[2Jd/a.cidr", "10.0.0.0/8\n");
	write_file("\033[2Jd/\xc2\x9b.conf",
		   "gae-policy 1\nset a file \"a.cidr\"\nallow tcp to @a\n");
	source = path_of("\033[2Jd/\xc2\x9b.conf");
	plan = policy_load(&source, 1, NULL, &error);
	cr_assert_not_null(plan);
	cr_expect_str_eq(plan_location(plan, plan->rules[0].loc, line, sizeof(line)),
			 "\\302\\233.conf:3");
	cr_expect_null(strchr(plan->sets[0]->text, '\033'), "%s", plan->sets[0]->text);
	plan_free(plan);
	write_file("\033[2Jd/\xc2\x9b.conf", "gae-policy 1\nnonsense\n");
	cr_expect_null(policy_load(&source, 1, NULL, &error));
	policy_error_format(&error, line, sizeof(line));
	cr_expect_not_null(strstr(line, "/\\033[2Jd/\\302\\233.conf:2:1: unknown"), "%s", line);
}
