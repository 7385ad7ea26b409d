/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CREW_H
#define SUPERVISOR_CREW_H

#include "target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct op;
struct supervisor;

/*
 * The crew: threads that read the target, decide and act.
 *
 * One of them, the leader, waits in NOTIF_RECV and answers what can be answered at
 * once on its own, so that the common call costs no hand-over between threads.
 * The others sleep until there is a job (a waiting request that became ready) or
 * no leader.
 *
 * A read of the target's memory may stall for ever (userfaultfd, FUSE).  The loop
 * watches the leader while it is busy; after CREW_STALL_MS it appoints another
 * one, and after CREW_DENY_MS the stalled request is denied.  A process that has
 * several readers stuck by then is killed.  So a stall holds up the call that made it
 * and nothing else, and never grows the crew beyond CREW_MAX: more than one process
 * can make stall, one after the other, before the first of them is denied.
 *
 * Watching costs nothing when nothing happens: the first call after a pause wakes
 * the loop, which then looks every CREW_TICK_MS until the crew is idle again.
 */
#define CREW_MAX 64
#define CREW_STALL_MS 20
#define CREW_DENY_MS 1000
#define CREW_TICK_MS 10
#define CREW_STUCK_PER_PROCESS 4

/* Room for a datagram or a chunk of a stream, per thread, touched only as far as needed. */
#define CREW_BUFFER_SIZE (256u << 10)

struct crew_worker {
	struct supervisor *sup;
	struct crew *crew;
	struct target_cache targets;
	uint8_t *buffer; /* CREW_BUFFER_SIZE bytes */
	struct crew_state *state;
};

struct crew *crew_new(struct supervisor *sup);

/**
 * crew_start() - start @n threads; they sleep until crew_lead().  Return: 0 or -errno.
 * The kernel knows all of them on return, whether they have run yet or not.
 */
int crew_start(struct crew *crew, unsigned int n);

/** crew_lead() - the listener is there: let one thread take it. */
void crew_lead(struct crew *crew);

/** crew_submit() - @op is ready: have a thread call op->resume(). */
void crew_submit(struct crew *crew, struct op *op);

/**
 * crew_tick() - the loop's look at stalled threads.
 * Return: milliseconds until the next look, -1: none until the crew calls loop_watch().
 */
int crew_tick(struct crew *crew);

#endif
