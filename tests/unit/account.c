/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"
#include "flows.h"
#include "shared/base/clock.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(account, .timeout = 30);

#define SECOND UINT64_C(1000000000)

static struct plan plan;
static struct account *account;
static uint64_t woken;

static void wake(void *context, uint64_t at_ns)
{
	cr_assert_null(context);
	woken = at_ns;
}

/* The plan as the test has set it; without a limit where it has set none. */
static void begin(void)
{
	struct account_config config = {.plan = &plan, .wake = wake};
	char error[256];

	for (int i = 0; i < QUOTA_KINDS; i++) {
		plan.quotas[i].loc.file = 3;
		if (!plan.quotas[i].per_minute)
			plan.quotas[i].per_minute = QUOTA_UNLIMITED;
		if (!plan.quotas[i].per_day)
			plan.quotas[i].per_day = QUOTA_UNLIMITED;
	}
	config.quotas = quotas_open(NULL, plan.quotas, DAY_UTC, error, sizeof(error));
	cr_assert_not_null(config.quotas);
	account = account_new(&config);
	cr_assert_not_null(account);
}

static struct account_caller caller_of(uint64_t cookie)
{
	return (struct account_caller){.pid = 100,
				       .tid = 101,
				       .process = "prog",
				       .fd = 5,
				       .cookie = cookie,
				       .domain = AF_INET};
}

static struct net_endpoint place(uint8_t address, uint16_t port)
{
	struct net_endpoint to = {.port = port};

	to.addr.family = AF_INET;
	to.addr.bytes[0] = 10;
	to.addr.bytes[3] = address;
	return to;
}

/* Connects socket @cookie from local port @port.  Return: what the account said before. */
static enum account_answer connect_from(uint64_t cookie, uint16_t port, bool certain)
{
	struct account_caller caller = caller_of(cookie);
	struct sock_tuple tuple = {.local = place(2, port), .remote = place(1, 80)};
	enum quota_kind spent;
	enum account_answer answer = account_may_connect(account, &caller, &spent);

	if (answer == ACCOUNT_FINE)
		account_connected(account, &caller, &tuple.remote, &tuple, certain);
	return answer;
}

static bool is_begun(uint64_t cookie)
{
	struct account_caller caller = caller_of(cookie);
	enum quota_kind spent;

	return account_may_begin(account, &caller, &spent) == ACCOUNT_BEGUN;
}

static enum account_answer send_to(uint64_t cookie, const struct net_endpoint *to, size_t size)
{
	struct account_caller caller = caller_of(cookie);
	enum quota_kind spent;
	enum account_answer answer = account_may_send(account, &caller, size, 1, &spent);

	if (answer == ACCOUNT_FINE)
		cr_expect(account_sent(account, &caller, to, (long)size, size, 1));
	return answer;
}

static enum account_todo look_at(uint64_t cookie, const struct tcp_numbers *numbers, uint64_t now)
{
	struct account_look look = {.cookie = cookie};

	return account_looked(account, now, &look, numbers);
}

static void end_socket(uint64_t cookie, uint64_t sent, uint64_t received, bool fin)
{
	struct sock_end end = {.cookie = cookie,
			       .is_tcp = true,
			       .tcp = {.bytes_sent = sent, .bytes_received = received}};

	cr_expect(account_ended(account, &end, fin));
}

static struct usage total(void)
{
	struct status status = {0};
	struct usage sum;

	cr_assert_eq(account_picture(account, &status), 0);
	sum = status.total;
	free(status.sockets);
	free(status.flows);
	return sum;
}

static uint64_t lost_sockets(void)
{
	struct status status = {0};

	cr_assert_eq(account_picture(account, &status), 0);
	free(status.sockets);
	free(status.flows);
	return status.lost;
}

