/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_UNIX_BIND_H
#define SYS_UNIX_BIND_H

#include "request.h"

/**
 * unix_bind() - bind(2) of the local socket that @req has taken, to a name that
 * `unix allow` lists.  @bytes, @size: copy of the program's address.
 * Return: 0 or -errno.
 */
long unix_bind(struct request *req, const void *bytes, size_t size);

#endif
