/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of questions, beside the C library's (ns_initparse, ns_parserr): what passes here is
 * read by it to the same name, type and class, and has no record but an OPT.
 */
#include "net/dns_message.h"
#include "fuzz.h"

#include <arpa/nameser.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

static void expect_lower(const char *name, const char *other)
{
	expect(strcasecmp(name, other) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_question question, zeroed = {0};
	ns_msg message;
	ns_rr record;

	memset(&question, 0x5a, sizeof(question));
	if (dns_question_parse(data, size, &question) < 0)
		return 0;
	expect(strnlen(question.name, sizeof(question.name)) < DNS_NAME_MAX);
	dns_question_parse(data, size, &zeroed);
	expect(zeroed.id == question.id && zeroed.plain == question.plain);
	dns_question_asks_address(&question);
	dns_name_is_reverse(question.name);
	expect(ns_initparse(data, (int)size, &message) == 0);
	expect(ns_msg_id(message) == question.id && ns_msg_count(message, ns_s_qd) == 1 &&
	       ns_msg_count(message, ns_s_an) == 0 && ns_msg_count(message, ns_s_ns) == 0);
	expect(ns_parserr(&message, ns_s_qd, 0, &record) == 0);
	expect(ns_rr_type(record) == question.type && ns_rr_class(record) == question.class);
	/* It spells what is not plain with backslashes, and the root as ".". */
	if (question.plain)
		expect_lower(question.name,
			     strcmp(ns_rr_name(record), ".") ? ns_rr_name(record) : "");
	if (ns_msg_count(message, ns_s_ar))
		expect(ns_parserr(&message, ns_s_ar, 0, &record) == 0 &&
		       ns_rr_type(record) == ns_t_opt);
	return 0;
}
