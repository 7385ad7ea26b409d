/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include "request.h"

#include <stdlib.h>

static void put(struct heap *heap, size_t at, struct op *op)
{
	heap->items[at] = op;
	op->heap_index = at;
}

static void sift_up(struct heap *heap, size_t at)
{
	struct op *op = heap->items[at];

	while (at > 0 && heap->items[(at - 1) / 2]->next_look_ns > op->next_look_ns) {
		put(heap, at, heap->items[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(heap, at, op);
}

static void sift_down(struct heap *heap, size_t at)
{
	struct op *op = heap->items[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= heap->n)
			break;
		if (child + 1 < heap->n &&
		    heap->items[child + 1]->next_look_ns < heap->items[child]->next_look_ns)
			child++;
		if (heap->items[child]->next_look_ns >= op->next_look_ns)
			break;
		put(heap, at, heap->items[child]);
		at = child;
	}
	put(heap, at, op);
}

bool heap_push(struct heap *heap, struct op *op)
{
	if (heap->n == heap->room) {
		size_t room = heap->room ? heap->room * 2 : 64;
		struct op **grown = reallocarray(heap->items, room, sizeof(*grown));

		if (!grown)
			return false;
		heap->items = grown;
		heap->room = room;
	}
	put(heap, heap->n++, op);
	sift_up(heap, op->heap_index);
	return true;
}

void heap_moved(struct heap *heap, struct op *op)
{
	sift_up(heap, op->heap_index);
	sift_down(heap, op->heap_index);
}

void heap_remove(struct heap *heap, struct op *op)
{
	size_t at = op->heap_index;
	struct op *last = heap->items[--heap->n];

	if (last == op)
		return;
	put(heap, at, last);
	heap_moved(heap, last);
}

struct op *heap_first(const struct heap *heap)
{
	return heap->n ? heap->items[0] : NULL;
}
