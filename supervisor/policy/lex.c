/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lex.h"

#include "policy/policy.h"
#include "shared/base/utf8.h"

#include <stdlib.h>
#include <string.h>

static int fail(struct lex_error *error, uint32_t line, size_t col, const char *text)
{
	error->line = line;
	error->col = (uint32_t)col;
	snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
}

static int check_character(const unsigned char *s, size_t length, uint32_t line, size_t col,
			   struct lex_error *error)
{
	char text[96];

	if (!utf8_is_control(s, length) || s[0] == '\t')
		return 0;
	if (s[0] == '\0')
		return fail(error, line, col, "NUL byte; expected UTF-8 text");
	if (s[0] == '\r')
		return fail(error, line, col, "carriage return; expected lines that end with \\n");
	/* Of the two bytes of U+0080 to U+009F the second is the number. */
	snprintf(text, sizeof(text), "control character 0x%02x; expected UTF-8 text",
		 s[length - 1]);
	return fail(error, line, col, text);
}

/* Eight bytes at @s that are all printable ASCII, as nearly everything is. */
static bool are_plain(const unsigned char *s)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t word, below_space, is_delete;

	memcpy(&word, s, sizeof(word));
	/* The top bit of a byte stays clear where it is 0x20 or more, and where it is not 0x7f. */
	below_space = ~((word & ~tops) + ones * (0x80 - 0x20));
	is_delete = (word & ~tops) + ones;
	return !((word | below_space | is_delete) & tops);
}

int lex_check(const char *text, size_t size, struct lex_error *error)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t start = 0, step;
	uint32_t line = 1;

	for (size_t pos = 0; pos < size; pos += step) {
		step = sizeof(uint64_t);
		if (size - pos >= step && pos - start + step <= POLICY_LINE_MAX &&
		    are_plain(bytes + pos))
			continue;
		step = utf8_length(bytes + pos, size - pos);
		if (!step)
			return fail(error, line, pos - start + 1, "bytes that are not UTF-8");
		if (bytes[pos] == '\n') {
			line++;
			start = pos + 1;
			continue;
		}
		if (check_character(bytes + pos, step, line, pos - start + 1, error))
			return -1;
		if (pos - start >= POLICY_LINE_MAX)
			return fail(error, line, 1, "line longer than 65536 bytes");
	}
	return 0;
}

void lex_init(struct lex *lex, const char *text, size_t size)
{
	*lex = (struct lex){.text = text, .size = size, .line = 1};
}

static int peek(const struct lex *lex, size_t ahead)
{
	return lex->pos + ahead < lex->size ? (unsigned char)lex->text[lex->pos + ahead] : -1;
}

static void take_newline(struct lex *lex)
{
	lex->pos++;
	lex->line++;
	lex->line_start = lex->pos;
}

/* Blanks, comments, joined lines and, between braces, ends of lines. */
static int skip_blanks(struct lex *lex, struct lex_error *error)
{
	for (;;) {
		int c = peek(lex, 0);

		if (c == ' ' || c == '\t') {
			lex->pos++;
		} else if (c == '#') {
			while (lex->pos < lex->size && lex->text[lex->pos] != '\n')
				lex->pos++;
		} else if (c == '\n' && lex->depth) {
			take_newline(lex);
		} else if (c == '\\' && peek(lex, 1) == '\n') {
			lex->pos++;
			take_newline(lex);
		} else if (c == '\\') {
			return fail(error, lex->line, lex->pos - lex->line_start + 1,
				    "'\\' inside a line; expected it only at the end of one");
		} else {
			return 0;
		}
	}
}

static void take_word(struct lex *lex, struct lex_token *token)
{
	size_t start = lex->pos;

	while (lex->pos < lex->size && !strchr(" \t\n#{},\"\\", lex->text[lex->pos]))
		lex->pos++;
	token->kind = LEX_WORD;
	token->size = lex->pos - start;
}

static int take_string(struct lex *lex, struct lex_token *token, struct lex_error *error)
{
	size_t start = ++lex->pos;

	for (;; lex->pos++) {
		int c = peek(lex, 0);

		if (c == '"')
			break;
		if (c < 0 || c == '\n')
			return fail(error, token->line, token->col,
				    "text without closing '\"' on its line");
		if (c == '\\' && peek(lex, 1) != '"' && peek(lex, 1) != '\\')
			return fail(error, lex->line, lex->pos - lex->line_start + 1,
				    "'\\' in a text; expected \\\" or \\\\");
		if (c == '\\')
			lex->pos++;
	}
	token->kind = LEX_STRING;
	token->text = lex->text + start;
	token->size = lex->pos++ - start;
	return 0;
}

static void take_sign(struct lex *lex, struct lex_token *token, enum lex_kind kind)
{
	token->kind = kind;
	token->size = 1;
	lex->pos++;
	if (kind == LEX_OPEN)
		lex->depth++;
	if (kind == LEX_CLOSE && lex->depth)
		lex->depth--;
}

int lex_next(struct lex *lex, struct lex_token *token, struct lex_error *error)
{
	if (skip_blanks(lex, error))
		return -1;
	*token = (struct lex_token){.kind = LEX_END,
				    .text = lex->text + lex->pos,
				    .line = lex->line,
				    .col = (uint32_t)(lex->pos - lex->line_start + 1)};
	switch (peek(lex, 0)) {
	case -1:
		return 0;
	case '\n':
		token->kind = LEX_NEWLINE;
		take_newline(lex);
		return 0;
	case '{':
		take_sign(lex, token, LEX_OPEN);
		return 0;
	case '}':
		take_sign(lex, token, LEX_CLOSE);
		return 0;
	case ',':
		take_sign(lex, token, LEX_COMMA);
		return 0;
	case '"':
		return take_string(lex, token, error);
	default:
		take_word(lex, token);
		return 0;
	}
}

char *lex_unquote(const struct lex_token *token)
{
	char *text = malloc(token->size + 1);
	size_t used = 0;

	if (!text)
		return NULL;
	for (size_t i = 0; i < token->size; i++) {
		if (token->text[i] == '\\' && token->kind == LEX_STRING)
			i++;
		text[used++] = token->text[i];
	}
	text[used] = '\0';
	return text;
}
