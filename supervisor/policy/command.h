/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_COMMAND_H
#define POLICY_COMMAND_H

#include "policy/policy.h"

/* What the sub-commands of gae-policy share. */
#define COMMAND_FAILED 125 /* own failure: usage, a policy with an error */

/* Options; each command accepts some of them. */
enum {
	OPTION_JSON = 1,
	OPTION_CALLS = 2,
	OPTION_BYTES = 4,
	OPTION_ALLOWED_ONLY = 8,
};

struct command_options {
	const char **sources; /* --policy, or GAE_RUN_POLICY */
	size_t n_sources;
	unsigned int given; /* OPTION_* bits */
	const char *bytes;  /* --bytes FILE */
	const char *const *installed;
};

/** command_print_error() - alone on its line: editors and scripts read FILE:LINE:COL at its beginning. */
void command_print_error(const struct policy_error *error);

/** command_plan() - the policy of @sources, or NULL with its error printed. */
struct plan *command_plan(const struct command_options *options, const char *const *sources,
			  size_t n);

/* Each gets what stands behind its name and returns the exit status. */
int command_check(const struct command_options *options, int argc, char **argv);
int command_print(const struct command_options *options, int argc, char **argv);
int command_explain(const struct command_options *options, int argc, char **argv);
int command_filter(const struct command_options *options, int argc, char **argv);
int command_learn(const struct command_options *options, int argc, char **argv);

#endif
