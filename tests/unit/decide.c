/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/decide.h"

#include "policy/policy.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

TestSuite(decide, .timeout = 20);

static const char data[] = "10.0.0.0/8  # Private-Use\n!10.9.0.0/16\n";

static int open_data(void *context, const char *from, const char *name, char **path, char **text,
		     size_t *size)
{
	(void)context;
	(void)from;
	if (strcmp(name, "lan.cidr") != 0)
		return -ENOENT;
	*path = strdup("/x/lan.cidr");
	*text = strdup(data);
	*size = strlen(data);
	return 0;
}

static struct plan *plan_of(const char *text)
{
	struct policy_parser *parser = policy_parser_new(open_data, NULL);
	struct policy_error error;
	struct plan *plan;
	char line[1024];

	if (policy_parser_file(parser, "/x/test.conf", text, strlen(text), &error))
		cr_assert_fail("%s", policy_error_format(&error, line, sizeof(line)));
	plan = policy_parser_finish(parser, &error);
	if (!plan)
		cr_assert_fail("%s", policy_error_format(&error, line, sizeof(line)));
	return plan;
}

static struct verdict ask_with(const struct plan *plan, enum transport transport, const char *addr,
			       uint16_t port, const struct name_view *names)
{
	struct net_endpoint to = {.port = port};

	cr_assert_eq(net_addr_parse(addr, &to.addr), 0, "%s", addr);
	return decide_destination(plan, transport, &to, names);
}

static struct verdict ask(const struct plan *plan, enum transport transport, const char *addr,
			  uint16_t port)
{
	return ask_with(plan, transport, addr, port, NULL);
}

static enum verdict_kind kind(const char *text, enum transport transport, const char *addr,
			      uint16_t port)
{
	struct plan *plan = plan_of(text);
	enum verdict_kind kind = ask(plan, transport, addr, port).kind;

	plan_free(plan);
	return kind;
}

Test(decide, no_rule_means_denied_with_eacces)
{
	struct plan *plan = plan_of("gae-policy 1\n");
	struct verdict verdict = ask(plan, TRANSPORT_TCP, "192.0.2.1", 80);

	cr_assert_eq(verdict.kind, VERDICT_DENY);
	cr_assert_eq(verdict.error, EACCES);
	cr_assert_null(verdict.rule);
	plan_free(plan);
}

Test(decide, the_first_rule_that_matches_wins)
{
	static const char allow_first[] = "gae-policy 1\nallow tcp to 192.0.2.1\ndeny tcp to any\n";
	static const char deny_first[] = "gae-policy 1\ndeny tcp to any\nallow tcp to 192.0.2.1\n";

	cr_assert_eq(kind(allow_first, TRANSPORT_TCP, "192.0.2.1", 80), VERDICT_ALLOW);
	cr_assert_eq(kind(allow_first, TRANSPORT_TCP, "192.0.2.2", 80), VERDICT_DENY);
	cr_assert_eq(kind(deny_first, TRANSPORT_TCP, "192.0.2.1", 80), VERDICT_DENY);
}

Test(decide, a_rule_holds_for_its_transport_alone)
{
	static const char text[] = "gae-policy 1\nallow udp to any\n";

	cr_assert_eq(kind(text, TRANSPORT_UDP, "192.0.2.1", 80), VERDICT_ALLOW);
	cr_assert_eq(kind(text, TRANSPORT_TCP, "192.0.2.1", 80), VERDICT_DENY);
}

