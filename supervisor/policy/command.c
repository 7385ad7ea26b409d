/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/command.h"

#include "policy/filter_make.h"
#include "policy/print.h"
#include "shared/base/log.h"

#include <stdlib.h>

void command_print_error(const struct policy_error *error)
{
	char line[sizeof(error->file) + sizeof(error->text) + 32];

	fprintf(stderr, "%s\n", policy_error_format(error, line, sizeof(line)));
}

struct plan *command_plan(const struct command_options *options, const char *const *sources,
			  size_t n)
{
	struct policy_error error;
	struct plan *plan = policy_load(sources, n, options->installed, &error);

	if (!plan)
		command_print_error(&error);
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

/*
 * What gae-run would make of it, and not less: without Landlock's fence, and with as many
 * processes to protect as there can be.
 */
static bool filter_fits(const struct plan *plan)
{
	const struct rlimit files = {1024, 1u << 20};
	int pids[FILTER_PROTECTED_MAX];
	struct filter_setup setup = {.protected_pids = pids,
				     .n_protected = FILTER_PROTECTED_MAX,
				     .window = fd_window_fit(&files),
				     .local_sockets = true};
	struct sock_fprog program = {0};
	struct filter_spec *spec;
	struct policy_error error;

	for (int i = 0; i < FILTER_PROTECTED_MAX; i++)
		pids[i] = i + 1;
	if (filter_make(plan, &setup, &spec, &program, &error) < 0) {
		command_print_error(&error);
		return false;
	}
	free(program.filter);
	filter_spec_free(spec);
	return true;
}

int command_check(const struct command_options *options, int argc, char **argv)
{
	struct plan *plan = plan_of_arguments(options, argc, argv);
	size_t sets = 0;

	if (!plan || !filter_fits(plan)) {
		plan_free(plan);
		return COMMAND_FAILED;
	}
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
