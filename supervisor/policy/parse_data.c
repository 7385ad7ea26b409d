/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/parse.h"

#include "shared/base/escape.h"
#include "shared/base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* `file "/a/b.cidr"` with the path quoted as the language wants it; it is printed, so what is no text in it is escaped. */
static char *file_text(const char *path)
{
	size_t size = strlen(path);
	CLEANUP_FREE char *safe = malloc(4 * size + 1);
	char *text = malloc(8 * size + sizeof("file \"\"")), *out = text;

	if (!text || !safe) {
		free(text);
		return NULL;
	}
	escape_name(safe, 4 * size + 1, path, size);
	out = stpcpy(out, "file \"");
	for (const char *at = safe; *at; at++) {
		if (*at == '"' || *at == '\\')
			*out++ = '\\';
		*out++ = *at;
	}
	*out++ = '"';
	*out = '\0';
	return text;
}

static char *trim(char *text)
{
	size_t size;

	text += strspn(text, " \t");
	size = strlen(text);
	while (size && (text[size - 1] == ' ' || text[size - 1] == '\t'))
		text[--size] = '\0';
	return text;
}

/* [!]PREFIX [# COMMENT] */
static int parse_data_line(struct policy_parser *parser, size_t set, struct source_loc loc,
			   char *line)
{
	char *comment = strchr(line, '#'), *word;
	bool member;

	if (comment) {
		*comment = '\0';
		comment = trim(comment + 1);
	}
	word = trim(line);
	if (!*word)
		return 0;
	loc.col = (uint32_t)(word - line + 1);
	member = *word != '!';
	return parse_prefix_add(parser, set, loc, word + !member, member,
				comment && *comment ? comment : NULL);
}

static int parse_data_lines(struct policy_parser *parser, size_t set, uint16_t file, char *text,
			    size_t size)
{
	struct source_loc loc = {.file = file, .line = 1};
	struct lex_error fault;
	char *next;

	if (lex_check(text, size, &fault))
		return parse_fail(parser, (struct source_loc){file, fault.line, fault.col}, "%s",
				  fault.text);
	for (char *line = text; line; line = next, loc.line++) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (parse_data_line(parser, set, loc, line))
			return -1;
	}
	if (!parser->drafts[set].n_items)
		return parse_fail(parser, (struct source_loc){.file = file},
				  "no prefix in this file; expected one a line");
	return 0;
}

int parse_data_file(struct policy_parser *parser, size_t set, struct source_loc loc,
		    const char *name)
{
	char *path = NULL, *data = NULL;
	uint16_t file;
	size_t size = 0;
	int status;

	status = parser->open_data(parser->context, parser->plan->files[parser->file].path, name,
				   &path, &data, &size);
	if (status)
		return parse_fail(
		    parser, loc, "data file '%.160s': %s; expected it beside the policy file", name,
		    status == -EFBIG ? "larger than 64 MiB" : strerror(-status));
	parser->plan->sets[set]->text = file_text(path);
	status = parse_file_add(parser, path, &file);
	if (!status && !parser->plan->sets[set]->text)
		status = parse_no_memory(parser);
	if (!status)
		status = parse_data_lines(parser, set, file, data, size);
	free(data);
	return status;
}