Test(account, a_connection_from_begin_to_end)
{
	begin();
	cr_expect_eq(connect_from(1, 1000, true), ACCOUNT_FINE);
	cr_expect(account_has(account, 1));
	cr_expect(is_begun(1));
	look_at(1, &(struct tcp_numbers){.bytes_sent = 100, .bytes_received = 10}, clock_now_ns());
	cr_expect_eq(total().bytes_sent, 100);
	look_at(1, &(struct tcp_numbers){.bytes_sent = 150, .bytes_received = 10}, clock_now_ns());
	cr_expect_eq(total().bytes_sent, 150);
	end_socket(1, 170, 21, true);
	cr_expect_eq(total().bytes_sent, 170);
	cr_expect_eq(total().bytes_received, 20, "less the FIN");
	cr_expect_eq(total().connects, 1);
	cr_expect_not(account_has(account, 1));
	cr_expect_not(account_ended(account, &(struct sock_end){.cookie = 1}, false));
	cr_expect_eq(lost_sockets(), 0);
}

Test(account, what_was_counted_is_not_taken_back)
{
	begin();
	connect_from(1, 1000, true);
	look_at(1, &(struct tcp_numbers){.bytes_sent = 1000}, clock_now_ns());
	look_at(1, &(struct tcp_numbers){.bytes_sent = 900}, clock_now_ns());
	cr_expect_eq(total().bytes_sent, 1000);
	look_at(1, &(struct tcp_numbers){.bytes_sent = 1100}, clock_now_ns());
	cr_expect_eq(total().bytes_sent, 1100, "the 100 between are no new ones");
}

Test(account, asked_how_a_connect_fares_it_counts_once)
{
	plan.quotas[QUOTA_CONNECTS].per_day = 3;
	begin();
	connect_from(1, 1000, true);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(connect_from(1, 1000, false), ACCOUNT_FINE);
	cr_expect_eq(total().connects, 1);
	/* From another port it is another connection; from the same it is one where that is certain. */
	connect_from(1, 1001, false);
	connect_from(1, 1001, true);
	cr_expect_eq(total().connects, 3);
	cr_expect_eq(connect_from(2, 1002, true), ACCOUNT_SPENT);
	cr_expect(is_begun(1), "asking takes nothing, so it is answered when nothing is left");
}

Test(account, a_failed_connect_is_told_once)
{
	struct account_caller caller = caller_of(1);
	struct net_endpoint to = place(1, 80);
	enum quota_kind spent;

	begin();
	connect_from(1, 1000, true);
	cr_expect_eq(account_may_connect(account, &caller, &spent), ACCOUNT_FINE);
	account_failed(account, &caller, &to);
	cr_expect_eq(total().connects, 1, "it only fetched the error");
	cr_expect_not(is_begun(1));
	cr_expect_eq(account_may_connect(account, &caller, &spent), ACCOUNT_FINE);
	account_failed(account, &caller, &to);
	cr_expect_eq(total().connects, 2, "this one failed at once");
}

Test(account, disconnected_and_connected_anew)
{
	begin();
	connect_from(1, 1000, true);
	account_counted(account, 1, &(struct tcp_numbers){.bytes_sent = 500});
	cr_expect_not(is_begun(1));
	connect_from(1, 1000, false);
	look_at(1, &(struct tcp_numbers){.bytes_sent = 30}, clock_now_ns());
	end_socket(1, 40, 0, false);
	cr_expect_eq(total().bytes_sent, 540);
	cr_expect_eq(total().connects, 2);
}

