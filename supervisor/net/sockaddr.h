/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_SOCKADDR_H
#define NET_SOCKADDR_H

#include "net/addr.h"

/*
 * A socket address as the kernel would read it, from bytes that a program gave.
 * Pure: the bytes are the caller's own copy.
 */
enum sockaddr_use {
	SOCKADDR_CONNECT, /* connect(2): AF_UNSPEC disconnects */
	SOCKADDR_SEND, /* sendto(2), sendmsg(2): AF_UNSPEC is IPv4 on an IPv4 socket, "no address" on an IPv6 one */
	SOCKADDR_BIND, /* bind(2): AF_UNSPEC with 0.0.0.0 is IPv4 on an IPv4 socket */
};

enum sockaddr_kind {
	SOCKADDR_NONE,       /* no address: a send without one */
	SOCKADDR_DISCONNECT, /* connect(2) with AF_UNSPEC */
	SOCKADDR_IP,         /* .endpoint */
};

struct sockaddr_dest {
	enum sockaddr_kind kind;
	/*
	 * Normal form (v4-mapped unwrapped).  For CONNECT and SEND the
	 * unspecified address is already loopback; for BIND it stays.
	 */
	struct net_endpoint endpoint;
	/* Family of the address handed to the kernel: AF_INET in AF_INET6 sockets is legal for UDP only. */
	sa_family_t as_family;
};

/* The kernel's sizeof(struct sockaddr_storage): longer lengths are EINVAL before anything is read. */
#define SOCKADDR_MAX 128

/**
 * sockaddr_read() - read @size bytes as the kernel's @use on such a socket would.
 * @domain: SO_DOMAIN of the socket, AF_INET or AF_INET6
 * @type:   SO_TYPE, SOCK_STREAM or SOCK_DGRAM
 * @bytes, @size: copy of the program's address, @size <= SOCKADDR_MAX
 * Return: 0 and *@dest, or the -errno that the kernel gives for such bytes
 *         (-EINVAL, -EAFNOSUPPORT); never a destination for bytes that the
 *         kernel would refuse or read in another way.
 *         Kernel: tcp_v4_connect, tcp_v6_connect, __ip4_datagram_connect,
 *         __ip6_datagram_connect, udp_sendmsg, udpv6_sendmsg, __inet_bind, __inet6_bind, inet_autobind.
 *         A stream socket's SEND address is read only with MSG_FASTOPEN, then as CONNECT.
 */
int sockaddr_read(int domain, int type, enum sockaddr_use use, const void *bytes, size_t size,
		  struct sockaddr_dest *dest);

/**
 * sockaddr_build() - the address for the kernel, from the normal form.
 * @domain: family of the socket; an IPv4 endpoint on an AF_INET6 socket is
 *          written v4-mapped unless @dest->as_family is AF_INET
 * Return: length of *@out.
 */
socklen_t sockaddr_build(int domain, const struct sockaddr_dest *dest,
			 struct sockaddr_storage *out);

#endif
