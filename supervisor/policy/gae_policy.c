/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/command.h"

#include "shared/base/log.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct command {
	const char *name, *arguments, *summary;
	unsigned int options; /* OPTION_* bits that it accepts */
	int (*run)(const struct command_options *options, int argc, char **argv);
};

static const struct command commands[] = {
    {"check", "[SOURCE...]", "read a policy and say what is in it, or what is wrong with it", 0,
     command_check},
    {"print", "[--json] [SOURCE...]", "print a policy in normal form, with where each line is from",
     OPTION_JSON, command_print},
    {"explain", "tcp://HOST:PORT|udp://HOST:PORT... | dns NAME | sockopt LEVEL OPTION",
     "name the rule that decides; exit 1 if it refuses", 0, command_explain},
    {"filter", "[--calls] [--bytes FILE]", "print the seccomp program of a policy",
     OPTION_CALLS | OPTION_BYTES, command_filter},
    {"learn", "[--allowed-only] TRACE|-",
     "turn a JSON trace into the smallest policy that permits it", OPTION_ALLOWED_ONLY,
     command_learn},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct option long_options[] = {
    {"policy", required_argument, NULL, 'p'},
    {"json", no_argument, NULL, OPTION_JSON},
    {"calls", no_argument, NULL, OPTION_CALLS},
    {"bytes", required_argument, NULL, OPTION_BYTES},
    {"allowed-only", no_argument, NULL, OPTION_ALLOWED_ONLY},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static void usage(FILE *out)
{
	fputs("usage: gae-policy [-p FILE|DIR|default]... COMMAND [ARGUMENTS]\n\n", out);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %s %s\n      %s\n", commands[i].name, commands[i].arguments,
			commands[i].summary);
	fputs("\n  -p, --policy FILE|DIR|default  the policy, several are read in order\n"
	      "                                 (GAE_RUN_POLICY; the installed one if there is "
	      "none)\n"
	      "  -h, --help                     this text\n"
	      "  -V, --version                  the version\n",
	      out);
}

/* Our own name, for errors before anything else is known. */
static int fail(const char *text, const char *what)
{
	log_error("%s%s%s%s; see gae-policy --help", text, what ? " '" : "", what ? what : "",
		  what ? "'" : "");
	return COMMAND_FAILED;
}

static int add_source(struct command_options *options, const char *source)
{
	const char **grown;

	if (!*source)
		return fail("--policy: empty value", NULL);
	grown = reallocarray(options->sources, options->n_sources + 1, sizeof(*options->sources));
	if (!grown)
		return fail("out of memory", NULL);
	options->sources = grown;
	options->sources[options->n_sources++] = source;
	return 0;
}

/* Return: -1 to go on, or an exit status. */
static int read_options(struct command_options *options, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "p:hV", long_options, NULL)) != -1) {
		switch (c) {
		case 'p':
			if (add_source(options, optarg))
				return COMMAND_FAILED;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			puts("gae-policy " GAE_RUN_VERSION);
			return 0;
		case '?':
			fputs("see gae-policy --help\n", stderr);
			return COMMAND_FAILED;
		default:
			options->given |= (unsigned int)c;
			if (c == OPTION_BYTES)
				options->bytes = optarg;
		}
	}
	return -1;
}

/* As gae-run reads it: values between colons, empty ones passed over.  @copy is kept in use. */
static int read_environment(struct command_options *options, char **copy)
{
	const char *value = getenv("GAE_RUN_POLICY");
	char *rest = NULL;

	if (options->n_sources || !value)
		return 0;
	*copy = strdup(value);
	if (!*copy)
		return fail("out of memory", NULL);
	for (char *source = strtok_r(*copy, ":", &rest); source;
	     source = strtok_r(NULL, ":", &rest))
		if (add_source(options, source))
			return COMMAND_FAILED;
	return 0;
}

static const char *const *find_installed(void)
{
	static char path[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	path[size > 0 ? size : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	return policy_installed(path);
}

static int run_command(const struct command_options *options, int argc, char **argv)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i].name, argv[0]) != 0)
			continue;
		if (options->given & ~commands[i].options)
			return fail("an option that does not belong to the command", argv[0]);
		return commands[i].run(options, argc - 1, argv + 1);
	}
	return fail("unknown command", argv[0]);
}

int main(int argc, char **argv)
{
	struct command_options options = {0};
	char *environment = NULL;
	int status;

	log_open("gae-policy", LOG_WARN);
	status = read_options(&options, argc, argv);
	if (status < 0)
		status = read_environment(&options, &environment) ? COMMAND_FAILED : -1;
	if (status < 0 && optind == argc)
		status = fail("no command", NULL);
	if (status < 0) {
		options.installed = find_installed();
		status = run_command(&options, argc - optind, argv + optind);
	}
	free(options.sources);
	free(environment);
	if (fflush(stdout) || ferror(stdout)) {
		log_error("standard output: %s", strerror(errno));
		return COMMAND_FAILED;
	}
	return status;
}
