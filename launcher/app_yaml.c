/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/app_yaml.h"

#include "shared/base/escape.h"
#include "shared/base/fd.h"

#include <errno.h>
#include <search.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/*
 * libyaml's events, read by descent: each read_*() takes the event that the reader holds and
 * leaves the one behind its node.  The depth is bounded, and so is the recursion.
 */
struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the one that is being looked at */
	const char *path;
	const char *text; /* all of it, for the place of what is no text */
	size_t size;
	struct app_yaml *yaml;
	unsigned int depth;
	char *error;
	size_t room;
};

/* What a mapping's value is read by. @key: NUL-terminated, @mark: where the key is. */
typedef int read_value(struct reader *reader, const char *key, yaml_mark_t mark);

#define TEXT_SHOWN 80 /* of a key or value in a message */

__attribute__((format(printf, 3, 4))) static int reader_fail(struct reader *reader,
							     yaml_mark_t mark, const char *format,
							     ...)
{
	int used = snprintf(reader->error, reader->room, "%s:%zu:%zu: ", reader->path,
			    mark.line + 1, mark.column + 1);
	va_list args;

	if (used < 0 || (size_t)used >= reader->room)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(reader->error + used, reader->room - (size_t)used, format, args);
	va_end(args);
	return -EINVAL;
}

static int reader_no_memory(struct reader *reader)
{
	snprintf(reader->error, reader->room, "%s: out of memory", reader->path);
	return -ENOMEM;
}

/* What the file has in it may be anything. */
static const char *shown(const char *text, size_t size, char out[TEXT_SHOWN])
{
	escape_name(out, TEXT_SHOWN, text, size);
	return out;
}

/* libyaml knows the byte alone. */
static yaml_mark_t mark_of_byte(const struct reader *reader, size_t byte)
{
	yaml_mark_t mark = {0};

	for (size_t i = 0; i < byte && i < reader->size; i++) {
		mark.column++;
		if (reader->text[i] != '\n')
			continue;
		mark.line++;
		mark.column = 0;
	}
	return mark;
}

static int reader_fail_in_yaml(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_MEMORY_ERROR)
		return reader_no_memory(reader);
	if (parser->error == YAML_READER_ERROR)
		return reader_fail(reader, mark_of_byte(reader, parser->problem_offset),
				   "not YAML: %s", problem);
	return reader_fail(reader, parser->problem_mark, "not YAML: %s", problem);
}

/* Nothing that makes one place of the file mean another. */
static int refuse_indirect(struct reader *reader)
{
	const yaml_event_t *event = &reader->event;
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return reader_fail(reader, event->start_mark,
				   "an alias; app.yaml must say what it means where it means it");
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		return reader_fail(reader, event->start_mark, "an anchor; expected none");
	if (tag)
		return reader_fail(reader, event->start_mark, "a tag; expected none");
	return 0;
}

static int reader_advance(struct reader *reader)
{
	yaml_event_delete(&reader->event);
	if (!yaml_parser_parse(&reader->parser, &reader->event))
		return reader_fail_in_yaml(reader);
	return refuse_indirect(reader);
}

static const char *scalar_text(const yaml_event_t *event)
{
	return (const char *)event->data.scalar.value;
}

static bool scalar_is_null(const yaml_event_t *event)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(scalar_text(event), words[i]))
			return true;
	return false;
}

/* --- mappings --- */

static int compare_keys(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The key that the reader holds.  *@key: owned by @keys. */
static int read_key(struct reader *reader, void **keys, const char **key)
{
	const yaml_event_t *event = &reader->event;
	char text[TEXT_SHOWN], *copy;
	void **found;

	if (event->type != YAML_SCALAR_EVENT)
		return reader_fail(reader, event->start_mark, "a key that is no text");
	if (strlen(scalar_text(event)) != event->data.scalar.length)
		return reader_fail(reader, event->start_mark, "a NUL character in a key");
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	    !strcmp(scalar_text(event), "<<"))
		return reader_fail(reader, event->start_mark, "a merge key; expected none");
	copy = strdup(scalar_text(event));
	found = copy ? tsearch(copy, keys, compare_keys) : NULL;
	if (!found) {
		free(copy);
		return reader_no_memory(reader);
	}
	if (*found != copy) {
		free(copy);
		return reader_fail(reader, event->start_mark,
				   "'%s' a second time; expected each key once",
				   shown(scalar_text(event), event->data.scalar.length, text));
	}
	*key = copy;
	return 0;
}

