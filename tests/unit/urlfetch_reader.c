/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/reader.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct reader reader;

#define GET "GET http://a/ HTTP/1.1\r\n"
#define POST "POST http://a/ HTTP/1.1\r\nHost: a\r\n"

/* All at once; what is left belongs to the body or to the next request. */
static size_t head(const char *text)
{
	reader_init(&reader);
	return reader_head(&reader, text, strlen(text));
}

static void expect_refused(const char *text, int status)
{
	head(text);
	cr_expect_eq(reader.state, READER_FAILED, "%s", text);
	cr_expect_eq(reader.status, status, "%d for %s", reader.status, text);
	cr_expect_not_null(reader.why);
}

/* The body behind @text, in pieces of @step bytes, or NULL when it is refused. */
static const char *body(const char *text, size_t step)
{
	static char out[256];
	size_t used = 0, at = head(text), size = strlen(text);

	while (reader.state == READER_BODY && at < size) {
		char piece[64];
		size_t n = size - at < step ? size - at : step, written;

		at += reader_body(&reader, text + at, n, piece, &written);
		cr_assert_leq(written, n);
		memcpy(out + used, piece, written);
		used += written;
	}
	out[used] = '\0';
	return reader.state == READER_FAILED ? NULL : out;
}

Test(urlfetch_reader, a_request_is_read)
{
	static const char text[] = "GET http://Example.com/a?b HTTP/1.1\r\nHost: example.com\r\n"
				   "X-One:  two \t\r\nEmpty:\r\n\r\nrest";

	cr_assert_eq(head(text), sizeof(text) - 5);
	cr_assert_eq(reader.state, READER_DONE, "%s", reader.why);
	cr_expect_str_eq(reader.request.method, "GET");
	cr_expect_str_eq(reader.request.url.host, "example.com");
	cr_expect_str_eq(reader_field(&reader.request, "x-one"), "two");
	cr_expect_str_eq(reader_field(&reader.request, "EMPTY"), "");
	cr_expect_null(reader_field(&reader.request, "x"));
	cr_expect(reader.request.keep_alive);
}

Test(urlfetch_reader, a_request_may_come_byte_by_byte)
{
	static const char text[] = "\r\n" GET "Host: a\r\nA: b\r\n\r\n";

	reader_init(&reader);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		cr_assert_eq(reader.state, READER_HEAD, "%zu", i);
		cr_assert_eq(reader_head(&reader, text + i, 1), 1UL);
	}
	cr_expect_eq(reader.state, READER_DONE, "%s", reader.why);
}

Test(urlfetch_reader, one_reader_reads_one_request_after_the_other)
{
	head(GET "Host: a\r\nX: 1\r\n\r\n");
	cr_assert_eq(reader.state, READER_DONE);
	reader_next(&reader);
	reader_head(&reader, POST "Content-Length: 0\r\n\r\n",
		    sizeof(POST "Content-Length: 0\r\n\r\n") - 1);
	cr_assert_eq(reader.state, READER_DONE, "%s", reader.why);
	cr_expect_str_eq(reader.request.method, "POST");
	cr_expect_null(reader_field(&reader.request, "x"));
}

