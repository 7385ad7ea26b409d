/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dns_message.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define WIRE_NAME_MAX 255 /* RFC 1035 2.3.4, with the lengths and the root */
#define LABEL_MAX 63
/* Flags: an answer; the operation, 0 is a question; a part is missing. */
#define FLAG_QR 0x8000u
#define FLAGS_OPCODE 0x7800u
#define FLAG_TC 0x0200u
/* Of the others these mean something in a question: recursion desired, authentic data, checking disabled. */
#define FLAGS_TIDY 0x0130u
/* Of an OPT record: answers of DNSSEC are welcome (RFC 3225). */
#define OPT_DO 0x8000u
/* RFC 7873: 8 bytes of the client's, and 8 to 32 of the server's. RFC 7830: zeros. */
enum { OPTION_COOKIE = 10, OPTION_PADDING = 12, COOKIE_CLIENT = 8, COOKIE_MAX = 40 };
#define PADDING_MAX 512

/* What has not been read yet. */
struct reader {
	const uint8_t *at, *end;
};

static bool read_u16(struct reader *reader, uint16_t *value)
{
	if (reader->end - reader->at < 2)
		return false;
	*value = (uint16_t)(reader->at[0] << 8 | reader->at[1]);
	reader->at += 2;
	return true;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Each label makes at most as many characters as it has bytes on the wire, so the text fits. */
static bool read_name(struct reader *reader, struct dns_question *question)
{
	size_t used = 0, wire = 1;

	question->plain = true;
	for (;;) {
		size_t length;

		if (reader->at == reader->end)
			return false;
		length = *reader->at++;
		if (length == 0)
			break;
		wire += length + 1;
		if (length > LABEL_MAX || wire > WIRE_NAME_MAX ||
		    (size_t)(reader->end - reader->at) < length)
			return false;
		if (used)
			question->name[used++] = '.';
		for (size_t i = 0; i < length; i++) {
			char c = (char)tolower(reader->at[i]);

			/* Nor would the text that is compared be the whole name. */
			if (c == '\0')
				return false;
			question->plain &= is_plain(c);
			question->name[used++] = c;
		}
		reader->at += length;
	}
	question->name[used] = '\0';
	return true;
}

static bool is_tidy_option(uint16_t code, const uint8_t *data, size_t length)
{
	if (code == OPTION_COOKIE)
		return length == COOKIE_CLIENT ||
		       (length >= 2 * (size_t)COOKIE_CLIENT && length <= COOKIE_MAX);
	if (code != OPTION_PADDING || length > PADDING_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (data[i])
			return false;
	return true;
}

/* Options that resolvers send, each once: what else is there has room for anything. */
static bool are_tidy_options(struct reader reader)
{
	unsigned int seen = 0;

	while (reader.at != reader.end) {
		uint16_t code, length;

		if (!read_u16(&reader, &code) || !read_u16(&reader, &length) ||
		    reader.end - reader.at < length || !is_tidy_option(code, reader.at, length) ||
		    (seen & 1u << code))
			return false;
		seen |= 1u << code;
		reader.at += length;
	}
	return true;
}

/* RFC 6891 6.1.2: the root, the type, size, rcode, version and flags, then options; nothing behind it. */
static bool read_opt(struct reader *reader, bool *tidy)
{
	uint16_t type, size, version, flags, length;

	if (reader->at == reader->end || *reader->at++ != 0)
		return false;
	if (!read_u16(reader, &type) || type != DNS_OPT || !read_u16(reader, &size) ||
	    !read_u16(reader, &version) || !read_u16(reader, &flags) ||
	    !read_u16(reader, &length) || reader->end - reader->at != length)
		return false;
	*tidy &= version == 0 && (flags & ~OPT_DO) == 0 && are_tidy_options(*reader);
	return true;
}

int dns_question_parse(const void *message, size_t size, struct dns_question *question)
{
	struct reader reader = {message, (const uint8_t *)message + size};
	uint16_t header
	    [6]; /* id, flags, then how many of each: questions, answers, authorities, additional */

	for (size_t i = 0; i < 6; i++)
		if (!read_u16(&reader, &header[i]))
			return -EBADMSG;
	question->id = header[0];
	if ((header[1] & (FLAG_QR | FLAGS_OPCODE | FLAG_TC)) || header[2] != 1 || header[3] ||
	    header[4] || header[5] > 1 || !read_name(&reader, question) ||
	    !read_u16(&reader, &question->type) || !read_u16(&reader, &question->class))
		return -EBADMSG;
	question->tidy = (header[1] & ~FLAGS_TIDY) == 0;
	if (header[5] ? !read_opt(&reader, &question->tidy) : reader.at != reader.end)
		return -EBADMSG;
	return 0;
}

bool dns_question_asks_address(const struct dns_question *question)
{
	switch (question->type) {
	case DNS_A:
	case DNS_AAAA:
	case DNS_CNAME:
	case DNS_SVCB:
	case DNS_HTTPS:
	case DNS_ANY:
		return question->class == DNS_CLASS_IN;
	default:
		return false;
	}
}

bool dns_name_is_below(const char *name, const char *zone)
{
	size_t size = strlen(name), zone_size = strlen(zone);

	return size > zone_size + 1 && name[size - zone_size - 1] == '.' &&
	       memcmp(name + size - zone_size, zone, zone_size) == 0;
}

bool dns_name_is_reverse(const char *name)
{
	return dns_name_is_below(name, "in-addr.arpa") || dns_name_is_below(name, "ip6.arpa");
}

void dns_question_nowhere(uint16_t id, void *out)
{
	/* Recursion desired; one question: 7 "invalid" 0, type A, class IN. */
	static const uint8_t rest[DNS_NOWHERE_SIZE - 2] = {
	    1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, 'i', 'n', 'v', 'a', 'l', 'i', 'd', 0, 0, 1, 0, 1};
	uint8_t *bytes = out;

	bytes[0] = (uint8_t)(id >> 8);
	bytes[1] = (uint8_t)id;
	memcpy(bytes + 2, rest, sizeof(rest));
}