static int reader_deeper(struct reader *reader)
{
	if (reader->depth == APP_YAML_DEPTH_MAX)
		return reader_fail(reader, reader->event.start_mark,
				   "too deep; expected at most %d levels", APP_YAML_DEPTH_MAX);
	reader->depth++;
	return reader_advance(reader);
}

static int read_mapping(struct reader *reader, read_value *each)
{
	void *keys = NULL;
	const char *key = "";
	int rc = reader_deeper(reader);

	while (!rc && reader->event.type != YAML_MAPPING_END_EVENT) {
		yaml_mark_t mark = reader->event.start_mark;

		rc = read_key(reader, &keys, &key);
		if (!rc)
			rc = reader_advance(reader);
		if (!rc)
			rc = each(reader, key, mark);
	}
	tdestroy(keys, free);
	reader->depth--;
	return rc ? rc : reader_advance(reader);
}

static int skip_node(struct reader *reader);

static int skip_value(struct reader *reader, const char *key, yaml_mark_t mark)
{
	(void)key, (void)mark;
	return skip_node(reader);
}

static int skip_sequence(struct reader *reader)
{
	int rc = reader_deeper(reader);

	while (!rc && reader->event.type != YAML_SEQUENCE_END_EVENT)
		rc = skip_node(reader);
	reader->depth--;
	return rc ? rc : reader_advance(reader);
}

static int skip_node(struct reader *reader)
{
	switch (reader->event.type) {
	case YAML_MAPPING_START_EVENT:
		return read_mapping(reader, skip_value);
	case YAML_SEQUENCE_START_EVENT:
		return skip_sequence(reader);
	default:
		return reader_advance(reader);
	}
}

/* --- what is taken --- */

static bool is_variable_name(const char *name)
{
	if (*name >= '0' && *name <= '9')
		return false;
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
					   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")];
}

static int add_variable(struct reader *reader, const char *name, const char *value)
{
	struct app_yaml *yaml = reader->yaml;
	char **grown = reallocarray(yaml->variables, yaml->n_variables + 2, sizeof(*grown));

	if (!grown)
		return reader_no_memory(reader);
	yaml->variables = grown;
	grown[yaml->n_variables + 1] = NULL;
	if (asprintf(&grown[yaml->n_variables], "%s=%s", name, value) < 0) {
		grown[yaml->n_variables] = NULL;
		return reader_no_memory(reader);
	}
	yaml->n_variables++;
	return 0;
}

static int read_variable(struct reader *reader, const char *key, yaml_mark_t mark)
{
	const yaml_event_t *event = &reader->event;
	char text[TEXT_SHOWN];
	int rc;

	if (!is_variable_name(key))
		return reader_fail(reader, mark,
				   "'%s' is no name of a variable; expected letters, digits and _, "
				   "no digit first",
				   shown(key, strlen(key), text));
	if (event->type != YAML_SCALAR_EVENT)
		return reader_fail(reader, event->start_mark,
				   "the value of %s is no text; expected a string", key);
	if (scalar_is_null(event))
		return reader_fail(
		    reader, mark, "%s has no value; expected a string, \"\" for an empty one", key);
	if (strlen(scalar_text(event)) != event->data.scalar.length)
		return reader_fail(reader, event->start_mark,
				   "the value of %s has a NUL character in it", key);
	if (strlen(key) + event->data.scalar.length + 2 > APP_YAML_VARIABLE_MAX)
		return reader_fail(reader, event->start_mark,
				   "the value of %s has %zu bytes; a variable has room for %d", key,
				   event->data.scalar.length, APP_YAML_VARIABLE_MAX);
	if (reader->yaml->n_variables == APP_YAML_VARIABLES_MAX)
		return reader_fail(reader, mark, "more than %d variables", APP_YAML_VARIABLES_MAX);
	rc = add_variable(reader, key, scalar_text(event));
	return rc ? rc : reader_advance(reader);
}

/* "myapp", "s~myapp", "example.com:myapp", as appinfo.py's APPLICATION_RE_STRING and SERVICE_RE_STRING allow. */
static bool is_app_name(const char *name)
{
	size_t size = strlen(name);

	return size > 0 && size <= 100 && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.:~") == size;
}

