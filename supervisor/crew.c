/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: poll kill clock_nanosleep exit_group */
#include "crew.h"

#include "loop.h"
#include "notify.h"
#include "request.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "supervisor.h"
#include "sys/dispatch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Ticks without any work before the loop stops looking: one second. */
#define CREW_IDLE_TICKS (1000 / CREW_TICK_MS)

/*
 * So long no call could be received although one was there: then there is nothing left that we
 * could do for the program but to end it.
 */
#define CREW_DEAF_NS 2000000000u

/* What the loop may look at while the thread works. */
struct crew_state {
	struct crew_worker worker;
	atomic_uint busy; /* the tick in which the work began, 0: none */
	_Atomic uint64_t id;
	atomic_int tid; /* of the request */
	atomic_bool denied;
	pid_t group; /* process of the denied request; the loop's own */
};

struct crew {
	struct supervisor *sup;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* a job, or no leader */
	struct op *jobs, **jobs_end;
	unsigned int n, idle;
	bool leading; /* there is a listener to lead on */
	_Atomic(struct crew_state *) leader;
	atomic_uint tick; /* from 1 */
	atomic_bool watched;
	unsigned int quiet_ticks;
	struct crew_state states[CREW_MAX];
};

struct crew *crew_new(struct supervisor *sup)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
		return NULL;
	crew->sup = sup;
	crew->jobs_end = &crew->jobs;
	atomic_init(&crew->tick, 1);
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->wake, NULL);
	return crew;
}

static void state_begin(struct crew_state *state, uint64_t id, pid_t tid)
{
	struct crew *crew = state->worker.crew;

	atomic_store_explicit(&state->id, id, memory_order_relaxed);
	atomic_store_explicit(&state->tid, tid, memory_order_relaxed);
	/* Sequentially consistent with crew_tick(): either it sees us busy, or we see it gone. */
	atomic_store(&state->busy, atomic_load_explicit(&crew->tick, memory_order_relaxed));
	if (!atomic_load(&crew->watched) && !atomic_exchange(&crew->watched, true))
		loop_watch(crew->sup->loop);
}

static void state_end(struct crew_state *state)
{
	atomic_store_explicit(&state->busy, 0, memory_order_release);
	atomic_store_explicit(&state->denied, false, memory_order_relaxed);
}

static bool listener_is_over(int listener)
{
	struct pollfd watch = {.fd = listener};

	return poll(&watch, 1, 0) == 1 && (watch.revents & POLLHUP);
}

/* To be received, or received and without its answer (seccomp_notify_poll()). */
static bool call_is_waiting(int listener)
{
	struct pollfd watch = {.fd = listener, .events = POLLIN | POLLOUT};

	return poll(&watch, 1, 0) != 0;
}

/*
 * A call could not be received.  Where none is waiting it was one whose caller died before.
 * @since: when the first of such failures in a row was, 0: there was none
 */
static void bear_failure(int listener, int error, uint64_t *since)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	uint64_t now = clock_now_ns();
	bool waiting = call_is_waiting(listener);

	if (waiting && *since && now - *since > CREW_DEAF_NS)
		notify_give_up("hand out the program's calls", error);
	if (*since || (error != ENOENT && error != EINTR))
		nanosleep(&moment, NULL);
	if (!waiting)
		*since = 0;
	else if (!*since)
		*since = now;
}

/* Until another thread was made leader, or no program is left. */
static void lead(struct crew_state *state)
{
	struct crew *crew = state->worker.crew;
	int listener = crew->sup->listener;
	struct seccomp_notif notif;
	uint64_t failing_since = 0;

	while (atomic_load_explicit(&crew->leader, memory_order_acquire) == state) {
		int rc = notify_receive(listener, &notif);

		if (rc < 0) {
			if (rc == -ENOENT && listener_is_over(listener)) {
				pthread_mutex_lock(&crew->lock);
				crew->leading = false;
				atomic_store(&crew->leader, NULL);
				pthread_mutex_unlock(&crew->lock);
				return;
			}
			bear_failure(listener, -rc, &failing_since);
			continue;
		}
		failing_since = 0;
		state_begin(state, notif.id, (pid_t)notif.pid);
		dispatch(&state->worker, &notif);
		state_end(state);
	}
}

static struct op *take_job(struct crew *crew)
{
	struct op *op = crew->jobs;

	if (op) {
		crew->jobs = op->next;
		if (!crew->jobs)
			crew->jobs_end = &crew->jobs;
		op->next = NULL;
	}
	return op;
}

static void *crew_main(void *argument)
{
	struct crew_state *state = argument;
	struct crew *crew = state->worker.crew;

	pthread_mutex_lock(&crew->lock);
	for (;;) {
		struct op *op = take_job(crew);

		if (op) {
			pthread_mutex_unlock(&crew->lock);
			state_begin(state, op->req.id, op->req.tid);
			op->resume(&state->worker, op);
			state_end(state);
			pthread_mutex_lock(&crew->lock);
		} else if (crew->leading && !atomic_load(&crew->leader)) {
			atomic_store(&crew->leader, state);
			pthread_mutex_unlock(&crew->lock);
			lead(state);
			pthread_mutex_lock(&crew->lock);
		} else {
			crew->idle++;
			pthread_cond_wait(&crew->wake, &crew->lock);
			crew->idle--;
		}
	}
	return NULL;
}

