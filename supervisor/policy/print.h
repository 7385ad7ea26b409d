/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_PRINT_H
#define POLICY_PRINT_H

#include "policy/plan.h"

/** print_policy() - the plan as one policy, with where each line comes from as a comment.  Parsing what is printed and printing that gives the same text, but for the comments. */
void print_policy(const struct plan *plan, FILE *out);

/** print_settings() - the part of it that is not about destinations: one-word statements, limits and socket options. */
void print_settings(const struct plan *plan, FILE *out);

/** print_json() - the same for machines: one JSON object. */
void print_json(const struct plan *plan, FILE *out);

/** print_rule() - `deny tcp,udp to @google port 1-3 errno EPERM because "x"`, without newline. */
void print_rule(const struct rule *rule, FILE *out);

/** print_sockopt() - `sockopt SOL_SOCKET SO_ERROR get pass`, without newline. */
void print_sockopt(const struct sockopt_rule *rule, FILE *out);

/* The one-word statements in the order in which they are printed. */
struct print_statement {
	const char *name, *word;
	const struct statement *statement;
	bool has_errno; /* the word may be followed by an errno */
};
#define PRINT_STATEMENTS 9
void print_statements(const struct plan *plan, struct print_statement out[PRINT_STATEMENTS]);

/** print_set_prefixes() - prefixes in a set, those of sets in it left out. */
size_t print_set_prefixes(const struct plan_set *set);

#endif
