/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"
#include "policy/policy.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(account_uses, .timeout = 20);

static void never(void *context, uint64_t at_ns)
{
	(void)context;
	(void)at_ns;
}

static struct plan *plan_of(const char *text)
{
	struct policy_parser *parser = policy_parser_new(NULL, NULL);
	struct policy_error error;

	cr_assert_eq(policy_parser_file(parser, "/x/t.conf", text, strlen(text), &error), 0);
	return policy_parser_finish(parser, &error);
}

static struct net_endpoint endpoint(const char *text, uint16_t port)
{
	struct net_endpoint to = {.port = port};

	cr_assert_eq(net_addr_parse(text, &to.addr), 0);
	return to;
}

Test(account_uses, finds_where_open_sockets_go)
{
	struct plan *plan = plan_of("gae-policy 1\n");
	char error[256];
	struct quotas *quotas = quotas_open(NULL, plan->quotas, DAY_UTC, error, sizeof(error));
	struct account *account =
	    account_new(&(struct account_config){.plan = plan, .quotas = quotas, .wake = never});
	struct account_caller caller = {
	    .pid = 1, .tid = 1, .process = "x", .fd = 3, .cookie = 7, .domain = AF_INET};
	struct net_endpoint one = endpoint("192.0.2.1", 443), two = endpoint("192.0.2.2", 53);
	const struct net_addr addrs[] = {one.addr, two.addr, endpoint("192.0.2.3", 1).addr};
	struct sock_tuple tuple = {.remote = one};
	enum quota_kind spent;
	bool used[3] = {false};

	cr_assert_not_null(account);
	account_uses(account, addrs, 3, used);
	cr_expect(!used[0] && !used[1] && !used[2], "no socket yet");
	cr_assert_eq(account_may_connect(account, &caller, &spent), ACCOUNT_FINE);
	account_connected(account, &caller, &one, &tuple, true);
	caller.cookie = 8;
	cr_assert_eq(account_may_send(account, &caller, 1, 1, &spent), ACCOUNT_FINE);
	account_sent(account, &caller, &two, 1, 1, 1);
	account_uses(account, addrs, 3, used);
	cr_expect(used[0] && used[1] && !used[2]);
	plan_free(plan);
}
