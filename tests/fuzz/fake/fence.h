/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_FAKE_FENCE_H
#define TESTS_FUZZ_FAKE_FENCE_H

#include <stdbool.h>

/*
 * The sockets of the fake kernel, and what must not get past them.  Judged by what the kernel would
 * do with the very bytes it is given, not by the supervisor's readers.
 */

/** fence_open() - a descriptor of ours for the program's @fd.  Return: as dup(2). */
int fence_open(int fd);

/** fence_last_is_udp() - was the last one that was opened a UDP socket? */
bool fence_last_is_udp(void);

#endif
