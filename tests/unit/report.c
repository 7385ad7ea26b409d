/* SPDX-License-Identifier: Apache-2.0 */
#include "status/report.h"

#include "status/human.h"
#include "status/status.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct status_flow flow(const char *process, enum transport transport, const char *address,
			       uint16_t port, const char *host)
{
	struct status_flow made = {.transport = transport, .host = host, .to = {.port = port}};

	memcpy(made.process, process, strnlen(process, sizeof(made.process)));
	if (address)
		cr_assert_eq(net_addr_parse(address, &made.to.addr), 0);
	return made;
}

static char *print(const struct status *status)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert(out);
	report_print(status, out);
	fclose(out);
	return text;
}

Test(report, one_row_a_destination_most_bytes_first)
{
	struct status_flow flows[] = {
	    flow("curl", TRANSPORT_TCP, "192.0.2.1", 443, "example.com"),
	    flow("curl", TRANSPORT_TCP, "192.0.2.2", 443, "example.com"),
	    flow("dig", TRANSPORT_UDP, "2001:db8::53", 53, ""),
	    flow("evil", TRANSPORT_TCP, "10.0.0.1", 25, ""),
	    flow("evil", TRANSPORT_TCP, NULL, 0, ""),
	};
	struct status status = {.app = "app",
				.pid = 4711,
				.started_ms = 1000,
				.now_ms = 13345,
				.total = {6, 7, 1234568, 500000, 12, 11},
				.decisions_allowed = 9,
				.decisions_denied = 7,
				.flows = flows,
				.n_flows = 5,
				.on_offer = 2,
				.reclaimed = 1,
				.over_quota = 3,
				.lost = 2};
	char *text;

	flows[0].usage = (struct usage){2, 0, 1000, 400000, 0, 0};
	flows[0].pid = 1;
	flows[1].usage = (struct usage){3, 0, 233, 100000, 0, 0};
	flows[1].pid = 2;
	flows[2].usage = (struct usage){1, 0, 1233335, 0, 12, 11};
	flows[3].usage = (struct usage){0, 2, 0, 0, 0, 0};
	flows[4].usage = (struct usage){0, 5, 0, 0, 0, 0};
	text = print(&status);
	cr_expect_str_eq(
	    text,
	    "gae-run: network use of app (pid 4711) in 12.3 s: 9 decisions allowed, 7 denied\n"
	    "process      net destination       conn deny sent recv dgram s/r\n"
	    "dig          udp [2001:db8::53]:53    1    0 1.2M    0     12/11\n"
	    "curl         tcp example.com:443      5    0 1.2k 500k       0/0\n"
	    "evil         tcp (others)             0    5    0    0       0/0\n"
	    "evil         tcp 10.0.0.1:25          0    2    0    0       0/0\n"
	    "total                                 6    7 1.2M 500k     12/11\n"
	    "sent 1234568 bytes, received 500000 bytes; datagrams: 12 sent, 11 received\n"
	    "2 sockets on offer to other instances\n"
	    "1 socket reclaimed: idle for too long\n"
	    "3 times a quota was spent: call refused or socket shut\n"
	    "2 sockets ended unseen: their last bytes are not counted\n",
	    "\n%s", text);
	free(text);
}

Test(report, nothing_happened)
{
	struct status status = {.app = "app", .pid = 1, .started_ms = 5, .now_ms = 1};
	char *text = print(&status);

	cr_expect_str_eq(
	    text, "gae-run: network use of app (pid 1) in 0.0 s: 0 decisions allowed, 0 denied\n"
		  "sent 0 bytes, received 0 bytes; datagrams: 0 sent, 0 received\n");
	free(text);
}

Test(report, at_most_forty_rows_and_nothing_raw)
{
	struct status_flow flows[50];
	struct status status = {.app = "\033[2J\n", .flows = flows, .n_flows = 50};
	size_t lines = 0;
	char *text, host[400];

	memset(host, '\033', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	for (unsigned int i = 0; i < 50; i++) {
		flows[i] = flow("\033]0;x\007 long name", TRANSPORT_TCP, "192.0.2.1",
				(uint16_t)(i + 1), host);
		flows[i].usage.bytes_sent = UINT64_MAX / 50;
	}
	text = print(&status);
	cr_expect(strstr(text, "\nand 10 more\n"));
	for (const char *at = text; *at; at++) {
		lines += *at == '\n';
		cr_assert(*at == '\n' || (*at >= 0x20 && *at < 0x7f));
	}
	cr_expect_eq(lines, 1 + 1 + 40 + 1 + 1 + 1);
	free(text);
}

Test(human, counts_take_four_columns)
{
	static const struct {
		uint64_t count;
		const char *text;
	} rows[] = {
	    {0, "0"},
	    {999, "999"},
	    {1000, "1.0k"},
	    {1999, "1.9k"},
	    {9999, "9.9k"},
	    {10000, "10k"},
	    {999999, "999k"},
	    {1000000, "1.0M"},
	    {12345678901, "12G"},
	    {UINT64_MAX, "18E"},
	};
	char out[HUMAN_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_str_eq(human_count(rows[i].count, out), rows[i].text, "%s", out);
}

Test(human, durations_take_five_columns)
{
	char out[HUMAN_MAX];

	cr_expect_str_eq(human_duration(0, out), "0s");
	cr_expect_str_eq(human_duration(59999, out), "59s");
	cr_expect_str_eq(human_duration(60000, out), "1m00");
	cr_expect_str_eq(human_duration(3599999, out), "59m59");
	cr_expect_str_eq(human_duration(3600000, out), "1h00");
	cr_expect_str_eq(human_duration(86400000, out), "1d");
	cr_expect_leq(strlen(human_duration(UINT64_MAX, out)), 5);
	cr_expect_eq(human_since(5, 3), 0);
}

Test(human, long_names_lose_their_middle)
{
	char out[64];

	cr_expect_eq(human_fit("short", 5, "~", out), 5);
	cr_expect_str_eq(out, "short");
	cr_expect_eq(human_fit("a-long-name.example.com:443", 12, "~", out), 12);
	cr_expect_str_eq(out, "a-long~m:443");
	cr_expect_eq(human_fit("abcdef", 4, "\xe2\x80\xa6", out), 4);
	cr_expect_str_eq(out, "ab\xe2\x80\xa6"
			      "f");
	cr_expect_eq(human_fit("abcdef", 1, "~", out), 1);
	cr_expect_str_eq(out, "~");
	cr_expect_eq(human_fit("abcdef", 0, "~", out), 0);
	cr_expect_str_eq(out, "");
}
