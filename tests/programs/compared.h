/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPARED_H
#define COMPARED_H

/* Of programs whose lines, "NAME: RESULT", must be the same with and without gae-run. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static inline void say(const char *name, long rc)
{
	printf("%s: %ld%s%s\n", name, rc, rc < 0 ? " " : "", rc < 0 ? strerrorname_np(errno) : "");
	fflush(stdout);
}

static inline long millis(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline int tcp(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static inline int udp(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

#endif
