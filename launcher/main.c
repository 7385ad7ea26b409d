/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/app_yaml.h"
#include "launcher/check.h"
#include "launcher/front.h"
#include "launcher/options.h"
#include "launcher/resolve.h"
#include "shared/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OWN_FAILURE = 125 };

static int main_version(void)
{
	puts("gae-run " GAE_RUN_VERSION);
	puts("features: x86-64 seccomp-notify landlock libcap");
	return 0;
}

static int main_help(void)
{
	options_print_help(stdout);
	return 0;
}

static void main_open_log(const struct options *options)
{
	static const enum log_level levels[] = {LOG_WARN, LOG_INFO, LOG_DEBUG};
	unsigned int level = options->verbose > 2 ? 2 : options->verbose;

	log_open("gae-run", options->quiet ? LOG_ERROR : levels[level]);
}

/*
 * The app.yaml that is in force, if any, into @yaml and the options.
 * @name: keeps the app's name
 * Return: 0, or -1 after an error line.
 */
static int main_read_app_yaml(struct options *options, struct app_yaml *yaml, char *name,
			      size_t room)
{
	const char *path = options->config;
	char error[PATH_MAX + 512];

	if (!path && options->app_yaml_auto && access("app.yaml", F_OK) == 0)
		path = "app.yaml";
	if (!path)
		return 0;
	if (app_yaml_load(path, yaml, error, sizeof(error)) < 0) {
		log_error("%s", error);
		return -1;
	}
	if (yaml->n_ignored > 0)
		log_warn("%s: only env_variables, application and service are used; %zu other "
			 "setting%s ignored",
			 path, yaml->n_ignored, yaml->n_ignored == 1 ? " is" : "s are");
	options->yaml = yaml;
	if (!options->app)
		options->app = app_yaml_name(yaml, name, room);
	return 0;
}

static int main_run_program(const struct options *options)
{
	struct resolved program;
	char error[2 * PATH_MAX];
	int rc = resolve_program(options->argv[0], getenv("PATH"), &program, error, sizeof(error));

	if (rc) {
		log_error("%s", error);
		return rc;
	}
	if (*program.warning)
		log_warn("%s", program.warning);
	return front_run(options, &program);
}

static int main_run(struct options *options)
{
	struct app_yaml yaml = {0};
	char name[256];
	int status = OWN_FAILURE;

	if (main_read_app_yaml(options, &yaml, name, sizeof(name)) == 0)
		status = main_run_program(options);
	/* What was read goes with it. */
	options->yaml = NULL;
	options->app = NULL;
	app_yaml_fini(&yaml);
	return status;
}

/* Of what was asked to be printed nothing may be missing. */
static int main_flush(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	log_error("standard output: %s", strerror(errno));
	return OWN_FAILURE;
}

int main(int argc, char **argv)
{
	struct options options;
	char error[512];
	int status = OWN_FAILURE;

	if (options_parse(argc, argv, &options, error, sizeof(error)) < 0) {
		log_error("%s", error);
		fputs("Try gae-run --help\n", stderr);
		options_fini(&options);
		return status;
	}
	main_open_log(&options);
	switch (options.mode) {
	case OPTIONS_HELP:
		status = main_flush(main_help());
		break;
	case OPTIONS_VERSION:
		status = main_flush(main_version());
		break;
	case OPTIONS_CHECK:
		status = main_flush(check_run(stdout) ? 0 : OWN_FAILURE);
		break;
	case OPTIONS_RUN:
		status = main_run(&options);
		break;
	}
	options_fini(&options);
	return status;
}
