/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/parse.h"

#include "shared/base/escape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int parse_allow(struct policy_parser *parser)
{
	return parse_rule(parser, RULE_ALLOW);
}

static int parse_deny(struct policy_parser *parser)
{
	return parse_rule(parser, RULE_DENY);
}

/* The first word of a line. */
static const char *const statement_names[] = {
    "set",   "allow", "deny",        "sockopt", "listen", "bind",        "unix", "netlink",
    "async", "dns",   "reverse-dns", "idle",    "quota",  "descriptors", "http", NULL};
static int (*const statement_parsers[])(struct policy_parser *parser) = {
    parse_set_statement, parse_allow, parse_deny,    parse_sockopt,     parse_listen,
    parse_bind,          parse_unix,  parse_netlink, parse_async,       parse_dns,
    parse_reverse_dns,   parse_idle,  parse_quota,   parse_descriptors, parse_http,
};
_Static_assert(sizeof(statement_names) == sizeof(statement_parsers) + sizeof(char *),
	       "one parser per statement, in the same order");

bool parse_is_statement(const struct policy_parser *parser)
{
	for (size_t i = 0; statement_names[i]; i++)
		if (parse_is(parser, statement_names[i]))
			return true;
	return false;
}

static int parse_statement(struct policy_parser *parser)
{
	int index;

	if (parse_is(parser, "gae-policy"))
		return parse_fail(
		    parser, parse_here(parser),
		    "'gae-policy' a second time; expected it once, as the first line");
	parser->statement = parse_here(parser);
	if (parse_choice(parser, "statement", statement_names, &index))
		return -1;
	if (statement_parsers[index](parser))
		return -1;
	if (parser->token.kind != LEX_NEWLINE && parser->token.kind != LEX_END)
		return parse_expected(parser, "the end of the line");
	return 0;
}

static int skip_newlines(struct policy_parser *parser)
{
	do {
		if (parse_advance(parser))
			return -1;
	} while (parser->token.kind == LEX_NEWLINE);
	return 0;
}

static int parse_version(struct policy_parser *parser)
{
	if (skip_newlines(parser))
		return -1;
	if (!parse_is(parser, "gae-policy"))
		return parse_expected(parser, "'gae-policy 1' as the first line");
	if (parse_advance(parser))
		return -1;
	if (parser->token.kind != LEX_WORD)
		return parse_expected(parser, "the version of the language: 1");
	if (!parse_is(parser, "1"))
		return parse_expected(parser, "version 1, the only one that this program knows");
	if (parse_advance(parser))
		return -1;
	if (parser->token.kind != LEX_NEWLINE && parser->token.kind != LEX_END)
		return parse_expected(parser, "the end of the line");
	return 0;
}

static int parse_lines(struct policy_parser *parser)
{
	if (parse_version(parser))
		return -1;
	while (parser->token.kind != LEX_END) {
		if (skip_newlines(parser))
			return -1;
		if (parser->token.kind != LEX_END && parse_statement(parser))
			return -1;
	}
	return 0;
}

int policy_parser_file(struct policy_parser *parser, const char *path, const char *text,
		       size_t size, struct policy_error *error)
{
	struct lex_error fault;
	char *copy = strdup(path);

	*error = (struct policy_error){.text = "an earlier file has an error"};
	if (parser->failed) {
		free(copy);
		return -1;
	}
	parser->error = error;
	if (!copy)
		return parse_no_memory(parser);
	if (parse_file_add(parser, copy, &parser->file))
		return -1;
	if (lex_check(text, size, &fault))
		return parse_fail(parser, (struct source_loc){parser->file, fault.line, fault.col},
				  "%s", fault.text);
	memset(parser->claims, 0, sizeof(parser->claims));
	lex_init(&parser->lex, text, size);
	return parse_lines(parser);
}

static void parser_free(struct policy_parser *parser)
{
	for (size_t i = 0; parser->drafts && i < parser->plan->n_sets; i++)
		free(parser->drafts[i].items);
	free(parser->drafts);
	/* The plan may be given away by now, and with it the number of rules. */
	for (size_t i = 0; i < parser->rule_index.used; i++)
		free(parser->rule_keys[i]);
	free(parser->rule_keys);
	word_index_fini(&parser->rule_index);
	word_index_fini(&parser->set_index);
	word_index_fini(&parser->name_index);
	plan_free(parser->plan);
	free(parser);
}

struct policy_parser *policy_parser_new(policy_open_data *open_data, void *context)
{
	struct policy_parser *parser = calloc(1, sizeof(*parser));

	if (!parser)
		return NULL;
	parser->open_data = open_data;
	parser->context = context;
	parser->plan = calloc(1, sizeof(*parser->plan));
	if (!parser->plan) {
		free(parser);
		return NULL;
	}
	parse_set_builtins(parser->plan);
	return parser;
}

struct plan *policy_parser_finish(struct policy_parser *parser, struct policy_error *error)
{
	struct plan *plan = NULL;

	if (!parser->failed) {
		*error = (struct policy_error){0};
		parser->error = error;
		if (!parse_resolve_sets(parser)) {
			/* The drafts go by the number of sets: first they, then the plan leaves. */
			for (size_t i = 0; i < parser->plan->n_sets; i++) {
				free(parser->drafts[i].items);
				parser->drafts[i].items = NULL;
			}
			free(parser->drafts);
			parser->drafts = NULL;
			plan = parser->plan;
			parser->plan = NULL;
		}
	}
	parser_free(parser);
	return plan;
}

/* Paths are of somebody else's making, and so may be what an error repeats of a policy. */
char *policy_error_format(const struct policy_error *error, char *out, size_t room)
{
	char file[sizeof(error->file)], text[sizeof(error->text)];

	escape_name(file, sizeof(file), error->file, strlen(error->file));
	escape_name(text, sizeof(text), error->text, strlen(error->text));
	if (error->line)
		snprintf(out, room, "%s:%u:%u: %s", file, error->line, error->col, text);
	else
		snprintf(out, room, "%s: %s", file, text);
	return out;
}
