/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_HELLO_H
#define URLFETCH_HELLO_H

#include <stddef.h>
#include <stdint.h>

#define HELLO_NAME_MAX 256

/* More than any client sends: key shares of post-quantum cryptography take 2 KiB. */
#define HELLO_MAX (16 << 10)

/**
 * hello_read() - the server name in a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3).
 * @bytes, @size: all that the client has sent so far
 * @name: HELLO_NAME_MAX bytes; gets the name in lower case, "" where the client names none
 * Return: 1 and @name; 0 more bytes are needed; -EPROTO this is no ClientHello, or one with a
 *         name that no host has, or it is longer than HELLO_MAX.
 */
int hello_read(const uint8_t *bytes, size_t size, char *name);

#endif
