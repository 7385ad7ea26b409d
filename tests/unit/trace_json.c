/* SPDX-License-Identifier: Apache-2.0 */
/* Records as JSON, one a line. */
#include "trace_records.h"

Test(trace_json, is_an_opentelemetry_record_on_one_line)
{
	struct net_endpoint to;
	char line[TRACE_LINE_MAX];
	struct trace_record record = refused_mail(&to);

	record.tid = 4712;
	record.pid = 4711;
	cr_expect_eq(trace_format_json(line, sizeof(line), &record, 1763899384123456789, "shop", 7),
		     strlen(line));
	cr_expect_str_eq(
	    line, "{\"timestamp\":\"2025-11-23T12:03:04.123456789Z\",\"severity_text\":\"WARN\","
		  "\"event_name\":\"gae_run.decision\",\"attributes\":{\"process.pid\":4711,"
		  "\"thread.id\":4712,\"thread.name\":\"curl\",\"gae_run.fd\":5,"
		  "\"network.transport\":\"tcp\",\"network.type\":\"ipv4\","
		  "\"network.peer.address\":\"192.0.2.10\",\"network.peer.port\":25,"
		  "\"server.address\":\"smtp.example.com\",\"server.port\":25,"
		  "\"error.type\":\"EACCES\",\"gae_run.syscall\":\"connect\","
		  "\"gae_run.decision\":\"deny\",\"gae_run.reason\":\"port 25 (SMTP) is blocked\","
		  "\"gae_run.rule.location\":\"50-mail.conf:8\",\"gae_run.duration\":0.000041999,"
		  "\"service.name\":\"shop\",\"gae_run.seq\":7}}\n");
}

Test(trace_json, leaves_out_what_is_unknown)
{
	char line[TRACE_LINE_MAX];

	cr_expect_gt(trace_format_json(line, sizeof(line), &plain, 1000000000, NULL, 1), 0);
	cr_expect_str_eq(line, "{\"timestamp\":\"1970-01-01T00:00:01.000000000Z\","
			       "\"severity_text\":\"INFO\",\"event_name\":\"gae_run.decision\","
			       "\"attributes\":{\"process.pid\":4711,\"thread.id\":4711,"
			       "\"gae_run.result\":0,\"gae_run.syscall\":\"connect\","
			       "\"gae_run.decision\":\"allow\","
			       "\"gae_run.rule.location\":\"10-appengine.conf:14\","
			       "\"gae_run.duration\":0.000000000,\"gae_run.seq\":1}}\n");
	for (size_t room = 1; room < 40; room++)
		cr_expect_eq(trace_format_json(line, room, &plain, 0, NULL, 1), 0);
}

Test(trace_json, parses_with_hostile_texts, .timeout = DEADLINE_S)
{
	char line[TRACE_LINE_MAX];
	struct trace_record record = plain;

	record.comm = "\xff\xc3(\n\"\\";
	record.arguments = "\001\002\x7f\xed\xa0\x80\"}{";
	record.reason = "caf\xc3\xa9 \xf0\x9f\x98\x80 \xc2\x9b[2J";
	trace_format_json(line, sizeof(line), &record, 0, "a\"b", 1);
	cr_expect_null(strstr(line, "\xc2\x9b"), "C1 controls must be escaped");
	python_check(line,
		     "a=r[0][\"attributes\"]; assert len(r)==1\n"
		     "assert a[\"thread.name\"]==\"\\ufffd\\ufffd(\\n\\\"\\\\\", a\n"
		     "assert a[\"gae_run.arguments\"]==\"\\x01\\x02\\x7f\\ufffd\\ufffd\\ufffd\\\"}"
		     "{\", a\n"
		     "assert a[\"gae_run.reason\"]==\"caf\\xe9 \\U0001f600 \\x9b[2J\", a\n"
		     "assert a[\"service.name\"]==\"a\\\"b\", a\n");
}

Test(trace_json, parses_with_the_longest_texts, .timeout = DEADLINE_S)
{
	char line[TRACE_LINE_MAX];
	struct net_endpoint to;
	struct trace_record record = longest(&to);

	cr_expect_gt(
	    trace_format_json(line, sizeof(line), &record, UINT64_MAX, record.comm, UINT64_MAX),
	    2500);
	python_check(line, "a=r[0][\"attributes\"]; assert len(r)==1\n"
			   "assert a[\"gae_run.seq\"]==2**64-1\n"
			   "assert a[\"network.type\"]==\"ipv6\"\n"
			   "assert a[\"gae_run.reason\"].endswith(\"...\")\n");
}
