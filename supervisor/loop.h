/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_LOOP_H
#define SUPERVISOR_LOOP_H

#include <stdint.h>
#include <sys/types.h>

struct child;
struct op;
struct supervisor;

/*
 * The event loop, on the main thread: everything that waits.  It never reads the
 * target's memory and never blocks but in epoll_wait.
 */
struct loop;

/**
 * loop_new() - @control: socket to the front.  Return: NULL when out of descriptors or memory.
 */
struct loop *loop_new(struct supervisor *sup, int control);

/** loop_child() - the program that the loop watches over. */
struct child *loop_child(struct loop *loop);

/** loop_add() - from any thread: @op waits from now on. */
void loop_add(struct loop *loop, struct op *op);

/** loop_watch() - from a crew thread: the crew is busy, look after it. */
void loop_watch(struct loop *loop);

/** loop_wake_by() - from any thread: the keeper is wanted at @at_ns (CLOCK_MONOTONIC). */
void loop_wake_by(void *loop, uint64_t at_ns);

/** loop_name_done() - a look-up ended: requests that wait for it go on. */
void loop_name_done(struct loop *loop, uint32_t name);

/** loop_run() - until the program and everything it started is gone.  Return: exit status of the supervisor. */
int loop_run(struct loop *loop);

#endif
