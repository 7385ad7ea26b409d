/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Two accounts of one app, as two supervisors have them. */
static struct plan plan;
static const struct net_endpoint there = {{AF_INET, {192, 0, 2, 1}, 0}, 443};
static const struct sock_tuple tuple = {{{AF_INET, {192, 0, 2, 9}, 0}, 40000},
					{{AF_INET, {192, 0, 2, 1}, 0}, 443}};

static struct account *make_account(uint64_t idle_ms)
{
	struct account_config config = {.plan = &plan};
	char error[64];

	for (int i = 0; i < QUOTA_KINDS; i++)
		plan.quotas[i].per_minute = plan.quotas[i].per_day = QUOTA_UNLIMITED;
	plan.idle.ms = idle_ms;
	config.quotas = quotas_open(NULL, plan.quotas, DAY_UTC, error, sizeof(error));
	return account_new(&config);
}

static struct account_caller caller(uint64_t cookie)
{
	return (struct account_caller){
	    .pid = 1, .tid = 1, .process = "p", .fd = 3, .cookie = cookie, .domain = AF_INET};
}

static struct usage sum_of(struct account *account)
{
	struct status status = {0};

	cr_assert_eq(account_picture(account, &status), 0);
	free(status.sockets);
	free(status.flows);
	return status.total;
}

static void connect_tcp(struct account *account, uint64_t cookie)
{
	struct account_caller who = caller(cookie);
	enum quota_kind spent;

	cr_assert_eq(account_may_connect(account, &who, &spent), ACCOUNT_FINE);
	account_connected(account, &who, &there, &tuple, true);
}

static struct sock_end end_of(uint64_t cookie, uint64_t sent, uint64_t received)
{
	return (struct sock_end){.cookie = cookie,
				 .is_tcp = true,
				 .tcp = {.bytes_sent = sent, .bytes_received = received}};
}

Test(account_move, each_byte_is_billed_once)
{
	struct account *from = make_account(0), *to = make_account(0);
	struct account_caller who = caller(7);
	struct tcp_numbers numbers = {.bytes_sent = 100, .bytes_received = 50};
	struct moved_socket moved = {.domain = AF_INET, .transport = TRANSPORT_TCP};
	struct sock_end end = end_of(7, 130, 51);
	enum quota_kind spent;

	connect_tcp(from, 7);
	cr_assert_eq(account_offer(from, &who, TRANSPORT_TCP, &spent), ACCOUNT_FINE);
	cr_expect_eq(account_open_tcp(from, false), 0u, "nobody waits for what is on offer");
	account_release(from, 7, &numbers, false, &moved);
	cr_expect_not(account_has(from, 7));
	cr_assert_eq(account_adopt(to, &who, &moved, false), ACCOUNT_FINE);
	cr_expect(account_is_connected(to, 7));
	account_ended(from, &end, false);
	account_ended(to, &end, false);
	cr_expect_eq(sum_of(from).bytes_sent, 100u);
	cr_expect_eq(sum_of(from).bytes_received, 50u);
	cr_expect_eq(sum_of(from).connects, 1u);
	cr_expect_eq(sum_of(to).bytes_sent, 30u);
	cr_expect_eq(sum_of(to).bytes_received, 1u);
	cr_expect_eq(sum_of(to).connects, 0u);
}

Test(account_move, a_shared_connection_is_billed_by_who_claimed_it)
{
	struct account *from = make_account(1), *to = make_account(1);
	struct account_caller who = caller(7);
	struct tcp_numbers numbers = {.bytes_sent = 100};
	struct moved_socket moved = {.domain = AF_INET, .transport = TRANSPORT_TCP};
	struct sock_end end = end_of(7, 130, 0);
	enum quota_kind spent;

	connect_tcp(from, 7);
	account_offer(from, &who, TRANSPORT_TCP, &spent);
	account_release(from, 7, &numbers, true, &moved);
	cr_expect(account_has(from, 7));
	cr_expect(account_is_connected(from, 7), "it may be put on offer again");
	cr_expect_eq(account_next_look(from), UINT64_MAX, "its idleness is not ours to judge");
	account_adopt(to, &who, &moved, false);
	account_ended(from, &end, false);
	account_ended(to, &end, false);
	cr_expect_eq(sum_of(from).bytes_sent + sum_of(to).bytes_sent, 130u);
}

Test(account_move, a_shared_connection_that_is_claimed_twice_is_billed_once)
{
	struct account *from = make_account(1), *to[2] = {make_account(1), make_account(1)};
	struct account_caller who = caller(7);
	struct tcp_numbers numbers = {.bytes_sent = 100}, more = {.bytes_sent = 120};
	struct sock_end end = end_of(7, 130, 0);
	enum quota_kind spent;

	connect_tcp(from, 7);
	for (int i = 0; i < 3; i++) {
		struct moved_socket moved = {.domain = AF_INET, .transport = TRANSPORT_TCP};

		cr_assert_eq(account_offer(from, &who, TRANSPORT_TCP, &spent), ACCOUNT_FINE);
		account_release(from, 7, i ? &more : &numbers, true, &moved);
		cr_expect_eq(moved.elsewhere, i > 0);
		/* By two instances, and by the first of them once more. */
		cr_assert_eq(account_adopt(to[i % 2], &who, &moved, false), ACCOUNT_FINE);
		cr_expect(account_is_connected(to[i % 2], 7), "it may be put on offer from there");
	}
	account_ended(from, &end, false);
	account_ended(to[0], &end, false);
	account_ended(to[1], &end, false);
	cr_expect_eq(sum_of(from).bytes_sent, 100u);
	cr_expect_eq(sum_of(to[0]).bytes_sent, 30u);
	cr_expect_eq(sum_of(to[1]).bytes_sent, 0u);
}

Test(account_move, what_is_on_offer_ends_even_where_nothing_idles_out)
{
	struct account *account = make_account(0);
	struct account_caller who = caller(9);
	enum quota_kind spent;

	account_offer(account, &who, TRANSPORT_UDP, &spent);
	cr_expect_neq(account_next_look(account), UINT64_MAX);
	account_withdraw(account, 9);
	cr_expect_eq(account_next_look(account), UINT64_MAX);
}

Test(account_move, what_is_left_in_its_place_can_do_nothing)
{
	struct account *account = make_account(0);
	struct account_caller who = caller(11);
	enum quota_kind spent;

	account_put_aside(account, &who, TRANSPORT_UDP);
	cr_expect_eq(account_may_send(account, &who, 1, 1, &spent), ACCOUNT_HANDED);
	cr_expect_eq(account_may_bind(account, &who, TRANSPORT_UDP, &spent), ACCOUNT_HANDED);
	cr_expect_eq(account_offer(account, &who, TRANSPORT_UDP, &spent), ACCOUNT_HANDED);
	cr_expect_eq(account_next_look(account), UINT64_MAX);
}

Test(account_move, the_idle_clock_runs_on)
{
	struct account *account = make_account(600000);
	struct account_caller who = caller(13);
	struct moved_socket moved = {.domain = AF_INET,
				     .transport = TRANSPORT_UDP,
				     .age_ns = UINT64_MAX,
				     .quiet_ns = UINT64_C(500) * 1000000000u};
	struct status status = {0};

	account_adopt(account, &who, &moved, true);
	cr_assert_eq(account_picture(account, &status), 0);
	cr_assert_eq(status.n_sockets, 1u);
	cr_expect_geq(status.sockets[0].idle_ms, 499000u);
	cr_expect_eq(status.on_offer, 1u);
	free(status.sockets);
	free(status.flows);
}