Test(account, datagrams_to_several_destinations)
{
	struct net_endpoint one = place(1, 53), two = place(2, 53);
	struct account_caller caller = caller_of(1);
	enum quota_kind spent;

	begin();
	send_to(1, &one, 10);
	send_to(1, &two, 20);
	cr_expect_eq(total().connects, 0);
	account_aimed(account, &caller, &two);
	cr_expect_eq(total().connects, 0, "not before the first datagram");
	send_to(1, NULL, 40);
	send_to(1, NULL, 80);
	cr_expect_eq(total().connects, 1);
	cr_expect_eq(total().bytes_sent, 150);
	cr_expect_eq(total().datagrams_sent, 4);
	cr_expect_eq(account_may_send(account, &caller, 7, 1, &spent), ACCOUNT_FINE);
	cr_expect(account_sent(account, &caller, NULL, -111, 7, 1));
	cr_expect_eq(total().bytes_sent, 150, "refused");
	account_aimed(account, &caller, NULL);
	cr_expect_eq(account_may_send(account, &caller, 7, 1, &spent), ACCOUNT_FINE);
	cr_expect_not(account_sent(account, &caller, NULL, 7, 7, 1), "to where is not known");
}

Test(account, more_sockets_than_there_is_room_for)
{
	struct net_endpoint to = place(1, 53);

	begin();
	for (uint64_t i = 1; i <= ACCOUNT_SOCKETS_MAX; i++)
		cr_assert_eq(send_to(i, &to, 1), ACCOUNT_FINE);
	cr_expect_eq(send_to(ACCOUNT_SOCKETS_MAX + 1, &to, 1), ACCOUNT_FULL);
	cr_expect_eq(send_to(1, &to, 1), ACCOUNT_FINE);
	cr_expect(account_ended(account, &(struct sock_end){.cookie = 7}, false));
	cr_expect_eq(send_to(ACCOUNT_SOCKETS_MAX + 1, &to, 1), ACCOUNT_FINE);
	cr_expect_eq(total().bytes_sent, ACCOUNT_SOCKETS_MAX + 2);
}

static struct usage take_all(size_t max, size_t *rows)
{
	struct status_flow *flows = calloc(max, sizeof(*flows));
	struct usage sum = {0};
	uint64_t lost;

	*rows = 0;
	while (account_unwritten(account)) {
		size_t n = account_take(account, flows, max, &lost);

		cr_assert_leq(n, max);
		for (size_t i = 0; i < n; i++)
			usage_add(&sum, &flows[i].usage);
		*rows += n;
	}
	free(flows);
	return sum;
}

Test(account, the_ledger_gets_all_of_it_once)
{
	size_t rows;

	begin();
	for (uint16_t i = 0; i < 100; i++) {
		struct net_endpoint to = place(1, i);

		send_to(1, &to, 10);
	}
	cr_expect_eq(take_all(32, &rows).bytes_sent, 1000, "more than one batch");
	cr_expect_eq(rows, 100);
	cr_expect_not(account_unwritten(account));
	send_to(1, &(struct net_endpoint){.addr = place(1, 0).addr, .port = 5}, 1);
	cr_expect_eq(take_all(32, &rows).bytes_sent, 1);
	cr_expect_eq(rows, 1);
	for (uint16_t i = 0; i < 64; i++) {
		struct net_endpoint to = place(1, i);

		send_to(1, &to, 2);
	}
	cr_expect_eq(take_all(32, &rows).bytes_sent, 128, "batches that are exactly full");
}

Test(account, beyond_the_flows_there_is_a_sum)
{
	size_t rows;
	struct usage sum;

	begin();
	for (uint32_t i = 0; i < FLOWS_MAX + 1000; i++) {
		struct net_endpoint to = place((uint8_t)(i >> 16), (uint16_t)i);

		send_to(1, &to, 1);
	}
	sum = take_all(1024, &rows);
	cr_expect_eq(rows, FLOWS_MAX + 1);
	cr_expect_eq(sum.bytes_sent, FLOWS_MAX + 1000);
	cr_expect_eq(total().bytes_sent, FLOWS_MAX + 1000);
}

