/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/answer.h"
#include "urlfetch/rules.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define OK "HTTP/1.1 200 OK\r\n"

static struct answer answer;
static char bytes[ANSWER_HEAD_MAX + 1024];

/* Reads @text as the beginning of an answer.  Return: bytes taken of it. */
static size_t read_head(const char *text, bool to_head)
{
	size_t size = strlen(text);

	answer_init(&answer, to_head);
	memcpy(bytes, text, size);
	return answer_head(&answer, bytes, size);
}

static const char *lines(void)
{
	static char out[1024];

	memcpy(out, answer.lines, answer.lines_size);
	out[answer.lines_size] = '\0';
	return out;
}

Test(urlfetch_answer, the_head_says_where_the_body_ends)
{
	static const struct {
		const char *text;
		bool to_head;
		enum answer_framing framing;
		enum answer_state state;
		bool keep_alive;
	} rows[] = {
	    {OK "Content-Length: 5\r\n\r\n", false, ANSWER_LENGTH, ANSWER_BODY, true},
	    {OK "Content-Length:5\r\n\r\n", false, ANSWER_LENGTH, ANSWER_BODY, true},
	    {OK "Content-Length: 0\r\n\r\n", false, ANSWER_LENGTH, ANSWER_DONE, true},
	    {OK "Transfer-Encoding: chunked\r\n\r\n", false, ANSWER_CHUNKED, ANSWER_BODY, true},
	    {OK "transfer-encoding:\tCHUNKED \r\n\r\n", false, ANSWER_CHUNKED, ANSWER_BODY, true},
	    {OK "\r\n", false, ANSWER_UNTIL_CLOSE, ANSWER_BODY, false},
	    {OK "Connection: keep-alive\r\n\r\n", false, ANSWER_UNTIL_CLOSE, ANSWER_BODY, false},
	    {OK "Content-Length: 5\r\nConnection: x, Close\r\n\r\n", false, ANSWER_LENGTH,
	     ANSWER_BODY, false},
	    {"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", false, ANSWER_LENGTH, ANSWER_BODY, true},
	    {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, ANSWER_LENGTH, ANSWER_BODY,
	     false},
	    {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", false,
	     ANSWER_LENGTH, ANSWER_BODY, true},
	    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
	     false, ANSWER_CHUNKED, ANSWER_BODY, false},
	    {OK "Content-Length: 5\r\n\r\n", true, ANSWER_NO_BODY, ANSWER_DONE, true},
	    {OK "Transfer-Encoding: chunked\r\n\r\n", true, ANSWER_NO_BODY, ANSWER_DONE, true},
	    {OK "\r\n", true, ANSWER_NO_BODY, ANSWER_DONE, true},
	    {"HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", false, ANSWER_NO_BODY, ANSWER_DONE,
	     true},
	    {"HTTP/1.1 304 x\r\nContent-Length: 99999999999\r\n\r\n", false, ANSWER_NO_BODY,
	     ANSWER_DONE, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t taken = read_head(rows[i].text, rows[i].to_head);

		cr_expect_eq(taken, strlen(rows[i].text), "%zu: %zu taken, %s", i, taken,
			     answer.why);
		cr_expect_eq(answer.framing, rows[i].framing, "%zu: framing %d", i, answer.framing);
		cr_expect_eq(answer.state, rows[i].state, "%zu: state %d", i, answer.state);
		cr_expect_eq(answer.keep_alive, rows[i].keep_alive, "%zu: keep-alive", i);
	}
}

Test(urlfetch_answer, what_could_be_read_in_two_ways_is_refused)
{
	static const char *const rows[] = {
	    OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	    OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
	    OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
	    OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
	    OK "Content-Length: 5, 5\r\n\r\n",
	    OK "Content-Length: +5\r\n\r\n",
	    OK "Content-Length: -5\r\n\r\n",
	    OK "Content-Length: 0x5\r\n\r\n",
	    OK "Content-Length: 5 5\r\n\r\n",
	    OK "Content-Length:\r\n\r\n",
	    OK "Content-Length : 5\r\n\r\n",
	    OK " Content-Length: 5\r\n\r\n",
	    OK "X: a\r\n b\r\n\r\n",
	    OK "X: a\r\n\tContent-Length: 5\r\n\r\n",
	    OK "X: a\rContent-Length: 5\r\n\r\n",
	    OK "X: a\nContent-Length: 5\r\n\r\n",
	    OK "X: a\r\n\n",
	    "HTTP/1.1 200 OK\nContent-Length: 5\n\n",
	    OK "X: \x7f\r\n\r\n",
	    OK "X: \x01\r\n\r\n",
	    OK "X\r\n\r\n",
	    OK ": x\r\n\r\n",
	    OK "X\x80: x\r\n\r\n",
	    OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
	    OK "Transfer-Encoding: chunked, chunked\r\n\r\n",
	    OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	    OK "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n",
	    OK "Transfer-Encoding: \x0b"
	       "chunked\r\n\r\n",
	    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
	    "HTTP/1.1 099 x\r\n\r\n",
	    "HTTP/1.1 20 x\r\n\r\n",
	    "HTTP/1.1 2000 x\r\n\r\n",
	    "HTTP/1.1 200OK\r\n\r\n",
	    "HTTP/1.1  200 OK\r\n\r\n",
	    "HTTP/2.0 200 OK\r\n\r\n",
	    "HTTP/1.2 200 OK\r\n\r\n",
	    "HTTP/0.9 200 OK\r\n\r\n",
	    "http/1.1 200 OK\r\n\r\n",
	    "HTTP/1.1 200 O\x01K\r\n\r\n",
	    "\r\nHTTP/1.1 200 OK\r\n\r\n",
	    "ICY 200 OK\r\n\r\n",
	    "SSH-2.0-x\r\n",
	};
	static const char with_nul[] = OK "X: a\0b\r\n\r\n";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(read_head(rows[i], false), 0UL, "%zu: %s", i, rows[i]);
		cr_expect_eq(answer.state, ANSWER_FAILED, "%zu: %s", i, rows[i]);
		cr_expect(answer.why && !answer.is_http, "%zu", i);
	}
	answer_init(&answer, false);
	memcpy(bytes, with_nul, sizeof(with_nul) - 1);
	cr_expect_eq(answer_head(&answer, bytes, sizeof(with_nul) - 1), 0UL);
	cr_expect_eq(answer.state, ANSWER_FAILED);
}

