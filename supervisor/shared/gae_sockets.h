/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GAE_SOCKETS_H
#define GAE_SOCKETS_H

/*
 * Handing a live socket to another instance of the same app under gae-run: see gae_sockets(3).
 *
 *   getsockopt(fd, SOL_GAE, GAE_DESCRIPTOR, text, &length)   puts the socket on offer; a token for it
 *   setsockopt(fd, SOL_GAE, GAE_DESCRIPTOR, text, length)    turns a fresh socket into that one
 *
 * Not under gae-run both fail: with ENOPROTOOPT, getsockopt of an IPv4 socket with EOPNOTSUPP.
 */

/* A level far above the kernel's, which count up from 0 (SOL_VSOCK is 287). */
#define SOL_GAE 0x47414500
#define GAE_DESCRIPTOR 1

/* Bytes that hold every token and the NUL behind it. */
#define GAE_DESCRIPTOR_MAX 128

#endif
