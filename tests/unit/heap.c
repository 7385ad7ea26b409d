/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(heap, .timeout = 10);

#define N 500

static struct heap_node nodes[N];

static void fill(struct heap *heap)
{
	srand(1);
	for (size_t i = 0; i < N; i++) {
		nodes[i].at_ns = (uint64_t)rand() % 1000;
		cr_assert(heap_push(heap, &nodes[i]));
	}
}

static void expect_sorted(struct heap *heap, size_t n)
{
	uint64_t last = 0;

	for (size_t i = 0; i < n; i++) {
		struct heap_node *node = heap_first(heap);

		cr_assert_not_null(node);
		cr_assert_geq(node->at_ns, last);
		last = node->at_ns;
		heap_remove(heap, node);
	}
	cr_assert_null(heap_first(heap));
	free(heap->items);
}

Test(heap, gives_the_soonest_first)
{
	struct heap heap = {0};

	fill(&heap);
	expect_sorted(&heap, N);
}

Test(heap, stays_in_order_when_times_change_and_items_leave_from_the_middle)
{
	struct heap heap = {0};
	size_t left = N;

	fill(&heap);
	for (size_t i = 0; i < N; i += 3) {
		nodes[i].at_ns = (uint64_t)rand() % 1000;
		heap_moved(&heap, &nodes[i]);
	}
	for (size_t i = 1; i < N; i += 3, left--)
		heap_remove(&heap, &nodes[i]);
	expect_sorted(&heap, left);
}
