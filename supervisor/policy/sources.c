/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/sources.h"

#include "policy/parse.h"
#include "shared/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct policy_error *error, const char *path, const char *text)
{
	*error = (struct policy_error){0};
	snprintf(error->file, sizeof(error->file), "%s", path);
	snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
}

void sources_free(struct source_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->paths[i]);
	free(list->paths);
	*list = (struct source_list){0};
}

bool source_is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Editors leave ".x.conf.swp" and the like; a policy's name does not begin with a dot. */
static bool is_policy_name(const char *name)
{
	size_t size = strlen(name);

	return name[0] != '.' && size > 5 && !strcmp(name + size - 5, ".conf");
}

static bool is_masked(const struct source_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(text_base_name(list->paths[i]), name))
			return true;
	return false;
}

static int add_path(struct source_list *list, const char *directory, const char *name)
{
	char *path;

	if (array_grow(&list->paths, list->n, sizeof(*list->paths)) ||
	    asprintf(&path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	list->paths[list->n++] = path;
	return 0;
}

/* Add the policies of @directory whose base names @list does not have yet.  Return: 0 or -errno. */
static int add_directory(struct source_list *list, const char *directory)
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	int error = 0;

	if (!dir)
		return -errno;
	while (!error && (errno = 0, entry = readdir(dir))) {
		if (is_policy_name(entry->d_name) && !is_masked(list, entry->d_name))
			error = add_path(list, directory, entry->d_name);
	}
	if (!error)
		error = -errno;
	closedir(dir);
	return error;
}

static int compare_base(const void *left, const void *right)
{
	char *const *a = left, *const *b = right;

	return strcmp(text_base_name(*a), text_base_name(*b));
}

static void sort(struct source_list *list)
{
	if (list->n)
		qsort(list->paths, list->n, sizeof(*list->paths), compare_base);
}

int sources_of_directory(const char *directory, struct source_list *list,
			 struct policy_error *error)
{
	int status = add_directory(list, directory);

	if (status)
		return fail(error, directory, strerror(-status));
	if (!list->n)
		return fail(error, directory,
			    "no policy in this directory; expected files named *.conf");
	sort(list);
	return 0;
}

/* Empty, or a link to /dev/null. */
static bool is_disabled(const char *path)
{
	struct stat st;

	return !stat(path, &st) && ((S_ISREG(st.st_mode) && !st.st_size) || S_ISCHR(st.st_mode));
}

static void drop_disabled(struct source_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (is_disabled(list->paths[i]))
			free(list->paths[i]);
		else
			list->paths[kept++] = list->paths[i];
	}
	list->n = kept;
}

int sources_of_installed(const char *const *directories, struct source_list *list,
			 struct policy_error *error)
{
	const char *last = "policy.d";
	int status;

	for (; *directories; directories++) {
		last = *directories;
		status = add_directory(list, last);
		if (status && status != -ENOENT)
			return fail(error, last, strerror(-status));
	}
	drop_disabled(list);
	if (!list->n)
		return fail(error, last,
			    "no installed policy here; expected files named *.conf, or --policy "
			    "FILE");
	sort(list);
	return 0;
}
