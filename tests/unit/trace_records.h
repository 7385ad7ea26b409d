/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_TRACE_RECORDS_H
#define UNIT_TRACE_RECORDS_H

/* Records to be written, and what reads JSON lines. */
#include "trace.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_S 20

static inline struct net_endpoint endpoint(const char *text, uint16_t port)
{
	struct net_endpoint e = {.port = port};

	e.addr.family = strchr(text, ':') ? AF_INET6 : AF_INET;
	cr_assert_eq(inet_pton(e.addr.family, text, e.addr.bytes), 1);
	return e;
}

static const struct trace_record plain = {
    .call = "connect",
    .tid = 4711,
    .fd = -1,
    .decision = TRACE_ALLOW,
    .location = "10-appengine.conf:14",
};

/* A refused connect to the mail port, all of it known. */
static inline struct trace_record refused_mail(struct net_endpoint *to)
{
	*to = endpoint("192.0.2.10", 25);
	return (struct trace_record){
	    .call = "connect",
	    .tid = 4711,
	    .comm = "curl",
	    .fd = 5,
	    .transport = "tcp",
	    .to = to,
	    .host = "smtp.example.com",
	    .decision = TRACE_DENY,
	    .result = -EACCES,
	    .location = "50-mail.conf:8",
	    .reason = "port 25 (SMTP) is blocked",
	    .duration_ns = 41999,
	};
}

static inline struct trace_record longest(struct net_endpoint *to)
{
	static char text[8192];

	memset(text, '\001', sizeof(text) - 1);
	*to = endpoint("2001:db8:1111:2222:3333:4444:5555:6666", 65535);
	return (struct trace_record){
	    .call = "sendmmsg",
	    .tid = 2147483647,
	    .pid = 2147483647,
	    .comm = text,
	    .fd = 2147483647,
	    .transport = "netlink",
	    .to = to,
	    .host = text,
	    .arguments = text,
	    .decision = TRACE_EMULATE,
	    .result = -EPROTONOSUPPORT,
	    .location = text,
	    .reason = text,
	    .duration_ns = UINT64_MAX,
	};
}

/* Feed @lines to python3's parser; @check sees the list of records as `r`. */
static inline void python_check(const char *lines, const char *check)
{
	char command[2048];
	FILE *python;

	if (system("command -v python3 >/dev/null") != 0)
		cr_skip_test("python3 is not installed: JSON lines are not parsed");
	snprintf(command, sizeof(command),
		 "python3 -c '\nimport json,sys\n"
		 "r=[json.loads(l.decode()) for l in sys.stdin.buffer.read().splitlines()]\n"
		 "%s'",
		 check);
	python = popen(command, "w");
	cr_assert_not_null(python);
	fputs(lines, python);
	cr_expect_eq(pclose(python), 0, "python3 refuses: %s", lines);
}

#endif
