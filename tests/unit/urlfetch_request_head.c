/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/request_head.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define AGENT "AppEngine-Google; (+http://code.google.com/appengine; appid: shop)\r\n"

static struct reader reader;
static char out[REQUEST_HEAD_MAX + 1];

/* The request to the server of a client's @text. */
static const char *write_head(const char *text, bool becomes_get, bool strips)
{
	struct request_head head = {.from = &reader.request,
				    .url = &reader.request.url,
				    .app = "shop",
				    .becomes_get = becomes_get,
				    .strips = strips};

	reader_init(&reader);
	reader_head(&reader, text, strlen(text));
	cr_assert_neq(reader.state, READER_FAILED, "%s: %s", text, reader.why);
	head.has_body = (reader.request.chunked || reader.request.length > 0) && !becomes_get;
	out[request_head_write(&head, out)] = '\0';
	return out;
}

Test(urlfetch_request_head, line_and_host_are_the_urls)
{
	static const struct {
		const char *url, *host, *line;
	} rows[] = {
	    {"http://a.test", "a.test", "GET / HTTP/1.1\r\nHost: a.test\r\n"},
	    {"http://a.test/x?y", "a.test", "GET /x?y HTTP/1.1\r\nHost: a.test\r\n"},
	    {"http://a.test?y", "a.test", "GET /?y HTTP/1.1\r\nHost: a.test\r\n"},
	    {"http://A.test.:8080/../x", "a.test:8080",
	     "GET /../x HTTP/1.1\r\nHost: a.test:8080\r\n"},
	    {"https://a.test:443/", "a.test", "GET / HTTP/1.1\r\nHost: a.test\r\n"},
	    {"https://a.test:80/", "a.test:80", "GET / HTTP/1.1\r\nHost: a.test:80\r\n"},
	    {"http://[::1]:8080/", "[::1]:8080", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n"},
	};
	char text[200], wanted[300];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i].url,
			 rows[i].host);
		snprintf(wanted, sizeof(wanted), "%sUser-Agent: " AGENT "\r\n", rows[i].line);
		cr_expect_str_eq(write_head(text, false, false), wanted);
	}
}

Test(urlfetch_request_head, of_the_apps_headers_those_go_out_that_may)
{
	cr_expect_str_eq(
	    write_head("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nX-Mine: m\r\nEmpty:\r\n"
		       "Connection: X-Hop, keep-alive\r\nx-HOP: h\r\nVia: v\r\nX-Appengine-A: "
		       "b\r\nTE: trailers\r\n"
		       "User-Agent: me/1\r\nAccept: */*\r\nCookie: c\r\nExpect: "
		       "x\r\nX-Urlfetch-Deadline: 3\r\n\r\n",
		       false, false),
	    "GET / HTTP/1.1\r\nHost: a.test\r\nX-Mine: m\r\nEmpty:\r\nAccept: */*\r\nCookie: c\r\n"
	    "User-Agent: me/1 " AGENT "\r\n");
}

Test(urlfetch_request_head, a_body_has_its_framing)
{
	static const struct {
		const char *method, *fields, *wanted;
	} rows[] = {
	    {"POST", "Content-Length: 5\r\n",
	     "Content-Length: 5\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"},
	    {"POST", "Content-Length: 5\r\nContent-Type: text/plain\r\n",
	     "Content-Length: 5\r\n\r\n"},
	    {"PUT", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n\r\n"},
	    {"DELETE", "Content-Length: 5\r\n", "Content-Length: 5\r\n\r\n"},
	    {"POST", "", "Content-Length: 0\r\n\r\n"},
	    {"PUT", "Content-Length: 0\r\n", "Content-Length: 0\r\n\r\n"},
	    {"PATCH", "", "Content-Length: 0\r\n\r\n"},
	    {"DELETE", "", "appid: shop)\r\n\r\n"},
	    {"GET", "", "appid: shop)\r\n\r\n"},
	};
	char text[300];
	size_t framings;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got;

		snprintf(text, sizeof(text), "%s http://a.test/ HTTP/1.1\r\nHost: a.test\r\n%s\r\n",
			 rows[i].method, rows[i].fields);
		got = write_head(text, false, false);
		cr_expect_str_eq(got + strlen(got) - strlen(rows[i].wanted), rows[i].wanted, "%s%s",
				 rows[i].method, rows[i].fields);
		framings = 0;
		for (const char *at = got; (at = strcasestr(at, "\ncontent-length:")); at++)
			framings++;
		for (const char *at = got; (at = strcasestr(at, "\ntransfer-encoding:")); at++)
			framings++;
		cr_expect_leq(framings, 1UL, "%s", got);
	}
}

Test(urlfetch_request_head, a_redirect_leaves_body_and_credentials_behind)
{
	static const char text[] =
	    "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n"
	    "Content-Type: x/y\r\nContent-MD5: z\r\nAuthorization: a\r\nCookie: c\r\nX: y\r\n\r\n";

	cr_expect_str_eq(write_head(text, true, true),
			 "GET / HTTP/1.1\r\nHost: a.test\r\nX: y\r\nUser-Agent: " AGENT "\r\n");
	cr_expect_str_eq(
	    write_head(text, true, false),
	    "GET / HTTP/1.1\r\nHost: a.test\r\nAuthorization: a\r\nCookie: c\r\nX: y\r\n"
	    "User-Agent: " AGENT "\r\n");
}

Test(urlfetch_request_head, the_longest_request_fits)
{
	static char text[READER_HEAD_MAX];
	size_t n = 0, size;

	n += (size_t)snprintf(text, sizeof(text), "POST http://a.test/");
	memset(text + n, 'u', RULES_URL_MAX - 14);
	n += RULES_URL_MAX - 14;
	n += (size_t)snprintf(
	    text + n, sizeof(text) - n,
	    " HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nUser-Agent: ");
	memset(text + n, 'a', 8000);
	n += 8000;
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\nX: ");
	memset(text + n, 'x', 8200);
	n += 8200;
	snprintf(text + n, sizeof(text) - n, "\r\n\r\n");
	size = strlen(write_head(text, false, false));
	cr_expect_str_eq(out + size - 4, "\r\n\r\n");
	cr_expect(strstr(out, "appid: shop)\r\nTransfer-Encoding: chunked\r\n"));
}