static int read_name(struct reader *reader, const char *key, char **name)
{
	const yaml_event_t *event = &reader->event;
	char text[TEXT_SHOWN];

	if (event->type != YAML_SCALAR_EVENT)
		return reader_fail(reader, event->start_mark, "%s is no text; expected a name",
				   key);
	if (!is_app_name(scalar_text(event)) ||
	    strlen(scalar_text(event)) != event->data.scalar.length)
		return reader_fail(
		    reader, event->start_mark,
		    "%s '%s' is no name; expected up to 100 of a-z, 0-9, '-', '.', ':' and '~'",
		    key, shown(scalar_text(event), event->data.scalar.length, text));
	*name = strdup(scalar_text(event));
	return *name ? reader_advance(reader) : reader_no_memory(reader);
}

static int read_setting(struct reader *reader, const char *key, yaml_mark_t mark)
{
	struct app_yaml *yaml = reader->yaml;

	if (!strcmp(key, "application"))
		return read_name(reader, key, &yaml->application);
	if (!strcmp(key, "service"))
		return read_name(reader, key, &yaml->service);
	if (!strcmp(key, "env_variables")) {
		if (reader->event.type == YAML_MAPPING_START_EVENT)
			return read_mapping(reader, read_variable);
		/* "env_variables:" and nothing below it. */
		if (reader->event.type == YAML_SCALAR_EVENT && scalar_is_null(&reader->event))
			return reader_advance(reader);
		return reader_fail(reader, mark,
				   "env_variables is no mapping; expected NAME: VALUE");
	}
	yaml->n_ignored++;
	return skip_node(reader);
}

static int read_document(struct reader *reader)
{
	int rc = reader_advance(reader); /* YAML_STREAM_START_EVENT */

	if (!rc)
		rc = reader_advance(reader);
	if (!rc && reader->event.type == YAML_DOCUMENT_START_EVENT)
		rc = reader_advance(reader);
	if (!rc && reader->event.type != YAML_MAPPING_START_EVENT)
		return reader_fail(reader, reader->event.start_mark,
				   "no mapping; expected NAME: VALUE lines");
	if (!rc)
		rc = read_mapping(reader, read_setting);
	if (!rc) /* YAML_DOCUMENT_END_EVENT */
		rc = reader_advance(reader);
	if (!rc && reader->event.type != YAML_STREAM_END_EVENT)
		return reader_fail(reader, reader->event.start_mark,
				   "a second document; expected one");
	return rc;
}

int app_yaml_parse(const char *path, const char *text, size_t size, struct app_yaml *yaml,
		   char *error, size_t room)
{
	struct reader reader = {
	    .path = path, .text = text, .size = size, .yaml = yaml, .error = error, .room = room};
	int rc;

	*yaml = (struct app_yaml){0};
	if (size > APP_YAML_SIZE_MAX) {
		snprintf(error, room, "%s: larger than 1 MiB", path);
		return -EINVAL;
	}
	if (!yaml_parser_initialize(&reader.parser))
		return reader_no_memory(&reader);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
	rc = read_document(&reader);
	yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
	return rc;
}

int app_yaml_load(const char *path, struct app_yaml *yaml, char *error, size_t room)
{
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	int rc = fd_read_file(path, APP_YAML_SIZE_MAX, &text, &size);

	*yaml = (struct app_yaml){0};
	if (rc == 0 && text)
		return app_yaml_parse(path, text, size, yaml, error, room);
	snprintf(error, room, "%s: %s", path, rc == -EFBIG ? "larger than 1 MiB" : strerror(-rc));
	return rc;
}

void app_yaml_fini(struct app_yaml *yaml)
{
	for (size_t i = 0; i < yaml->n_variables; i++)
		free(yaml->variables[i]);
	free(yaml->variables);
	free(yaml->application);
	free(yaml->service);
	*yaml = (struct app_yaml){0};
}

const char *app_yaml_get(const struct app_yaml *yaml, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < yaml->n_variables; i++)
		if (!strncmp(yaml->variables[i], name, size) && yaml->variables[i][size] == '=')
			return yaml->variables[i] + size + 1;
	return NULL;
}

const char *app_yaml_name(const struct app_yaml *yaml, char *out, size_t room)
{
	const char *service =
	    yaml->service && strcmp(yaml->service, "default") != 0 ? yaml->service : NULL;

	if (!yaml->application && !service)
		return NULL;
	snprintf(out, room, "%s%s%s", yaml->application ? yaml->application : "",
		 yaml->application && service ? ":" : "", service ? service : "");
	return out;
}
