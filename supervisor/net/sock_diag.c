/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sock_diag.h"

#include "shared/base/fd.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* include/net/tcp_states.h; linux/tcp.h lacks them, and netinet/tcp.h does not go with it. */
enum tcp_state {
	STATE_FIN_WAIT2 = 5,
	STATE_CLOSE = 7,
	STATE_CLOSE_WAIT,
	STATE_LAST_ACK,
	STATE_CLOSING = 11
};

int sock_diag_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

static int join_groups(int fd)
{
	/* Unbound it would hear nothing: a broadcast leaves out its sender, whose port id is 0 as well. */
	struct sockaddr_nl at = {.nl_family = AF_NETLINK};

	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	for (int group = SKNLGRP_INET_TCP_DESTROY; group <= SKNLGRP_INET6_UDP_DESTROY; group++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
			return -errno;
	return 0;
}

int sock_diag_watch(int room)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	int rc;

	if (fd < 0)
		return -errno;
	if (room == 0)
		room = 8 << 20;
	/* The one needs a capability, the other is cut to net.core.rmem_max. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	rc = join_groups(fd);
	if (rc == 0)
		return fd;
	fd_close(&fd);
	return rc;
}

/* --- reading --- */

/*
 * The peer's FIN has been received, and counted, in these states.  A socket that has come to its
 * end while the program still has it may have received it: the news of its end settles that.
 */
static bool may_have_fin(uint8_t state)
{
	return state == STATE_CLOSE || state == STATE_CLOSE_WAIT || state == STATE_LAST_ACK ||
	       state == STATE_CLOSING;
}

static void read_numbers(const void *data, size_t size, struct tcp_numbers *numbers)
{
	struct tcp_info info = {0};
	uint32_t quiet;

	/* An older kernel's is shorter: what it lacks is 0. */
	memcpy(&info, data, size < sizeof(info) ? size : sizeof(info));
	quiet = info.tcpi_last_data_sent < info.tcpi_last_data_recv ? info.tcpi_last_data_sent
								    : info.tcpi_last_data_recv;
	*numbers = (struct tcp_numbers){
	    .bytes_sent = info.tcpi_bytes_sent - info.tcpi_bytes_retrans,
	    .bytes_received = info.tcpi_bytes_received,
	    .segments_sent = info.tcpi_data_segs_out,
	    .segments_received = info.tcpi_data_segs_in,
	    .quiet_ms = quiet,
	    .state = info.tcpi_state,
	    /* The SYN and the FIN count as one each (RFC 9293, 3.4). */
	    .fin_acked =
		info.tcpi_bytes_acked == info.tcpi_bytes_sent - info.tcpi_bytes_retrans + 2,
	    .blank = info.tcpi_segs_out == 0,
	};
}

/* The same while it is open: rather a byte less than one that was none. */
static void without_fin(struct tcp_numbers *numbers)
{
	if (numbers->bytes_received > 0 && may_have_fin(numbers->state))
		numbers->bytes_received--;
}

static struct net_endpoint read_endpoint(uint8_t family, const __be32 *address, __be16 port)
{
	struct net_endpoint endpoint = {.port = ntohs(port)};

	if (family == AF_INET)
		endpoint.addr = net_addr_from_v4(address);
	else
		endpoint.addr = net_addr_from_v6(address, 0);
	return endpoint;
}

static uint64_t read_cookie(const struct inet_diag_sockid *id)
{
	return (uint64_t)id->idiag_cookie[1] << 32 | id->idiag_cookie[0];
}

/* Attributes behind the fixed part; @info of @info_size bytes where there is INET_DIAG_INFO. */
static void read_attributes(const unsigned char *at, size_t size, uint8_t *protocol,
			    const void **info, size_t *info_size)
{
	while (size >= sizeof(struct rtattr)) {
		struct rtattr header;
		size_t step;

		memcpy(&header, at, sizeof(header));
		if (header.rta_len < sizeof(header) || header.rta_len > size)
			return;
		if (header.rta_type == INET_DIAG_PROTOCOL && header.rta_len > RTA_LENGTH(0))
			*protocol = at[RTA_LENGTH(0)];
		if (header.rta_type == INET_DIAG_INFO) {
			*info = at + RTA_LENGTH(0);
			*info_size = header.rta_len - RTA_LENGTH(0);
		}
		step = RTA_ALIGN(header.rta_len);
		if (step >= size)
			return;
		at += step;
		size -= step;
	}
}

/* Return: 0, or -EBADMSG when it is not of IP. */
static int read_message(const unsigned char *data, size_t size, struct sock_end *end)
{
	struct inet_diag_msg message;
	uint8_t protocol = 0;
	const void *info = NULL;
	size_t info_size = 0;

	if (size < sizeof(message))
		return -EBADMSG;
	memcpy(&message, data, sizeof(message));
	if (message.idiag_family != AF_INET && message.idiag_family != AF_INET6)
		return -EBADMSG;
	*end =
	    (struct sock_end){.cookie = read_cookie(&message.id), .unread = message.idiag_rqueue};
	end->tuple.local =
	    read_endpoint(message.idiag_family, message.id.idiag_src, message.id.idiag_sport);
	end->tuple.remote =
	    read_endpoint(message.idiag_family, message.id.idiag_dst, message.id.idiag_dport);
	read_attributes(data + sizeof(message), size - sizeof(message), &protocol, &info,
			&info_size);
	end->is_tcp = protocol == IPPROTO_TCP || (protocol == 0 && info);
	if (info)
		read_numbers(info, info_size, &end->tcp);
	if (!info)
		end->tcp.state = message.idiag_state;
	return 0;
}

void sock_diag_parse(const void *data, size_t size, sock_end_fn *each, void *context)
{
	const unsigned char *at = data;

	while (size >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr header;
		struct sock_end end;
		size_t step;

		memcpy(&header, at, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > size)
			return;
		if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
		    read_message(at + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN, &end) == 0)
			each(context, &end);
		step = NLMSG_ALIGN(header.nlmsg_len);
		if (step >= size)
			return;
		at += step;
		size -= step;
	}
}