Test(urlfetch_reader, bodies_are_decoded)
{
	for (size_t step = 1; step < 40; step++) {
		cr_expect_str_eq(body(POST "Content-Length: 5\r\n\r\nhelloGET", step), "hello");
		cr_expect_str_eq(body(POST "Transfer-Encoding: chunked\r\n\r\n"
					   "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\nGET",
				      step),
				 "hello");
		cr_expect_eq(reader.state, READER_DONE);
		cr_expect_str_eq(
		    body(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nT: x\r\n\r\n", step), "");
	}
}

Test(urlfetch_reader, a_body_that_is_badly_chunked_is_refused)
{
	cr_expect_null(body(POST "Transfer-Encoding: chunked\r\n\r\nx\r\n", 40));
	cr_expect_null(body(POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 40));
	cr_expect_null(body(POST "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n", 40));
	cr_expect_null(body(POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 40));
	cr_expect_null(body(POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 40));
}

Test(urlfetch_reader, what_smuggles_requests_is_refused)
{
	expect_refused(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
	expect_refused(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400);
	expect_refused(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400);
	expect_refused(POST "Content-Length: 5, 5\r\n\r\n", 400);
	expect_refused(POST "Content-Length: +5\r\n\r\n", 400);
	expect_refused(POST "Content-Length: -5\r\n\r\n", 400);
	expect_refused(POST "Content-Length: 0x5\r\n\r\n", 400);
	expect_refused(POST "Content-Length:\r\n\r\n", 400);
	expect_refused(POST "Content-Length : 5\r\n\r\n", 400);
	expect_refused(POST "Content-Length\t: 5\r\n\r\n", 400);
	expect_refused(POST "X: y\r\n Content-Length: 5\r\n\r\n", 400);
	expect_refused(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
	expect_refused(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 501);
	expect_refused(POST "Transfer-Encoding: xchunked\r\n\r\n", 501);
	expect_refused(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
		       400);
	expect_refused("POST http://a/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
	expect_refused(POST "Content-Length: 5\n\r\n", 400);
	expect_refused("GET http://a/ HTTP/1.1\nHost: a\n\n", 400);
	expect_refused(GET "Host: a\r\nX: a\rb\r\n\r\n", 400);
	expect_refused(GET "Host: a\r\nX\r\n\r\n", 400);
	expect_refused(GET "Host: a\r\n: x\r\n\r\n", 400);
	expect_refused(GET " Host: a\r\n\r\n", 400);
}

Test(urlfetch_reader, a_nul_is_refused)
{
	static const char text[] = GET "Host: a\r\nX: a\0b\r\n\r\n";

	reader_init(&reader);
	reader_head(&reader, text, sizeof(text) - 1);
	cr_expect_eq(reader.status, 400);
}

Test(urlfetch_reader, host_and_url_must_agree)
{
	expect_refused(GET "\r\n", 400);
	expect_refused(GET "Host: b\r\n\r\n", 400);
	expect_refused(GET "Host: a:81\r\n\r\n", 400);
	expect_refused(GET "Host: a\r\nHost: a\r\n\r\n", 400);
	expect_refused(GET "Host: a b\r\n\r\n", 400);
	expect_refused("CONNECT a:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", 400);
	head(GET "Host: A:80\r\n\r\n");
	cr_expect_eq(reader.state, READER_DONE);
	head("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_eq(reader.state, READER_DONE);
	head("CONNECT a:8443 HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_eq(reader.state, READER_DONE);
	head("GET http://a/ HTTP/1.0\r\n\r\n");
	cr_expect_eq(reader.state, READER_DONE);
	cr_expect_not(reader.request.keep_alive);
}

Test(urlfetch_reader, other_requests_are_told_what_is_wrong)
{
	expect_refused("OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 405);
	expect_refused("FOO http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 405);
	expect_refused("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	expect_refused("GET http://a/ HTTP/2.0\r\nHost: a\r\n\r\n", 505);
	expect_refused("GET http://a/\r\n\r\n", 400);
	expect_refused("GET  http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	expect_refused("GET http://a/ HTTP/1.1 \r\nHost: a\r\n\r\n", 400);
	expect_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
	expect_refused("GET http://a:22/ HTTP/1.1\r\nHost: a:22\r\n\r\n", 403);
	expect_refused("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	expect_refused("CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", 400);
	expect_refused("\x16\x03\x01\x02\r\n\r\n", 400);
	expect_refused(POST "Content-Length: 10485761\r\n\r\n", 413);
	expect_refused(POST "Content-Length: 99999999999999999999999999\r\n\r\n", 413);
}

Test(urlfetch_reader, upgrades_are_read_as_ordinary_requests)
{
	head(GET "Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n");
	cr_expect_eq(reader.state, READER_DONE, "%s", reader.why);
	cr_expect_str_eq(
	    body(POST "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello", 40),
	    "hello");
}

Test(urlfetch_reader, a_head_has_its_limits)
{
	char *text = malloc(64 << 10);
	size_t used = (size_t)sprintf(text, "%s", GET "Host: a\r\n");

	for (int i = 0; i < READER_FIELDS_MAX; i++)
		used += (size_t)sprintf(text + used, "X%d: y\r\n", i);
	sprintf(text + used, "\r\n");
	expect_refused(text, 431);
	used = (size_t)sprintf(text, "%s", GET "Host: a\r\nX: ");
	memset(text + used, 'x', 30 << 10);
	text[used + (30 << 10)] = '\0';
	expect_refused(text, 431);
	sprintf(text + used + RULES_HEADERS_MAX, "\r\n\r\n");
	expect_refused(text, 431);
	used = (size_t)sprintf(text, "GET http://a/");
	memset(text + used, 'x', 30 << 10);
	text[used + (30 << 10)] = '\0';
	expect_refused(text, 414);
	free(text);
}

Test(urlfetch_reader, a_chunked_body_has_its_limit)
{
	static char chunk[64 << 10], out[sizeof(chunk)];
	char size[16];
	size_t written, n = (size_t)sprintf(size, "%zx\r\n", sizeof(chunk));
	int rounds = 0;

	head(POST "Transfer-Encoding: chunked\r\n\r\n");
	while (reader.state == READER_BODY && rounds++ < 1000) {
		reader_body(&reader, size, n, out, &written);
		reader_body(&reader, chunk, sizeof(chunk), out, &written);
		if (reader.state == READER_BODY)
			reader_body(&reader, "\r\n", 2, out, &written);
	}
	cr_expect_eq(reader.status, 413);
	cr_expect_eq(rounds, 161);
}

Test(urlfetch_reader, only_http_1_1_waits_for_100_continue)
{
	head(POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n");
	cr_assert_eq(reader.state, READER_BODY);
	cr_expect(reader.request.wants_continue);
	head("POST http://a/ HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
	cr_assert_eq(reader.state, READER_BODY);
	cr_expect_not(reader.request.wants_continue);
}
