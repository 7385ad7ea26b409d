/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_LEX_H
#define POLICY_LEX_H

#include <stddef.h>
#include <stdint.h>

/*
 * The words of a policy.  Tokens are slices of the text, which outlives them.
 * `#` starts a comment, `\` at the end of a line joins it with the next, and
 * between braces the end of a line is a blank.
 */
enum lex_kind { LEX_END, LEX_NEWLINE, LEX_WORD, LEX_STRING, LEX_OPEN, LEX_CLOSE, LEX_COMMA };

struct lex_token {
	enum lex_kind kind;
	const char *text; /* LEX_STRING: between the quotes, escapes not yet undone */
	size_t size;
	uint32_t line, col; /* from 1; col in bytes */
};

struct lex {
	const char *text;
	size_t size, pos;
	uint32_t line;
	size_t line_start;
	unsigned int depth; /* of braces */
};

/* Where and why a text is not acceptable. */
struct lex_error {
	uint32_t line, col;
	char text[96];
};

/**
 * lex_check() - is the whole text UTF-8 (RFC 3629) without control characters
 * other than tab and newline, and no line longer than POLICY_LINE_MAX?
 * Return: 0, or -1 and *@error.
 */
int lex_check(const char *text, size_t size, struct lex_error *error);

void lex_init(struct lex *lex, const char *text, size_t size);

/** lex_next() - Return: 0, or -1 and *@error (open string, stray backslash). */
int lex_next(struct lex *lex, struct lex_token *token, struct lex_error *error);

/** lex_unquote() - the text of a LEX_STRING or LEX_WORD in memory from malloc, NULL when there is none left. */
char *lex_unquote(const struct lex_token *token);

#endif
