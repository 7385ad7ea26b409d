/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stddef.h>

/*
 * Whatever the target controls is escaped before it reaches a terminal or a
 * file: a name such as "\033[2J" must not act on the reader's screen.
 */

/**
 * escape_text() - C escapes: printable ASCII stays, `\` and `"` get a backslash,
 * the rest becomes \n \t \r or \ooo (three octal digits).
 * @out, @room: destination and its size, at least 1; always ends with NUL, and
 *              with "..." in front of it where the text was cut
 * Return: length written, without the NUL.
 */
size_t escape_text(char *out, size_t room, const char *text, size_t size);

/**
 * escape_json() - the inside of a JSON string (RFC 8259): valid UTF-8 stays,
 * control characters become \u00XX, each byte that is not UTF-8 becomes U+FFFD.
 * Arguments and return as for escape_text(); cut only between characters.
 */
size_t escape_json(char *out, size_t room, const char *text, size_t size);

/**
 * escape_name() - for names that people read: valid UTF-8 stays, also `\` and `"`;
 * control characters, those that show nothing or turn the direction of what is around
 * them (utf8_is_invisible()), and bytes that are not UTF-8 become \n \t \r or \ooo.
 * Not to be undone, but safe to do again: what is escaped stays as it is.
 * Arguments and return as for escape_text(); cut only between characters.
 */
size_t escape_name(char *out, size_t room, const char *text, size_t size);

#endif
