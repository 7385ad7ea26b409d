/* SPDX-License-Identifier: Apache-2.0 */
#include "handover/blake2s.h"
#include "handover/exchange.h"
#include "handover/token.h"
#include "shared/gae_sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t key[TOKEN_KEY_SIZE] = {1, 2, 3, 4};
static const uint8_t other_key[TOKEN_KEY_SIZE] = {1, 2, 3, 5};

static void expect_hash(const char *hex, size_t key_size, size_t size)
{
	uint8_t secret[32], data[256], hash[32];
	char text[65];

	for (int i = 0; i < 256; i++)
		data[i] = (uint8_t)i;
	memcpy(secret, data, sizeof(secret));
	blake2s(hash, sizeof(hash), secret, key_size, data, size);
	for (int i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	cr_expect_str_eq(text, hex, "%zu bytes, key of %zu: %s", size, key_size, text);
}

/* RFC 7693, appendix B; the others are what OpenSSL gives (by way of Python's hashlib). */
Test(handover, blake2s_gives_the_published_hashes)
{
	uint8_t hash[32];

	blake2s(hash, 32, NULL, 0, "abc", 3);
	cr_expect_eq(memcmp(hash,
			    "\x50\x8c\x5e\x8c\x32\x7c\x14\xe2\xe1\xa7\x2b\xa3\x4e\xeb\x45\x2f"
			    "\x37\x45\x8b\x20\x9e\xd6\x3a\x29\x4d\x99\x9b\x4c\x86\x67\x59\x82",
			    32),
		     0);
	expect_hash("69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9", 0, 0);
	expect_hash("48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49", 32, 0);
	expect_hash("40d15fee7c328830166ac3f918650f807e7e01e177258cdc0a39b11f598066f1", 32, 1);
	expect_hash("8975b0577fd35566d750b362b0897a26c399136df07bababbde6203ff2954ed4", 32, 64);
	expect_hash("21fe0ceb0052be7fb0f004187cacd7de67fa6eb0938d927677f2398c132317a8", 32, 65);
	expect_hash("3fb735061abc519dfe979e54c1ee5bfad0a9d858b3315bad34bde999efd724dd", 32, 255);
	expect_hash("56f34e8b96557e90c1f24b52d0c89d51086acf1b00f634cf1dde9233b8eaaa3e", 0, 64);
	expect_hash("1b53ee94aaf34e4b159d48de352c7f0661d0a40edff95a0b1639b4090e974472", 0, 65);
	expect_hash("1fa877de67259d19863a2a34bcc6962a2b25fcbf5cbecd7ede8f1fa36688a796", 0, 128);
	expect_hash("88bea65dc5d9609fc0ddc6b1644e465af66ceb5b3b8e5a04c8cf7c8ed42e3814", 5, 63);
}

static struct token some_token(void)
{
	struct token token = {.instance = "4711.handover"};

	memset(token.id, 0xab, sizeof(token.id));
	return token;
}

Test(handover, a_token_is_read_as_it_was_written)
{
	struct token_app app = token_app("demo", 1000);
	struct token token = some_token(), read;
	char text[GAE_DESCRIPTOR_MAX];
	size_t size = token_format(&token, &app, key, text);

	cr_expect_eq(size, strlen(text));
	cr_expect_eq(token_parse(text, size, &app, key, &read), 0);
	cr_expect_str_eq(read.instance, token.instance);
	cr_expect_eq(memcmp(read.id, token.id, sizeof(token.id)), 0);
	cr_expect_eq(token_parse(text, size + 1, &app, key, &read), 0, "with its NUL");
	cr_expect_eq(token_parse(text, size + 2, &app, key, &read), -EINVAL, "and no more");
	strcpy(token.instance, "4294967295-9.handover");
	size = token_format(&token, &app, key, text);
	cr_expect_lt(size, (size_t)GAE_DESCRIPTOR_MAX);
	cr_expect_eq(token_parse(text, size, &app, key, &read), 0);
}

Test(handover, no_byte_of_a_token_can_be_changed)
{
	struct token_app app = token_app("demo", 1000);
	struct token token = some_token(), read;
	char text[GAE_DESCRIPTOR_MAX], changed[GAE_DESCRIPTOR_MAX];
	size_t size = token_format(&token, &app, key, text);

	for (size_t i = 0; i < size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(changed, text, sizeof(changed));
			changed[i] = (char)(changed[i] ^ 1 << bit);
			cr_expect_neq(token_parse(changed, size, &app, key, &read), 0, "byte %zu",
				      i);
		}
		cr_expect_eq(token_parse(text, i, &app, key, &read), -EINVAL, "cut to %zu", i);
	}
}