Test(account, news_was_lost)
{
	uint64_t now = clock_now_ns(), lost;
	struct net_endpoint to = place(1, 53);
	struct account_look look;
	struct status_flow row;

	begin();
	connect_from(1, 1000, true);
	connect_from(2, 1001, true);
	send_to(3, &to, 5);
	account_doubt(account, now);
	cr_expect_not(account_has(account, 3), "UDP is forgotten until it is used");
	cr_expect_leq(account_next_look(account), now);
	for (int i = 0; i < 2; i++) {
		while (account_due(account, now, &look)) {
			look.gone = look.cookie == 1;
			cr_expect(i == 0 ? look.traffic == 0
					 : look.cookie != 1 || look.traffic == 0);
			look.traffic = 7;
			account_looked(account, now, &look, NULL);
		}
		cr_expect_eq(lost_sockets(), (uint64_t)i, "gone twice, a second apart");
		now += 2 * SECOND;
	}
	cr_expect_not(account_has(account, 1));
	cr_expect(account_has(account, 2));
	account_take(account, &row, 1, &lost);
	cr_expect_eq(lost, 1);
	account_take(account, &row, 1, &lost);
	cr_expect_eq(lost, 0, "told once");
	cr_expect_eq(send_to(3, &to, 5), ACCOUNT_FINE);
}

Test(account, news_was_lost_in_the_middle_of_a_call)
{
	struct account_caller tcp = caller_of(1), udp = caller_of(2);
	struct sock_tuple tuple = {.local = place(2, 1000), .remote = place(1, 80)};
	struct net_endpoint to = place(1, 53);
	enum quota_kind spent;

	begin();
	cr_expect_eq(account_may_connect(account, &tcp, &spent), ACCOUNT_FINE);
	cr_expect_eq(account_may_send(account, &udp, 10, 1, &spent), ACCOUNT_FINE);
	account_doubt(account, clock_now_ns());
	account_connected(account, &tcp, &tuple.remote, &tuple, true);
	cr_expect(account_sent(account, &udp, &to, 10, 10, 1));
	cr_expect_eq(total().connects, 1);
	cr_expect_eq(total().bytes_sent, 10);
	end_socket(1, 100, 0, false);
	cr_expect_eq(total().bytes_sent, 110);
}

Test(account, at_the_end_what_is_open_counts_as_lost)
{
	begin();
	connect_from(1, 1000, true);
	account_give_up(account, false);
	cr_expect_eq(lost_sockets(), 0);
	cr_expect_eq(account_open_tcp(account, true), 1);
	cr_expect_eq(account_next_look(account), 0);
	account_give_up(account, true);
	cr_expect_eq(lost_sockets(), 1);
	cr_expect_eq(account_open_tcp(account, false), 0);
}

/* Where no news comes at all. */
Test(account, without_news_ended_sockets_are_forgotten_all_the_same)
{
	struct net_endpoint to = place(1, 53);
	uint64_t now;

	begin();
	account_deaf(account);
	connect_from(1, 1000, true);
	cr_expect_eq(send_to(2, &to, 5), ACCOUNT_FINE);
	now = clock_now_ns();
	for (int i = 0; i < 2; i++, now += 60 * SECOND) {
		struct account_look look = {.cookie = 1, .gone = true};

		account_looked(account, now, &look, NULL);
	}
	cr_expect_not(account_has(account, 1), "gone twice");
	cr_expect_eq(lost_sockets(), 1);
	account_shut(account, 2, ACCOUNT_RECLAIM, false);
	cr_expect_not(account_has(account, 2), "idle, and nobody has it");
}

Test(account, numbers_that_were_set_to_zero_are_lost)
{
	struct sock_end end = {.cookie = 1, .is_tcp = true, .tcp = {.blank = true}};

	begin();
	connect_from(1, 1000, true);
	look_at(1, &(struct tcp_numbers){.bytes_sent = 1000}, clock_now_ns());
	cr_expect(account_ended(account, &end, false));
	cr_expect_eq(lost_sockets(), 1);
	cr_expect_eq(total().bytes_sent, 1000);
}

