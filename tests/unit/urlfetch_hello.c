/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/hello.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static uint8_t bytes[32 << 10];
static size_t size;
static char name[HELLO_NAME_MAX];

static void put(size_t value, size_t n)
{
	while (n-- > 0)
		bytes[size++] = (uint8_t)(value >> (8 * n));
}

static void put_sni(const char *host)
{
	size_t n = strlen(host);

	put(0, 2);
	put(n + 5, 2);
	put(n + 3, 2);
	put(0, 1);
	put(n, 2);
	memcpy(bytes + size, host, n);
	size += n;
}

static size_t padding_type = 21;

/* A ClientHello with @host named @times, and @padding bytes of another extension in front. */
static void make(const char *host, int times, size_t padding)
{
	size_t extensions = 4 + padding + (size_t)times * (9 + strlen(host));
	size_t body = 2 + 32 + 1 + 2 + 2 + 1 + 1 + 2 + extensions;

	size = 0;
	put(22, 1), put(0x0301, 2), put(body + 4, 2);
	put(1, 1), put(body, 3), put(0x0303, 2);
	memset(bytes + size, 7, 32), size += 32;
	put(0, 1), put(2, 2), put(0x1301, 2), put(1, 1), put(0, 1), put(extensions, 2);
	put(padding_type, 2), put(padding, 2), memset(bytes + size, 0, padding), size += padding;
	while (times-- > 0)
		put_sni(host);
}

Test(urlfetch_hello, the_name_is_read)
{
	make("Example.COM", 1, 0);
	cr_assert_eq(hello_read(bytes, size, name), 1);
	cr_expect_str_eq(name, "example.com");
	make("", 0, 100);
	cr_assert_eq(hello_read(bytes, size, name), 1);
	cr_expect_str_eq(name, "");
}

Test(urlfetch_hello, it_may_come_in_pieces)
{
	make("example.com", 1, 2000);
	for (size_t n = 0; n < size; n++)
		cr_assert_eq(hello_read(bytes, n, name), 0, "%zu", n);
	cr_expect_eq(hello_read(bytes, size, name), 1);
}

Test(urlfetch_hello, it_may_come_in_several_records)
{
	static uint8_t cut[64 << 10];
	size_t used = 0;

	make("example.com", 1, 300);
	for (size_t at = 5; at < size; at += 100) {
		size_t n = size - at < 100 ? size - at : 100;

		memcpy(cut + used, "\x16\x03\x01\x00", 4);
		cut[used + 4] = (uint8_t)n;
		memcpy(cut + used + 5, bytes + at, n);
		used += 5 + n;
	}
	cr_assert_eq(hello_read(cut, used, name), 1);
	cr_expect_str_eq(name, "example.com");
	cr_expect_eq(hello_read(cut, used - 1, name), 0);
}

Test(urlfetch_hello, two_names_are_one_too_many)
{
	make("example.com", 2, 0);
	cr_expect_eq(hello_read(bytes, size, name), -EPROTO);
}

Test(urlfetch_hello, names_that_no_host_has_are_refused)
{
	static const char *const bad[] = {"a b", "a\n", "a/b", "\xc3\xa4.de", "a:443", "[::1]"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		make(bad[i], 1, 0);
		cr_expect_eq(hello_read(bytes, size, name), -EPROTO, "%s", bad[i]);
	}
}

Test(urlfetch_hello, other_protocols_are_refused_at_their_first_byte)
{
	cr_expect_eq(hello_read((const uint8_t *)"G", 1, name), -EPROTO);
	cr_expect_eq(hello_read((const uint8_t *)"SSH-2.0-x\r\n", 11, name), -EPROTO);
	cr_expect_eq(hello_read((const uint8_t *)"\x16\x02\x01\x00\x10", 5, name), -EPROTO);
	cr_expect_eq(hello_read((const uint8_t *)"\x16\x03\x01\x00\x00", 5, name), -EPROTO);
	cr_expect_eq(hello_read((const uint8_t *)"\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9, name),
		     -EPROTO);
	cr_expect_eq(hello_read((const uint8_t *)"", 0, name), 0);
}

Test(urlfetch_hello, lengths_that_lie_are_refused)
{
	/* Every byte set to 255 in turn: never a name that is not there, never a read beyond the end. */
	make("example.com", 1, 10);
	for (size_t i = 0; i < size; i++) {
		uint8_t before = bytes[i];

		bytes[i] = 255;
		if (hello_read(bytes, size, name) == 1 && *name)
			cr_expect_str_eq(name, "example.com");
		bytes[i] = before;
	}
	make("example.com", 1, HELLO_MAX);
	cr_expect_eq(hello_read(bytes, size, name), -EPROTO);
	make("example.com", 1, 0);
	put(23, 1), put(0x0303, 2), put(1, 2), put(0, 1);
	cr_expect_eq(hello_read(bytes, size, name), -EPROTO);
}

/* RFC 8446, 4.2.10 and D.4 */
Test(urlfetch_hello, early_data_may_follow_where_it_is_announced)
{
	static const struct {
		uint8_t type;
		int result;
	} rows[] = {{20, 1}, {23, 1}, {22, -EPROTO}, {21, -EPROTO}, {0, -EPROTO}};
	size_t alone;

	padding_type = 42;
	make("example.com", 1, 0);
	alone = size;
	cr_expect_eq(hello_read(bytes, size, name), 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size = alone;
		put(rows[i].type, 1), put(0x0303, 2), put(1, 2), put(1, 1);
		for (size_t n = alone + 1; n <= size; n++)
			cr_expect_eq(hello_read(bytes, n, name), rows[i].result, "%u",
				     rows[i].type);
	}
	size = alone;
	put(20, 1), put(0x0303, 2), put(1, 2), put(1, 1);
	put(23, 1), put(0x0303, 2), put(HELLO_MAX, 2);
	memset(bytes + size, 7, 16000), size += 16000;
	cr_expect_eq(hello_read(bytes, size, name), 1);
	cr_expect_str_eq(name, "example.com");
}

Test(urlfetch_hello, a_dot_at_the_end_of_the_name_says_nothing)
{
	make("example.com.", 1, 0);
	cr_assert_eq(hello_read(bytes, size, name), 1);
	cr_expect_str_eq(name, "example.com");
	make(".", 1, 0);
	cr_expect_eq(hello_read(bytes, size, name), -EPROTO);
}