Test(decide, ports_match_at_both_ends_of_a_range_and_not_beside_it)
{
	static const char text[] = "gae-policy 1\nallow tcp to any port 443,20-22,65535\n";
	static const struct {
		uint16_t port;
		enum verdict_kind kind;
	} rows[] = {
	    {0, VERDICT_DENY},     {19, VERDICT_DENY},     {20, VERDICT_ALLOW},
	    {21, VERDICT_ALLOW},   {22, VERDICT_ALLOW},    {23, VERDICT_DENY},
	    {442, VERDICT_DENY},   {443, VERDICT_ALLOW},   {444, VERDICT_DENY},
	    {65534, VERDICT_DENY}, {65535, VERDICT_ALLOW},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(kind(text, TRANSPORT_TCP, "192.0.2.1", rows[i].port), rows[i].kind,
			     "port %u", rows[i].port);
}

Test(decide, a_refusal_has_the_errno_and_the_place_of_its_rule)
{
	struct plan *plan =
	    plan_of("gae-policy 1\n\n  deny tcp to any errno ENETUNREACH because \"no\"\n");
	struct verdict verdict = ask(plan, TRANSPORT_TCP, "2001:db8::1", 1);
	char where[64];

	cr_assert_eq(verdict.error, ENETUNREACH);
	cr_assert_str_eq(verdict.rule->because, "no");
	cr_assert_eq(verdict.rule->loc.col, 3);
	cr_assert_str_eq(plan_location(plan, verdict.rule->loc, where, sizeof(where)),
			 "test.conf:3");
	plan_free(plan);
}

Test(decide, a_prefix_of_a_data_file_names_its_line_and_comment)
{
	struct plan *plan = plan_of(
	    "gae-policy 1\nset lan file \"lan.cidr\"\ndeny tcp to @lan\nallow tcp to any\n");
	struct verdict verdict = ask(plan, TRANSPORT_TCP, "10.1.2.3", 80);
	char where[64];

	cr_assert_eq(verdict.kind, VERDICT_DENY);
	cr_assert_str_eq(plan->labels[verdict.label].text, "10.0.0.0/8  Private-Use");
	cr_assert_str_eq(plan_location(plan, plan->labels[verdict.label].loc, where, sizeof(where)),
			 "lan.cidr:1");
	cr_assert_eq(ask(plan, TRANSPORT_TCP, "10.9.0.1", 80).kind, VERDICT_ALLOW);
	plan_free(plan);
}

Test(decide, an_exception_of_one_set_cuts_no_hole_into_another)
{
	static const char text[] = "gae-policy 1\n"
				   "set a { 10.0.0.0/8 }\n"
				   "set b { 10.0.0.0/9 !10.1.0.0/16 }\n"
				   "deny tcp to { @a @b }\nallow tcp to any\n";

	cr_assert_eq(kind(text, TRANSPORT_TCP, "10.1.0.1", 80), VERDICT_DENY);
	cr_assert_eq(kind(text, TRANSPORT_TCP, "11.1.0.1", 80), VERDICT_ALLOW);
}

Test(decide, an_exception_in_a_list_takes_out_of_the_sets_in_that_list)
{
	static const char text[] = "gae-policy 1\n"
				   "set a { 10.0.0.0/8 }\n"
				   "allow tcp to { @a !10.1.0.0/16 10.1.2.0/24 }\n";

	cr_assert_eq(kind(text, TRANSPORT_TCP, "10.0.0.1", 80), VERDICT_ALLOW);
	cr_assert_eq(kind(text, TRANSPORT_TCP, "10.1.0.1", 80), VERDICT_DENY);
	cr_assert_eq(kind(text, TRANSPORT_TCP, "10.1.2.1", 80), VERDICT_ALLOW);
}

Test(decide, a_v4_mapped_prefix_is_the_ipv4_prefix)
{
	static const char text[] =
	    "gae-policy 1\ndeny tcp to ::ffff:10.0.0.0/104\nallow tcp to any\n";

	cr_assert_eq(kind(text, TRANSPORT_TCP, "10.200.0.1", 80), VERDICT_DENY);
	cr_assert_eq(kind(text, TRANSPORT_TCP, "11.0.0.1", 80), VERDICT_ALLOW);
}

Test(decide, a_transition_address_needs_both_answers)
{
	struct plan *plan = plan_of("gae-policy 1\ndeny tcp to 10.0.0.0/8\n"
				    "deny tcp to 2002:c000:201::/48\nallow tcp to any\n");
	struct verdict verdict;

	/* NAT64 of 10.0.0.1: the address inside refuses. */
	verdict = ask(plan, TRANSPORT_TCP, "64:ff9b::a00:1", 80);
	cr_assert_eq(verdict.kind, VERDICT_DENY);
	cr_assert(verdict.embedded);
	/* 6to4 of 192.0.2.1: the address itself refuses. */
	verdict = ask(plan, TRANSPORT_TCP, "2002:c000:201::1", 80);
	cr_assert_eq(verdict.kind, VERDICT_DENY);
	cr_assert_not(verdict.embedded);
	/* NAT64 of 192.0.2.1: neither does. */
	cr_assert_eq(ask(plan, TRANSPORT_TCP, "64:ff9b::c000:201", 80).kind, VERDICT_ALLOW);
	plan_free(plan);
}

/* Name number i has the answer context[i]. */
static enum name_answer given(void *context, const uint32_t *list, size_t n,
			      const struct net_addr *addr, uint32_t *which)
{
	const enum name_answer *answers = context;
	enum name_answer answer = NAME_NO;

	(void)addr;
	for (size_t i = 0; i < n; i++) {
		if (answers[list[i]] == NAME_NO || answer == NAME_YES)
			continue;
		answer = answers[list[i]];
		*which = list[i];
	}
	return answer;
}

/* A name whose look-up failed: number *@context. */
static enum name_answer failing(void *context, const uint32_t *list, size_t n,
				const struct net_addr *addr, uint32_t *which)
{
	(void)addr;
	for (size_t i = 0; i < n; i++)
		if (list[i] == *(const uint32_t *)context)
			*which = list[i];
	return NAME_NO;
}

Test(decide, a_name_need_not_be_known_where_what_decides_behind_it_says_the_same)
{
	static const char allow[] = "gae-policy 1\nallow tcp to a.example\nallow tcp to b.example\n"
				    "deny tcp to 192.0.2.9\nallow tcp to any\n";
	static const char deny[] = "gae-policy 1\ndeny tcp to a.example\n";
	static const char other[] = "gae-policy 1\ndeny tcp to a.example errno EPERM\n";
	static const char mixed[] = "gae-policy 1\nallow tcp to a.example\ndeny tcp to b.example\n"
				    "allow tcp to any\n";

	cr_expect_eq(kind(allow, TRANSPORT_TCP, "192.0.2.1", 80), VERDICT_ALLOW);
	cr_expect_eq(kind(allow, TRANSPORT_TCP, "192.0.2.9", 80), VERDICT_NEEDS_NAME);
	cr_expect_eq(kind(deny, TRANSPORT_TCP, "192.0.2.1", 80), VERDICT_DENY);
	cr_expect_eq(kind(other, TRANSPORT_TCP, "192.0.2.1", 80), VERDICT_NEEDS_NAME);
	cr_expect_eq(kind(mixed, TRANSPORT_TCP, "192.0.2.1", 80), VERDICT_NEEDS_NAME);
}

Test(decide, a_denial_says_which_name_could_not_be_looked_up)
{
	struct plan *plan = plan_of("gae-policy 1\nset s { b.example }\n"
				    "allow tcp to { a.example @s }\nallow tcp to c.example\n");
	uint32_t name = 0;
	struct name_view view = {failing, &name};

	for (name = 0; name < 3; name++) {
		struct verdict verdict = ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 1, &view);

		cr_expect_eq(verdict.kind, VERDICT_DENY);
		cr_expect_eq(verdict.failed, name);
	}
	cr_expect_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 1, &view).failed, UINT32_MAX);
	plan_free(plan);
}

