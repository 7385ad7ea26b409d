/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dns_message.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

TestSuite(dns_message, .timeout = 20);

#define HEADER "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define HEADER_OPT "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
#define WWW                                                                                        \
	"\x03www\x07"                                                                              \
	"example\x03"                                                                              \
	"com\x00"
#define A_IN "\x00\x01\x00\x01"
#define OPT(length) "\x00\x00\x29\x04\xd0\x00\x00\x00\x00" length

/* On the heap to the byte, so that a sanitizer sees the first one too many. */
static int parse(const char *bytes, size_t size, struct dns_question *question)
{
	char *copy = malloc(size ? size : 1);
	int rc;

	memcpy(copy, bytes, size);
	rc = dns_question_parse(copy, size, question);
	free(copy);
	return rc;
}
#define PARSE(text, question) parse((text), sizeof(text) - 1, (question))

Test(dns_message, reads_a_question)
{
	struct dns_question q;

	cr_assert_eq(PARSE(HEADER WWW A_IN, &q), 0);
	cr_expect_eq(q.id, 0x1234);
	cr_expect_str_eq(q.name, "www.example.com");
	cr_expect_eq(q.type, DNS_A);
	cr_expect_eq(q.class, DNS_CLASS_IN);
	cr_expect(q.plain);
	cr_expect(dns_question_asks_address(&q));
	cr_expect_not(dns_name_is_reverse(q.name));
}

Test(dns_message, mixed_case_is_read_as_lower_case)
{
	struct dns_question q;

	cr_assert_eq(PARSE(HEADER "\x03wWw\x07"
				  "eXAMPLe\x03"
				  "Com\x00" A_IN,
			   &q),
		     0);
	cr_expect_str_eq(q.name, "www.example.com");
}

Test(dns_message, reads_an_opt_record_with_and_without_data)
{
	struct dns_question q;

	cr_expect_eq(PARSE(HEADER_OPT WWW A_IN OPT("\x00\x00"), &q), 0);
	cr_expect_eq(PARSE(HEADER_OPT WWW A_IN OPT("\x00\x04") "\x00\x0a\x00\x00", &q), 0);
	cr_expect_eq(PARSE(HEADER_OPT WWW A_IN OPT("\x00\x05") "\x00\x0a\x00\x00", &q), -EBADMSG);
	cr_expect_eq(PARSE(HEADER_OPT WWW A_IN OPT("\x00\x03") "\x00\x0a\x00\x00", &q), -EBADMSG);
	cr_expect_eq(PARSE(HEADER_OPT WWW A_IN, &q), -EBADMSG, "announced, not there");
	/* TSIG (250) and a record with a name. */
	cr_expect_eq(PARSE(HEADER_OPT WWW A_IN "\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x00", &q),
		     -EBADMSG);
	cr_expect_eq(PARSE(HEADER_OPT WWW A_IN "\x01x" OPT("\x00\x00"), &q), -EBADMSG);
}

Test(dns_message, a_zero_byte_in_a_name_is_an_error)
{
	struct dns_question q;

	/* The text would end before the zone that it is below. */
	cr_expect_eq(PARSE(HEADER "\x01\x00\x07in-addr\x04"
				  "arpa\x00\x00\x0c\x00\x01",
			   &q),
		     -EBADMSG);
}

