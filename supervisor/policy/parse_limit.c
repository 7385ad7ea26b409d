/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/parse.h"
#include "policy/units.h"

#include <inttypes.h>
#include <string.h>

/* Less would only reclaim sockets between two packets; more than a year is never. */
#define IDLE_MS_MIN UINT64_C(10)
#define IDLE_MS_MAX (UINT64_C(365) * 24 * 3600 * 1000)

/* The bits that the counters shared by all instances of an app have for a minute and for a day. */
#define PER_MINUTE_MAX ((UINT64_C(1) << 38) - 1)
#define PER_DAY_MAX ((UINT64_C(1) << 48) - 1)

/* @token from its byte @offset on, as a token of its own: an error points at it. */
static struct lex_token tail(const struct lex_token *token, size_t offset)
{
	struct lex_token rest = *token;

	rest.text += offset;
	rest.size -= offset;
	rest.col += (uint32_t)offset;
	return rest;
}

static size_t count_digits(const struct lex_token *token)
{
	size_t n = 0;

	while (n < token->size && token->text[n] >= '0' && token->text[n] <= '9')
		n++;
	return n;
}

static int parse_unit(struct policy_parser *parser, const struct lex_token *unit, enum units kind,
		      uint64_t *factor)
{
	const char *names[UNITS_MAX + 1];
	int index;

	units_names(kind, names);
	if (parse_which(parser, unit, "unit", names, &index))
		return -1;
	*factor = units_factor(kind, index);
	return 0;
}

static int parse_duration(struct policy_parser *parser, uint64_t *ms)
{
	size_t digits = count_digits(&parser->token);
	struct lex_token unit = tail(&parser->token, digits);
	uint64_t factor = 0;

	if (parser->token.kind != LEX_WORD || !digits || !unit.size)
		return parse_expected(parser, "a whole number with a unit directly behind it, such "
					      "as 500ms, 30s, 10m or 1h, or never");
	if (parse_unit(parser, &unit, UNITS_TIME, &factor))
		return -1;
	*ms = units_scale(parser->token.text, digits, factor);
	if (*ms < IDLE_MS_MIN || *ms > IDLE_MS_MAX)
		return parse_expected(parser,
				      "a time from 10ms to 8760h, which is 365 days, or never");
	return parse_advance(parser);
}

int parse_idle(struct policy_parser *parser)
{
	struct idle_limit read = {0, parser->statement};
	int state = parse_claim(parser, CLAIM_IDLE, parser->plan->idle.loc);
	int never = state < 0 ? -1 : parse_accept(parser, "never");

	if (never < 0 || (!never && parse_duration(parser, &read.ms)))
		return -1;
	if (state)
		parser->plan->idle = read;
	return 0;
}

/* The number of @size digits in front of @unit, which may be empty, times the unit. */
static int parse_amount(struct policy_parser *parser, enum quota_kind kind, size_t size,
			const struct lex_token *unit, uint64_t *value)
{
	uint64_t factor = 1;

	if (unit->size && !quota_counts_bytes(kind))
		return parse_fail(
		    parser, (struct source_loc){parser->file, unit->line, unit->col},
		    "a unit behind the number; expected none: %s are counted one by one",
		    quota_name(kind));
	if (unit->size && parse_unit(parser, unit, UNITS_BYTES, &factor))
		return -1;
	*value = units_scale(parser->token.text, size, factor);
	return 0;
}

/* NUMBER[UNIT]/min or NUMBER[UNIT]/day */
static int parse_rate(struct policy_parser *parser, enum quota_kind kind, struct quota *quota)
{
	static const char *const periods[] = {"min", "day", NULL};
	static const uint64_t maxima[] = {PER_MINUTE_MAX, PER_DAY_MAX};
	uint64_t *const rates[] = {&quota->per_minute, &quota->per_day}, value = 0;
	size_t digits = count_digits(&parser->token);
	struct lex_token unit = tail(&parser->token, digits), period;
	const char *slash = memchr(unit.text, '/', unit.size);
	int index;

	if (parser->token.kind != LEX_WORD || !digits || !slash)
		return parse_expected(parser, "NUMBER/min, NUMBER/day or, alone, unlimited");
	unit.size = (size_t)(slash - unit.text);
	period = tail(&parser->token, digits + unit.size + 1);
	if (parse_which(parser, &period, "period", periods, &index) ||
	    parse_amount(parser, kind, digits, &unit, &value))
		return -1;
	if (*rates[index] != QUOTA_UNLIMITED)
		return parse_fail(parser, parse_here(parser), "'/%s' twice; expected it once",
				  periods[index]);
	if (value > maxima[index])
		return parse_fail(parser, parse_here(parser),
				  "number too large; expected at most %" PRIu64
				  "/%s, the limit of the counters that all instances share",
				  maxima[index], periods[index]);
	*rates[index] = value;
	return parse_advance(parser);
}

/* One or two rates, or `unlimited`. */
static int parse_rates(struct policy_parser *parser, enum quota_kind kind, struct quota *quota)
{
	int unlimited = parse_accept(parser, "unlimited");

	if (unlimited)
		return unlimited < 0 ? -1 : 0;
	do {
		if (parse_rate(parser, kind, quota))
			return -1;
	} while (parser->token.kind == LEX_WORD);
	return 0;
}

int parse_quota(struct policy_parser *parser)
{
	struct quota read = {QUOTA_UNLIMITED, QUOTA_UNLIMITED, parser->statement}, *held;
	const char *names[QUOTA_KINDS + 1] = {NULL};
	int kind, state;

	for (int i = 0; i < QUOTA_KINDS; i++)
		names[i] = quota_name(i);
	if (parse_choice(parser, "quota", names, &kind))
		return -1;
	held = &parser->plan->quotas[kind];
	state = parse_claim(parser, CLAIM_QUOTA + kind, held->loc);
	if (state < 0 || parse_rates(parser, kind, &read))
		return -1;
	if (state)
		*held = read;
	return 0;
}
