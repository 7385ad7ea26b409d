/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/** clock_now_ns() - CLOCK_MONOTONIC in nanoseconds. */
uint64_t clock_now_ns(void);

/** clock_now_ms() - CLOCK_MONOTONIC in milliseconds; signed, for what is left until a deadline may be below zero. */
int64_t clock_now_ms(void);

#endif
