/* SPDX-License-Identifier: Apache-2.0 */
#include "status/status.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define ESC "\033[2J"

static struct net_endpoint endpoint(const char *address, uint16_t port)
{
	struct net_endpoint to = {.port = port};

	cr_assert_eq(net_addr_parse(address, &to.addr), 0);
	return to;
}

static char *write_text(const struct status *status)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert(out);
	cr_assert_eq(status_write_json(status, out), 0);
	fclose(out);
	return text;
}

static struct status *parse(const char *text)
{
	char error[128] = "";
	struct status *status = status_parse_json(text, strlen(text), error, sizeof(error));

	cr_assert(status, "%s", error);
	return status;
}

static void expect_refused(const char *text, const char *why)
{
	char error[128] = "";
	struct status *status = status_parse_json(text, strlen(text), error, sizeof(error));

	cr_expect_null(status, "%s", text);
	cr_expect(strstr(error, why), "%s: \"%s\"", text, error);
	status_free(status);
}

static void expect_same_usage(const struct usage *a, const struct usage *b)
{
	cr_expect_eq(memcmp(a, b, sizeof(*a)), 0);
}

Test(status, what_is_written_reads_the_same)
{
	struct status_socket sockets[] = {
	    {.cookie = UINT64_MAX,
	     .pid = 4711,
	     .process = "fifteen letters",
	     .transport = TRANSPORT_UDP,
	     .to = endpoint("2001:db8::1", 65535),
	     .host = "example.com",
	     .age_ms = 5,
	     .on_offer = 1,
	     .idle_ms = 4,
	     .usage = {1, 2, 3, 4, 5, 6}},
	    {.transport = TRANSPORT_TCP, .host = ""},
	};
	struct status_flow flows[] = {{.pid = 7,
				       .process = "p",
				       .transport = TRANSPORT_TCP,
				       .to = endpoint("192.0.2.1", 25),
				       .host = "h",
				       .usage = {6, 5, 4, 3, 2, 1}}};
	struct status status = {.app = "a\"\\" ESC,
				.program = "/bin/p",
				.pid = 1,
				.supervisor = 2,
				.started_ms = 3,
				.now_ms = 4,
				.idle_limit_ms = 5,
				.total = {9, 8, 7, 6, 5, 4},
				.decisions_allowed = 6,
				.decisions_denied = 7,
				.on_offer = 15,
				.reclaimed = 8,
				.over_quota = 9,
				.lost = 10,
				.memory = 11,
				.quotas = {[QUOTA_BYTES_SENT] = {1, 2, QUOTA_UNLIMITED, 4}},
				.sockets = sockets,
				.n_sockets = 2,
				.flows = flows,
				.n_flows = 1,
				.sockets_left_out = 11,
				.flows_left_out = 12};
	char *text, *again;
	struct status *read;

	sockets[0].to.addr = net_addr_from_v6("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 7);
	text = write_text(&status);
	cr_expect_null(strchr(text, '\033'), "nothing comes out raw");
	read = parse(text);
	cr_expect_str_eq(read->app, status.app);
	cr_expect_str_eq(read->program, status.program);
	cr_expect_eq(read->supervisor, 2);
	cr_expect_eq(read->lost, 10);
	cr_expect_eq(read->memory, 11);
	cr_expect_eq(read->flows_left_out, 12);
	expect_same_usage(&read->total, &status.total);
	cr_expect_eq(memcmp(read->quotas, status.quotas, sizeof(status.quotas)), 0);
	cr_assert_eq(read->n_sockets, 2);
	cr_expect_eq(read->sockets[0].cookie, UINT64_MAX);
	cr_expect_str_eq(read->sockets[0].process, "fifteen letters");
	cr_expect(net_addr_equal(&read->sockets[0].to.addr, &sockets[0].to.addr));
	cr_expect_eq(read->sockets[0].to.addr.scope_id, 7);
	expect_same_usage(&read->sockets[0].usage, &sockets[0].usage);
	cr_expect_eq(read->sockets[1].to.addr.family, AF_UNSPEC);
	cr_assert_eq(read->n_flows, 1);
	cr_expect_eq(read->flows[0].to.port, 25);
	expect_same_usage(&read->flows[0].usage, &flows[0].usage);
	again = write_text(read);
	cr_expect_str_eq(again, text);
	free(again);
	free(text);
	status_free(read);
}

Test(status, what_is_unknown_is_passed_over)
{
	struct status *status =
	    parse("{\"gae_run_status\":1,\"later\":{\"total\":{\"denied\":5},\"sockets\":[{\"pid\":"
		  "1}]},\"total\":{\"denied\":3,\"odd\":[1]},\"quotas\":[{\"name\":\"no such\","
		  "\"used_day\":4}],\"app\":\"x\",\"flows\":[1,[{\"pid\":3}],{\"pid\":9}],"
		  "\"padding\":\"................................................\"}");

	cr_expect_eq(status->total.denied, 3);
	cr_expect_eq(status->n_sockets, 0);
	cr_expect_str_eq(status->app, "x");
	cr_expect_str_eq(status->program, "");
	cr_expect_eq(status->quotas[0].per_day, QUOTA_UNLIMITED);
	cr_assert_eq(status->n_flows, 1);
	cr_expect_eq(status->flows[0].pid, 9);
	cr_expect_str_eq(status->flows[0].host, "");
	status_free(status);
}

Test(status, nonsense_is_refused_with_a_reason)
{
	expect_refused("", "not JSON");
	expect_refused("{\"gae_run_status\":1", "cut short");
	expect_refused("{}", "no picture");
	expect_refused("{\"gae_run_status\":2,\"pid\":-1}", "another version");
	expect_refused("{\"gae_run_status\":1,\"pid\":-1}", "pid: \"-1\"");
	expect_refused("{\"gae_run_status\":1,\"pid\":2147483648}", "pid");
	expect_refused("{\"gae_run_status\":1,\"lost\":18446744073709551616}", "lost");
	expect_refused("{\"gae_run_status\":1,\"lost\":1.5}", "lost");
	expect_refused("{\"gae_run_status\":1,\"lost\":\"\"}", "lost");
	expect_refused("{\"gae_run_status\":1,\"lost\":\"\\u001b[2J\"}", "\\033[2J");
	expect_refused("{\"gae_run_status\":1,\"sockets\":[{\"port\":65536}]}", "port");
	expect_refused("{\"gae_run_status\":1,\"sockets\":[{\"address\":\"1.2.3\"}]}", "address");
	expect_refused("{\"gae_run_status\":1,\"flows\":[{\"transport\":\"sctp\"}]}", "transport");
}

Test(status, records_are_bounded_by_their_text)
{
	char text[1024] = "{\"gae_run_status\":1,\"sockets\":[{}";

	while (strlen(text) < 900)
		strcat(text, ",{}");
	strcat(text, "]}");
	expect_refused(text, "more records");
}

Test(status, a_text_above_the_limit_is_not_read)
{
	char error[64];

	cr_expect_null(status_parse_json("", (size_t)STATUS_TEXT_MAX + 1, error, sizeof(error)));
	cr_expect_str_eq(error, "larger than 64 MiB");
}

/* A million records with the longest names do not fit, and what is sent must be readable. */
Test(status, what_does_not_fit_is_counted, .timeout = 60)
{
	static struct status_flow flow = {.transport = TRANSPORT_TCP, .host = ""};
	struct status status = {.n_flows = 300000, .n_sockets = 200000};
	struct status *read;
	char *text;

	memset(flow.process, '\033', sizeof(flow.process));
	status.flows = calloc(status.n_flows, sizeof(*status.flows));
	status.sockets = calloc(status.n_sockets, sizeof(*status.sockets));
	cr_assert(status.flows && status.sockets);
	for (size_t i = 0; i < status.n_flows; i++)
		status.flows[i] = flow;
	for (size_t i = 0; i < status.n_sockets; i++)
		status.sockets[i].transport = TRANSPORT_UDP;
	text = write_text(&status);
	cr_expect_leq(strlen(text), (size_t)STATUS_TEXT_MAX);
	read = parse(text);
	cr_expect_gt(read->n_sockets, 100000);
	cr_expect_eq(read->n_sockets + read->sockets_left_out, status.n_sockets);
	cr_expect_gt(read->flows_left_out, 0);
	cr_expect_eq(read->n_flows + read->flows_left_out, status.n_flows);
	status_free(read);
	free(text);
	free(status.flows);
	free(status.sockets);
}