int sock_diag_hear(int fd, sock_end_fn *each, void *context)
{
	/* A message has less than 1 KiB, and a broadcast is one message. */
	unsigned char buffer[8192];
	ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	sock_diag_parse(buffer, (size_t)n, each, context);
	return (int)n;
}

/* --- asking --- */

struct question {
	struct nlmsghdr header;
	struct inet_diag_req_v2 request;
};

static void write_address(const struct net_addr *addr, __be32 *out)
{
	memcpy(out, addr->bytes, 16);
}

static void write_question(struct question *question, const struct sock_tuple *tuple,
			   uint64_t cookie)
{
	struct inet_diag_sockid *id = &question->request.id;

	memset(question, 0, sizeof(*question));
	question->header.nlmsg_len = sizeof(*question);
	question->header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	question->header.nlmsg_flags = NLM_F_REQUEST;
	question->request.sdiag_family = (uint8_t)tuple->remote.addr.family;
	question->request.sdiag_protocol = IPPROTO_TCP;
	question->request.idiag_ext = 1 << (INET_DIAG_INFO - 1);
	question->request.idiag_states = UINT32_MAX;
	id->idiag_sport = htons(tuple->local.port);
	id->idiag_dport = htons(tuple->remote.port);
	write_address(&tuple->local.addr, id->idiag_src);
	write_address(&tuple->remote.addr, id->idiag_dst);
	id->idiag_if = tuple->remote.addr.scope_id;
	id->idiag_cookie[0] = (uint32_t)cookie;
	id->idiag_cookie[1] = (uint32_t)(cookie >> 32);
}

static void keep_end(void *context, const struct sock_end *end)
{
	*(struct sock_end *)context = *end;
}

/* The error of a netlink answer, 0 if it is none. */
static int answer_error(const void *data, size_t size)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;

	if (size < sizeof(answer.header) + sizeof(answer.error.error))
		return -EBADMSG;
	memcpy(&answer, data, size < sizeof(answer) ? size : sizeof(answer));
	return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : 0;
}

static int ask(int fd, const struct sock_tuple *tuple, uint64_t cookie, struct sock_end *end)
{
	struct question question;
	unsigned char buffer[4096];
	ssize_t n;
	int rc;

	write_question(&question, tuple, cookie);
	if (send(fd, &question, sizeof(question), 0) < 0)
		return -errno;
	/* The kernel answers within send(2), so this does not wait. */
	n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	rc = answer_error(buffer, (size_t)n);
	if (rc < 0)
		return rc;
	end->cookie = 0;
	sock_diag_parse(buffer, (size_t)n, keep_end, end);
	return end->cookie ? 0 : -EBADMSG;
}

int sock_diag_ask(int fd, const struct sock_tuple *tuple, uint64_t cookie,
		  struct tcp_numbers *numbers)
{
	struct sock_end end = {0};
	int rc = ask(fd, tuple, cookie, &end);

	/*
	 * The kernel says ESTALE for another socket in its place.  What is left of it in TIME_WAIT
	 * has its cookie, but no numbers.
	 */
	if (rc == -ESTALE || (rc == 0 && (end.cookie != cookie || !end.is_tcp)))
		return -ENOENT;
	if (rc == 0) {
		*numbers = end.tcp;
		without_fin(numbers);
	}
	return rc;
}

int sock_diag_state(int fd, const struct sock_tuple *tuple)
{
	/* INET_DIAG_NOCOOKIE: all ones */
	struct sock_end end = {0};
	int rc = ask(fd, tuple, UINT64_MAX, &end);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	return end.tcp.state;
}

/*
 * Where we closed first (tcp_rcv_state_process()) the last of it was sent and read by then, or it would have
 * been a reset: a FIN that this socket still received is what nobody has read.  Else the FIN came
 * later, and what is left of the socket received it, or waits for it in FIN_WAIT2.
 * Where the peer closed first nothing is left behind (LAST_ACK); where we had shut only one
 * direction, what is left is in TIME_WAIT and nothing is unread.  That could as well be a
 * FIN that came between the end and our look: then a byte is missing.
 * Reset after a FIN it looks like any that was reset, and there is a byte too many.
 */
bool sock_end_fin(const struct sock_end *end, int left)
{
	return end->is_tcp && end->tcp.bytes_received > 0 && end->tcp.fin_acked &&
	       (end->unread > 0 || left != STATE_FIN_WAIT2);
}

/* --- of a socket that we have --- */

int sock_diag_of(int socket, struct tcp_numbers *numbers)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return -errno;
	read_numbers(&info, size, numbers);
	without_fin(numbers);
	return 0;
}

int sock_tuple_of(int socket, const struct net_endpoint *remote, struct sock_tuple *tuple)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} local = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t size = sizeof(local);

	if (getsockname(socket, &local.any, &size) < 0)
		return -errno;
	tuple->remote = *remote;
	if (local.any.sa_family == AF_INET) {
		tuple->local.addr = net_addr_from_v4(&local.in.sin_addr);
		tuple->local.port = ntohs(local.in.sin_port);
	} else {
		tuple->local.addr = net_addr_from_v6(&local.in6.sin6_addr, 0);
		tuple->local.port = ntohs(local.in6.sin6_port);
	}
	return 0;
}

uint64_t sock_cookie(int socket)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size) < 0)
		return 0;
	return cookie;
}
