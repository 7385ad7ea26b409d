/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_DNS_MESSAGE_H
#define NET_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Questions of DNS as programs ask them (RFC 1035, EDNS of RFC 6891), read from a copy.
 * Answers are read by c-ares alone.
 */
#define DNS_NAME_MAX 256 /* text with its NUL: 255 bytes on the wire are 253 characters */
#define DNS_PORT 53

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_AAAA = 28,
	DNS_OPT = 41,
	DNS_SVCB = 64,
	DNS_HTTPS = 65,
	DNS_META_FIRST = 128, /* RFC 6895 3.1: types that are questions only */
	DNS_META_LAST = 255,
	DNS_ANY = 255
};
enum { DNS_CLASS_IN = 1 };

struct dns_question {
	uint16_t id, type, class;
	char name[DNS_NAME_MAX]; /* lower case, no dot at the end; "" is the root */
	/* Letters, digits, hyphens, underscores and dots between labels: else .name is not to be compared. */
	bool plain;
	/* No bits and no options but those that resolvers use: RD, AD, CD, DO, a cookie, padding of zeros. */
	bool tidy;
};

/**
 * dns_question_parse() - read a message that is one question and nothing else.
 * An OPT record may follow it; pointers (compression) have nothing to point at.
 * Return: 0; -EBADMSG: no such message (an answer, another operation, several questions,
 *         other records, bytes left over, a name that is too long, has no end or a zero byte).
 */
int dns_question_parse(const void *message, size_t size, struct dns_question *question);

/** dns_question_asks_address() - is its type one whose answer leads to addresses? */
bool dns_question_asks_address(const struct dns_question *question);

/** dns_name_is_below() - is @name below @zone, by whole labels?  Both lower case; @zone itself is not. */
bool dns_name_is_below(const char *name, const char *zone);

/** dns_name_is_reverse() - does @name stand for an address (below in-addr.arpa or ip6.arpa)?  Lower case. */
bool dns_name_is_reverse(const char *name);

#define DNS_NOWHERE_SIZE 25
/**
 * dns_question_nowhere() - the question for `invalid.` with the number @id: RFC 6761 6.4 has every
 * name server answer that it does not exist.  @out: DNS_NOWHERE_SIZE bytes.
 */
void dns_question_nowhere(uint16_t id, void *out);

#endif
