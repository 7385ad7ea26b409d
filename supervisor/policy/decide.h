/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "policy/plan.h"

/*
 * The decision: a pure function of the plan, the destination and what is known
 * of the names in rules.  Everything that carries a destination, by whatever
 * call, is decided here and nowhere else.
 */
enum name_answer { NAME_NO, NAME_FAILED, NAME_UNKNOWN, NAME_YES }; /* of several the last says it */

/* What the caller knows of names. */
struct name_view {
	/*
	 * Does @addr belong to one of the @n names of the plan in @list (ascending)?
	 * @which: NAME_YES: to which; NAME_UNKNOWN: which must be looked up, the last of them;
	 *         NAME_FAILED: one of which no name server says whether it has @addr;
	 *         NAME_NO: one without any address, or UINT32_MAX
	 */
	enum name_answer (*ask)(void *context, const uint32_t *list, size_t n,
				const struct net_addr *addr, uint32_t *which);
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
	bool
	    unsure; /* VERDICT_DENY: nobody knows whether .failed has the address, and a deny rule lists it */
	bool embedded;   /* decided by the IPv4 address inside a transition address */
	uint32_t failed; /* VERDICT_DENY: a name that could not be looked up, or UINT32_MAX */
};

/**
 * decide_destination() - may a socket of @transport reach @to?
 * @to: normal form (sockaddr_read); a transition address is judged twice and
 *      allowed only if both the IPv6 address and the IPv4 one inside are
 * @names: NULL: every name is NAME_UNKNOWN
 * A rule whose name is NAME_UNKNOWN leaves open what it would say: the answer is
 * NEEDS_NAME, unless what decides behind it says the same (an allow list before
 * `allow any` needs no look-up).  One that is NAME_FAILED does not allow, but denies.
 */
struct verdict decide_destination(const struct plan *plan, enum transport transport,
				  const struct net_endpoint *to, const struct name_view *names);

/**
 * decide_names() - visit the names (of any kind of answer) that @to may depend on: those of the
 * rules for its transport and port, up to the first that needs none.
 */
void decide_names(const struct plan *plan, enum transport transport, const struct net_endpoint *to,
		  void (*visit)(void *context, uint32_t name), void *context);

#endif
