/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int parse_set_new(struct policy_parser *parser, struct source_loc loc, size_t *index)
{
	struct plan *plan = parser->plan;
	struct plan_set *set;

	/* Both arrays grow in step: drafts[i] is about sets[i]. */
	if (array_grow(&plan->sets, plan->n_sets, sizeof(struct plan_set *)) ||
	    array_grow(&parser->drafts, plan->n_sets, sizeof(*parser->drafts)))
		return parse_no_memory(parser);
	set = calloc(1, sizeof(*set));
	if (!set)
		return parse_no_memory(parser);
	set->loc = loc;
	parser->drafts[plan->n_sets] = (struct draft){0};
	*index = plan->n_sets;
	plan->sets[plan->n_sets++] = set;
	return 0;
}

static int check_set_name(struct policy_parser *parser, struct source_loc loc, const char *name)
{
	size_t size = strlen(name);

	if (size && size <= 64) {
		while (size && (isalnum((unsigned char)name[size - 1]) || name[size - 1] == '-' ||
				name[size - 1] == '_'))
			size--;
		if (!size)
			return 0;
	}
	return parse_fail(parser, loc,
			  "'%.60s' is no name of a set; expected up to 64 letters, digits, '-' and "
			  "'_'",
			  name);
}

int parse_set_named(struct policy_parser *parser, struct source_loc loc, const char *name,
		    size_t *index)
{
	uint32_t found = word_index_find(&parser->set_index, name);
	struct plan_set *set;

	if (found != WORD_NONE) {
		*index = found;
		return 0;
	}
	if (check_set_name(parser, loc, name) || parse_set_new(parser, loc, index))
		return -1;
	set = parser->plan->sets[*index];
	set->name = strdup(name);
	if (!set->name || word_index_add(&parser->set_index, set->name, (uint32_t)*index))
		return parse_no_memory(parser);
	return 0;
}

/* A statement's word where a list goes on: the list was not closed. */
static bool begins_statement(const struct policy_parser *parser)
{
	const char *before = parser->token.text;

	while (before > parser->lex.text && (before[-1] == ' ' || before[-1] == '\t'))
		before--;
	if (before == parser->lex.text || before[-1] != '\n')
		return false;
	return parse_is_statement(parser);
}

static int parse_list_item(struct policy_parser *parser, size_t set, struct source_loc open,
			   FILE *text)
{
	char *item;

	if (parser->token.kind == LEX_END || begins_statement(parser))
		return parse_fail(parser, open, "list without closing '}'");
	if (parser->token.kind != LEX_WORD)
		return parse_expected(parser,
				      "an address, a CIDR, !CIDR, @SET, a host name or '}'");
	if (parse_set_add_item(parser, set, &parser->token, &item))
		return -1;
	fprintf(text, "%s ", item);
	free(item);
	return parse_advance(parser);
}

/* { ITEM... }, from the brace on. */
static int parse_list(struct policy_parser *parser, size_t set)
{
	struct source_loc open = parse_here(parser);
	size_t size;
	FILE *text = open_memstream(&parser->plan->sets[set]->text, &size);
	int status;

	if (!text)
		return parse_no_memory(parser);
	fputs("{ ", text);
	status = parse_advance(parser);
	while (!status && parser->token.kind != LEX_CLOSE)
		status = parse_list_item(parser, set, open, text);
	fputc('}', text);
	if (fclose(text) && !status)
		status = parse_no_memory(parser);
	if (status)
		return -1;
	parser->drafts[set].defined = true;
	if (!strcmp(parser->plan->sets[set]->text, "{ }"))
		return parse_fail(parser, open, "empty list; expected at least one destination");
	return parse_advance(parser);
}

static int parse_single(struct policy_parser *parser, size_t set)
{
	parser->drafts[set].defined = true;
	if (parser->token.text[0] == '!')
		return parse_expected(parser, "a destination; an exception stands in a list");
	if (parse_set_add_item(parser, set, &parser->token, &parser->plan->sets[set]->text))
		return -1;
	return parse_advance(parser);
}

int parse_destination(struct policy_parser *parser, struct plan_set **set)
{
	struct source_loc loc = parse_here(parser);
	bool list = parser->token.kind == LEX_OPEN;
	char *name;
	size_t index = 0;
	int status;

	*set = NULL;
	if (!list && parser->token.kind != LEX_WORD)
		return parse_expected(
		    parser, "a destination: any, @SET, an address, a CIDR, a host name or { ... }");
	if (parse_is(parser, "any"))
		return parse_advance(parser);
	if (!list && parser->token.text[0] == '@') {
		name = lex_unquote(&parser->token);
		status =
		    name ? parse_set_named(parser, loc, name + 1, &index) : parse_no_memory(parser);
		free(name);
		status = status ? status : parse_advance(parser);
	} else {
		status = parse_set_new(parser, loc, &index);
		if (!status)
			status = list ? parse_list(parser, index) : parse_single(parser, index);
	}
	if (!status)
		*set = parser->plan->sets[index];
	return status;
}

static int parse_set_file(struct policy_parser *parser, size_t set)
{
	struct source_loc loc = parse_here(parser);
	char *name = NULL;
	int status = parse_string(parser, "the name of a data file in quotes", &name);

	parser->drafts[set].defined = true;
	if (!status)
		status = parse_data_file(parser, set, loc, name);
	free(name);
	return status;
}

/* The set that is being defined, with all that forbids it. */
static int parse_set_name(struct policy_parser *parser, size_t *index)
{
	struct source_loc loc = parse_here(parser);
	char place[128], *name;
	int status;

	if (parser->token.kind != LEX_WORD)
		return parse_expected(parser, "the name of the set");
	name = lex_unquote(&parser->token);
	if (!name)
		return parse_no_memory(parser);
	if (!strcmp(name, "resolvers") || !strcmp(name, "any"))
		status = parse_fail(parser, loc, "'%s' is built in; expected another name", name);
	else
		status = parse_set_named(parser, loc, name, index);
	if (!status && parser->drafts[*index].defined)
		status = parse_fail(
		    parser, loc, "set '%s' a second time; it is defined at %s", name,
		    parse_place(parser, parser->plan->sets[*index]->loc, place, sizeof(place)));
	free(name);
	if (status)
		return -1;
	parser->plan->sets[*index]->loc = loc;
	return parse_advance(parser);
}

int parse_set_statement(struct policy_parser *parser)
{
	size_t index = 0;
	int taken;

	if (parse_set_name(parser, &index))
		return -1;
	if (parser->token.kind == LEX_OPEN)
		return parse_list(parser, index);
	taken = parse_accept(parser, "file");
	if (taken < 0)
		return -1;
	if (!taken)
		return parse_expected(parser, "file \"NAME\" or { ... }");
	return parse_set_file(parser, index);
}
