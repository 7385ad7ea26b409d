/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SOCKET_WAIT_H
#define SUPERVISOR_SOCKET_WAIT_H

#include <stdint.h>

/** socket_deadline() - SO_SNDTIMEO of @fd from now on, CLOCK_MONOTONIC; 0: none set. */
uint64_t socket_deadline(int fd);

#endif
