/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/parse.h"

#include "net/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * After the last file: every set that is named is known, no set is in itself,
 * and the prefixes become searchable.
 */
#define SET_DEPTH_MAX 16 /* sets in sets in sets */
#define RESOLVERS_MAX 16
#define SET_WEIGHT_MAX 1000u /* sets that one look-up visits */

static bool is_before(const struct net_addr *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (net_addr_equal(&list[i], &list[n]))
			return true;
	return false;
}

/* resolv.conf(5) may name a server twice, by 0.0.0.0 or with a scope, which does not matter for a comparison. */
static int fill_resolvers(struct policy_parser *parser, size_t index)
{
	struct net_addr servers[RESOLVERS_MAX];
	size_t n = names_system_resolvers(NULL, servers, RESOLVERS_MAX);
	struct source_loc loc = {.file = PLAN_BUILTIN};
	char text[NET_ADDR_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		servers[i].scope_id = 0;
		net_addr_resolve_any(&servers[i]);
		if (!is_before(servers, i) &&
		    parse_prefix_add(parser, index, loc, net_addr_format(&servers[i], text), true,
				     "name server of this system"))
			return -1;
	}
	parser->drafts[index].defined = true;
	parser->plan->sets[index]->resolvers = true;
	parser->plan->sets[index]->loc = loc;
	return 0;
}

static int unknown_set(struct policy_parser *parser, size_t index)
{
	const struct plan *plan = parser->plan;
	const char **names = calloc(plan->n_sets + 2, sizeof(*names)), *closest;
	size_t n = 0;

	if (!names)
		return parse_no_memory(parser);
	names[n++] = "resolvers";
	for (size_t i = 0; i < plan->n_sets; i++)
		if (plan->sets[i]->name && parser->drafts[i].defined)
			names[n++] = plan->sets[i]->name;
	closest = words_closest(plan->sets[index]->name, names);
	parse_fail(parser, plan->sets[index]->loc,
		   "unknown set '@%s'; expected one that a 'set' statement defines%s%s%s",
		   plan->sets[index]->name, closest ? "; did you mean '@" : "",
		   closest ? closest : "", closest ? "'?" : "");
	free(names);
	return -1;
}

static size_t set_number(const struct policy_parser *parser, const struct plan_set *set)
{
	return word_index_find(&parser->set_index, set->name);
}

/* Sets that a look-up in @index visits, counted once a set; refuses circles on the way. */
static int weigh(struct policy_parser *parser, size_t index, unsigned int depth)
{
	const struct plan_set *set = parser->plan->sets[index];
	struct draft *draft = &parser->drafts[index];
	size_t other;

	if (draft->visiting)
		return parse_fail(parser, set->loc, "set '%s' is in itself", set->name);
	if (depth > SET_DEPTH_MAX)
		return parse_fail(parser, set->loc, "sets in sets more than %d deep",
				  SET_DEPTH_MAX);
	draft->visiting = true;
	draft->weight = 1;
	for (size_t i = 0; i < set->n_includes; i++) {
		other = set_number(parser, set->includes[i]);
		if (weigh(parser, other, depth + 1))
			return -1;
		draft->weight += parser->drafts[other].weight;
		if (draft->weight > SET_WEIGHT_MAX)
			return parse_fail(parser, set->loc, "more than %u sets in one",
					  SET_WEIGHT_MAX);
	}
	draft->visiting = false;
	return 0;
}

static int item_compare(const void *left, const void *right)
{
	const struct draft_item *a = left, *b = right;
	int order;

	if (a->addr.family != b->addr.family)
		return a->addr.family < b->addr.family ? -1 : 1;
	order = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
	if (!order)
		order = (int)a->length - (int)b->length;
	return order ? order : (a->label < b->label ? -1 : 1);
}

static int duplicate_prefix(struct policy_parser *parser, struct draft *draft)
{
	const struct plan_label *labels = parser->plan->labels, *label;
	const struct draft_item *item = draft->items;
	char text[NET_ADDR_TEXT_MAX], place[128];

	qsort(draft->items, draft->n_items, sizeof(*draft->items), item_compare);
	for (size_t i = 1; i < draft->n_items; i++, item++)
		if (item[0].length == item[1].length &&
		    net_addr_equal(&item[0].addr, &item[1].addr))
			break;
	label = &labels[item[1].label];
	return parse_fail(parser, label->loc, "'%s' twice in one set; it is at %s already",
			  parse_prefix_format(&item->addr, item->length, text),
			  parse_place(parser, labels[item->label].loc, place, sizeof(place)));
}

static int fill(const struct draft *draft, bool inverted, struct prefix_set *out)
{
	int error = 0;

	for (size_t i = 0; i < draft->n_items && !error; i++) {
		const struct draft_item *item = &draft->items[i];

		error = prefix_set_add(out, &item->addr, item->length, item->member != inverted,
				       item->label);
	}
	return error ? error : prefix_set_finish(out, NULL);
}

static bool has_exceptions(const struct draft *draft, size_t *members)
{
	bool found = false;

	*members = 0;
	for (size_t i = 0; i < draft->n_items; i++) {
		found |= !draft->items[i].member;
		*members += draft->items[i].member;
	}
	return found;
}

static int number_compare(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

static int finish_set(struct policy_parser *parser, size_t index)
{
	struct plan_set *set = parser->plan->sets[index];
	struct draft *draft = &parser->drafts[index];
	size_t members;
	bool apart = has_exceptions(draft, &members) && (set->n_names || set->n_includes);
	int error;

	if (!members && !set->n_names && !set->n_includes && !set->resolvers)
		return parse_fail(parser, set->loc,
				  "nothing but exceptions; expected what they "
				  "are taken out of");
	if (set->n_names)
		qsort(set->names, set->n_names, sizeof(*set->names), number_compare);
	set->prefixes = prefix_set_new();
	if (apart)
		set->excluded = prefix_set_new();
	if (!set->prefixes || (apart && !set->excluded))
		return parse_no_memory(parser);
	error = fill(draft, false, set->prefixes);
	if (!error && set->excluded)
		error = fill(draft, true, set->excluded);
	if (error == -EEXIST)
		return duplicate_prefix(parser, draft);
	if (error)
		return parse_no_memory(parser);
	free(draft->items);
	draft->items = NULL;
	return 0;
}

int parse_resolve_sets(struct policy_parser *parser)
{
	struct plan *plan = parser->plan;

	for (size_t i = 0; i < plan->n_sets; i++) {
		if (parser->drafts[i].defined)
			continue;
		if (strcmp(plan->sets[i]->name, "resolvers") != 0)
			return unknown_set(parser, i);
		if (fill_resolvers(parser, i))
			return -1;
	}
	for (size_t i = 0; i < plan->n_sets; i++)
		if ((plan->sets[i]->n_includes && weigh(parser, i, 1)) || finish_set(parser, i))
			return -1;
	return 0;
}
