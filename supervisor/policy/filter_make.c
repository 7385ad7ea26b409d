/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/filter_make.h"

#include "policy/policy.h"

#include <errno.h>
#include <stdio.h>

/* Nothing else that a policy says makes the filter longer. */
static void explain_length(const struct plan *plan, struct policy_error *error)
{
	const struct sockopt_rule *last =
	    plan->n_sockopts ? &plan->sockopts[plan->n_sockopts - 1] : NULL;

	if (last && last->loc.file < plan->n_files) {
		snprintf(error->file, sizeof(error->file), "%s", plan->files[last->loc.file].path);
		error->line = last->loc.line;
		error->col = last->loc.col;
	}
	snprintf(error->text, sizeof(error->text),
		 "more than %u,%03u instructions: %zu sockopt statements; join them with 'any'",
		 BPF_MAXINSNS / 1000u, BPF_MAXINSNS % 1000u, plan->n_sockopts);
}

int filter_make(const struct plan *plan, const struct filter_setup *setup,
		struct filter_spec **spec, struct sock_fprog *program, struct policy_error *error)
{
	int rc;

	*error = (struct policy_error){.file = "policy", .text = "out of memory"};
	*spec = filter_spec_new(plan, setup);
	rc = *spec ? filter_compile(*spec, program) : -ENOMEM;
	if (rc == 0)
		return 0;
	if (rc == -E2BIG)
		explain_length(plan, error);
	filter_spec_free(*spec);
	*spec = NULL;
	return rc;
}
