/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_RESOLVE_H
#define LAUNCHER_RESOLVE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The program to run, as execvp(3) would find it. */
struct resolved {
	char path[PATH_MAX];
	bool text;         /* neither ELF nor #!, but text: execvp(3) runs it with /bin/sh */
	char warning[256]; /* empty: none */
};

/**
 * resolve_program() - find @name and check that it can run here.
 * @search: the value of PATH, or NULL where that is unset
 * @error: on failure one line without newline that names the path tried
 * Return: 0; 127 (not found) or 126 (found, cannot be run), the exit status to end with.
 */
int resolve_program(const char *name, const char *search, struct resolved *resolved, char *error,
		    size_t room);

#endif
