/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_JSON_H
#define POLICY_JSON_H

#include <stddef.h>

/*
 * A strict reader of one JSON text (RFC 8259) that keeps nothing: it reports
 * each string and number with the names that lead to it.
 */
#define JSON_DEPTH_MAX 16
#define JSON_STRING_MAX 1024 /* longer strings are cut: no name or address is so long */

struct json_value {
	const char *parent; /* name of the object around it, "" at the top and in arrays */
	const char *name;   /* its own name, "" in arrays */
	const char
	    *text; /* a string, escapes undone; a number as written; "true", "false", "null" */
	unsigned int depth; /* how many objects and arrays are around it */
};

typedef void json_visit(void *context, const struct json_value *value);

/** json_read() - Return: 0, or -EINVAL when @text is no JSON. */
int json_read(const char *text, size_t size, json_visit *visit, void *context);

/* Called before each object that stands in an array. @array: the array's name; @depth as above. */
typedef void json_item(void *context, const char *array, unsigned int depth);

/** json_read_items() - the same for lists of records: what is in an array has the array's name around it. */
int json_read_items(const char *text, size_t size, json_visit *visit, json_item *item,
		    void *context);

#endif