Test(urlfetch_answer, what_comes_in_is_neither_framing_nor_of_the_connection)
{
	read_head("HTTP/1.1 302 Fo\xc3\xbcnd\r\nServer:  x  \r\nContent-Length: 5\r\nLocation: "
		  "\t/there \r\n"
		  "Connection: close\r\nKeep-Alive: 5\r\nLocation: /other\r\nSet-Cookie: "
		  "a=1\r\nSet-Cookie: b=2\r\nEmpty:\r\n\r\n",
		  false);
	cr_expect_eq(answer.status, 302);
	cr_expect_str_eq(answer.reason, "Fond");
	cr_expect_str_eq(lines(), "Server:  x\r\nLocation: \t/there\r\nLocation: /other\r\n"
				  "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nEmpty:\r\n");
	cr_expect_eq(answer.location_size, 6UL);
	cr_expect_eq(strncmp(answer.location, "/there", 6), 0);
}

Test(urlfetch_answer, the_length_that_a_get_would_have_is_a_header_like_any_other)
{
	read_head(OK "Content-Length: 5\r\n\r\n", true);
	cr_expect_str_eq(lines(), "Content-Length: 5\r\n");
	read_head("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", false);
	cr_expect_str_eq(lines(), "Content-Length: 5\r\n");
	read_head("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", false);
	cr_expect_str_eq(lines(), "");
}

Test(urlfetch_answer, a_head_may_come_byte_by_byte)
{
	static const char text[] = OK "A: b\r\nContent-Length: 5\r\n\r\nhello";
	size_t head = sizeof(text) - 6, taken = 0;

	answer_init(&answer, false);
	for (size_t n = 0; n <= head && taken == 0; n++) {
		memcpy(bytes, text, n);
		taken = answer_head(&answer, bytes, n);
		cr_assert_eq(taken, n == head ? head : 0UL, "%zu: %zu", n, taken);
	}
	cr_expect_eq(answer.state, ANSWER_BODY);
	cr_expect_str_eq(lines(), "A: b\r\n");
}

Test(urlfetch_answer, interim_answers_are_skipped)
{
	static const char text[] =
	    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\n" OK
	    "Content-Length: 3\r\n\r\n";
	size_t at = 0, taken;

	answer_init(&answer, false);
	memcpy(bytes, text, sizeof(text) - 1);
	do {
		taken = answer_head(&answer, bytes + at, sizeof(text) - 1 - at);
		at += taken;
	} while (taken > 0 && answer.state == ANSWER_HEAD);
	cr_expect_eq(at, sizeof(text) - 1);
	cr_expect_eq(answer.state, ANSWER_BODY);
	cr_expect_eq(answer.status, 200);
	cr_expect_str_eq(lines(), "");
}

Test(urlfetch_answer, more_heads_than_a_limit_are_refused)
{
	char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
	size_t n = 0;

	answer_init(&answer, false);
	while (answer.state == ANSWER_HEAD && n <= 2 * ANSWER_HEAD_MAX) {
		answer_head(&answer, interim, sizeof(interim) - 1);
		n += sizeof(interim) - 1;
	}
	cr_expect_eq(answer.state, ANSWER_FAILED);
	cr_expect_leq(n, ANSWER_HEAD_MAX + sizeof(interim));
}

