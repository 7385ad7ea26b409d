/* SPDX-License-Identifier: Apache-2.0 */
#include "handover/exchange.h"

#include "shared/base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As it goes over the socket: both ends are on one machine, so numbers are in its order. */
struct wire_endpoint {
	uint8_t bytes[16];
	uint32_t family, scope_id, port;
};

enum {
	FLAG_TO = 1,
	FLAG_AIMED = 2,
	FLAG_AIM_PENDING = 4,
	FLAG_WRITE_CLOSED = 8,
	FLAG_TUPLE = 16,
	FLAG_ELSEWHERE = 32,
	FLAGS = 63
};

struct wire_exchange {
	uint32_t version, type, error, flags;
	uint8_t app[TOKEN_APP_SIZE];
	uint8_t id[TOKEN_ID_SIZE];
	uint32_t domain, transport;
	struct wire_endpoint to, local, remote;
	uint32_t reserved;
	uint64_t bytes_sent, bytes_received, segments_sent, segments_received;
	uint64_t age_ns, quiet_ns;
	uint8_t rest[EXCHANGE_SIZE - 208];
};
_Static_assert(sizeof(struct wire_exchange) == EXCHANGE_SIZE, "the size of a message");
_Static_assert(sizeof(struct wire_endpoint) == 28, "no padding");

static struct wire_endpoint put_endpoint(const struct net_endpoint *endpoint)
{
	struct wire_endpoint wire = {.family = endpoint->addr.family,
				     .scope_id = endpoint->addr.scope_id,
				     .port = endpoint->port};

	memcpy(wire.bytes, endpoint->addr.bytes, sizeof(wire.bytes));
	return wire;
}

static bool is_zero(const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size > 0 && at[size - 1] == 0)
		size--;
	return size == 0;
}

/* In normal form, as everything that is decided on. */
static bool get_endpoint(const struct wire_endpoint *wire, struct net_endpoint *endpoint)
{
	struct net_addr addr;

	if (wire->port > UINT16_MAX)
		return false;
	if (wire->family == AF_INET)
		addr = net_addr_from_v4(wire->bytes);
	else if (wire->family == AF_INET6)
		addr = net_addr_from_v6(wire->bytes, wire->scope_id);
	else
		return false;
	if (addr.family != wire->family || addr.scope_id != wire->scope_id ||
	    memcmp(addr.bytes, wire->bytes, sizeof(wire->bytes)) != 0)
		return false;
	*endpoint = (struct net_endpoint){.addr = addr, .port = (uint16_t)wire->port};
	return true;
}

void exchange_format(const struct exchange_message *message, uint8_t bytes[EXCHANGE_SIZE])
{
	struct wire_exchange wire = {
	    .version = EXCHANGE_VERSION, .type = message->type, .error = (uint32_t)message->error};
	const struct moved_socket *moved = &message->moved;

	if (message->type == EXCHANGE_CLAIM) {
		memcpy(wire.app, message->app.bytes, sizeof(wire.app));
		memcpy(wire.id, message->id, sizeof(wire.id));
	}
	if (message->type == EXCHANGE_OFFER) {
		wire.flags = (moved->has_to ? FLAG_TO : 0u) | (moved->aimed ? FLAG_AIMED : 0u) |
			     (moved->aim_pending ? FLAG_AIM_PENDING : 0u) |
			     (moved->write_closed ? FLAG_WRITE_CLOSED : 0u) |
			     (moved->has_tuple ? FLAG_TUPLE : 0u) |
			     (moved->elsewhere ? FLAG_ELSEWHERE : 0u);
		wire.domain = (uint32_t)moved->domain;
		wire.transport = moved->transport;
		if (moved->has_to)
			wire.to = put_endpoint(&moved->to);
		if (moved->has_tuple) {
			wire.local = put_endpoint(&moved->tuple.local);
			wire.remote = put_endpoint(&moved->tuple.remote);
		}
		wire.bytes_sent = moved->counted.bytes_sent;
		wire.bytes_received = moved->counted.bytes_received;
		wire.segments_sent = moved->counted.segments_sent;
		wire.segments_received = moved->counted.segments_received;
		wire.age_ns = moved->age_ns;
		wire.quiet_ns = moved->quiet_ns;
	}
	memcpy(bytes, &wire, sizeof(wire));
}

/* Only what its flags announce is there. */
static bool parse_moved(const struct wire_exchange *wire, struct moved_socket *moved)
{
	bool tcp = wire->transport == TRANSPORT_TCP;

	if ((wire->domain != AF_INET && wire->domain != AF_INET6) ||
	    (!tcp && wire->transport != TRANSPORT_UDP) || wire->flags & ~(uint32_t)FLAGS)
		return false;
	*moved = (struct moved_socket){
	    .domain = (int)wire->domain,
	    .transport = (enum transport)wire->transport,
	    .has_to = wire->flags & FLAG_TO,
	    .aimed = wire->flags & FLAG_AIMED,
	    .aim_pending = wire->flags & FLAG_AIM_PENDING,
	    .write_closed = wire->flags & FLAG_WRITE_CLOSED,
	    .has_tuple = wire->flags & FLAG_TUPLE,
	    .elsewhere = wire->flags & FLAG_ELSEWHERE,
	    .counted = {.bytes_sent = wire->bytes_sent,
			.bytes_received = wire->bytes_received,
			.segments_sent = wire->segments_sent,
			.segments_received = wire->segments_received},
	    .age_ns = wire->age_ns,
	    .quiet_ns = wire->quiet_ns,
	};
	if (moved->has_to ? !get_endpoint(&wire->to, &moved->to)
			  : !is_zero(&wire->to, sizeof(wire->to)))
		return false;
	if (!moved->has_tuple)
		return is_zero(&wire->local, 2 * sizeof(wire->local));
	return tcp && moved->has_to && get_endpoint(&wire->local, &moved->tuple.local) &&
	       get_endpoint(&wire->remote, &moved->tuple.remote);
}