Test(handover, a_token_is_of_one_app_and_one_user)
{
	struct token_app app = token_app("demo", 1000), other = token_app("other", 1000);
	struct token_app user = token_app("demo", 1001);
	struct token token = some_token(), read;
	char text[GAE_DESCRIPTOR_MAX];
	size_t size = token_format(&token, &app, key, text);

	cr_expect_eq(token_parse(text, size, &other, key, &read), -EACCES);
	cr_expect_eq(token_parse(text, size, &user, key, &read), -EACCES);
	cr_expect_eq(token_parse(text, size, &app, other_key, &read), -EINVAL);
	/* The tag alone is no proof: the whole of the app is authenticated. */
	memcpy(other.bytes, app.bytes, 8);
	cr_expect_eq(token_parse(text, size, &other, key, &read), -EINVAL);
}

static struct exchange_message some_offer(void)
{
	struct exchange_message message = {
	    .type = EXCHANGE_OFFER,
	    .moved = {.domain = AF_INET6,
		      .transport = TRANSPORT_TCP,
		      .has_to = true,
		      .to = {net_addr_from_v4("\xc0\x00\x02\x01"), 443},
		      .write_closed = true,
		      .has_tuple = true,
		      .tuple = {{net_addr_from_v4("\x7f\x00\x00\x01"), 40000},
				{net_addr_from_v4("\xc0\x00\x02\x01"), 443}},
		      .counted = {.bytes_sent = 1,
				  .bytes_received = UINT64_MAX,
				  .segments_sent = 3,
				  .segments_received = 4},
		      .age_ns = 5,
		      .quiet_ns = 6}};

	return message;
}

Test(handover, a_message_is_read_as_it_was_written)
{
	struct exchange_message message = some_offer(), read;
	uint8_t bytes[EXCHANGE_SIZE];

	exchange_format(&message, bytes);
	cr_assert_eq(exchange_parse(bytes, sizeof(bytes), &read), 0);
	cr_expect_eq(read.type, EXCHANGE_OFFER);
	cr_expect_eq(memcmp(&read.moved.counted, &message.moved.counted, 32), 0);
	cr_expect(read.moved.has_to && read.moved.has_tuple && read.moved.write_closed);
	cr_expect_not(read.moved.aimed || read.moved.aim_pending || read.moved.elsewhere);
	cr_expect(net_addr_equal(&read.moved.to.addr, &message.moved.to.addr));
	cr_expect_eq(read.moved.tuple.local.port, 40000);
	cr_expect_eq(read.moved.quiet_ns, 6u);
	for (int type = EXCHANGE_CLAIM; type < EXCHANGE_TYPES; type++) {
		if (type == EXCHANGE_OFFER)
			continue;
		message = (struct exchange_message){.type = (enum exchange_type)type};
		message.error = type == EXCHANGE_REFUSED ? EPIPE : 0;
		exchange_format(&message, bytes);
		cr_expect_eq(exchange_parse(bytes, sizeof(bytes), &read), 0, "type %d", type);
		cr_expect_eq((int)read.type, type);
	}
}

Test(handover, messages_of_another_size_version_or_meaning_are_refused)
{
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {
	    {0, 2},   {4, 0},   {4, 6},   {8, 1},       {12, 64},     {15, 1},
	    {16, 1},  {63, 1},  {64, 1},  {68, 3},      {72 + 16, 1}, {72 + 24 + 2, 1},
	    {156, 1}, {208, 1}, {255, 1}, {72 + 20, 1},
	};
	struct exchange_message message = some_offer(), read;
	uint8_t bytes[EXCHANGE_SIZE + 1] = {0};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		exchange_format(&message, bytes);
		bytes[wrong[i].at] = wrong[i].value;
		cr_expect_eq(exchange_parse(bytes, EXCHANGE_SIZE, &read), -EPROTO, "byte %zu",
			     wrong[i].at);
	}
	exchange_format(&message, bytes);
	cr_expect_eq(exchange_parse(bytes, EXCHANGE_SIZE - 1, &read), -EPROTO);
	cr_expect_eq(exchange_parse(bytes, EXCHANGE_SIZE + 1, &read), -EPROTO);
	message.moved.has_to = false; /* a connection without destination */
	exchange_format(&message, bytes);
	cr_expect_eq(exchange_parse(bytes, EXCHANGE_SIZE, &read), -EPROTO);
	message = (struct exchange_message){.type = EXCHANGE_REFUSED};
	exchange_format(&message, bytes);
	cr_expect_eq(exchange_parse(bytes, EXCHANGE_SIZE, &read), -EPROTO, "refused with 0");
}

