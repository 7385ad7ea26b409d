/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_APP_YAML_H
#define LAUNCHER_APP_YAML_H

#include <stddef.h>

/*
 * What gae-run takes from App Engine's app.yaml: the variables of env_variables and the name of
 * the application.  Everything else is passed over, but checked as YAML: one document, a mapping
 * at its root, no key twice, no anchors, aliases, merge keys or tags.
 */
#define APP_YAML_SIZE_MAX (1u << 20) /* bytes of the file */
#define APP_YAML_DEPTH_MAX 8         /* mappings and lists in each other, the root among them */
#define APP_YAML_VARIABLES_MAX 10000 /* in env_variables */
#define APP_YAML_VARIABLE_MAX (128 << 10) /* "NAME=VALUE" and a NUL: the kernel's MAX_ARG_STRLEN */

struct app_yaml {
	char *application, *service; /* NULL: not given */
	char **variables;            /* "NAME=VALUE"; NULL-terminated once there is one */
	size_t n_variables;
	size_t n_ignored; /* settings that were passed over */
};

/**
 * app_yaml_parse() - read the text of an app.yaml.
 * @path: for messages
 * @error: on failure one line, "FILE:LINE:COL: what is wrong", without newline
 * Return: 0; -EINVAL or -ENOMEM and @error.  app_yaml_fini() in any case.
 */
int app_yaml_parse(const char *path, const char *text, size_t size, struct app_yaml *yaml,
		   char *error, size_t room);

/** app_yaml_load() - the same from a file.  Return: also -errno of reading it, with @error. */
int app_yaml_load(const char *path, struct app_yaml *yaml, char *error, size_t room);
void app_yaml_fini(struct app_yaml *yaml);

/** app_yaml_get() - value of a variable, or NULL. */
const char *app_yaml_get(const struct app_yaml *yaml, const char *name);

/**
 * app_yaml_name() - the app's name: "application", "application:service", or the service alone
 * where the file names no application; service "default" counts as none.
 * @out: @room bytes
 * Return: @out, or NULL when the file names nothing.
 */
const char *app_yaml_name(const struct app_yaml *yaml, char *out, size_t room);

#endif
