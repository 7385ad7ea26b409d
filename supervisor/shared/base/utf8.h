/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/**
 * utf8_length() - bytes of the character at @s, of which @size >= 1 are there; 0: it is none.
 * Overlong forms, surrogates and all above U+10FFFF are none (RFC 3629 section 4).
 */
size_t utf8_length(const unsigned char *s, size_t size);

/* Of a character of @length bytes, as utf8_length() gave it. */

/** utf8_is_control() - U+0000 to U+001F and U+007F to U+009F: U+009B begins a terminal's escape sequences. */
bool utf8_is_control(const unsigned char *s, size_t length);

/**
 * utf8_is_invisible() - shows nothing, or has what is around it shown in another order: zero width
 * (U+200B to U+200D, U+2060 to U+2064, U+FEFF), direction (U+061C, U+200E, U+200F, U+202A to U+202E,
 * U+2066 to U+2069), separators of lines (U+2028, U+2029).
 */
bool utf8_is_invisible(const unsigned char *s, size_t length);

#endif
