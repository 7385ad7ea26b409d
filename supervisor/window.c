/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: ioctl */
#include "window.h"

#include "crew.h"
#include "notify.h"
#include "request.h"
#include "shared/base/fd.h"
#include "shared/base/log.h"
#include "supervisor.h"
#include "target.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Locks for slots, by their number: what stalls one stalls few others. */
#define LOCKS 64u
/* After a look at all slots below 1024 that found none free, so many sockets are placed higher at once. */
#define SKIP_LOW 64u

struct window {
	struct fd_window numbers;
	bool strict;
	uint32_t low_slots, slots;
	pthread_mutex_t locks[LOCKS];
	/* How often a slot of this lock has been filled: written under it. */
	atomic_uint filled[LOCKS];
	/* Where the search goes on, so that a program with many sockets is not searched from the top each time. */
	atomic_uint next_low, next_high, skip_low;
	atomic_bool told;
	_Atomic uint64_t spent[(FD_WINDOW_SLOTS + 63) / 64];
};

struct window *window_new(const struct fd_window *numbers, bool strict)
{
	struct window *window = calloc(1, sizeof(*window));

	if (!window)
		return NULL;
	window->numbers = *numbers;
	window->strict = strict;
	window->low_slots = numbers->low_end - numbers->low;
	window->slots = fd_window_slots(numbers);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&window->locks[i], NULL);
	return window;
}

static bool has(const struct window *window, int fd)
{
	return fd >= 0 && fd_window_has(&window->numbers, (uint32_t)fd);
}

static bool is_spent(const struct window *window, uint32_t slot)
{
	return atomic_load(&window->spent[slot / 64]) >> slot % 64 & 1;
}

static pthread_mutex_t *lock_of(struct window *window, uint32_t slot)
{
	return &window->locks[slot % LOCKS];
}

/* Return: 1 nothing is there, 0 something is, or -errno. */
static int is_free(struct crew_worker *worker, const struct request *req, uint32_t number)
{
	int copy = target_duplicate(&worker->targets, req->tid, (int)number);

	/* Our want of descriptors must not look like one of the program's. */
	if (copy == -EMFILE || copy == -ENFILE)
		return -ENOBUFS;
	if (copy < 0)
		return copy == -EBADF ? 1 : copy;
	close(copy);
	return 0;
}

/* Under the slot's lock; counted when it is there, for who looked before that must look again. */
static int give(struct crew_worker *worker, struct request *req, int file, uint32_t slot,
		int number, bool cloexec)
{
	int rc = notify_give(worker->sup->listener, req->id, file, number, cloexec);

	atomic_fetch_add(&worker->sup->window->filled[slot % LOCKS], 1);
	return rc;
}

/* Return: the number; -EBUSY taken or spent; -EBADF above the caller's limit; other -errno. */
static int try_slot(struct crew_worker *worker, struct request *req, int file, uint32_t slot,
		    bool cloexec)
{
	struct window *window = worker->sup->window;
	uint32_t number = fd_window_number(&window->numbers, slot);
	unsigned int before;
	int rc;

	if (is_spent(window, slot))
		return -EBUSY;
	before = atomic_load(&window->filled[slot % LOCKS]);
	rc = is_free(worker, req, number);
	if (rc <= 0)
		return rc == 0 ? -EBUSY : rc;
	pthread_mutex_lock(lock_of(window, slot));
	/* Filled since by another worker, for another thread: giving would replace that one's socket. */
	if (atomic_load(&window->filled[slot % LOCKS]) != before)
		rc = is_free(worker, req, number);
	if (rc == 1)
		rc = is_spent(window, slot) ? -EBUSY
					    : give(worker, req, file, slot, (int)number, cloexec);
	else if (rc == 0)
		rc = -EBUSY;
	pthread_mutex_unlock(lock_of(window, slot));
	return rc;
}

/*
 * Slots @first .. @first + @n - 1, beginning behind the last one that was found.
 * Return: the number; -EBUSY none is free; other -errno.
 */
static int search(struct crew_worker *worker, struct request *req, int file, int from, bool cloexec,
		  atomic_uint *next, uint32_t first, uint32_t n)
{
	const struct fd_window *numbers = &worker->sup->window->numbers;
	uint32_t at = atomic_load_explicit(next, memory_order_relaxed);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t slot = first + (at + i) % n;
		int rc;

		if (fd_window_number(numbers, slot) < (uint32_t)from)
			continue;
		rc = try_slot(worker, req, file, slot, cloexec);
		if (rc == -EBUSY)
			continue;
		if (rc >= 0)
			atomic_store_explicit(next, (at + i + 1) % n, memory_order_relaxed);
		return rc;
	}
	return -EBUSY;
}

