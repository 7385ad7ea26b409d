/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include "policy/sources.h"
#include "shared/base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whose data files are looked for where. */
struct loader {
	struct policy_parser *parser;
	const char *const *installed;
	bool in_installed; /* the file being read is one of the installed policy */
	struct policy_error *error;
};

static int fail(struct policy_error *error, const char *path, const char *text)
{
	size_t size = strlen(path), room = sizeof(error->file) - 1;

	*error = (struct policy_error){0};
	snprintf(error->file, sizeof(error->file), "%s", size > room ? path + (size - room) : path);
	snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
}

/* @path absolute, so that what is printed can be read from anywhere. */
static int read_absolute(const char *path, char **absolute, char **data, size_t *size)
{
	int error = fd_read_file(path, POLICY_FILE_MAX, data, size);

	if (error)
		return error;
	*absolute = realpath(path, NULL);
	if (!*absolute)
		*absolute = strdup(path);
	if (*absolute)
		return 0;
	free(*data);
	*data = NULL;
	return -ENOMEM;
}

static int read_in(const char *dir, size_t dir_size, const char *name, char **absolute, char **data,
		   size_t *size)
{
	CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%.*s/%s", (int)dir_size, dir, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return read_absolute(path, absolute, data, size);
}

/* Beside the file that names it; for the installed policy in its directories, so that /etc masks data as well. */
static int open_data(void *context, const char *from, const char *name, char **path, char **data,
		     size_t *size)
{
	const struct loader *loader = context;
	const char *slash = strrchr(from, '/');
	int error = -ENOENT;

	if (name[0] == '/')
		return read_absolute(name, path, data, size);
	for (size_t i = 0; loader->in_installed && loader->installed[i]; i++) {
		error = read_in(loader->installed[i], strlen(loader->installed[i]), name, path,
				data, size);
		if (error != -ENOENT && error != -ENOTDIR)
			return error;
	}
	if (!slash)
		return read_in(".", 1, name, path, data, size);
	return read_in(from, slash == from ? 1 : (size_t)(slash - from), name, path, data, size);
}

static int load_file(struct loader *loader, const char *path)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int error = fd_read_file(path, POLICY_FILE_MAX, &text, &size);

	if (error)
		return fail(loader->error, path,
			    error == -EFBIG ? "larger than 64 MiB" : strerror(-error));
	return policy_parser_file(loader->parser, path, text, size, loader->error);
}

static int load_files(struct loader *loader, const struct source_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (load_file(loader, list->paths[i]))
			return -1;
	return 0;
}

static int load_installed(struct loader *loader)
{
	struct source_list list = {0};
	int status = sources_of_installed(loader->installed, &list, loader->error);

	loader->in_installed = true;
	if (!status)
		status = load_files(loader, &list);
	loader->in_installed = false;
	sources_free(&list);
	return status;
}

static int load_source(struct loader *loader, const char *source)
{
	struct source_list list = {0};
	int status;

	if (!*source)
		return fail(loader->error, "policy", "empty name of a file or directory");
	if (!strcmp(source, "default"))
		return load_installed(loader);
	if (!source_is_directory(source))
		return load_file(loader, source);
	status = sources_of_directory(source, &list, loader->error);
	if (!status)
		status = load_files(loader, &list);
	sources_free(&list);
	return status;
}

struct plan *policy_load(const char *const *sources, size_t n, const char *const *installed,
			 struct policy_error *error)
{
	static const char *const by_default[] = {"default"};
	struct loader loader = {.installed = installed, .error = error};
	struct policy_error ignored;

	loader.parser = policy_parser_new(open_data, &loader);
	if (!loader.parser) {
		fail(error, "policy", "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < (n ? n : 1); i++) {
		if (!load_source(&loader, n ? sources[i] : by_default[0]))
			continue;
		plan_free(policy_parser_finish(loader.parser, &ignored));
		return NULL;
	}
	return policy_parser_finish(loader.parser, error);
}
