/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* tcp | udp | tcp,udp */
static int parse_transports(struct policy_parser *parser, unsigned int *transports)
{
	static const char *const names[] = {"tcp", "udp", NULL};
	struct source_loc loc;
	int index;

	*transports = 0;
	for (;;) {
		loc = parse_here(parser);
		if (parse_choice(parser, "transport", names, &index))
			return -1;
		if (*transports & (1u << index))
			return parse_fail(parser, loc, "'%s' twice; expected it once",
					  names[index]);
		*transports |= 1u << index;
		if (parser->token.kind != LEX_COMMA)
			return 0;
		if (parse_advance(parser))
			return -1;
	}
}

/* 1..65535 in decimal out of @size bytes of @text; 0: something else. */
static unsigned int port_number(const char *text, size_t size)
{
	unsigned int value = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9' || value > 65535)
			return 0;
		value = value * 10 + (unsigned int)(text[i] - '0');
	}
	return value > 65535 ? 0 : value;
}

/* P | P-P */
static int parse_port_range(struct policy_parser *parser, struct port_range *range)
{
	const struct lex_token *token = &parser->token;
	const char *dash;
	unsigned int first, last;
	size_t size;

	if (token->kind != LEX_WORD)
		return parse_expected(parser, "a port or a range of ports, such as 443 or 80-90");
	dash = memchr(token->text, '-', token->size);
	size = dash ? (size_t)(dash - token->text) : token->size;
	first = port_number(token->text, size);
	last = dash ? port_number(dash + 1, token->size - size - 1) : first;
	if (!first || !last)
		return parse_expected(parser, "a port between 1 and 65535, or a range of them");
	if (first > last)
		return parse_fail(parser, parse_here(parser),
				  "range %u-%u runs backwards; did you mean %u-%u?", first, last,
				  last, first);
	range->first = (uint16_t)first;
	range->last = (uint16_t)last;
	return parse_advance(parser);
}

static int port_compare(const void *left, const void *right)
{
	const struct port_range *a = left, *b = right;

	return (int)a->first - (int)b->first;
}

/* Sorted and disjoint: what touches or overlaps becomes one. */
static void merge_ports(struct rule *rule)
{
	size_t used = 0;

	qsort(rule->ports, rule->n_ports, sizeof(*rule->ports), port_compare);
	for (size_t i = 1; i < rule->n_ports; i++) {
		struct port_range *last = &rule->ports[used];
		const struct port_range *next = &rule->ports[i];

		if (next->first > last->last + 1)
			rule->ports[++used] = *next;
		else if (next->last > last->last)
			last->last = next->last;
	}
	rule->n_ports = used + 1;
}

static int parse_ports(struct policy_parser *parser, struct rule *rule)
{
	for (;;) {
		if (array_grow(&rule->ports, rule->n_ports, sizeof(*rule->ports)))
			return parse_no_memory(parser);
		if (parse_port_range(parser, &rule->ports[rule->n_ports]))
			return -1;
		rule->n_ports++;
		if (parser->token.kind != LEX_COMMA)
			break;
		if (parse_advance(parser))
			return -1;
	}
	merge_ports(rule);
	return 0;
}

/* port ..., errno ..., because ...: each once, in any order. */
static int parse_clause(struct policy_parser *parser, struct rule *rule, bool *has_errno)
{
	static const char *const names[] = {"port", "errno", "because", NULL};
	struct source_loc loc = parse_here(parser);
	int index;

	if (parse_choice(parser, "part of a rule", names, &index))
		return -1;
	if ((index == 0 && rule->ports) || (index == 1 && *has_errno) ||
	    (index == 2 && rule->because))
		return parse_fail(parser, loc, "'%s' twice; expected it once", names[index]);
	if (index == 0)
		return parse_ports(parser, rule);
	if (index == 2)
		return parse_string(parser, "a text in quotes, such as because \"why\"",
				    &rule->because);
	if (rule->action == RULE_ALLOW)
		return parse_fail(parser, loc,
				  "'errno' in a rule that allows; expected it with "
				  "'deny' only");
	*has_errno = true;
	return parse_errno(parser, &rule->error);
}

/*
 * What decides whether two rules are the same, as a text: action, transports, ports in normal
 * form, destination.  Return: NULL when out of memory.
 */
static char *rule_key(const struct rule *rule)
{
	const struct plan_set *to = rule->to;
	const char *target = !to ? "any" : to->name ? to->name : to->text;
	size_t room = 24 + rule->n_ports * sizeof("65535-65535") + strlen(target), used;
	char *key = malloc(room);

	if (!key)
		return NULL;
	used = (size_t)snprintf(key, room, "%d %u ", rule->action, rule->transports);
	for (size_t i = 0; i < rule->n_ports; i++)
		used += (size_t)snprintf(key + used, room - used, "%u-%u,", rule->ports[i].first,
					 rule->ports[i].last);
	/* A set's name is no destination written in the rule, whatever it looks like. */
	snprintf(key + used, room - used, " %c%s", !to ? '*' : to->name ? '@' : '=', target);
	return key;
}

/* Puts the rule into the index of rules, unless it is there. */
static int rule_index_add(struct policy_parser *parser, const struct rule *rule)
{
	const struct plan *plan = parser->plan;
	char place[128], *key = rule_key(rule);
	uint32_t other = key ? word_index_find(&parser->rule_index, key) : WORD_NONE;

	if (other == WORD_NONE && key &&
	    array_grow(&parser->rule_keys, plan->n_rules, sizeof(*parser->rule_keys)) == 0 &&
	    word_index_add(&parser->rule_index, key, (uint32_t)plan->n_rules) == 0) {
		parser->rule_keys[plan->n_rules] = key;
		return 0;
	}
	free(key);
	if (other == WORD_NONE)
		return parse_no_memory(parser);
	return parse_fail(parser, rule->loc,
			  "the same rule as at %s, which decides first; expected one of them",
			  parse_place(parser, plan->rules[other].loc, place, sizeof(place)));
}

static int parse_rule_parts(struct policy_parser *parser, struct rule *rule)
{
	bool has_errno = false;
	int taken;

	if (parse_transports(parser, &rule->transports))
		return -1;
	taken = parse_accept(parser, "to");
	if (taken < 0)
		return -1;
	if (!taken)
		return parse_expected(parser, "'to' and a destination");
	if (parse_destination(parser, &rule->to))
		return -1;
	rule->any = !rule->to;
	while (parser->token.kind != LEX_NEWLINE && parser->token.kind != LEX_END)
		if (parse_clause(parser, rule, &has_errno))
			return -1;
	return 0;
}

int parse_rule(struct policy_parser *parser, enum rule_action action)
{
	struct plan *plan = parser->plan;
	struct rule rule = {.action = action, .error = action == RULE_DENY ? EACCES : 0};

	rule.loc = parser->statement;
	if (parse_rule_parts(parser, &rule) == 0 &&
	    (array_grow(&plan->rules, plan->n_rules, sizeof(rule)) == 0 ||
	     parse_no_memory(parser) == 0) &&
	    rule_index_add(parser, &rule) == 0) {
		plan->rules[plan->n_rules++] = rule;
		return 0;
	}
	free(rule.ports);
	free(rule.because);
	return -1;
}
