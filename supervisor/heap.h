/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_HEAP_H
#define SUPERVISOR_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is to be looked at later, soonest first: waiting requests in the loop, sockets in the
 * account.  Intrusive: an item embeds a node, and CONTAINER_OF() leads back to it.
 */
struct heap_node {
	uint64_t at_ns; /* CLOCK_MONOTONIC; change it, then call heap_moved() */
	size_t index;   /* the heap's own */
};

struct heap {
	struct heap_node **items;
	size_t n, room;
};

/** heap_push() - Return: false when out of memory. */
bool heap_push(struct heap *heap, struct heap_node *node);
void heap_remove(struct heap *heap, struct heap_node *node);
/** heap_moved() - @node's time changed. */
void heap_moved(struct heap *heap, struct heap_node *node);
/** heap_first() - the soonest, NULL when empty. */
struct heap_node *heap_first(const struct heap *heap);

#endif
