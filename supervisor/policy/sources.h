/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_SOURCES_H
#define POLICY_SOURCES_H

#include "policy/policy.h"

/* Files of a policy in the order in which they are read. */
struct source_list {
	char **paths;
	size_t n;
};

void sources_free(struct source_list *list);

bool source_is_directory(const char *path);

/** sources_of_directory() - its *.conf by base name.  Return: 0, or -1 and *@error (unreadable, none). */
int sources_of_directory(const char *directory, struct source_list *list,
			 struct policy_error *error);

/**
 * sources_of_installed() - *.conf of all @directories by base name; of equal
 * base names the one in the earliest directory, and none where that is empty
 * or a link to /dev/null.  Directories that do not exist are passed over.
 */
int sources_of_installed(const char *const *directories, struct source_list *list,
			 struct policy_error *error);

#endif
