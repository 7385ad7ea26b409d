/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_FILTER_BUILD_H
#define POLICY_FILTER_BUILD_H

#include "policy/filter.h"

#include <linux/audit.h>

/* What the parts of the filter share among themselves: rows in the making, and the native architecture. */
#if defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#define FILTER_X32_BIT 0x40000000u /* kernel: __X32_SYSCALL_BIT */
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#else
#error                                                                                             \
    "no filter for this architecture yet: FILTER_ARCH, and the argument order of clone in calls_guard.c"
#endif

struct filter_builder {
	const struct plan *plan;
	const struct filter_setup *setup;
	struct filter_clause *clauses;
	size_t n_clauses, room;
	bool
	    closed; /* a clause without condition is in: what would follow is never reached and not taken */
	bool failed; /* out of memory */
};

/** filter_builder_add() - append a clause.  @why: static text. */
void filter_builder_add(struct filter_builder *builder, const struct filter_cond *conds,
			size_t n_conds, struct filter_action action, struct source_loc loc,
			const char *why);

struct filter_call {
	int nr; /* -1: the architecture has no such call */
	const char *name;
	void (*clauses)(struct filter_builder *builder);
};

/** filter_calls() - the rows of calls.def, static.  @n: how many. */
const struct filter_call *filter_calls(size_t *n);

/** filter_action_value() - the SECCOMP_RET_* value that stands for @action in the program of @spec. */
uint32_t filter_action_value(const struct filter_spec *spec, struct filter_action action);

#endif
