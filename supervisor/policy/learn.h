/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_LEARN_H
#define POLICY_LEARN_H

#include "policy/plan.h"

/*
 * From a trace to a policy: the destinations that a program tried, host names
 * where they are known, ports merged a destination.
 */
struct learn;

struct learn *learn_new(bool allowed_only);
void learn_free(struct learn *learn);

/** learn_line() - take in one line of a JSON trace.  Return: 0 (also for a record without a destination); -EINVAL no JSON or no address in it; -ENOMEM. */
int learn_line(struct learn *learn, const char *line, size_t size);

/** learn_print() - the policy; what @base says of all but destinations is taken over.  Return: number of rules. */
size_t learn_print(struct learn *learn, const struct plan *base, FILE *out);

#endif
