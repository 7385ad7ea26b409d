/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: getsockopt */
#include "socket_wait.h"

#include "request.h"

#include <sys/socket.h>
#include <sys/time.h>

uint64_t socket_deadline(int fd, int option)
{
	struct timeval limit = {0};
	socklen_t size = sizeof(limit);

	if (getsockopt(fd, SOL_SOCKET, option, &limit, &size) < 0 ||
	    (limit.tv_sec == 0 && limit.tv_usec == 0))
		return 0;
	return clock_now_ns() + (uint64_t)limit.tv_sec * 1000000000u +
	       (uint64_t)limit.tv_usec * 1000u;
}