int exchange_parse(const uint8_t *bytes, size_t size, struct exchange_message *message)
{
	const size_t front = offsetof(struct wire_exchange, app);
	const size_t claimed = offsetof(struct wire_exchange, domain);
	struct wire_exchange wire;
	bool claim, offer;

	if (size != sizeof(wire))
		return -EPROTO;
	memcpy(&wire, bytes, sizeof(wire));
	if (wire.version != EXCHANGE_VERSION || wire.type < EXCHANGE_CLAIM ||
	    wire.type >= EXCHANGE_TYPES || wire.reserved || !is_zero(wire.rest, sizeof(wire.rest)))
		return -EPROTO;
	*message = (struct exchange_message){.type = (enum exchange_type)wire.type};
	claim = message->type == EXCHANGE_CLAIM;
	offer = message->type == EXCHANGE_OFFER;
	if ((message->type == EXCHANGE_REFUSED) != (wire.error > 0 && wire.error < 4096) ||
	    (message->type != EXCHANGE_REFUSED && wire.error) || (!offer && wire.flags) ||
	    (!claim && !is_zero(bytes + front, claimed - front)) ||
	    (!offer && !is_zero(bytes + claimed, size - claimed)))
		return -EPROTO;
	message->error = (int)wire.error;
	memcpy(message->app.bytes, wire.app, sizeof(wire.app));
	memcpy(message->id, wire.id, sizeof(wire.id));
	return offer && !parse_moved(&wire, &message->moved) ? -EPROTO : 0;
}

int exchange_send(int socket, const struct exchange_message *message, int fd)
{
	uint8_t bytes[EXCHANGE_SIZE];
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.room = {0}};
	struct iovec part = {bytes, sizeof(bytes)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	exchange_format(message, bytes);
	if (fd >= 0) {
		header.msg_control = control.room;
		header.msg_controllen = sizeof(control.room);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	}
	return sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int exchange_say(int socket, enum exchange_type type, int error)
{
	struct exchange_message message = {.type = type, .error = error};

	return exchange_send(socket, &message, -1);
}

/* What came along with a message.  Return: the descriptor, -1 none; *@sender where it was asked for. */
static int take_control(struct msghdr *header, struct exchange_sender *sender)
{
	int fd = -1;

	for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at; at = CMSG_NXTHDR(header, at)) {
		struct ucred who;

		if (at->cmsg_level != SOL_SOCKET)
			continue;
		if (at->cmsg_type == SCM_RIGHTS && at->cmsg_len == CMSG_LEN(sizeof(int))) {
			fd_close(&fd);
			memcpy(&fd, CMSG_DATA(at), sizeof(int));
		} else if (at->cmsg_type == SCM_CREDENTIALS && sender &&
			   at->cmsg_len == CMSG_LEN(sizeof(who))) {
			memcpy(&who, CMSG_DATA(at), sizeof(who));
			*sender = (struct exchange_sender){who.pid, who.uid};
		}
	}
	return fd;
}

int exchange_receive(int socket, struct exchange_message *message, int *fd,
		     struct exchange_sender *sender)
{
	uint8_t bytes[EXCHANGE_SIZE];
	/* Room for what is asked for and nothing else: the kernel gives no descriptor that has none. */
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control = {.room = {0}};
	struct iovec part = {bytes, sizeof(bytes)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room};
	CLEANUP_FD int came = -1;
	ssize_t n;

	if (sender)
		*sender = (struct exchange_sender){.pid = 0, .uid = (uid_t)-1};
	header.msg_controllen =
	    (fd ? CMSG_SPACE(sizeof(int)) : 0) + (sender ? CMSG_SPACE(sizeof(struct ucred)) : 0);
	n = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	came = take_control(&header, sender);
	if (header.msg_flags & MSG_TRUNC || exchange_parse(bytes, (size_t)n, message))
		return -EPROTO;
	/* There was room for it: what came along got no number here. */
	if (header.msg_flags & MSG_CTRUNC && fd && came < 0 && message->type == EXCHANGE_OFFER)
		return -ENOBUFS;
	if (header.msg_flags & MSG_CTRUNC ||
	    (came >= 0 && (!fd || message->type != EXCHANGE_OFFER)))
		return -EPROTO;
	if (fd) {
		*fd = came;
		came = -1;
	}
	return 1;
}
