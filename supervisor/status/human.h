/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_HUMAN_H
#define STATUS_HUMAN_H

#include "status/status.h"

/* Numbers and names for narrow columns. */
#define HUMAN_MAX 24
#define HUMAN_NAME_MAX 1100 /* a host name, all of it escaped, with a port */

/** human_count() - at most four characters, steps of 1000: "999", "1.2k", "34M".  Return: @out. */
char *human_count(uint64_t count, char out[HUMAN_MAX]);

/** human_duration() - at most five characters: "12s", "3m05", "2h30", "4d".  Return: @out. */
char *human_duration(uint64_t ms, char out[HUMAN_MAX]);

/** human_since() - @later - @earlier, 0 where a clock was set back. */
uint64_t human_since(uint64_t earlier, uint64_t later);

/**
 * human_destination() - "example.com:443", "192.0.2.1:25", "[2001:db8::1]:25", "-" for none; escaped.
 * Return: @out.
 */
char *human_destination(const struct net_endpoint *to, const char *host, char *out, size_t room);

/**
 * human_fit() - @text (plain ASCII) in at most @width columns: of a longer one, its middle is @mark.
 * @mark: one column wide, in any number of bytes
 * @out: at least @width + strlen(@mark) bytes
 * Return: columns used.
 */
size_t human_fit(const char *text, size_t width, const char *mark, char *out);

#endif
