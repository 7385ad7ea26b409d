/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "policy/plan.h"

/*
 * The decision: a pure function of the plan, the destination and what is known
 * of the names in rules.  Everything that carries a destination, by whatever
 * call, is decided here and nowhere else.
 */
enum name_answer { NAME_NO, NAME_YES, NAME_UNKNOWN };

/* What the caller knows of names: does @addr belong to plan->names[@name]? */
struct name_view {
	enum name_answer (*ask)(void *context, uint32_t name, const struct net_addr *addr);
	void *context;
};

enum verdict_kind { VERDICT_ALLOW, VERDICT_DENY, VERDICT_NEEDS_NAME };

struct verdict {
	enum verdict_kind kind;
	int error;               /* VERDICT_DENY: positive errno */
	const struct rule *rule; /* NULL: no rule matched (denied) */
	uint32_t label; /* index into plan.labels of the prefix that matched, or PREFIX_NO_LABEL */
	uint32_t
	    name; /* index of the name that matched, or (NEEDS_NAME) must be looked up; or UINT32_MAX */
	bool embedded; /* decided by the IPv4 address inside a transition address */
};

/**
 * decide_destination() - may a socket of @transport reach @to?
 * @to: normal form (sockaddr_read); a transition address is judged twice and
 *      allowed only if both the IPv6 address and the IPv4 one inside are
 * @names: NULL: every name is NAME_UNKNOWN
 * A name whose answer is NAME_UNKNOWN stops the evaluation with NEEDS_NAME,
 * because a later rule must not decide what an earlier one may.
 */
struct verdict decide_destination(const struct plan *plan, enum transport transport,
				  const struct net_endpoint *to, const struct name_view *names);

#endif
