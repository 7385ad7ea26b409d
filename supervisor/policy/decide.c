/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/decide.h"

#include <errno.h>

/* What one set says of an address. */
struct match {
	enum name_answer answer;
	uint32_t label, name;
};

static bool ports_contain(const struct rule *rule, uint16_t port)
{
	size_t low = 0, high = rule->n_ports;

	if (!rule->ports)
		return true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (port < rule->ports[middle].first)
			high = middle;
		else if (port > rule->ports[middle].last)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/* A name that is not known yet keeps the answer open unless another one says yes. */
static struct match match_names(const struct plan_set *set, const struct net_addr *addr,
				const struct name_view *names)
{
	struct match match = {NAME_NO, PREFIX_NO_LABEL, UINT32_MAX};

	for (size_t i = 0; i < set->n_names; i++) {
		enum name_answer answer =
		    names ? names->ask(names->context, set->names[i], addr) : NAME_UNKNOWN;

		if (answer == NAME_NO || (answer == NAME_UNKNOWN && match.answer != NAME_NO))
			continue;
		match.answer = answer;
		match.name = set->names[i];
		if (answer == NAME_YES)
			break;
	}
	return match;
}

/* Depth and number of included sets are bounded by the parser. */
static struct match match_set(const struct plan_set *set, const struct net_addr *addr,
			      const struct name_view *names)
{
	struct match match = {NAME_NO, PREFIX_NO_LABEL, UINT32_MAX}, other;

	if (prefix_set_contains(set->prefixes, addr, &match.label)) {
		match.answer = NAME_YES;
		return match;
	}
	if (set->excluded && prefix_set_contains(set->excluded, addr, NULL))
		return match;
	for (size_t i = 0; i < set->n_includes && match.answer != NAME_YES; i++) {
		other = match_set(set->includes[i], addr, names);
		if (other.answer == NAME_YES ||
		    (other.answer == NAME_UNKNOWN && match.answer == NAME_NO))
			match = other;
	}
	if (match.answer == NAME_YES)
		return match;
	other = match_names(set, addr, names);
	return other.answer == NAME_YES || match.answer == NAME_NO ? other : match;
}

static struct verdict rule_verdict(const struct rule *rule, const struct match *match)
{
	struct verdict verdict = {.rule = rule, .label = match->label, .name = match->name};

	if (match->answer == NAME_UNKNOWN)
		verdict.kind = VERDICT_NEEDS_NAME;
	else if (rule->action == RULE_ALLOW)
		verdict.kind = VERDICT_ALLOW;
	else
		verdict.kind = VERDICT_DENY;
	verdict.error = verdict.kind == VERDICT_DENY ? rule->error : 0;
	return verdict;
}

static struct verdict decide_one(const struct plan *plan, enum transport transport,
				 const struct net_addr *addr, uint16_t port,
				 const struct name_view *names)
{
	static const struct match everything = {NAME_YES, PREFIX_NO_LABEL, UINT32_MAX};

	for (size_t i = 0; i < plan->n_rules; i++) {
		const struct rule *rule = &plan->rules[i];
		struct match match = everything;

		if (!(rule->transports & (unsigned int)transport) || !ports_contain(rule, port))
			continue;
		if (!rule->any)
			match = match_set(rule->to, addr, names);
		if (match.answer != NAME_NO)
			return rule_verdict(rule, &match);
	}
	return (struct verdict){
	    .kind = VERDICT_DENY, .error = EACCES, .label = PREFIX_NO_LABEL, .name = UINT32_MAX};
}

struct verdict decide_destination(const struct plan *plan, enum transport transport,
				  const struct net_endpoint *to, const struct name_view *names)
{
	struct verdict outer = decide_one(plan, transport, &to->addr, to->port, names), inner;
	struct net_addr v4;

	if (outer.kind != VERDICT_ALLOW || !net_addr_embedded_v4(&to->addr, &v4))
		return outer;
	inner = decide_one(plan, transport, &v4, to->port, names);
	if (inner.kind == VERDICT_ALLOW)
		return outer;
	inner.embedded = true;
	return inner;
}