static int search_low(struct crew_worker *worker, struct request *req, int file, int from,
		      bool cloexec)
{
	struct window *window = worker->sup->window;
	int rc;

	/* The top one first: most programs have no second, and see the same number each time. */
	if (fd_window_number(&window->numbers, 0) >= (uint32_t)from) {
		rc = try_slot(worker, req, file, 0, cloexec);
		if (rc != -EBUSY)
			return rc;
	}
	if (atomic_load_explicit(&window->skip_low, memory_order_relaxed)) {
		atomic_fetch_sub_explicit(&window->skip_low, 1, memory_order_relaxed);
		return -EBUSY;
	}
	rc = search(worker, req, file, from, cloexec, &window->next_low, 0, window->low_slots);
	if (rc == -EBUSY && from == 0 && window->slots > window->low_slots)
		atomic_store_explicit(&window->skip_low, SKIP_LOW, memory_order_relaxed);
	return rc;
}

static int place_outside(struct crew_worker *worker, struct request *req, int file, bool cloexec)
{
	struct window *window = worker->sup->window;

	if (window->strict)
		return -EMFILE;
	if (!atomic_exchange(&window->told, true))
		log_info("process %d has used up the descriptor numbers for UDP sockets: what it "
			 "writes to others is not counted",
			 target_group(req->tid));
	return notify_give(worker->sup->listener, req->id, file, -1, cloexec);
}

int window_place(struct crew_worker *worker, struct request *req, int file, int from, bool cloexec,
		 bool *outside)
{
	struct window *window = worker->sup->window;
	int rc = search_low(worker, req, file, from, cloexec);

	*outside = false;
	/* A limit on open files below the numbers that were its limit when it started: what is left counts from below. */
	if (rc == -EBUSY && window->slots > window->low_slots)
		rc = search(worker, req, file, from, cloexec, &window->next_high, window->low_slots,
			    window->slots - window->low_slots);
	if (rc != -EBUSY && rc != -EBADF)
		return rc;
	/* F_DUPFD with a number that none of the window's reaches: only the kernel could search from there. */
	if (from > 0)
		return -EMFILE;
	*outside = true;
	return place_outside(worker, req, file, cloexec);
}

int window_replace(struct crew_worker *worker, struct request *req, int file, int fd, bool cloexec)
{
	struct window *window = worker->sup->window;
	uint32_t slot;
	int rc;

	if (!has(window, fd))
		return -EPERM;
	slot = fd_window_slot(&window->numbers, (uint32_t)fd);
	pthread_mutex_lock(lock_of(window, slot));
	rc = is_spent(window, slot) ? -EBUSY : give(worker, req, file, slot, fd, cloexec);
	pthread_mutex_unlock(lock_of(window, slot));
	return rc;
}

int window_put(struct crew_worker *worker, struct request *req, int file, int fd, bool cloexec)
{
	struct window *window = worker->sup->window;
	uint32_t slot;
	int rc;

	if (!has(window, fd))
		return window->strict
			   ? -EPERM
			   : notify_put(worker->sup->listener, req->id, file, fd, cloexec);
	slot = fd_window_slot(&window->numbers, (uint32_t)fd);
	pthread_mutex_lock(lock_of(window, slot));
	rc = is_spent(window, slot) ? -EBUSY
				    : notify_put(worker->sup->listener, req->id, file, fd, cloexec);
	atomic_fetch_add(&window->filled[slot % LOCKS], 1);
	pthread_mutex_unlock(lock_of(window, slot));
	return rc;
}

/* Return: 1 a UDP socket is there, 0 none, or -errno. */
static int is_udp_there(struct crew_worker *worker, const struct request *req, int fd)
{
	struct request look = {.sup = req->sup, .tid = req->tid, .duplicate = -1};
	int rc = request_take_file(worker, &look, fd);

	if (rc == 0)
		rc = request_is_udp(&look);
	request_end(&look);
	return rc;
}

/*
 * Lets the kernel carry out a call on @fd, which was no UDP socket a moment ago.
 * Return: false when it is one by now.  Else the request is over.
 */
static bool window_continue(struct crew_worker *worker, struct request *req, int fd)
{
	struct window *window = worker->sup->window;
	uint32_t slot = fd_window_slot(&window->numbers, (uint32_t)fd);
	int rc;

	pthread_mutex_lock(lock_of(window, slot));
	rc = is_udp_there(worker, req, fd);
	if (rc == 0)
		atomic_fetch_or(&window->spent[slot / 64], UINT64_C(1) << slot % 64);
	pthread_mutex_unlock(lock_of(window, slot));
	if (rc == 1)
		return false;
	if (rc < 0) {
		request_answer(req, rc);
		return true;
	}
	request_end(req);
	notify_continue(worker->sup->listener, req->id);
	return true;
}

bool window_take_udp(struct crew_worker *worker, struct request *req, int fd)
{
	const struct window *window = worker->sup->window;

	for (int tries = 0; tries < 2; tries++) {
		/* Asked before the look: then no UDP socket can have come since. */
		bool spent = has(window, fd) &&
			     is_spent(window, fd_window_slot(&window->numbers, (uint32_t)fd));
		int rc = request_take_file(worker, req, fd);

		if (rc < 0) {
			request_answer(req, rc);
			return false;
		}
		if (request_is_udp(req))
			return true;
		request_end(req);
		if (spent) {
			notify_continue(worker->sup->listener, req->id);
			return false;
		}
		if (window_continue(worker, req, fd))
			return false;
	}
	request_answer(req, -EBADF); /* it changes under our eyes */
	return false;
}
