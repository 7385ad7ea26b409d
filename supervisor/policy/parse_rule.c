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

static bool same_target(const struct rule *a, const struct rule *b)
{
	if (a->any || b->any)
		return a->any && b->any;
	if (a->to->name || b->to->name)
		return a->to == b->to;
	return !strcmp(a->to->text, b->to->text);
}

static bool same_rule(const struct rule *a, const struct rule *b)
{
	return a->action == b->action && a->transports == b->transports &&
	       a->n_ports == b->n_ports &&
	       (!a->n_ports || !memcmp(a->ports, b->ports, a->n_ports * sizeof(*a->ports))) &&
	       same_target(a, b);
}

static int check_duplicate(struct policy_parser *parser, const struct rule *rule)
{
	const struct plan *plan = parser->plan;
	char place[128];

	for (size_t i = 0; i < plan->n_rules; i++)
		if (same_rule(&plan->rules[i], rule))
			return parse_fail(
			    parser, rule->loc,
			    "the same rule as at %s, which decides first; expected one of them",
			    parse_place(parser, plan->rules[i].loc, place, sizeof(place)));
	return 0;
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
	return check_duplicate(parser, rule);
}

int parse_rule(struct policy_parser *parser, enum rule_action action)
{
	struct plan *plan = parser->plan;
	struct rule rule = {.action = action, .error = action == RULE_DENY ? EACCES : 0};

	rule.loc = parser->statement;
	if (parse_rule_parts(parser, &rule) == 0 &&
	    (array_grow(&plan->rules, plan->n_rules, sizeof(rule)) == 0 ||
	     parse_no_memory(parser) == 0)) {
		plan->rules[plan->n_rules++] = rule;
		return 0;
	}
	free(rule.ports);
	free(rule.because);
	return -1;
}
