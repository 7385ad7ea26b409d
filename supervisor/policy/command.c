/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/command.h"

#include "policy/print.h"
#include "shared/base/log.h"

#include <stdlib.h>

/* The error stands alone on its line: editors and scripts read FILE:LINE:COL at its beginning. */
struct plan *command_plan(const struct command_options *options, const char *const *sources,
			  size_t n)
{
	struct policy_error error;
	struct plan *plan = policy_load(sources, n, options->installed, &error);
	char line[sizeof(error.file) + sizeof(error.text) + 32];

	if (!plan)
		fprintf(stderr, "%s\n", policy_error_format(&error, line, sizeof(line)));
	return plan;
}

/* Sources behind the command take the place of --policy. */
static struct plan *plan_of_arguments(const struct command_options *options, int argc, char **argv)
{
	const char **sources;
	struct plan *plan;

	if (!argc)
		return command_plan(options, options->sources, options->n_sources);
	sources = calloc((size_t)argc, sizeof(*sources));
	for (int i = 0; sources && i < argc; i++)
		sources[i] = argv[i];
	plan = sources ? command_plan(options, sources, (size_t)argc) : NULL;
	free(sources);
	return plan;
}

int command_check(const struct command_options *options, int argc, char **argv)
{
	struct plan *plan = plan_of_arguments(options, argc, argv);
	size_t sets = 0;

	if (!plan)
		return COMMAND_FAILED;
	for (size_t i = 0; i < plan->n_sets; i++)
		sets += plan->sets[i]->name != NULL;
	printf("ok: %zu rules, %zu sets, %zu prefixes, %zu host names, %zu socket options, %zu "
	       "files\n",
	       plan->n_rules, sets, plan->n_labels, plan->n_names, plan->n_sockopts, plan->n_files);
	plan_free(plan);
	return 0;
}

int command_print(const struct command_options *options, int argc, char **argv)
{
	struct plan *plan = plan_of_arguments(options, argc, argv);

	if (!plan)
		return COMMAND_FAILED;
	if (options->given & OPTION_JSON)
		print_json(plan, stdout);
	else
		print_policy(plan, stdout);
	plan_free(plan);
	return 0;
}
