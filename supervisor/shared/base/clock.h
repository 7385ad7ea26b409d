/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/** clock_now_ns() - CLOCK_MONOTONIC in nanoseconds. */
uint64_t clock_now_ns(void);

#endif
