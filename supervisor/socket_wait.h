/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SOCKET_WAIT_H
#define SUPERVISOR_SOCKET_WAIT_H

#include <stdint.h>

/** socket_deadline() - @option (SO_SNDTIMEO, SO_RCVTIMEO) of @fd from now on, CLOCK_MONOTONIC; 0: none set. */
uint64_t socket_deadline(int fd, int option);

#endif