/* No name server says which addresses name number *@context has. */
static enum name_answer unclear(void *context, const uint32_t *list, size_t n,
				const struct net_addr *addr, uint32_t *which)
{
	failing(context, list, n, addr, which);
	return *which == UINT32_MAX ? NAME_NO : NAME_FAILED;
}

Test(decide, a_name_that_nobody_knows_opens_nothing_and_keeps_closed_what_it_may_close)
{
	struct plan *plan =
	    plan_of("gae-policy 1\ndeny tcp to 192.0.2.9\nallow tcp to 192.0.2.8\n"
		    "set s { a.example }\nallow tcp to a.example port 1\n"
		    "deny tcp to { b.example @s } port 1,2 errno EPERM\nallow tcp to any\n");
	uint32_t name = 0;
	struct name_view view = {unclear, &name};
	struct verdict verdict;

	for (name = 0; name < 2; name++) {
		verdict = ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 2, &view);
		cr_expect_eq(verdict.kind, VERDICT_DENY);
		cr_expect_eq(verdict.error, EPERM);
		cr_expect(verdict.unsure);
		cr_expect_eq(verdict.failed, name);
		cr_expect_eq(verdict.rule->loc.line, 6u);
		cr_expect_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 1, &view).kind,
			     VERDICT_DENY);
	}
	cr_expect_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 3, &view).kind, VERDICT_ALLOW,
		     "no rule with a name has this port");
	cr_expect_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.8", 2, &view).kind, VERDICT_ALLOW);
	verdict = ask_with(plan, TRANSPORT_TCP, "192.0.2.9", 2, &view);
	cr_expect_eq(verdict.kind, VERDICT_DENY);
	cr_expect_not(verdict.unsure, "an address decides it");
	name = 2; /* both are known to have other addresses */
	cr_expect_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 2, &view).kind, VERDICT_ALLOW);
	plan_free(plan);
}

