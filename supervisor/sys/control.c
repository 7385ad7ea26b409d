/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/control.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef SO_TXTIME
#define SO_TXTIME 61
#endif

static bool is_zero(const void *data, size_t size)
{
	const unsigned char *at = data;

	while (size--)
		if (*at++)
			return false;
	return true;
}

/* Packet info that chooses nothing: no source address, no interface. */
static bool chooses_nothing(const struct cmsghdr *header)
{
	return is_zero(CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
}

static const char *refuse_ip(bool bind_any, const struct cmsghdr *header)
{
	switch (header->cmsg_type) {
	case IP_TOS:
	case IP_TTL:
		return NULL;
	case IP_PKTINFO:
		return bind_any || chooses_nothing(header) ? NULL
							   : "IP_PKTINFO chooses a local address";
	case IP_RETOPTS:
		return "IP_RETOPTS can route to another host";
	default:
		return "control message";
	}
}

static const char *refuse_ipv6(bool bind_any, const struct cmsghdr *header)
{
	switch (header->cmsg_type) {
	case IPV6_TCLASS:
	case IPV6_HOPLIMIT:
	case IPV6_DONTFRAG:
		return NULL;
	case IPV6_PKTINFO:
		return bind_any || chooses_nothing(header) ? NULL
							   : "IPV6_PKTINFO chooses a local address";
	case IPV6_RTHDR:
		return "IPV6_RTHDR can route to another host";
	default:
		return "control message";
	}
}

static const char *refuse_socket(int domain, const struct cmsghdr *header)
{
	switch (header->cmsg_type) {
	case SO_TIMESTAMPING:
	case SO_TXTIME:
		return NULL;
	case SCM_CREDENTIALS:
		/* IP sockets ignore it; elsewhere the kernel would judge it by our rights, not the program's. */
		return domain == AF_INET || domain == AF_INET6 ? NULL
							       : "credentials of one's own choice";
	case SCM_RIGHTS:
		return domain == AF_UNIX ? NULL : "descriptors on a socket that cannot carry them";
	default:
		return "control message";
	}
}

static const char *refuse(int domain, bool bind_any, const struct cmsghdr *header)
{
	if (header->cmsg_level == SOL_SOCKET)
		return refuse_socket(domain, header);
	if (header->cmsg_level == SOL_UDP && domain != AF_UNIX)
		return header->cmsg_type == UDP_SEGMENT ? NULL : "control message";
	if (header->cmsg_level == IPPROTO_IP && domain != AF_UNIX)
		return refuse_ip(bind_any, header);
	if (header->cmsg_level == IPPROTO_IPV6 && domain == AF_INET6)
		return refuse_ipv6(bind_any, header);
	return "control message";
}

/* The kernel's CMSG_OK: whole header, and within the buffer. */
static bool is_whole(const unsigned char *at, size_t left, struct cmsghdr *header)
{
	if (left < sizeof(*header))
		return false;
	memcpy(header, at, sizeof(*header));
	return header->cmsg_len >= sizeof(*header) && header->cmsg_len <= left;
}

enum control_verdict control_check(int domain, bool bind_any, const void *control, size_t size,
				   const char **why)
{
	const unsigned char *at = control;
	bool rights = false;

	/* for_each_cmsghdr ends, without an error, where no whole header is left. */
	while (size >= sizeof(struct cmsghdr)) {
		struct cmsghdr header;
		size_t step;

		if (!is_whole(at, size, &header))
			return CONTROL_INVALID;
		*why = refuse(domain, bind_any, (const struct cmsghdr *)(const void *)at);
		if (*why)
			return CONTROL_REFUSED;
		rights |= header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS;
		step = CMSG_ALIGN(header.cmsg_len);
		if (step >= size)
			break;
		at += step;
		size -= step;
	}
	return rights ? CONTROL_RIGHTS : CONTROL_FINE;
}

/*
 * Message @nth (from 0) of @level and @type that the kernel would see, or NULL.
 * @length: gets the length of its data
 */
static unsigned char *find(void *control, size_t size, int level, int type, size_t nth,
			   size_t *length)
{
	unsigned char *at = control;

	while (size >= sizeof(struct cmsghdr)) {
		struct cmsghdr header;
		size_t step;

		if (!is_whole(at, size, &header))
			return NULL;
		if (header.cmsg_level == level && header.cmsg_type == type && nth-- == 0) {
			*length = header.cmsg_len - CMSG_LEN(0);
			return at + CMSG_LEN(0);
		}
		step = CMSG_ALIGN(header.cmsg_len);
		if (step >= size)
			return NULL;
		at += step;
		size -= step;
	}
	return NULL;
}

unsigned int control_segment(const void *control, size_t size, int type)
{
	/* Not written to. */
	void *at = (void *)(uintptr_t)control;
	const unsigned char *data;
	uint16_t segment = 0;
	size_t length;

	/*
	 * The last one counts (udp_cmsg_send()).  16 bits one way, an int the other; no packet is
	 * larger, and both architectures are little-endian.
	 */
	for (size_t i = 0; (data = find(at, size, SOL_UDP, type, i, &length)); i++)
		if (length >= sizeof(segment))
			memcpy(&segment, data, sizeof(segment));
	return segment;
}

size_t control_fds(void *control, size_t size, size_t nth, int **fds)
{
	size_t length = 0;
	unsigned char *data = find(control, size, SOL_SOCKET, SCM_RIGHTS, nth, &length);

	*fds = (int *)(void *)data;
	return length / sizeof(int);
}
