/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/plan.h"

/* What went wrong, where: printed as FILE:LINE:COL: TEXT (line 0: FILE: TEXT). */
struct policy_error {
	char file[256];
	uint32_t line, col;
	char text[512]; /* what is wrong, what was expected, "did you mean" */
};

/** policy_error_format() - one line without newline.  @out: @room bytes.  Return: @out. */
char *policy_error_format(const struct policy_error *error, char *out, size_t room);

/*
 * Limits on what is read; larger is an error, not a truncation.
 * A set of 100,000 prefixes is about 2 MiB of text.
 */
#define POLICY_FILE_MAX (64u << 20)
#define POLICY_LINE_MAX (64u << 10)

/*
 * policy_load() - read policies into a plan.
 * @sources: what --policy named, in order: files, directories (their *.conf in
 *           order of base name), or the word "default" for the installed policy
 * @n:       0 means the installed policy alone
 * @installed: directories of the installed policy, in falling precedence
 *           (/etc/gae-run/policy.d, PREFIX/share/gae-run/policy.d): a file masks
 *           those of the same base name behind it, a link to /dev/null or an
 *           empty file disables; NULL-terminated
 * Return: the plan, or NULL and *@error.
 */
struct plan *policy_load(const char *const *sources, size_t n, const char *const *installed,
			 struct policy_error *error);

/*
 * The push parser under it knows nothing of files but for `set ... file`,
 * which it asks @open_data for, so that a test or a fuzzer drives it with bytes.
 */
struct policy_parser;

/* Gives the text of a data file that @from names.  0 and malloc'd *@data and *@path (where it was found), or -errno. */
typedef int policy_open_data(void *context, const char *from, const char *name, char **path,
			     char **data, size_t *size);

struct policy_parser *policy_parser_new(policy_open_data *open_data, void *context);
/** policy_parser_file() - parse the whole text of one file.  Return: 0, or -1 and *@error. */
int policy_parser_file(struct policy_parser *parser, const char *path, const char *text,
		       size_t size, struct policy_error *error);
/** policy_parser_finish() - the plan; frees the parser in any case.  Return: NULL and *@error on failure. */
struct plan *policy_parser_finish(struct policy_parser *parser, struct policy_error *error);

/** policy_installed() - directories of the installed policy for a program run from @exe_dir (see INTERNALS "Where the policy comes from"). Static storage, NULL-terminated. */
const char *const *policy_installed(const char *exe_dir);

#endif