static void note(void *context, uint32_t name)
{
	*(unsigned int *)context |= 1u << name;
}

Test(decide, the_names_that_a_destination_may_depend_on)
{
	struct plan *plan = plan_of("gae-policy 1\nallow tcp to a.example port 443\n"
				    "allow udp to b.example\ndeny tcp to 10.0.0.0/8\n"
				    "allow tcp to { c.example d.example }\nallow tcp to any\n"
				    "allow tcp to e.example\n");
	struct net_endpoint to = {.port = 443};
	unsigned int seen = 0;

	net_addr_parse("192.0.2.1", &to.addr);
	decide_names(plan, TRANSPORT_TCP, &to, note, &seen);
	cr_expect_eq(seen, 0xd, "a, c, d: %x", seen);
	seen = 0;
	net_addr_parse("10.0.0.1", &to.addr);
	to.port = 80;
	decide_names(plan, TRANSPORT_TCP, &to, note, &seen);
	cr_expect_eq(seen, 0, "%x", seen);
	plan_free(plan);
}

Test(decide, a_name_that_is_not_known_yet_stops_the_evaluation)
{
	struct plan *plan = plan_of("gae-policy 1\nallow tcp to a.example port 443\n"
				    "deny tcp to any\n");
	enum name_answer answers[] = {NAME_UNKNOWN};
	struct name_view view = {given, answers};
	struct verdict verdict = ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 443, &view);

	cr_assert_eq(verdict.kind, VERDICT_NEEDS_NAME);
	cr_assert_str_eq(plan->names[verdict.name], "a.example");
	/* Where the port cannot match, nothing need be looked up. */
	cr_assert_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 80, &view).kind, VERDICT_DENY);
	answers[0] = NAME_YES;
	cr_assert_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 443, &view).kind, VERDICT_ALLOW);
	answers[0] = NAME_NO;
	cr_assert_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 443, &view).kind, VERDICT_DENY);
	plan_free(plan);
}

Test(decide, without_a_view_every_name_is_unknown)
{
	cr_assert_eq(kind("gae-policy 1\nallow tcp to a.example\n", TRANSPORT_TCP, "192.0.2.1", 1),
		     VERDICT_NEEDS_NAME);
}