Test(urlfetch_answer, a_head_has_a_limit_wherever_it_ends)
{
	static const struct {
		size_t size;
		bool complete, taken;
	} rows[] = {{ANSWER_HEAD_MAX, true, true},
		    {ANSWER_HEAD_MAX + 1, true, false},
		    {ANSWER_HEAD_MAX, false, false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(bytes, 'x', sizeof(bytes));
		memcpy(bytes, OK "X: ", sizeof(OK "X: ") - 1);
		if (rows[i].complete)
			memcpy(bytes + rows[i].size - 4, "\r\n\r\n", 4);
		answer_init(&answer, false);
		cr_expect_eq(answer_head(&answer, bytes, rows[i].size),
			     rows[i].taken ? rows[i].size : 0UL, "%zu", i);
		cr_expect_eq(answer.state, rows[i].taken ? ANSWER_BODY : ANSWER_FAILED, "%zu", i);
	}
}

/* Decodes @text, @step bytes at a time, into @out.  Return: bytes taken. */
static size_t decode(const char *text, size_t step, char *out)
{
	size_t size = strlen(text), at = 0, written, end = 0;

	read_head(OK "Transfer-Encoding: chunked\r\n\r\n", false);
	while (at < size && answer.state == ANSWER_BODY) {
		size_t n = size - at < step ? size - at : step;

		memcpy(bytes, text + at, n);
		at += answer_chunked(&answer, bytes, n, &written);
		memcpy(out + end, bytes, written);
		end += written;
	}
	out[end] = '\0';
	return at;
}

Test(urlfetch_answer, chunks_are_decoded_in_whatever_pieces)
{
	static const char text[] = "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nTrailer: x\r\n\r\n";
	static const char behind[] = "HTTP/1.1 200 OK\r\n\r\n";
	char both[200], out[200];

	snprintf(both, sizeof(both), "%s%s", text, behind);
	for (size_t step = 1; step < sizeof(both); step++) {
		cr_expect_eq(decode(both, step, out), sizeof(text) - 1, "%zu", step);
		cr_expect_eq(answer.state, ANSWER_DONE, "%zu", step);
		cr_expect_str_eq(out, "hello world");
		cr_expect_eq(answer.body_read, 11UL);
	}
}

Test(urlfetch_answer, bad_chunks_are_refused)
{
	static const char *const rows[] = {
	    "zz\r\n", "5\r\nhelloworld",  "5\nhello\r\n0\r\n\r\n", "-5\r\n",
	    "\r\n",   "0x5\r\nhello\r\n", "fffffffffffffffff\r\n", "5\r\nhello\n0\r\n\r\n"};
	char out[200];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		decode(rows[i], 1000, out);
		cr_expect_eq(answer.state, ANSWER_FAILED, "%s", rows[i]);
		cr_expect_not(answer.is_http, "%s", rows[i]);
	}
}

Test(urlfetch_answer, trailers_have_a_limit)
{
	size_t n = 0, written;

	read_head(OK "Transfer-Encoding: chunked\r\n\r\n", false);
	memcpy(bytes, "0\r\n", 3);
	answer_chunked(&answer, bytes, 3, &written);
	for (; answer.state == ANSWER_BODY && n < 10 * ANSWER_HEAD_MAX; n += 6) {
		memcpy(bytes, "X: y\r\n", 6);
		answer_chunked(&answer, bytes, 6, &written);
	}
	cr_expect_eq(answer.state, ANSWER_FAILED);
	cr_expect_leq(n, ANSWER_HEAD_MAX + 6UL);
}

Test(urlfetch_answer, a_body_of_known_length_has_so_many_bytes)
{
	read_head(OK "Content-Length: 5\r\n\r\n", false);
	cr_expect_eq(answer_count(&answer, 3), 3UL);
	cr_expect_eq(answer.state, ANSWER_BODY);
	cr_expect_eq(answer_count(&answer, 3), 2UL);
	cr_expect_eq(answer.state, ANSWER_DONE);
}

Test(urlfetch_answer, only_where_the_end_says_so_it_is_the_end)
{
	static const struct {
		const char *text;
		enum answer_state state;
	} rows[] = {
	    {OK "\r\n", ANSWER_DONE},
	    {OK "Content-Length: 5\r\n\r\n", ANSWER_FAILED},
	    {OK "Transfer-Encoding: chunked\r\n\r\n", ANSWER_FAILED},
	    {OK, ANSWER_FAILED},
	    {"", ANSWER_FAILED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read_head(rows[i].text, false);
		answer_end(&answer);
		cr_expect_eq(answer.state, rows[i].state, "%zu", i);
		cr_expect_eq(answer.is_http, rows[i].state == ANSWER_FAILED, "%zu", i);
	}
}

Test(urlfetch_answer, more_than_32_mb_is_refused)
{
	read_head(OK "Content-Length: 33554432\r\n\r\n", false);
	cr_expect_eq(answer.state, ANSWER_BODY);
	read_head(OK "Content-Length: 33554433\r\n\r\n", false);
	cr_expect_eq(answer.state, ANSWER_FAILED);
	cr_expect(answer.is_http);
	read_head(OK "Content-Length: 18446744073709551615\r\n\r\n", false);
	cr_expect_eq(answer.state, ANSWER_FAILED);
	cr_expect(answer.is_http);
	read_head(OK "\r\n", false);
	answer_count(&answer, RULES_IN_MAX);
	cr_expect_eq(answer.state, ANSWER_BODY);
	answer_count(&answer, 1);
	cr_expect_eq(answer.state, ANSWER_FAILED);
	cr_expect(answer.is_http);
}
