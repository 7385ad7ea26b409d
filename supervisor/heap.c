/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <stdlib.h>

static void put(struct heap *heap, size_t at, struct heap_node *node)
{
	heap->items[at] = node;
	node->index = at;
}

static void sift_up(struct heap *heap, size_t at)
{
	struct heap_node *node = heap->items[at];

	while (at > 0 && heap->items[(at - 1) / 2]->at_ns > node->at_ns) {
		put(heap, at, heap->items[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(heap, at, node);
}

static void sift_down(struct heap *heap, size_t at)
{
	struct heap_node *node = heap->items[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= heap->n)
			break;
		if (child + 1 < heap->n &&
		    heap->items[child + 1]->at_ns < heap->items[child]->at_ns)
			child++;
		if (heap->items[child]->at_ns >= node->at_ns)
			break;
		put(heap, at, heap->items[child]);
		at = child;
	}
	put(heap, at, node);
}

bool heap_push(struct heap *heap, struct heap_node *node)
{
	if (heap->n == heap->room) {
		size_t room = heap->room ? heap->room * 2 : 64;
		struct heap_node **grown = reallocarray(heap->items, room, sizeof(*grown));

		if (!grown)
			return false;
		heap->items = grown;
		heap->room = room;
	}
	put(heap, heap->n++, node);
	sift_up(heap, node->index);
	return true;
}

void heap_moved(struct heap *heap, struct heap_node *node)
{
	sift_up(heap, node->index);
	sift_down(heap, node->index);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	size_t at = node->index;
	struct heap_node *last = heap->items[--heap->n];

	if (last == node)
		return;
	put(heap, at, last);
	heap_moved(heap, last);
}

struct heap_node *heap_first(const struct heap *heap)
{
	return heap->n ? heap->items[0] : NULL;
}