Test(dns_message, tells_whether_there_is_more_than_resolvers_ask)
{
	static const struct {
		const char *what;
		bool tidy;
		size_t size;
		const char *rest; /* from the length of the options on */
	} rows[] = {
#define ROW(what, tidy, rest) {what, tidy, sizeof(rest) - 1, rest}
	    ROW("none", true, "\x00\x00"),
	    ROW("a client's cookie", true,
		"\x00\x0c\x00\x0a\x00\x08"
		"12345678"),
	    ROW("both cookies", true,
		"\x00\x14\x00\x0a\x00\x10"
		"1234567812345678"),
	    ROW("a cookie between", false,
		"\x00\x0d\x00\x0a\x00\x09"
		"123456789"),
	    ROW("padding", true, "\x00\x06\x00\x0c\x00\x02\x00\x00"),
	    ROW("padding with text", false, "\x00\x06\x00\x0c\x00\x02\x00x"),
	    ROW("padding twice", false, "\x00\x08\x00\x0c\x00\x00\x00\x0c\x00\x00"),
	    ROW("a subnet", false, "\x00\x04\x00\x08\x00\x00"),
	    ROW("a number that is large", false, "\x00\x04\xff\xff\x00\x00"),
	    ROW("half an option", false, "\x00\x03\x00\x0c\x00"),
	    ROW("an option that is too long", false, "\x00\x05\x00\x0c\x00\x02\x00"),
#undef ROW
	};
	static const char front[] = HEADER_OPT WWW A_IN "\x00\x00\x29\x04\xd0\x00\x00\x80\x00";
	char message[256];
	struct dns_question q;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size = sizeof(front) - 1;

		memcpy(message, front, size);
		memcpy(message + size, rows[i].rest, rows[i].size);
		cr_assert_eq(parse(message, size + rows[i].size, &q), 0, "%s", rows[i].what);
		cr_expect_eq(q.tidy, rows[i].tidy, "%s", rows[i].what);
	}
	/* Version 1; an unknown flag; bits of the header that only answers have. */
	cr_assert_eq(PARSE(HEADER_OPT WWW A_IN "\x00\x00\x29\x04\xd0\x00\x01\x00\x00\x00\x00", &q),
		     0);
	cr_expect_not(q.tidy);
	cr_assert_eq(PARSE(HEADER_OPT WWW A_IN "\x00\x00\x29\x04\xd0\x00\x00\x00\x01\x00\x00", &q),
		     0);
	cr_expect_not(q.tidy);
	cr_assert_eq(PARSE("\x12\x34\x01\x0f\x00\x01\x00\x00\x00\x00\x00\x00" WWW A_IN, &q), 0);
	cr_expect_not(q.tidy);
	cr_assert_eq(PARSE("\x12\x34\x01\x30\x00\x01\x00\x00\x00\x00\x00\x00" WWW A_IN, &q), 0);
	cr_expect(q.tidy);
}

Test(dns_message, whatever_is_left_over_is_an_error)
{
	struct dns_question q;

	cr_expect_eq(PARSE(HEADER WWW A_IN "x", &q), -EBADMSG);
	cr_expect_eq(PARSE(HEADER_OPT WWW A_IN OPT("\x00\x00") "x", &q), -EBADMSG);
	cr_expect_eq(PARSE(HEADER WWW A_IN WWW A_IN, &q), -EBADMSG);
}

Test(dns_message, every_cut_of_a_question_is_an_error)
{
	static const char whole[] = HEADER_OPT WWW A_IN OPT("\x00\x04") "\x00\x0a\x00\x00";
	struct dns_question q;

	for (size_t size = 0; size < sizeof(whole) - 1; size++)
		cr_expect_eq(parse(whole, size, &q), -EBADMSG, "%zu bytes", size);
	cr_expect_eq(parse(whole, sizeof(whole) - 1, &q), 0);
}

Test(dns_message, only_one_question_that_is_a_question)
{
	static const struct {
		const char *what;
		char header[13];
	} rows[] = {
	    {"an answer", "\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00"},
	    {"UPDATE", "\x12\x34\x28\x00\x00\x01\x00\x00\x00\x00\x00\x00"},
	    {"truncated", "\x12\x34\x03\x00\x00\x01\x00\x00\x00\x00\x00\x00"},
	    {"none", "\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
	    {"two", "\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00"},
	    {"an answer in it", "\x12\x34\x01\x00\x00\x01\x00\x01\x00\x00\x00\x00"},
	    {"an authority in it", "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x01\x00\x00"},
	    {"two more", "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x02"},
	};
	struct dns_question q;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char message[64];

		memcpy(message, rows[i].header, 12);
		memcpy(message + 12, WWW A_IN, sizeof(WWW A_IN) - 1);
		cr_expect_eq(parse(message, 12 + sizeof(WWW A_IN) - 1, &q), -EBADMSG, "%s",
			     rows[i].what);
	}
}

Test(dns_message, pointers_are_refused_also_those_that_go_round)
{
	struct dns_question q;

	cr_expect_eq(PARSE(HEADER "\xc0\x0c" A_IN, &q), -EBADMSG, "to itself");
	cr_expect_eq(PARSE(HEADER "\x01x\xc0\x0c" A_IN, &q), -EBADMSG);
	cr_expect_eq(PARSE(HEADER "\x01x\xc0\x00" A_IN, &q), -EBADMSG, "into the header");
	cr_expect_eq(PARSE(HEADER "\x40\x01x\x00" A_IN, &q), -EBADMSG, "extended label");
}

