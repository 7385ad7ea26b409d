/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/parse.h"

#include "shared/base/errname.h"
#include "shared/base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int array_grow(void *array, size_t n, size_t size)
{
	void **base = array, *grown;

	/* The room is 8, or the next power of two: full exactly when the count is one. */
	if (n && (n < 8 || (n & (n - 1))))
		return 0;
	grown = reallocarray(*base, n ? 2 * n : 8, size);
	if (!grown)
		return -ENOMEM;
	*base = grown;
	return 0;
}

int parse_fail(struct policy_parser *parser, struct source_loc loc, const char *format, ...)
{
	struct policy_error *error = parser->error;
	const char *path =
	    loc.file < parser->plan->n_files ? parser->plan->files[loc.file].path : "policy";
	size_t size = strlen(path), room = sizeof(error->file) - 1;
	va_list args;

	/* Of an over-long path the end says more than the beginning. */
	snprintf(error->file, sizeof(error->file), "%s", size > room ? path + size - room : path);
	error->line = loc.line;
	error->col = loc.col;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	parser->failed = true;
	return -1;
}

int parse_no_memory(struct policy_parser *parser)
{
	return parse_fail(parser, (struct source_loc){.file = parser->file}, "out of memory");
}

struct source_loc parse_here(const struct policy_parser *parser)
{
	return (struct source_loc){parser->file, parser->token.line, parser->token.col};
}

const char *parse_place(const struct policy_parser *parser, struct source_loc loc, char *out,
			size_t room)
{
	if (loc.file < parser->plan->n_files)
		snprintf(out, room, "%s:%u:%u", parser->plan->files[loc.file].base, loc.line,
			 loc.col);
	else
		snprintf(out, room, "built-in");
	return out;
}

/* At most this much of a word is repeated in an error. */
#define QUOTE_MAX 60

static void quote_token(const struct lex_token *token, char *out, size_t room)
{
	int size = token->size > QUOTE_MAX ? QUOTE_MAX : (int)token->size;

	if (token->kind == LEX_END)
		snprintf(out, room, "the end of the file");
	else if (token->kind == LEX_NEWLINE)
		snprintf(out, room, "the end of the line");
	else
		snprintf(out, room, "'%.*s%s'", size, token->text,
			 token->size > QUOTE_MAX ? "..." : "");
}

int parse_expected(struct policy_parser *parser, const char *what)
{
	char found[QUOTE_MAX + 16];

	quote_token(&parser->token, found, sizeof(found));
	return parse_fail(parser, parse_here(parser), "found %s; expected %s", found, what);
}

/* "a, b or c", as many as fit. */
static void list_names(const char *const *names, char *out, size_t room)
{
	size_t used = 0;

	out[0] = '\0';
	for (; *names && used < room; names++)
		used += (size_t)snprintf(out + used, room - used, "%s%s",
					 !used      ? ""
					 : names[1] ? ", "
						    : " or ",
					 *names);
}

#define LIST_MAX 16 /* longer lists are not spelt out */

int parse_unknown(struct policy_parser *parser, const struct lex_token *token, const char *kind,
		  const char *const *names)
{
	struct source_loc loc = {parser->file, token->line, token->col};
	char found[QUOTE_MAX + 16], word[QUOTE_MAX + 1], list[256] = "";
	const char *closest;
	size_t n = 0;

	quote_token(token, found, sizeof(found));
	snprintf(word, sizeof(word), "%.*s", token->size > QUOTE_MAX ? QUOTE_MAX : (int)token->size,
		 token->text);
	while (names[n])
		n++;
	if (n && n <= LIST_MAX)
		list_names(names, list, sizeof(list));
	closest = words_closest(word, names);
	return parse_fail(parser, loc, "unknown %s %s%s%s%s%s%s", kind, found,
			  list[0] ? "; expected " : "", list, closest ? "; did you mean '" : "",
			  closest ? closest : "", closest ? "'?" : "");
}

int parse_advance(struct policy_parser *parser)
{
	struct lex_error error;

	if (lex_next(&parser->lex, &parser->token, &error))
		return parse_fail(parser, (struct source_loc){parser->file, error.line, error.col},
				  "%s", error.text);
	return 0;
}

static bool token_is(const struct lex_token *token, const char *word)
{
	return token->kind == LEX_WORD && token->size == strlen(word) &&
	       !memcmp(token->text, word, token->size);
}

bool parse_is(const struct policy_parser *parser, const char *word)
{
	return token_is(&parser->token, word);
}

int parse_accept(struct policy_parser *parser, const char *word)
{
	if (!parse_is(parser, word))
		return 0;
	return parse_advance(parser) ? -1 : 1;
}

int parse_which(struct policy_parser *parser, const struct lex_token *token, const char *kind,
		const char *const *names, int *index)
{
	for (int i = 0; names[i]; i++) {
		if (!token_is(token, names[i]))
			continue;
		*index = i;
		return 0;
	}
	return parse_unknown(parser, token, kind, names);
}

int parse_choice(struct policy_parser *parser, const char *kind, const char *const *names,
		 int *index)
{
	char list[256];

	if (parser->token.kind == LEX_WORD)
		return parse_which(parser, &parser->token, kind, names, index)
			   ? -1
			   : parse_advance(parser);
	list_names(names, list, sizeof(list));
	return parse_expected(parser, list);
}

int parse_errno(struct policy_parser *parser, int *error)
{
	const char *names[160];
	char word[24];
	unsigned int n = 0;

	if (parser->token.kind != LEX_WORD)
		return parse_expected(parser, "the name of an error, such as EACCES");
	snprintf(word, sizeof(word), "%.*s", (int)(parser->token.size & 0xff), parser->token.text);
	*error = parser->token.size < sizeof(word) ? errname_parse(word) : 0;
	if (*error)
		return parse_advance(parser);
	while (n < 159 && errname_all(n)) {
		names[n] = errname_all(n);
		n++;
	}
	names[n] = NULL;
	return parse_unknown(parser, &parser->token, "error", names);
}

int parse_string(struct policy_parser *parser, const char *what, char **text)
{
	if (parser->token.kind != LEX_STRING)
		return parse_expected(parser, what);
	*text = lex_unquote(&parser->token);
	if (!*text)
		return parse_no_memory(parser);
	return parse_advance(parser);
}

int parse_file_add(struct policy_parser *parser, char *path, uint16_t *index)
{
	struct plan *plan = parser->plan;
	struct plan_file *file;

	if (plan->n_files >= PLAN_BUILTIN ||
	    array_grow(&plan->files, plan->n_files, sizeof(*plan->files))) {
		free(path);
		return parse_no_memory(parser);
	}
	file = &plan->files[plan->n_files];
	file->path = path;
	file->base = text_base_name(path);
	*index = (uint16_t)plan->n_files++;
	return 0;
}
