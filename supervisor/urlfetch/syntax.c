/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/syntax.h"

#include <string.h>

static const bool token_chars[256] = {
    ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true,
    ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true,
    ['`'] = true, ['|'] = true, ['~'] = true, ['0'] = true, ['1'] = true, ['2'] = true,
    ['3'] = true, ['4'] = true, ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true,
    ['9'] = true, ['A'] = true, ['B'] = true, ['C'] = true, ['D'] = true, ['E'] = true,
    ['F'] = true, ['G'] = true, ['H'] = true, ['I'] = true, ['J'] = true, ['K'] = true,
    ['L'] = true, ['M'] = true, ['N'] = true, ['O'] = true, ['P'] = true, ['Q'] = true,
    ['R'] = true, ['S'] = true, ['T'] = true, ['U'] = true, ['V'] = true, ['W'] = true,
    ['X'] = true, ['Y'] = true, ['Z'] = true, ['a'] = true, ['b'] = true, ['c'] = true,
    ['d'] = true, ['e'] = true, ['f'] = true, ['g'] = true, ['h'] = true, ['i'] = true,
    ['j'] = true, ['k'] = true, ['l'] = true, ['m'] = true, ['n'] = true, ['o'] = true,
    ['p'] = true, ['q'] = true, ['r'] = true, ['s'] = true, ['t'] = true, ['u'] = true,
    ['v'] = true, ['w'] = true, ['x'] = true, ['y'] = true, ['z'] = true,
};

size_t syntax_token_size(const char *text)
{
	size_t n = 0;

	while (token_chars[(unsigned char)text[n]])
		n++;
	return n;
}

bool syntax_is_value(const char *text, size_t size)
{
	unsigned int bad = 0;

	/* Without a way out of the loop the compiler looks at many characters at a time. */
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		bad |= (unsigned int)((c < ' ') & (c != '\t')) | (unsigned int)(c == 0x7f);
	}
	return bad == 0;
}

size_t syntax_head_size(const char *bytes, size_t size, size_t from, size_t *seen)
{
	const char *end = bytes + size, *at = bytes + from;

	while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
		const char *next = ++at;

		if (next < end && *next == '\r')
			next++;
		if (next < end && *next == '\n')
			return (size_t)(next + 1 - bytes);
	}
	/* The last LF may be one whose next line is not here yet. */
	*seen = size > 2 ? size - 2 : 0;
	return 0;
}
