/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_SOCK_DIAG_H
#define NET_SOCK_DIAG_H

#include "net/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the kernel has counted of a socket, asked for over sock_diag(7) netlink: no descriptor
 * of the socket is needed, which would keep it from ending when the program closes it.  And the
 * kernel's news of every socket that ends, with its last numbers (SKNLGRP_INET_TCP_DESTROY and
 * its kin), which any user may listen to, for all sockets of the network namespace.
 */
struct tcp_numbers {
	uint64_t bytes_sent;     /* payload, retransmissions taken off */
	uint64_t bytes_received; /* payload; of an ended socket perhaps one more: sock_end_fin() */
	uint64_t segments_sent, segments_received; /* with data */
	uint32_t quiet_ms;                         /* since the last data either way */
	uint8_t state;                             /* TCP_ESTABLISHED ... of netinet/tcp.h */
	bool fin_acked;                            /* ours was sent, and acknowledged */
	bool blank; /* no segment ever went out, or tcp_disconnect() has set all numbers to zero */
};

/* Where a TCP connection is found: normal form, so v4-mapped addresses are IPv4. */
struct sock_tuple {
	struct net_endpoint local, remote;
};

/* A socket that has ended. */
struct sock_end {
	uint64_t cookie; /* SO_COOKIE */
	struct sock_tuple tuple;
	bool is_tcp; /* else UDP, without numbers */
	struct tcp_numbers tcp;
	uint32_t unread; /* bytes, a FIN counts as one */
};

/** sock_diag_open() - a socket for questions.  Return: CLOEXEC descriptor or -errno. */
int sock_diag_open(void);

/**
 * sock_diag_watch() - a socket that hears of ends.
 * @room: bytes of receive buffer to ask for; 0: as much as the system allows
 * Return: CLOEXEC, non-blocking descriptor or -errno.
 */
int sock_diag_watch(int room);

typedef void sock_end_fn(void *context, const struct sock_end *end);

/**
 * sock_diag_hear() - one read of what has ended.
 * Return: how many bytes of news; 0 none is left; -ENOBUFS news was lost; other -errno.
 */
int sock_diag_hear(int fd, sock_end_fn *each, void *context);

/** sock_diag_parse() - the news in @size bytes from the kernel.  Pure; for sock_diag_hear() and tests. */
void sock_diag_parse(const void *data, size_t size, sock_end_fn *each, void *context);

/**
 * sock_diag_ask() - the numbers of an open connection.
 * @cookie: of the socket; another socket with the same addresses is not meant
 * Return: 0; -ENOENT there is no such connection (any more); other -errno.
 */
int sock_diag_ask(int fd, const struct sock_tuple *tuple, uint64_t cookie,
		  struct tcp_numbers *numbers);

/**
 * sock_diag_state() - the state of whatever has these addresses now, which after the end of a
 * socket may be what is left of it (TCP_TIME_WAIT, TCP_FIN_WAIT2).
 * Return: a state; 0 nothing is there; -errno.
 */
int sock_diag_state(int fd, const struct sock_tuple *tuple);

/**
 * sock_end_fin() - is the peer's FIN in .bytes_received, where the kernel counts it as a byte?
 * @left: what sock_diag_state() says of its addresses now
 */
bool sock_end_fin(const struct sock_end *end, int left);

/** sock_diag_of() - the same numbers of a TCP socket that we have.  Return: 0 or -errno. */
int sock_diag_of(int socket, struct tcp_numbers *numbers);

/**
 * sock_tuple_of() - local address of a connected socket that we have; the remote one is @remote.
 * Return: 0 or -errno.
 */
int sock_tuple_of(int socket, const struct net_endpoint *remote, struct sock_tuple *tuple);

/** sock_cookie() - SO_COOKIE, 0 where there is none. */
uint64_t sock_cookie(int socket);

#endif
