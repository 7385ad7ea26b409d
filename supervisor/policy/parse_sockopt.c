/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/parse.h"

#include "policy/sockopt_names.h"
#include "shared/base/text.h"

#include <limits.h>
#include <string.h>

#define NAMES_MAX 128

static bool token_word(const struct lex_token *token, char *out, size_t room)
{
	if (token->kind != LEX_WORD || token->size >= room)
		return false;
	memcpy(out, token->text, token->size);
	out[token->size] = '\0';
	return true;
}

static bool token_number(const struct lex_token *token, long long low, long long high,
			 long long *value)
{
	char text[24];

	return token_word(token, text, sizeof(text)) &&
	       sockopt_number_parse(text, low, high, value);
}

static int unknown_level(struct policy_parser *parser)
{
	const char *names[NAMES_MAX] = {"any"};

	for (size_t i = 0; i < NAMES_MAX - 2 && sockopt_level_all(i); i++)
		names[i + 1] = sockopt_level_all(i);
	return parse_unknown(parser, &parser->token, "level", names);
}

static int parse_level(struct policy_parser *parser, int *level)
{
	char word[40];
	long long number;

	if (parser->token.kind != LEX_WORD)
		return parse_expected(parser, "a level, such as SOL_SOCKET, a number or any");
	if (parse_is(parser, "any"))
		*level = SOCKOPT_ANY;
	else if (token_number(&parser->token, 0, INT_MAX, &number))
		*level = (int)number;
	else if (!token_word(&parser->token, word, sizeof(word)) ||
		 !sockopt_level_parse(word, level))
		return unknown_level(parser);
	return parse_advance(parser);
}

static int unknown_option(struct policy_parser *parser, int level)
{
	const char *names[NAMES_MAX] = {"any"};
	char kind[64];

	for (size_t i = 0; i < NAMES_MAX - 2 && sockopt_option_all(level, i); i++)
		names[i + 1] = sockopt_option_all(level, i);
	if (sockopt_level_name(level))
		snprintf(kind, sizeof(kind), "option of %s", sockopt_level_name(level));
	else
		snprintf(kind, sizeof(kind), "option of level %d", level);
	return parse_unknown(parser, &parser->token, kind, names);
}

static int parse_option(struct policy_parser *parser, int level, int *option)
{
	char word[40];
	long long number;

	if (parser->token.kind != LEX_WORD)
		return parse_expected(parser, "an option, such as SO_KEEPALIVE, a number or any");
	if (parse_is(parser, "any"))
		*option = SOCKOPT_ANY;
	else if (level == SOCKOPT_ANY)
		return parse_expected(parser, "'any', because the level is 'any'");
	else if (token_number(&parser->token, 0, INT_MAX, &number))
		*option = (int)number;
	else if (!token_word(&parser->token, word, sizeof(word)) ||
		 !sockopt_option_parse(level, word, option))
		return unknown_option(parser, level);
	return parse_advance(parser);
}

/* mock hex 80000000 */
static int parse_hex(struct policy_parser *parser, struct sockopt_rule *rule)
{
	const struct lex_token *token = &parser->token;

	if (token->kind != LEX_WORD || token->size % 2 || token->size > 2 * sizeof(rule->value))
		return parse_expected(parser, "1 to 16 bytes as pairs of hexadecimal digits");
	for (size_t i = 0; i < token->size / 2; i++) {
		int high = text_hex_digit(token->text[2 * i]),
		    low = text_hex_digit(token->text[2 * i + 1]);

		if (high < 0 || low < 0)
			return parse_expected(parser,
					      "1 to 16 bytes as pairs of hexadecimal digits");
		rule->value[i] = (uint8_t)(high << 4 | low);
	}
	rule->value_size = (uint8_t)(token->size / 2);
	return parse_advance(parser);
}

/* mock 0,0: numbers of 32 bits in the byte order of this machine, as getsockopt(2) gives an int. */
static int parse_mock(struct policy_parser *parser, struct sockopt_rule *rule)
{
	int taken = parse_accept(parser, "hex");
	long long number;
	uint32_t word;

	if (taken)
		return taken < 0 ? -1 : parse_hex(parser, rule);
	for (;;) {
		if (rule->value_size == sizeof(rule->value))
			return parse_expected(parser, "at most 4 numbers");
		if (!token_number(&parser->token, INT_MIN, UINT_MAX, &number))
			return parse_expected(parser, "a number of 32 bits, such as 8192");
		word = (uint32_t)number;
		memcpy(rule->value + rule->value_size, &word, sizeof(word));
		rule->value_size = (uint8_t)(rule->value_size + sizeof(word));
		if (parse_advance(parser))
			return -1;
		if (parser->token.kind != LEX_COMMA)
			return 0;
		if (parse_advance(parser))
			return -1;
	}
}

/* [get|set] mock ... | pass | ignore | deny ERRNO */
static int parse_treatment(struct policy_parser *parser, struct sockopt_rule *rule)
{
	static const char *const names[] = {"mock", "pass", "ignore", "deny", "get", "set", NULL};
	int index;

	rule->calls = SOCKOPT_GET | SOCKOPT_SET;
	if (parse_is(parser, "get") || parse_is(parser, "set")) {
		rule->calls = parse_is(parser, "get") ? SOCKOPT_GET : SOCKOPT_SET;
		if (parse_advance(parser))
			return -1;
	}
	if (parse_is(parser, "get") || parse_is(parser, "set"))
		return parse_expected(parser, "mock, pass, ignore or deny; leave out both 'get' "
					      "and 'set' to mean both");
	if (parse_choice(parser, "treatment of an option", names, &index))
		return -1;
	rule->action = (enum sockopt_action)index;
	if (rule->action == SOCKOPT_MOCK)
		return parse_mock(parser, rule);
	return rule->action == SOCKOPT_DENY ? parse_errno(parser, &rule->error) : 0;
}

static int check_duplicate(struct policy_parser *parser, const struct sockopt_rule *rule)
{
	const struct plan *plan = parser->plan;
	char place[128];

	for (size_t i = 0; i < plan->n_sockopts; i++) {
		const struct sockopt_rule *other = &plan->sockopts[i];

		if (other->loc.file == rule->loc.file && other->level == rule->level &&
		    other->option == rule->option && (other->calls & rule->calls))
			return parse_fail(
			    parser, rule->loc,
			    "a second rule for this option; the one at %s decides; expected one",
			    parse_place(parser, other->loc, place, sizeof(place)));
	}
	return 0;
}

int parse_sockopt(struct policy_parser *parser)
{
	struct sockopt_rule rule = {.loc = parser->statement};
	struct plan *plan = parser->plan;

	if (parse_level(parser, &rule.level) || parse_option(parser, rule.level, &rule.option) ||
	    parse_treatment(parser, &rule) || check_duplicate(parser, &rule))
		return -1;
	if (array_grow(&plan->sockopts, plan->n_sockopts, sizeof(rule)))
		return parse_no_memory(parser);
	plan->sockopts[plan->n_sockopts++] = rule;
	return 0;
}
