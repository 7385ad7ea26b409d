/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sock_diag.h"

#include <criterion/criterion.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

TestSuite(sock_diag, .timeout = 10);

/* One message as the kernel sends it. */
struct news {
	struct nlmsghdr header;
	struct inet_diag_msg message;
	struct rtattr protocol_header;
	uint8_t protocol, pad[3];
	struct rtattr info_header;
	struct tcp_info info;
} __attribute__((packed));

static struct news make_news(void)
{
	struct news news = {
	    .header = {.nlmsg_len = sizeof(news), .nlmsg_type = SOCK_DIAG_BY_FAMILY},
	    .message = {.idiag_family = AF_INET, .idiag_state = 7, .idiag_rqueue = 3},
	    .protocol_header = {.rta_len = RTA_LENGTH(1), .rta_type = INET_DIAG_PROTOCOL},
	    .protocol = IPPROTO_TCP,
	    .info_header = {.rta_len = RTA_LENGTH(sizeof(struct tcp_info)),
			    .rta_type = INET_DIAG_INFO},
	    .info = {.tcpi_state = 7,
		     .tcpi_bytes_sent = 1000,
		     .tcpi_bytes_retrans = 100,
		     .tcpi_bytes_acked = 902,
		     .tcpi_bytes_received = 51,
		     .tcpi_segs_out = 9,
		     .tcpi_data_segs_out = 5,
		     .tcpi_data_segs_in = 4,
		     .tcpi_last_data_sent = 70,
		     .tcpi_last_data_recv = 60},
	};

	news.message.id = (struct inet_diag_sockid){.idiag_sport = htons(1234),
						    .idiag_dport = htons(80),
						    .idiag_src = {htonl(0x0a090002)},
						    .idiag_dst = {htonl(0x0a090001)},
						    .idiag_cookie = {7, 1}};
	return news;
}

static size_t heard;
static struct sock_end last;

static void hear(void *context, const struct sock_end *end)
{
	cr_assert_null(context);
	heard++;
	last = *end;
}

/* From memory of exactly this size, for the sanitizer. */
static void parse(const void *data, size_t size)
{
	void *copy = malloc(size ? size : 1);

	cr_assert_not_null(copy);
	memcpy(copy, data, size);
	heard = 0;
	sock_diag_parse(copy, size, hear, NULL);
	free(copy);
}

Test(sock_diag, an_end_with_its_numbers)
{
	struct news news = make_news();

	parse(&news, sizeof(news));
	cr_assert_eq(heard, 1);
	cr_expect_eq(last.cookie, UINT64_C(0x100000007));
	cr_expect(last.is_tcp);
	cr_expect_eq(last.unread, 3);
	cr_expect_eq(last.tuple.local.port, 1234);
	cr_expect_eq(last.tuple.remote.port, 80);
	cr_expect_eq(last.tuple.remote.addr.family, AF_INET);
	cr_expect_eq(last.tuple.remote.addr.bytes[3], 1);
	cr_expect_eq(last.tcp.bytes_sent, 900);
	cr_expect_eq(last.tcp.bytes_received, 51);
	cr_expect_eq(last.tcp.segments_sent, 5);
	cr_expect_eq(last.tcp.segments_received, 4);
	cr_expect_eq(last.tcp.quiet_ms, 60);
	cr_expect(last.tcp.fin_acked);
	cr_expect_not(last.tcp.blank);
}

Test(sock_diag, v4_mapped_is_v4)
{
	struct news news = make_news();

	news.message.idiag_family = AF_INET6;
	memset(news.message.id.idiag_src, 0, 16);
	memset(news.message.id.idiag_dst, 0, 16);
	news.message.id.idiag_dst[2] = htonl(0xffff);
	news.message.id.idiag_dst[3] = htonl(0x0a090001);
	parse(&news, sizeof(news));
	cr_assert_eq(heard, 1);
	cr_expect_eq(last.tuple.remote.addr.family, AF_INET);
}

Test(sock_diag, an_older_kernel_tells_less)
{
	struct news news = make_news();

	news.info_header.rta_len = RTA_LENGTH(offsetof(struct tcp_info, tcpi_bytes_acked));
	parse(&news, sizeof(news));
	cr_assert_eq(heard, 1);
	cr_expect_eq(last.tcp.bytes_sent, 0);
	cr_expect_eq(last.tcp.bytes_received, 0);
}

Test(sock_diag, udp_has_no_numbers)
{
	struct news news = make_news();

	news.protocol = IPPROTO_UDP;
	news.header.nlmsg_len = offsetof(struct news, info_header);
	parse(&news, sizeof(news));
	cr_assert_eq(heard, 1);
	cr_expect_not(last.is_tcp);
}

Test(sock_diag, several_in_one_read)
{
	struct news three[3] = {make_news(), make_news(), make_news()};

	three[1].header.nlmsg_type = NLMSG_DONE;
	parse(three, sizeof(three));
	cr_expect_eq(heard, 2);
}

Test(sock_diag, hostile_lengths)
{
	struct news news = make_news();
	static const uint32_t lengths[] = {
	    0, 1, 15, 16, 17, sizeof(struct news) + 1, INT32_MAX, UINT32_MAX};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		news.header.nlmsg_len = lengths[i];
		parse(&news, sizeof(news));
		cr_expect_eq(heard, 0, "length %u", lengths[i]);
	}
	news = make_news();
	for (size_t size = 0; size < sizeof(news); size++) {
		parse(&news, size);
		cr_expect_eq(heard, 0, "cut after %zu", size);
	}
}

Test(sock_diag, hostile_attributes)
{
	static const uint16_t lengths[] = {0, 1, 3, UINT16_MAX};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct news news = make_news();

		news.info_header.rta_len = lengths[i];
		parse(&news, sizeof(news));
		cr_expect_eq(heard, 1);
		cr_expect_eq(last.tcp.bytes_sent, 0);
	}
	for (size_t cut = 0; cut < sizeof(struct news); cut++) {
		struct news news = make_news();

		news.header.nlmsg_len = (uint32_t)cut;
		parse(&news, sizeof(news));
	}
}

Test(sock_diag, another_family_is_nothing)
{
	struct news news = make_news();

	news.message.idiag_family = AF_UNIX;
	parse(&news, sizeof(news));
	cr_expect_eq(heard, 0);
}

Test(sock_diag, whose_fin_it_is)
{
	enum { NOTHING = 0, FIN_WAIT2 = 5, TIME_WAIT = 6 };
	static const struct {
		const char *what;
		uint64_t received;
		bool acked;
		uint32_t unread;
		int left;
		bool fin;
	} rows[] = {
	    {"closed first, the peer has not yet", 100, true, 0, FIN_WAIT2, false},
	    {"closed first, the FIN came with the ACK", 101, true, 1, TIME_WAIT, true},
	    {"the peer first, its end was read", 101, true, 0, NOTHING, true},
	    {"the peer first, its end was not read", 101, true, 1, NOTHING, true},
	    {"half-closed, its end was read", 101, true, 0, TIME_WAIT, true},
	    {"reset with data unread", 100, false, 100, NOTHING, false},
	    {"reset", 100, false, 0, NOTHING, false},
	    {"nothing came at all", 0, true, 0, NOTHING, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sock_end end = {
		    .is_tcp = true,
		    .unread = rows[i].unread,
		    .tcp = {.bytes_received = rows[i].received, .fin_acked = rows[i].acked}};

		cr_expect_eq(sock_end_fin(&end, rows[i].left), rows[i].fin, "%s", rows[i].what);
	}
}
