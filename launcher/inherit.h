/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_INHERIT_H
#define LAUNCHER_INHERIT_H

#include <stddef.h>

/* There is a connected AF_UNIX socket: fine, but descriptors may come in and leave by it. */
#define INHERIT_LOCAL 1

/**
 * inherit_check() - look for inherited descriptors that would reach around the
 * policy: sockets of any family but AF_UNIX, listening sockets, io_uring rings,
 * seccomp listeners, network tunnels.
 * @own: a descriptor of ours that is not looked at
 * @error: on failure one line without newline: which descriptor, what to do
 * Return: 0; INHERIT_LOCAL; -EPERM and @error; another -errno and @error.
 */
int inherit_check(int own, char *error, size_t room);

/** inherit_describe() - why descriptor @fd must not be inherited.  Return: -EPERM and @error; 0 or INHERIT_LOCAL. */
int inherit_describe(int fd, char *error, size_t room);

#endif