Test(account, idle_is_counted_from_the_last_byte)
{
	uint64_t now;

	plan.idle.ms = 10000;
	begin();
	connect_from(1, 1000, true);
	now = clock_now_ns();
	cr_expect_eq(look_at(1, NULL, now + 9 * SECOND), ACCOUNT_LEAVE);
	/* A byte five seconds before the deadline. */
	cr_expect_eq(look_at(1, &(struct tcp_numbers){.quiet_ms = 5000}, now + 11 * SECOND),
		     ACCOUNT_LEAVE);
	cr_expect_leq(account_next_look(account), now + 16 * SECOND);
	cr_expect_eq(look_at(1, NULL, now + 15 * SECOND), ACCOUNT_LEAVE);
	cr_expect_eq(look_at(1, NULL, now + 17 * SECOND), ACCOUNT_RECLAIM);
	account_shut(account, 1, ACCOUNT_RECLAIM, true);
	cr_expect_eq(look_at(1, NULL, now + 60 * SECOND), ACCOUNT_LEAVE, "once");
	cr_expect_eq(connect_from(1, 1001, true), ACCOUNT_CLOSED);
}

Test(account, what_is_in_flight_is_tried_again_a_second_later_unless_used)
{
	uint64_t now;

	plan.idle.ms = 10000;
	begin();
	connect_from(1, 1000, true);
	now = clock_now_ns() + 11 * SECOND;
	cr_expect_eq(look_at(1, NULL, now), ACCOUNT_RECLAIM);
	account_shut(account, 1, ACCOUNT_RECLAIM, false);
	cr_expect_geq(account_next_look(account), now + SECOND, "no spinning");
	cr_expect_eq(look_at(1, NULL, now + SECOND), ACCOUNT_RECLAIM);
	cr_expect_eq(look_at(1, &(struct tcp_numbers){.quiet_ms = 100}, now + 2 * SECOND),
		     ACCOUNT_LEAVE, "used in the meantime");
}

Test(account, udp_is_closed_without_being_found)
{
	struct net_endpoint to = place(1, 53);

	plan.idle.ms = 10000;
	begin();
	send_to(1, &to, 1);
	cr_expect_eq(look_at(1, NULL, clock_now_ns() + 11 * SECOND), ACCOUNT_RECLAIM);
	account_shut(account, 1, ACCOUNT_RECLAIM, false);
	cr_expect_eq(send_to(1, &to, 1), ACCOUNT_CLOSED);
}

Test(account, bytes_are_used_up_and_every_connection_is_shut)
{
	uint64_t now = clock_now_ns();
	struct account_look look;
	unsigned int shut = 0;

	plan.quotas[QUOTA_BYTES_SENT].per_day = 1000;
	begin();
	for (uint16_t i = 1; i <= 5; i++)
		connect_from(i, 1000 + i, true);
	cr_expect_eq(look_at(3, &(struct tcp_numbers){.bytes_sent = 999}, now), ACCOUNT_LEAVE);
	cr_expect_eq(look_at(3, &(struct tcp_numbers){.bytes_sent = 1500}, now),
		     ACCOUNT_SHUT_WRITING);
	cr_expect_eq(account_spent_loc(account).file, 3);
	account_shut(account, 3, ACCOUNT_SHUT_WRITING, true);
	while (account_due(account, now, &look)) {
		cr_expect_eq(account_looked(account, now, &look, NULL), ACCOUNT_SHUT_WRITING);
		account_shut(account, look.cookie, ACCOUNT_SHUT_WRITING, true);
		shut++;
	}
	cr_expect_eq(shut, 4);
	cr_expect_eq(connect_from(6, 1006, true), ACCOUNT_SPENT);
}

