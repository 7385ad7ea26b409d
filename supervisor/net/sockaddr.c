/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sockaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/*
 * Each function below is one kernel function's first lines: the same tests in
 * the same order, because the order decides between EINVAL and EAFNOSUPPORT.
 */
#define SIN6_LEN_RFC2133 24 /* kernel: include/net/ipv6.h; a sockaddr_in6 without sin6_scope_id */

/* The program's bytes, zero behind .size: reading a field that they do not reach gives 0. */
struct input {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		uint8_t bytes[SOCKADDR_MAX];
	} addr;
	size_t size;
};

static int dest_from_v4(const struct input *in, struct sockaddr_dest *dest)
{
	dest->kind = SOCKADDR_IP;
	dest->as_family = AF_INET;
	dest->endpoint.addr = net_addr_from_v4(&in->addr.v4.sin_addr);
	dest->endpoint.port = ntohs(in->addr.v4.sin_port);
	return 0;
}

static int dest_from_v6(const struct input *in, struct sockaddr_dest *dest)
{
	uint32_t scope_id = 0;

	/* The kernel looks at the scope only in an address of full length, even where more bytes of it came. */
	if (in->size >= sizeof(struct sockaddr_in6))
		scope_id = in->addr.v6.sin6_scope_id;
	dest->kind = SOCKADDR_IP;
	dest->as_family = AF_INET6;
	dest->endpoint.addr = net_addr_from_v6(&in->addr.v6.sin6_addr, scope_id);
	dest->endpoint.port = ntohs(in->addr.v6.sin6_port);
	return 0;
}

/* tcp_v4_connect(), __ip4_datagram_connect() */
static int read_connect_v4(const struct input *in, struct sockaddr_dest *dest)
{
	if (in->size < sizeof(struct sockaddr_in))
		return -EINVAL;
	if (in->addr.any.sa_family != AF_INET)
		return -EAFNOSUPPORT;
	return dest_from_v4(in, dest);
}

