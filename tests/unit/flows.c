/* SPDX-License-Identifier: Apache-2.0 */
#include "flows.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(flows, .timeout = 10);

static struct net_endpoint place(uint32_t address, uint16_t port)
{
	struct net_endpoint to = {.port = port};

	to.addr.family = AF_INET;
	memcpy(to.addr.bytes, &address, sizeof(address));
	return to;
}

static struct flows *make(void)
{
	struct flows *flows = calloc(1, sizeof(*flows));

	cr_assert_not_null(flows);
	flows_init(flows);
	return flows;
}

Test(flows, found_again_by_process_transport_address_and_port)
{
	struct flows *flows = make();
	struct net_endpoint a = place(1, 80), b = place(1, 81), c = place(2, 80);
	struct flow *flow = flows_add(flows, 10, "a", TRANSPORT_TCP, &a, "name");

	cr_expect_eq(flows_find(flows, 10, TRANSPORT_TCP, &a), flow);
	cr_expect_null(flows_find(flows, 11, TRANSPORT_TCP, &a));
	cr_expect_null(flows_find(flows, 10, TRANSPORT_UDP, &a));
	cr_expect_null(flows_find(flows, 10, TRANSPORT_TCP, &b));
	cr_expect_null(flows_find(flows, 10, TRANSPORT_TCP, &c));
	cr_expect_str_eq(flow->host, "name");
}

Test(flows, long_names_are_cut)
{
	struct net_endpoint a = place(1, 80);
	struct flow *flow =
	    flows_add(make(), 10, "a name of more than fifteen letters", TRANSPORT_TCP, &a, "");

	cr_expect_str_eq(flow->process, "a name of more ");
}

Test(flows, beyond_the_bound_they_are_summed_up)
{
	struct flows *flows = make();
	struct net_endpoint to;
	struct flow *last = NULL;

	for (uint32_t i = 0; i < FLOWS_MAX; i++) {
		to = place(i, 80);
		last = flows_add(flows, 10, "p", TRANSPORT_TCP, &to, "");
		cr_assert_neq(last, &flows->rest[0]);
	}
	to = place(FLOWS_MAX, 80);
	cr_expect_eq(flows_add(flows, 10, "p", TRANSPORT_TCP, &to, ""), &flows->rest[0]);
	cr_expect_eq(flows_add(flows, 10, "p", TRANSPORT_UDP, &to, ""), &flows->rest[1]);
	cr_expect_eq(flows->rest[1].transport, TRANSPORT_UDP);
	cr_expect_null(flows_find(flows, 10, TRANSPORT_TCP, &to));
	to = place(FLOWS_MAX - 1, 80);
	cr_expect_eq(flows_find(flows, 10, TRANSPORT_TCP, &to), last);
	cr_expect_eq(flows->n, FLOWS_MAX);
}

Test(flows, in_the_order_of_their_making)
{
	struct flows *flows = make();
	uint16_t port = 0;

	for (uint16_t i = 0; i < 100; i++) {
		struct net_endpoint to = place(7, i);

		flows_add(flows, 10, "p", TRANSPORT_UDP, &to, "");
	}
	for (struct flow *flow = flows->first; flow; flow = flow->later)
		cr_expect_eq(flow->to.port, port++);
	cr_expect_eq(port, 100);
}