/* Starts one more thread; the lock is held. */
static int crew_add(struct crew *crew)
{
	struct crew_state *state = &crew->states[crew->n];
	pthread_attr_t attributes;
	pthread_t thread;
	int rc;

	if (crew->n == CREW_MAX)
		return -EAGAIN;
	state->worker.sup = crew->sup;
	state->worker.crew = crew;
	state->worker.state = state;
	target_cache_init(&state->worker.targets);
	state->worker.buffer = mmap(NULL, CREW_BUFFER_SIZE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (state->worker.buffer == MAP_FAILED)
		return -ENOMEM;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 128u << 10);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attributes, crew_main, state);
	pthread_attr_destroy(&attributes);
	if (rc) {
		munmap(state->worker.buffer, CREW_BUFFER_SIZE);
		return -rc;
	}
	crew->n++;
	return 0;
}

int crew_start(struct crew *crew, unsigned int n)
{
	int rc = 0;

	pthread_mutex_lock(&crew->lock);
	while (rc == 0 && crew->n < n)
		rc = crew_add(crew);
	pthread_mutex_unlock(&crew->lock);
	return rc;
}

void crew_lead(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->leading = true;
	pthread_cond_signal(&crew->wake);
	pthread_mutex_unlock(&crew->lock);
}

void crew_submit(struct crew *crew, struct op *op)
{
	pthread_mutex_lock(&crew->lock);
	op->next = NULL;
	*crew->jobs_end = op;
	crew->jobs_end = &op->next;
	pthread_cond_signal(&crew->wake);
	pthread_mutex_unlock(&crew->lock);
	/* If every thread is stuck, the next tick finds the job and starts one more. */
	if (!atomic_exchange(&crew->watched, true))
		loop_watch(crew->sup->loop);
}

/*
 * Readers of @group's memory that stall now.  Whose call was denied may be gone by
 * now, thread and all, so their process was noted when that was done.
 */
static unsigned int count_stalled(struct crew *crew, pid_t group, unsigned int tick)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < crew->n; i++) {
		struct crew_state *state = &crew->states[i];
		unsigned int busy = atomic_load(&state->busy);

		if (!busy || (tick - busy) * CREW_TICK_MS <= CREW_STALL_MS)
			continue;
		n +=
		    group == (atomic_load(&state->denied) ? state->group
							  : target_group(atomic_load(&state->tid)));
	}
	return n;
}

/* A reader of the target's memory is stuck past the deadline: the call is denied, and a process that stalls many ends. */
static void deny_stalled(struct crew *crew, struct crew_state *state, unsigned int tick)
{
	pid_t group = target_group(atomic_load_explicit(&state->tid, memory_order_relaxed));
	unsigned int of_process, stuck = 1;

	/* Gone by itself: the number may be another process's by now, which is not to be killed for it. */
	if (notify_answer(crew->sup->listener, atomic_load(&state->id), -EFAULT) < 0)
		group = 0;
	for (unsigned int i = 0; i < crew->n; i++)
		stuck += atomic_load(&crew->states[i].denied);
	state->group = group;
	atomic_store(&state->denied, true);
	if (group == 0)
		return;
	log_info("process %d: its memory does not answer; the call was denied", group);
	of_process = count_stalled(crew, group, tick);
	if (of_process < CREW_STUCK_PER_PROCESS && stuck < CREW_MAX - 2)
		return;
	log_error("process %d was killed: reading its memory stalled %u times at once", group,
		  of_process);
	kill(group, SIGKILL);
}

int crew_tick(struct crew *crew)
{
	unsigned int tick = atomic_fetch_add(&crew->tick, 1) + 1;
	bool working = false;

	pthread_mutex_lock(&crew->lock);
	for (unsigned int i = 0; i < crew->n; i++) {
		struct crew_state *state = &crew->states[i];
		unsigned int busy = atomic_load(&state->busy);
		unsigned int ms = busy ? (tick - busy) * CREW_TICK_MS : 0;

		working |= busy != 0;
		if (ms > CREW_STALL_MS && atomic_load(&crew->leader) == state)
			atomic_store(&crew->leader, NULL);
		if (ms > CREW_DENY_MS && !atomic_load(&state->denied))
			deny_stalled(crew, state, tick);
	}
	working |= crew->jobs != NULL;
	if (crew->jobs || (crew->leading && !atomic_load(&crew->leader))) {
		if (crew->idle == 0 && crew_add(crew) < 0)
			log_debug("no more crew threads");
		pthread_cond_broadcast(&crew->wake);
	}
	pthread_mutex_unlock(&crew->lock);
	crew->quiet_ticks = working ? 0 : crew->quiet_ticks + 1;
	if (crew->quiet_ticks < CREW_IDLE_TICKS)
		return CREW_TICK_MS;
	crew->quiet_ticks = 0;
	atomic_store(&crew->watched, false);
	for (unsigned int i = 0; i < crew->n; i++)
		if (atomic_load(&crew->states[i].busy) && !atomic_exchange(&crew->watched, true))
			return CREW_TICK_MS;
	return -1;
}