/* tcp_v6_connect(); __ip6_datagram_connect() takes an IPv4 address as well */
static int read_connect_v6(int type, const struct input *in, struct sockaddr_dest *dest)
{
	if (type == SOCK_DGRAM && in->addr.any.sa_family == AF_INET)
		return read_connect_v4(in, dest);
	if (in->size < SIN6_LEN_RFC2133)
		return -EINVAL;
	if (in->addr.any.sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	return dest_from_v6(in, dest);
}

/* __inet_stream_connect(), inet_dgram_connect() */
static int read_connect(int domain, int type, const struct input *in, struct sockaddr_dest *dest)
{
	if (in->size < sizeof(sa_family_t))
		return -EINVAL;
	if (in->addr.any.sa_family == AF_UNSPEC) {
		dest->kind = SOCKADDR_DISCONNECT;
		return 0;
	}
	if (domain == AF_INET)
		return read_connect_v4(in, dest);
	return read_connect_v6(type, in, dest);
}

/* tcp_sendmsg_fastopen(): a connect, but no way to disconnect */
static int read_send_stream(int domain, const struct input *in, struct sockaddr_dest *dest)
{
	if (in->size >= sizeof(sa_family_t) && in->addr.any.sa_family == AF_UNSPEC)
		return -EOPNOTSUPP;
	return read_connect(domain, SOCK_STREAM, in, dest);
}

/* udp_sendmsg(); port 0 is an EINVAL that comes after other checks and is left to the kernel */
static int read_send_v4(const struct input *in, struct sockaddr_dest *dest)
{
	if (in->size < sizeof(struct sockaddr_in))
		return -EINVAL;
	if (in->addr.any.sa_family != AF_INET && in->addr.any.sa_family != AF_UNSPEC)
		return -EAFNOSUPPORT;
	return dest_from_v4(in, dest);
}

/* udpv6_sendmsg() */
static int read_send_v6(const struct input *in, struct sockaddr_dest *dest)
{
	if (in->size < sizeof(sa_family_t))
		return -EINVAL;
	switch (in->addr.any.sa_family) {
	case AF_INET6:
		return in->size < SIN6_LEN_RFC2133 ? -EINVAL : dest_from_v6(in, dest);
	case AF_INET:
		return read_send_v4(in, dest);
	case AF_UNSPEC:
		return 0; /* SOCKADDR_NONE */
	default:
		return -EINVAL;
	}
}

/* inet_bind_sk() and __inet_bind() */
static int read_bind_v4(const struct input *in, struct sockaddr_dest *dest)
{
	const struct sockaddr_in *v4 = &in->addr.v4;

	if (in->size < sizeof(*v4))
		return -EINVAL;
	if (v4->sin_family != AF_INET &&
	    (v4->sin_family != AF_UNSPEC || v4->sin_addr.s_addr != htonl(INADDR_ANY)))
		return -EAFNOSUPPORT;
	return dest_from_v4(in, dest);
}

/* inet6_bind_sk() and __inet6_bind() */
static int read_bind_v6(const struct input *in, struct sockaddr_dest *dest)
{
	if (in->size < SIN6_LEN_RFC2133)
		return -EINVAL;
	if (in->addr.any.sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	return dest_from_v6(in, dest);
}

static int read_as(int domain, int type, enum sockaddr_use use, const struct input *in,
		   struct sockaddr_dest *dest)
{
	bool v4 = domain == AF_INET;

	switch (use) {
	case SOCKADDR_CONNECT:
		return read_connect(domain, type, in, dest);
	case SOCKADDR_SEND:
		if (type == SOCK_STREAM)
			return read_send_stream(domain, in, dest);
		return v4 ? read_send_v4(in, dest) : read_send_v6(in, dest);
	case SOCKADDR_BIND:
		return v4 ? read_bind_v4(in, dest) : read_bind_v6(in, dest);
	}
	return -EINVAL;
}

int sockaddr_read(int domain, int type, enum sockaddr_use use, const void *bytes, size_t size,
		  struct sockaddr_dest *dest)
{
	struct input in = {.size = size};
	int error;

	memset(dest, 0, sizeof(*dest));
	if (size > SOCKADDR_MAX)
		return -EINVAL;
	if ((domain != AF_INET && domain != AF_INET6) ||
	    (type != SOCK_STREAM && type != SOCK_DGRAM))
		return -EAFNOSUPPORT;
	if (size)
		memcpy(in.addr.bytes, bytes, size);
	error = read_as(domain, type, use, &in, dest);
	if (error) {
		memset(dest, 0, sizeof(*dest));
		return error;
	}
	if (dest->kind == SOCKADDR_IP && use != SOCKADDR_BIND)
		net_addr_resolve_any(&dest->endpoint.addr);
	return 0;
}

static socklen_t build_v4(const struct net_endpoint *endpoint, struct sockaddr_storage *out)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};

	memcpy(&v4.sin_addr, endpoint->addr.bytes, sizeof(v4.sin_addr));
	memcpy(out, &v4, sizeof(v4));
	return sizeof(v4);
}

static socklen_t build_v6(const struct net_endpoint *endpoint, struct sockaddr_storage *out)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};

	if (endpoint->addr.family == AF_INET) {
		v6.sin6_addr.s6_addr[10] = 0xff;
		v6.sin6_addr.s6_addr[11] = 0xff;
		memcpy(v6.sin6_addr.s6_addr + 12, endpoint->addr.bytes, 4);
	} else {
		memcpy(&v6.sin6_addr, endpoint->addr.bytes, sizeof(v6.sin6_addr));
		v6.sin6_scope_id = endpoint->addr.scope_id;
	}
	memcpy(out, &v6, sizeof(v6));
	return sizeof(v6);
}

socklen_t sockaddr_build(int domain, const struct sockaddr_dest *dest, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	switch (dest->kind) {
	case SOCKADDR_NONE:
		return 0;
	case SOCKADDR_DISCONNECT:
		out->ss_family = AF_UNSPEC;
		return sizeof(struct sockaddr);
	case SOCKADDR_IP:
		break;
	}
	if (domain == AF_INET || dest->as_family == AF_INET)
		return dest->endpoint.addr.family == AF_INET ? build_v4(&dest->endpoint, out) : 0;
	return build_v6(&dest->endpoint, out);
}
