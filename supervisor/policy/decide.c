/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/decide.h"

#include <errno.h>

/* What one set says of an address. */
struct match {
	enum name_answer answer;
	uint32_t label, name;
	uint32_t
	    failed; /* NAME_FAILED: a name that nobody knows; NAME_NO: one without address, or UINT32_MAX */
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
	struct match match = {NAME_NO, PREFIX_NO_LABEL, UINT32_MAX, UINT32_MAX};
	uint32_t which = UINT32_MAX;

	if (set->n_names == 0)
		return match;
	if (!names) {
		match.answer = NAME_UNKNOWN;
		match.name = set->names[set->n_names - 1];
		return match;
	}
	match.answer = names->ask(names->context, set->names, set->n_names, addr, &which);
	if (match.answer == NAME_NO || match.answer == NAME_FAILED)
		match.failed = which;
	else
		match.name = which;
	return match;
}

static void merge(struct match *match, const struct match *other)
{
	uint32_t failed = match->failed != UINT32_MAX ? match->failed : other->failed;

	/* The name that failed goes before one that is known to have no address. */
	if (other->answer == NAME_FAILED && match->answer == NAME_NO)
		failed = other->failed;
	if (other->answer > match->answer)
		*match = *other;
	match->failed = failed;
}

/* Depth and number of included sets are bounded by the parser. */
static struct match match_set(const struct plan_set *set, const struct net_addr *addr,
			      const struct name_view *names)
{
	struct match match = {NAME_NO, PREFIX_NO_LABEL, UINT32_MAX, UINT32_MAX}, other;

	if (prefix_set_contains(set->prefixes, addr, &match.label)) {
		match.answer = NAME_YES;
		return match;
	}
	if (set->excluded && prefix_set_contains(set->excluded, addr, NULL))
		return match;
	for (size_t i = 0; i < set->n_includes && match.answer != NAME_YES; i++) {
		other = match_set(set->includes[i], addr, names);
		merge(&match, &other);
	}
	if (match.answer == NAME_YES)
		return match;
	other = match_names(set, addr, names);
	merge(&match, &other);
	return match;
}

static struct verdict rule_verdict(const struct rule *rule, const struct match *match)
{
	struct verdict verdict = {
	    .rule = rule, .label = match->label, .name = match->name, .failed = UINT32_MAX};

	if (match->answer == NAME_UNKNOWN)
		verdict.kind = VERDICT_NEEDS_NAME;
	else if (rule->action == RULE_ALLOW)
		verdict.kind = VERDICT_ALLOW;
	else
		verdict.kind = VERDICT_DENY;
	verdict.error = verdict.kind == VERDICT_DENY ? rule->error : 0;
	verdict.unsure = match->answer == NAME_FAILED;
	return verdict;
}

static bool applies(const struct rule *rule, enum transport transport, uint16_t port)
{
	return (rule->transports & (unsigned int)transport) && ports_contain(rule, port);
}

/* Does the open rule @open, whose name is not known, say what @decided says? */
static bool says_the_same(const struct rule *open, const struct verdict *decided)
{
	if (open->action == RULE_ALLOW)
		return decided->kind == VERDICT_ALLOW;
	return decided->kind == VERDICT_DENY && decided->error == open->error;
}

/* All rules in order, to the first that is certain.  @open: rules whose names are not known. */
static struct verdict decide_one(const struct plan *plan, enum transport transport,
				 const struct net_addr *addr, uint16_t port,
				 const struct name_view *names)
{
	static const struct match everything = {NAME_YES, PREFIX_NO_LABEL, UINT32_MAX, UINT32_MAX};
	struct verdict decided = {.kind = VERDICT_DENY,
				  .error = EACCES,
				  .label = PREFIX_NO_LABEL,
				  .name = UINT32_MAX,
				  .failed = UINT32_MAX};
	struct verdict open = {.rule = NULL};
	uint32_t failed = UINT32_MAX;

	for (size_t i = 0; i < plan->n_rules; i++) {
		const struct rule *rule = &plan->rules[i];
		struct match match = everything;
		struct verdict verdict;

		if (!applies(rule, transport, port))
			continue;
		if (!rule->any)
			match = match_set(rule->to, addr, names);
		/* What it is refused for goes before what else failed. */
		if (failed == UINT32_MAX ||
		    (match.answer == NAME_FAILED && rule->action != RULE_ALLOW))
			failed = match.failed;
		/* Nobody knows: that opens nothing, and keeps closed what it may close. */
		if (match.answer == NAME_NO ||
		    (match.answer == NAME_FAILED && rule->action == RULE_ALLOW))
			continue;
		verdict = rule_verdict(rule, &match);
		if (match.answer != NAME_UNKNOWN) {
			decided = verdict;
			break;
		}
		/* Two open rules that would say different things: one of them must be known. */
		if (open.rule &&
		    (open.rule->action != rule->action || open.rule->error != rule->error))
			return open;
		open = verdict;
	}
	if (open.rule && !says_the_same(open.rule, &decided))
		return open;
	if (decided.kind == VERDICT_DENY)
		decided.failed = failed;
	return decided;
}

static void visit_names(const struct plan_set *set, void (*visit)(void *context, uint32_t name),
			void *context)
{
	for (size_t i = 0; i < set->n_includes; i++)
		visit_names(set->includes[i], visit, context);
	for (size_t i = 0; i < set->n_names; i++)
		visit(context, set->names[i]);
}

void decide_names(const struct plan *plan, enum transport transport, const struct net_endpoint *to,
		  void (*visit)(void *context, uint32_t name), void *context)
{
	for (size_t i = 0; i < plan->n_rules; i++) {
		const struct rule *rule = &plan->rules[i];

		if (!applies(rule, transport, to->port))
			continue;
		if (rule->any || prefix_set_contains(rule->to->prefixes, &to->addr, NULL))
			return;
		visit_names(rule->to, visit, context);
	}
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