Test(account, what_may_be_received_is_used_up_and_every_connection_is_shut_both_ways)
{
	uint64_t now = clock_now_ns();
	struct account_look look;

	plan.quotas[QUOTA_BYTES_SENT].per_day = 1000;
	plan.quotas[QUOTA_BYTES_RECEIVED].per_day = 1000;
	begin();
	connect_from(1, 1001, true);
	connect_from(2, 1002, true);
	cr_expect_eq(look_at(1, &(struct tcp_numbers){.bytes_sent = 1500}, now),
		     ACCOUNT_SHUT_WRITING);
	account_shut(account, 1, ACCOUNT_SHUT_WRITING, true);
	/* One that is shut for writing takes what its peer sends. */
	cr_expect_eq(
	    look_at(1, &(struct tcp_numbers){.bytes_sent = 1500, .bytes_received = 1500}, now),
	    ACCOUNT_SHUT);
	account_shut(account, 1, ACCOUNT_SHUT, true);
	cr_assert(account_due(account, now, &look));
	cr_expect_eq(account_looked(account, now, &look, NULL), ACCOUNT_SHUT_WRITING);
	account_shut(account, 2, ACCOUNT_SHUT_WRITING, true);
	cr_expect_eq(
	    look_at(1, &(struct tcp_numbers){.bytes_sent = 1500, .bytes_received = 1600}, now),
	    ACCOUNT_LEAVE);
	cr_assert(account_due(account, now, &look));
	cr_expect_eq(look.cookie, 2);
	cr_expect_eq(account_looked(account, now, &look, NULL), ACCOUNT_SHUT);
}

Test(account, packets_are_looked_at_as_often_as_bytes)
{
	uint64_t now = clock_now_ns(), far;

	plan.quotas[QUOTA_RECEIVES].per_day = 1000;
	begin();
	connect_from(1, 1000, true);
	look_at(1, &(struct tcp_numbers){.bytes_received = 400, .segments_received = 400}, now);
	far = account_next_look(account);
	cr_expect_lt(far, now + SECOND, "the rest is used up sooner");
}

Test(account, with_a_limit_a_fast_connection_is_looked_at_often)
{
	uint64_t now = clock_now_ns(), far;

	begin();
	connect_from(1, 1000, true);
	far = account_next_look(account);
	cr_expect_geq(far, now + 4 * SECOND, "without a limit the ledger's interval will do");
	plan.quotas[QUOTA_BYTES_SENT].per_day = 1000000000;
	begin();
	connect_from(1, 1000, true);
	cr_expect_leq(account_next_look(account), clock_now_ns() + SECOND / 10);
	cr_expect_eq(woken, account_next_look(account));
	look_at(1, &(struct tcp_numbers){.bytes_sent = 900000000}, now);
	cr_expect_leq(account_next_look(account), now + SECOND / 10,
		      "a tenth is left, and gone soon");
}

Test(account, datagrams_never_go_beyond_a_limit)
{
	struct net_endpoint to = place(1, 53);

	plan.quotas[QUOTA_BYTES_SENT].per_day = 100;
	plan.quotas[QUOTA_SENDS].per_day = 5;
	begin();
	cr_expect_eq(send_to(1, &to, 60), ACCOUNT_FINE);
	cr_expect_eq(send_to(1, &to, 60), ACCOUNT_SPENT);
	cr_expect_eq(send_to(1, &to, 40), ACCOUNT_FINE);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(send_to(1, &to, 0), i < 3 ? ACCOUNT_FINE : ACCOUNT_SPENT);
	cr_expect_eq(total().bytes_sent, 100);
}

Test(account, creates_are_counted_at_the_first_use)
{
	struct net_endpoint to = place(1, 53);

	plan.quotas[QUOTA_CREATES].per_day = 2;
	begin();
	cr_expect_eq(send_to(1, &to, 1), ACCOUNT_FINE);
	cr_expect_eq(send_to(2, &to, 1), ACCOUNT_FINE);
	cr_expect_eq(send_to(3, &to, 1), ACCOUNT_SPENT);
	cr_expect_eq(send_to(1, &to, 1), ACCOUNT_FINE);
}
