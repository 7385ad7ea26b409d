/* SPDX-License-Identifier: Apache-2.0 */
/* Records as lines of text. */
#include "trace_records.h"

#include <time.h>

static const char *text_of(const struct trace_record *record)
{
	static char line[TRACE_LINE_MAX];

	setenv("TZ", "UTC-1", 1);
	tzset();
	cr_expect_eq(trace_format_text(line, sizeof(line), record, 1763899384123456789),
		     strlen(line));
	return line;
}

Test(trace_text, has_straces_shape_in_local_time)
{
	struct net_endpoint to;
	struct trace_record record = refused_mail(&to);

	cr_expect_str_eq(text_of(&record),
			 "13:03:04.123456 [4711 curl] connect(5<TCP>, "
			 "smtp.example.com[192.0.2.10]:25) = -1 EACCES (Permission denied) "
			 "<0.000041>  # deny 50-mail.conf:8 port 25 (SMTP) is blocked\n");
}

Test(trace_text, writes_addresses_with_and_without_names)
{
	struct net_endpoint v4 = endpoint("192.0.2.10", 53), v6 = endpoint("2001:db8::1", 443);
	struct trace_record record = plain;

	record.to = &v4;
	cr_expect(strstr(text_of(&record), "] connect(192.0.2.10:53) = 0 <"));
	record.to = &v6;
	record.fd = 0;
	cr_expect(strstr(text_of(&record), "] connect(0, [2001:db8::1]:443) = 0 <"));
	record.host = "v6.example";
	record.transport = "udp";
	cr_expect(strstr(text_of(&record), "] connect(0<UDP>, v6.example[2001:db8::1]:443) = 0 <"));
}

Test(trace_text, writes_arguments_and_results)
{
	struct trace_record record = plain;

	record.call = "setsockopt";
	record.arguments = "SOL_SOCKET, SO_MARK";
	record.decision = TRACE_EMULATE;
	record.result = 7;
	record.duration_ns = 2000001000;
	cr_expect_str_eq(text_of(&record),
			 "13:03:04.123456 [4711] setsockopt(SOL_SOCKET, SO_MARK) = 7 <2.000001>  # "
			 "emulate 10-appengine.conf:14\n");
	record.fd = 3;
	record.result = -512;
	cr_expect(strstr(text_of(&record), "setsockopt(3, SOL_SOCKET, SO_MARK) = ? ERESTARTSYS "));
	record.result = -999;
	record.location = NULL;
	record.decision = TRACE_REWRITE;
	cr_expect(strstr(text_of(&record), " = -1 E999 (Unknown error) <2.000001>  # rewrite\n"));
}

Test(trace_text, escapes_everything_from_the_program)
{
	struct net_endpoint to = endpoint("192.0.2.10", 25);
	struct trace_record record = plain;
	const char *line;

	record.comm = "\033[2J\n";
	record.arguments = "\"\001\"";
	record.reason = "line\nbreak\377";
	record.location = "we\nird:1";
	record.to = &to;
	record.host = "\r.example";
	line = text_of(&record);
	cr_expect(strstr(line, "[4711 \\033[2J\\n] connect(\\r.example[192.0.2.10]:25, "
			       "\\\"\\001\\\") = 0"));
	cr_expect(strstr(line, "# allow we\\nird:1 line\\nbreak\\377\n"));
}

Test(trace_text, stays_one_whole_line_with_the_longest_texts)
{
	struct net_endpoint to;
	struct trace_record record = longest(&to);
	const char *line = text_of(&record);

	cr_expect_gt(strlen(line), 2000);
	cr_expect_eq(strchr(line, '\n'), line + strlen(line) - 1);
}

Test(trace_text, is_empty_where_the_room_is_too_small)
{
	char line[TRACE_LINE_MAX];
	size_t fits = strlen(text_of(&plain)) + 1;

	cr_expect_eq(trace_format_text(line, fits, &plain, 0), fits - 1);
	for (size_t room = 1; room < fits; room++) {
		memset(line, 'x', sizeof(line));
		cr_expect_eq(trace_format_text(line, room, &plain, 0), 0);
		cr_expect_str_eq(line, "");
		cr_expect_eq(line[room], 'x');
	}
}
