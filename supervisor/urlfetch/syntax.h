/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_SYNTAX_H
#define URLFETCH_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What the head of a request and that of an answer have in common: RFC 9110, 5.  Pure.
 */

/** syntax_token_size() - how many characters of a token (5.6.2) @text begins with; something else must end it. */
size_t syntax_token_size(const char *text);

/** syntax_is_value() - has a field's value no control character but the tab? */
bool syntax_is_value(const char *text, size_t size);

/**
 * syntax_head_size() - where the empty line at the end of a head ends.  One that ends in a bare LF,
 * which is refused, is an end as well.
 * @from: where to begin: 0, or what an earlier call with fewer bytes has left in *@seen
 * Return: bytes of the head, or 0: its end is not among them
 */
size_t syntax_head_size(const char *bytes, size_t size, size_t from, size_t *seen);

#endif