Test(dns_message, a_name_of_255_bytes_fits_and_one_of_256_does_not)
{
	char message[12 + 256 + 4] = HEADER;
	struct dns_question q;
	size_t at = 12;

	/* 3 labels of 63 and one of 61: 3 * 64 + 62 + 1 = 255. */
	for (int i = 0; i < 4; i++) {
		size_t length = i < 3 ? 63 : 61;

		message[at++] = (char)length;
		memset(message + at, 'a' + i, length);
		at += length;
	}
	message[at++] = 0;
	memcpy(message + at, A_IN, 4);
	cr_expect_eq(parse(message, at + 4, &q), 0);
	cr_expect_eq(strlen(q.name), 253);
	message[12 + 3 * 64] = 62;
	message[at - 1] = 'x';
	message[at] = 0;
	memcpy(message + at + 1, A_IN, 4);
	cr_expect_eq(parse(message, at + 5, &q), -EBADMSG);
}

Test(dns_message, a_dot_or_a_control_inside_a_label_is_not_plain)
{
	struct dns_question q;

	cr_assert_eq(PARSE(HEADER "\x09x.example\x03"
				  "com\x00" A_IN,
			   &q),
		     0);
	cr_expect_not(q.plain);
	cr_assert_eq(PARSE(HEADER "\x0bwww\x07"
				  "example\x03"
				  "com\x00" A_IN,
			   &q),
		     0);
	cr_expect_not(q.plain);
	cr_assert_eq(PARSE(HEADER "\x04x\x01yz\x03"
				  "com\x00" A_IN,
			   &q),
		     0);
	cr_expect_not(q.plain);
	cr_assert_eq(PARSE(HEADER "\x06_dmarc\x03"
				  "com\x00" A_IN,
			   &q),
		     0);
	cr_expect(q.plain);
}

Test(dns_message, the_root_is_the_empty_name)
{
	struct dns_question q;

	cr_assert_eq(PARSE(HEADER "\x00\x00\x02\x00\x01", &q), 0);
	cr_expect_str_eq(q.name, "");
	cr_expect_eq(q.type, 2);
}

Test(dns_message, types_that_lead_to_addresses)
{
	static const uint16_t yes[] = {1, 5, 28, 64, 65, 255}, no[] = {0, 2, 12, 16, 33, 41, 252};
	struct dns_question q = {.class = DNS_CLASS_IN};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		q.type = yes[i];
		cr_expect(dns_question_asks_address(&q), "%u", q.type);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		q.type = no[i];
		cr_expect_not(dns_question_asks_address(&q), "%u", q.type);
	}
	q = (struct dns_question){.type = DNS_A, .class = 3};
	cr_expect_not(dns_question_asks_address(&q), "CHAOS");
}

Test(dns_message, below_goes_by_whole_labels)
{
	struct dns_question q = {.name = "1.2.0.192.in-addr.arpa"};

	cr_expect(dns_name_is_below("a.example.com", "example.com"));
	cr_expect(dns_name_is_below("b.a.example.com", "example.com"));
	cr_expect_not(dns_name_is_below("example.com", "example.com"));
	cr_expect_not(dns_name_is_below("notexample.com", "example.com"));
	cr_expect_not(dns_name_is_below(".example.com", "example.com.x"));
	cr_expect_not(dns_name_is_below("com", "example.com"));
	cr_expect(dns_name_is_reverse(q.name));
	strcpy(q.name, "8.b.d.0.1.0.0.2.ip6.arpa");
	cr_expect(dns_name_is_reverse(q.name));
	strcpy(q.name, "xip6.arpa");
	cr_expect_not(dns_name_is_reverse(q.name));
}

Test(dns_message, the_question_that_leads_nowhere_is_a_question)
{
	char bytes[DNS_NOWHERE_SIZE];
	struct dns_question q;

	dns_question_nowhere(0xbeef, bytes);
	cr_assert_eq(parse(bytes, sizeof(bytes), &q), 0);
	cr_expect_eq(q.id, 0xbeef);
	cr_expect_str_eq(q.name, "invalid");
	cr_expect_eq(q.type, DNS_A);
}