Test(decide, a_yes_settles_a_set_in_which_another_name_is_unknown)
{
	struct plan *plan = plan_of("gae-policy 1\nset s { b.example }\n"
				    "allow tcp to { a.example @s c.example }\n");
	enum name_answer answers[3] = {NAME_UNKNOWN, NAME_UNKNOWN, NAME_UNKNOWN};
	struct name_view view = {given, answers};

	for (size_t i = 0; i < 3; i++) {
		answers[i] = NAME_YES;
		cr_expect_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 1, &view).kind,
			     VERDICT_ALLOW, "name %zu", i);
		answers[i] = NAME_UNKNOWN;
		cr_expect_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 1, &view).kind,
			     VERDICT_NEEDS_NAME);
	}
	plan_free(plan);
}

Test(decide, an_unknown_name_of_an_included_set_keeps_the_answer_open)
{
	struct plan *plan = plan_of("gae-policy 1\nset s { b.example }\n"
				    "allow tcp to { a.example @s }\ndeny tcp to any\n");
	enum name_answer answers[2];
	struct name_view view = {given, answers};

	for (size_t i = 0; i < 2; i++)
		answers[i] = strcmp(plan->names[i], "b.example") ? NAME_NO : NAME_UNKNOWN;
	cr_assert_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 1, &view).kind, VERDICT_NEEDS_NAME);
	plan_free(plan);
}

Test(decide, an_address_that_an_earlier_rule_denies_needs_no_name)
{
	/* Rebinding: a name that points at loopback gains nothing. */
	struct plan *plan =
	    plan_of("gae-policy 1\ndeny tcp to 127.0.0.0/8\nallow tcp to a.example\n");
	enum name_answer answers[] = {NAME_YES};
	struct name_view view = {given, answers};

	cr_assert_eq(ask_with(plan, TRANSPORT_TCP, "127.0.0.1", 1, &view).kind, VERDICT_DENY);
	plan_free(plan);
}

Test(decide, an_exception_takes_out_of_the_names_of_its_list)
{
	struct plan *plan = plan_of("gae-policy 1\nallow tcp to { a.example !192.0.2.1 }\n");
	enum name_answer answers[] = {NAME_YES};
	struct name_view view = {given, answers};

	cr_assert_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.1", 1, &view).kind, VERDICT_DENY);
	cr_assert_eq(ask_with(plan, TRANSPORT_TCP, "192.0.2.2", 1, &view).kind, VERDICT_ALLOW);
	plan_free(plan);
}

Test(decide, the_first_sockopt_rule_for_the_call_wins)
{
	struct plan *plan = plan_of("gae-policy 1\nsockopt 1 4 get pass\n"
				    "sockopt 1 any set ignore\nsockopt any any deny EPERM\n");

	cr_assert_eq(plan_sockopt(plan, SOCKOPT_GET, 1, 4)->action, SOCKOPT_PASS);
	cr_assert_eq(plan_sockopt(plan, SOCKOPT_SET, 1, 4)->action, SOCKOPT_IGNORE);
	cr_assert_eq(plan_sockopt(plan, SOCKOPT_GET, 1, 5)->error, EPERM);
	cr_assert_eq(plan_sockopt(plan, SOCKOPT_SET, 6, 4)->error, EPERM);
	plan_free(plan);
}

Test(decide, an_option_without_a_rule_is_denied_with_eacces)
{
	struct plan *plan = plan_of("gae-policy 1\n");
	const struct sockopt_rule *rule = plan_sockopt(plan, SOCKOPT_SET, 1, 4);
	char where[32];

	cr_assert_eq(rule->action, SOCKOPT_DENY);
	cr_assert_eq(rule->error, EACCES);
	cr_assert_str_eq(plan_location(plan, rule->loc, where, sizeof(where)), "built-in");
	plan_free(plan);
}
