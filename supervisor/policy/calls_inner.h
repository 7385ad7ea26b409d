/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_CALLS_INNER_H
#define POLICY_CALLS_INNER_H

#include "policy/filter_build.h"

#include <sys/syscall.h>

/* What calls.c and calls_guard.c share: conditions, the usual clauses, and the functions of all rows. */
#ifndef __NR_epoll_create
#define __NR_epoll_create (-1) /* aarch64 */
#endif

/*
 * Conditions for one clause.  An argument that the kernel takes as int is tested by its low 32 bits,
 * since the kernel ignores what the program leaves in the upper half.
 */
#define CONDS(...)                                                                                 \
	(const struct filter_cond[]){__VA_ARGS__},                                                 \
	    sizeof((const struct filter_cond[]){__VA_ARGS__}) / sizeof(struct filter_cond)
#define EQ(n, v)                                                                                   \
	{                                                                                          \
		.arg = (n), .op = FILTER_EQ32, .value = (uint32_t)(v)                              \
	}
#define MASKED(n, m, v)                                                                            \
	{                                                                                          \
		.arg = (n), .op = FILTER_MASK32, .mask = (uint32_t)(m), .value = (uint32_t)(v)     \
	}
#define ANY_OF(n, m)                                                                               \
	{                                                                                          \
		.arg = (n), .op = FILTER_ANY32, .mask = (uint32_t)(m)                              \
	}
#define ZERO(n)                                                                                    \
	{                                                                                          \
		.arg = (n), .op = FILTER_ZERO64                                                    \
	}

static const struct source_loc builtin = {.file = PLAN_BUILTIN};

static inline struct filter_action refuse(int error)
{
	return (struct filter_action){.kind = FILTER_ERRNO, .error = (uint16_t)error};
}

static inline void allow_if(struct filter_builder *b, const struct filter_cond *conds, size_t n,
			    struct source_loc loc)
{
	filter_builder_add(b, conds, n, (struct filter_action){.kind = FILTER_ALLOW, .error = 0},
			   loc, NULL);
}

static inline void refuse_if(struct filter_builder *b, const struct filter_cond *conds, size_t n,
			     int error, const char *why)
{
	filter_builder_add(b, conds, n, refuse(error), builtin, why);
}

static inline void allow_rest(struct filter_builder *b)
{
	allow_if(b, NULL, 0, builtin);
}

static inline void refuse_rest(struct filter_builder *b, int error, const char *why)
{
	refuse_if(b, NULL, 0, error, why);
}

/* clauses_NAME(): what call NAME gives, as clauses, for every row of calls.def. */
#define CALL(name, handler, documentation) void clauses_##name(struct filter_builder *b);
#include "policy/calls.def"
#undef CALL

#endif