/* @message as bytes, with one of them changed. */
static int parse_changed(const struct exchange_message *message, size_t at, uint8_t value)
{
	uint8_t bytes[EXCHANGE_SIZE];
	struct exchange_message read;

	exchange_format(message, bytes);
	cr_assert_eq(exchange_parse(bytes, sizeof(bytes), &read), 0);
	bytes[at] = value;
	return exchange_parse(bytes, sizeof(bytes), &read);
}

Test(handover, a_message_has_nothing_that_its_kind_has_not)
{
	struct exchange_message kept = {.type = EXCHANGE_KEPT};
	struct exchange_message offer = some_offer();

	cr_expect_eq(parse_changed(&kept, 4, 0), -EPROTO, "no type");
	cr_expect_eq(parse_changed(&kept, 4, EXCHANGE_TYPES), -EPROTO, "an unknown type");
	cr_expect_eq(parse_changed(&kept, 8, 1), -EPROTO, "an errno");
	cr_expect_eq(parse_changed(&kept, 9, 16), -EPROTO, "what is no errno");
	cr_expect_eq(parse_changed(&kept, 12, 1), -EPROTO, "a flag");
	cr_expect_eq(parse_changed(&kept, 64, 1), -EPROTO, "a domain");
	cr_expect_eq(parse_changed(&kept, 200, 1), -EPROTO, "a time");
	offer.moved.has_tuple = false;
	cr_expect_eq(parse_changed(&offer, 68, 3), -EPROTO, "both transports");
	cr_expect_eq(parse_changed(&offer, 68, 0), -EPROTO, "none");
	cr_expect_eq(parse_changed(&offer, 72 + 15, 1), -EPROTO, "more than an IPv4 address");
}

Test(handover, a_descriptor_comes_with_an_offer_alone)
{
	struct exchange_message message = some_offer(), read;
	struct exchange_sender sender;
	int ends[2], fd = -1, on = 1;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	cr_expect_eq(exchange_receive(ends[1], &read, &fd, NULL), -EAGAIN);
	cr_expect_eq(exchange_send(ends[0], &message, ends[0]), 0);
	cr_expect_eq(exchange_receive(ends[1], &read, &fd, &sender), 1);
	cr_expect_geq(fd, 0);
	cr_expect_eq(sender.pid, getpid());
	cr_expect_eq(sender.uid, geteuid());
	close(fd);
	/* Who expects none gets none. */
	cr_expect_eq(exchange_send(ends[0], &message, ends[0]), 0);
	cr_expect_eq(exchange_receive(ends[1], &read, NULL, &sender), -EPROTO);
	message = (struct exchange_message){.type = EXCHANGE_KEPT};
	cr_expect_eq(exchange_send(ends[0], &message, ends[0]), 0);
	cr_expect_eq(exchange_receive(ends[1], &read, &fd, NULL), -EPROTO);
	cr_expect_eq(write(ends[0], "x", 1), 1);
	cr_expect_eq(exchange_receive(ends[1], &read, &fd, NULL), -EPROTO);
	close(ends[0]);
	cr_expect_eq(exchange_receive(ends[1], &read, &fd, NULL), 0);
	close(ends[1]);
}

Test(handover_exchange, says_when_there_is_no_number_for_what_came)
{
	struct exchange_message message = {
	    .type = EXCHANGE_OFFER, .moved = {.domain = AF_INET, .transport = TRANSPORT_UDP}};
	struct exchange_message read;
	struct rlimit before, none;
	int ends[2], fd = -1;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	cr_assert_eq(exchange_send(ends[0], &message, ends[0]), 0);
	getrlimit(RLIMIT_NOFILE, &before);
	none = (struct rlimit){3, before.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	cr_expect_eq(exchange_receive(ends[1], &read, &fd, NULL), -ENOBUFS);
	setrlimit(RLIMIT_NOFILE, &before);
	cr_expect_eq(fd, -1);
	close(ends[0]);
	close(ends[1]);
}
