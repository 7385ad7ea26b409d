/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_HEAP_H
#define SUPERVISOR_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct op;

/* Waiting requests by the time of their next look (op.next_look_ns), soonest first. */
struct heap {
	struct op **items;
	size_t n, room;
};

/** heap_push() - Return: false when out of memory. */
bool heap_push(struct heap *heap, struct op *op);
void heap_remove(struct heap *heap, struct op *op);
/** heap_moved() - @op's time changed. */
void heap_moved(struct heap *heap, struct op *op);
/** heap_first() - the soonest, NULL when empty. */
struct op *heap_first(const struct heap *heap);

#endif
