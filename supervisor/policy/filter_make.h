/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_FILTER_MAKE_H
#define POLICY_FILTER_MAKE_H

#include "policy/filter.h"

struct policy_error;

/*
 * The processes and threads at most that a filter protects: front, guard, the
 * supervisor's threads, gae-urlfetch.
 */
#define FILTER_PROTECTED_MAX 16

/**
 * filter_make() - the filter of a plan, as spec and as bytes.
 * @spec, @program: the caller's; nothing on failure
 * Return: 0; -E2BIG (the policy is too long for a filter) or -ENOMEM, and *@error says what and where.
 */
int filter_make(const struct plan *plan, const struct filter_setup *setup,
		struct filter_spec **spec, struct sock_fprog *program, struct policy_error *error);

#endif
