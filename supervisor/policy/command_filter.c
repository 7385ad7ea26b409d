/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/command.h"
#include "policy/filter_make.h"
#include "shared/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *text;
} calls[] = {
#define CALL(name, handler, text) {#name, text},
#include "policy/calls.def"
#undef CALL
};

static int print_calls(void)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		printf("%-18s  %s\n", calls[i].name, calls[i].text);
	puts("\nCalls without a line are allowed.");
	return 0;
}

static int write_bytes(const struct sock_fprog *program, const char *path)
{
	FILE *out = fopen(path, "we");
	bool bad;

	if (!out) {
		log_error("%s: %s", path, strerror(errno));
		return COMMAND_FAILED;
	}
	bad = fwrite(program->filter, sizeof(*program->filter), program->len, out) != program->len;
	bad = fclose(out) || bad;
	if (bad)
		log_error("%s: %s", path, strerror(errno));
	return bad ? COMMAND_FAILED : 0;
}

static int show(const struct command_options *options, const struct filter_spec *spec,
		const struct sock_fprog *program)
{
	int checked = filter_verify(spec, program, NULL);

	if (checked < 0) {
		log_error("the compiled filter differs from the policy: %s", strerror(-checked));
		return COMMAND_FAILED;
	}
	if (options->bytes)
		return write_bytes(program, options->bytes);
	filter_print(spec, program, stdout);
	printf("# %u instructions, checked with %d calls\n", program->len, checked);
	return 0;
}

int command_filter(const struct command_options *options, int argc, char **argv)
{
	/* As for a program with the usual limits. */
	const struct rlimit files = {1024, 1u << 20};
	struct filter_setup setup = {.signal_scope = true, .window = fd_window_fit(&files)};
	struct sock_fprog program = {0};
	struct policy_error error;
	struct filter_spec *spec;
	struct plan *plan;
	int status = COMMAND_FAILED;

	(void)argv;
	if (argc) {
		log_error("filter takes no argument but --policy; see gae-policy --help");
		return COMMAND_FAILED;
	}
	if (options->given & OPTION_CALLS)
		return print_calls();
	plan = command_plan(options, options->sources, options->n_sources);
	if (!plan)
		return COMMAND_FAILED;
	if (filter_make(plan, &setup, &spec, &program, &error) < 0)
		command_print_error(&error);
	else
		status = show(options, spec, &program);
	free(program.filter);
	filter_spec_free(spec);
	plan_free(plan);
	return status;
}
