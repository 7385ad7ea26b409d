/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: epoll_ctl epoll_wait epoll_pwait eventfd2 epoll_create1 clock_nanosleep poll */
#include "loop.h"

#include "child.h"
#include "crew.h"
#include "heap.h"
#include "keeper.h"
#include "net/names.h"
#include "notify.h"
#include "request.h"
#include "send_job.h"
#include "shared/base/clock.h"
#include "shared/base/compiler.h"
#include "shared/base/log.h"
#include "supervisor.h"
#include "target.h"
#include "urlfetch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#ifndef ERESTARTSYS
#define ERESTARTSYS                                                                                \
	512 /* linux/errno.h, not for user space: the kernel restarts the call or gives EINTR */
#endif

/*
 * With WAIT_KILLABLE_RECV a waiting thread sleeps through its signals, so the loop
 * looks after them: soon at first (a timer of the program's), then less often. The
 * sum of all looks is bounded as well, so that a thousand waiting connects do not
 * cost a core.
 */
#define LOOK_FIRST_NS (4u * 1000000u)
#define LOOK_LAST_NS (40u * 1000000u)
#define LOOK_PER_OP_NS (400u * 1000u)
/*
 * Every so many looks the kernel is asked whether the caller still waits: it walks the
 * list of all waiting calls for that, under the lock that new calls need.
 */
#define LOOK_ALIVE_EVERY 8
/* Looks at a signal that another thread may take before this one gets EINTR. */
#define LOOK_MAYBES 3

enum source {
	SOURCE_INBOX,
	SOURCE_NAMES,
	SOURCE_KEEPER,
	SOURCE_LISTENER,
	SOURCE_CHILD,
	SOURCE_URLFETCH,
	SOURCES
};

struct loop {
	struct supervisor *sup;
	struct child *child;
	int epoll, inbox_fd;
	pthread_mutex_t lock;
	struct op *inbox; /* under the lock */
	atomic_bool watch;
	struct heap heap;
	struct op *by_name; /* ops that wait for a name */
	uint64_t tick_ns;   /* of the next crew_tick(); 0: none */
	/* Until when epoll_wait may sleep; 0: it does not, and will look itself; UINT64_MAX: it is about to. */
	atomic_uint_fast64_t sleeps_until;
	bool listener_over;
	bool owes_urlfetch; /* registered with EPOLLOUT as well */
	bool blind;         /* epoll_wait() fails: what waits for a socket tries by time */
	atomic_bool poked_otherwise;
	char tags[SOURCES]; /* their addresses mark epoll events */
};

static int watch_fd(struct loop *loop, int fd, uint32_t events, enum source source)
{
	struct epoll_event event = {.events = events, .data.ptr = &loop->tags[source]};

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

struct loop *loop_new(struct supervisor *sup, int control)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->sup = sup;
	pthread_mutex_init(&loop->lock, NULL);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->inbox_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->child = child_new(sup, control);
	if (loop->epoll < 0 || loop->inbox_fd < 0 || !loop->child ||
	    watch_fd(loop, loop->inbox_fd, EPOLLIN, SOURCE_INBOX) < 0 ||
	    watch_fd(loop, child_fd(loop->child), EPOLLIN, SOURCE_CHILD) < 0) {
		free(loop);
		return NULL;
	}
	return loop;
}

struct child *loop_child(struct loop *loop)
{
	return loop->child;
}

static void poke(struct loop *loop)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT,
				    .data.ptr = &loop->tags[SOURCE_INBOX]};
	uint64_t one = 1;

	if (write(loop->inbox_fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
		return;
	/* Another way to make it ready, for who waits in the inbox would wait for ever. */
	epoll_ctl(loop->epoll, EPOLL_CTL_MOD, loop->inbox_fd, &event);
	atomic_store(&loop->poked_otherwise, true);
}

void loop_add(struct loop *loop, struct op *op)
{
	pthread_mutex_lock(&loop->lock);
	op->next = loop->inbox;
	loop->inbox = op;
	pthread_mutex_unlock(&loop->lock);
	poke(loop);
}

void loop_wake_by(void *context, uint64_t at_ns)
{
	struct loop *loop = context;
	uint_fast64_t until = atomic_load(&loop->sleeps_until);

	/* A loop that goes to sleep meanwhile gives @until anew. */
	do {
		if (at_ns >= until)
			return;
	} while (!atomic_compare_exchange_weak(&loop->sleeps_until, &until, at_ns));
	poke(loop);
}

void loop_watch(struct loop *loop)
{
	atomic_store(&loop->watch, true);
	poke(loop);
}

/* Takes @op out of everything that knows it; it belongs to the caller then. */
static void forget(struct loop *loop, struct op *op)
{
	/* Closing our duplicate would not end the registration: the program's descriptor keeps the open file. */
	if (op->registered)
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, op->req.duplicate, NULL);
	op->registered = false;
	heap_remove(&loop->heap, &op->look);
	if (op->name_wanted != UINT32_MAX) {
		if (op->next)
			op->next->prev = op->prev;
		if (op->prev)
			op->prev->next = op->next;
		else
			loop->by_name = op->next;
	}
	op->next = op->prev = NULL;
}

static void resume(struct loop *loop, struct op *op)
{
	forget(loop, op);
	crew_submit(loop->sup->crew, op);
}

/* Need not all names be known that it depends on, as one has its address? */
static bool has_address(const struct loop *loop, const struct op *op, uint32_t name)
{
	return op->req.has_dest && names_has(loop->sup->names, name, &op->req.dest.endpoint.addr);
}

void loop_name_done(struct loop *loop, uint32_t name)
{
	struct op *op, *next;

	for (op = loop->by_name; op; op = next) {
		next = op->next;
		if (op->name_wanted == name || has_address(loop, op, name))
			resume(loop, op);
	}
}

static void answer_unwatchable(struct op *op)
{
	log_debug("a waiting call could not be watched; it was refused");
	op_answer(op, -ENOBUFS);
}

static void schedule(struct loop *loop, struct op *op, uint64_t now)
{
	uint64_t floor = loop->heap.n * (uint64_t)LOOK_PER_OP_NS;

	if (op->look_interval_ns == 0)
		op->look_interval_ns = LOOK_FIRST_NS;
	else if (op->look_interval_ns < LOOK_LAST_NS)
		op->look_interval_ns += op->look_interval_ns / 2;
	op->look.at_ns = now + (op->look_interval_ns > floor ? op->look_interval_ns : floor);
	if (op->deadline_ns && op->deadline_ns < op->look.at_ns)
		op->look.at_ns = op->deadline_ns;
}

static void accept_op(struct loop *loop, struct op *op, uint64_t now)
{
	struct epoll_event event = {.events = op->events | EPOLLONESHOT, .data.ptr = op};

	op->prev = op->next = NULL;
	schedule(loop, op, now);
	if (!heap_push(&loop->heap, &op->look)) {
		answer_unwatchable(op);
		return;
	}
	if (op->name_wanted != UINT32_MAX) {
		uint32_t name = op->name_wanted;

		op->next = loop->by_name;
		if (op->next)
			op->next->prev = op;
		loop->by_name = op;
		names_start(loop->sup->names, name); /* may call loop_name_done() at once */
		return;
	}
	if (op->by_time)
		return;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, op->req.duplicate, &event) < 0) {
		heap_remove(&loop->heap, &op->look);
		answer_unwatchable(op);
		return;
	}
	op->registered = true;
}

static void empty_inbox(struct loop *loop, uint64_t now)
{
	struct op *op, *next;
	uint64_t count;

	if (read(loop->inbox_fd, &count, sizeof(count)) < 0)
		count = 0;
	if (atomic_exchange(&loop->poked_otherwise, false)) {
		struct epoll_event event = {.events = EPOLLIN,
					    .data.ptr = &loop->tags[SOURCE_INBOX]};

		epoll_ctl(loop->epoll, EPOLL_CTL_MOD, loop->inbox_fd, &event);
	}
	pthread_mutex_lock(&loop->lock);
	op = loop->inbox;
	loop->inbox = NULL;
	pthread_mutex_unlock(&loop->lock);
	for (; op; op = next) {
		next = op->next;
		accept_op(loop, op, now);
	}
	if (atomic_exchange(&loop->watch, false) && !loop->tick_ns)
		loop->tick_ns = now + CREW_TICK_MS * 1000000u;
}

/* What a call gives that ends before it is complete: what it has done so far, else @error. */
static long cut_short(const struct op *op, int error)
{
	long done = op->job ? (long)op->job->sent : op->req.done;

	return done > 0 ? done : -error;
}

/*
 * Ends a call before it is complete.  Of a sendmmsg of which bytes have gone a crew thread must write
 * how many: for it the message ends there.
 */
static void cut(struct loop *loop, struct op *op, int error)
{
	if (op->job && op->job->count_at && op->job->sent) {
		op->job->total = op->job->sent;
		resume(loop, op);
		return;
	}
	forget(loop, op);
	op_answer(op, cut_short(op, error));
}

static void look_at(struct loop *loop, struct op *op, uint64_t now)
{
	enum target_signal signal = target_signal(op->req.tid);
	/* net/sock.h, sock_intr_errno(): with a time-out set, a call is never restarted. */
	bool timed = op->deadline_ns && op->name_wanted == UINT32_MAX;
	bool doubtful = signal == TARGET_GONE || op->looks++ % LOOK_ALIVE_EVERY == 0;

	if (doubtful && !notify_alive(loop->sup->listener, op->req.id)) {
		forget(loop, op);
		op_drop(op);
		return;
	}
	if (op->deadline_ns && now >= op->deadline_ns && op->name_wanted != UINT32_MAX) {
		op->late = true;
		resume(loop, op);
		return;
	}
	if (op->deadline_ns && now >= op->deadline_ns) {
		cut(loop, op, op->timeout_error);
		return;
	}
	op->maybes = signal == TARGET_MAYBE ? op->maybes + 1 : 0;
	if (signal == TARGET_INTERRUPTED || op->maybes >= LOOK_MAYBES) {
		cut(loop, op, op->maybes || timed ? EINTR : ERESTARTSYS);
		return;
	}
	if (op->by_time || loop->blind) {
		resume(loop, op);
		return;
	}
	schedule(loop, op, now);
	heap_moved(&loop->heap, &op->look);
}

static void run_timers(struct loop *loop, uint64_t now)
{
	struct heap_node *first;

	if (loop->tick_ns && now >= loop->tick_ns) {
		int ms = crew_tick(loop->sup->crew);

		loop->tick_ns = ms < 0 ? 0 : now + (uint64_t)ms * 1000000u;
	}
	while ((first = heap_first(&loop->heap)) && first->at_ns <= now)
		look_at(loop, CONTAINER_OF(first, struct op, look), now);
}

static int sleep_ms(const struct loop *loop, uint64_t now)
{
	const struct heap_node *first = heap_first(&loop->heap);
	uint64_t until = first ? first->at_ns : UINT64_MAX,
		 looks = keeper_next_ns(loop->sup->keeper, now);
	int names = loop->sup->names ? names_timeout_ms(loop->sup->names) : -1;
	uint64_t ms;

	if (loop->tick_ns && loop->tick_ns < until)
		until = loop->tick_ns;
	if (looks < until)
		until = looks;
	if (until == UINT64_MAX)
		return names;
	ms = until <= now ? 0 : (until - now + 999999u) / 1000000u;
	if (ms > 60000)
		ms = 60000;
	return names >= 0 && (uint64_t)names < ms ? names : (int)ms;
}

static void run_urlfetch(struct loop *loop)
{
	struct urlfetch *urlfetch = loop->sup->urlfetch;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &loop->tags[SOURCE_URLFETCH]};
	bool owes;

	urlfetch_run(urlfetch);
	owes = urlfetch_owes(urlfetch);
	event.events |= owes ? EPOLLOUT : 0;
	if (!urlfetch_port(urlfetch))
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, urlfetch_fd(urlfetch), NULL);
	/* Should it fail, the next question of gae-urlfetch is the next try. */
	else if (owes != loop->owes_urlfetch &&
		 epoll_ctl(loop->epoll, EPOLL_CTL_MOD, urlfetch_fd(urlfetch), &event) == 0)
		loop->owes_urlfetch = owes;
}

static void handle_event(struct loop *loop, const struct epoll_event *event, uint64_t now)
{
	void *at = event->data.ptr;

	if (at == &loop->tags[SOURCE_INBOX]) {
		empty_inbox(loop, now);
	} else if (at == &loop->tags[SOURCE_CHILD]) {
		child_run(loop->child);
	} else if (at == &loop->tags[SOURCE_URLFETCH]) {
		run_urlfetch(loop);
	} else if (at == &loop->tags[SOURCE_LISTENER]) {
		loop->listener_over = true;
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->sup->listener, NULL);
	} else if (at == &loop->tags[SOURCE_KEEPER]) {
		keeper_ready(loop->sup->keeper);
	} else if (at != &loop->tags[SOURCE_NAMES]) {
		resume(loop, at);
	}
}

/* Nobody tells what is ready, so all are asked that can be asked without waiting. */
static void grope(struct loop *loop, uint64_t now)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	struct pollfd listener = {.fd = loop->sup->listener};

	if (!loop->blind)
		log_debug("epoll_wait fails: waiting calls are looked at by time");
	nanosleep(&moment, NULL);
	empty_inbox(loop, now);
	child_run(loop->child);
	keeper_ready(loop->sup->keeper);
	if (poll(&listener, 1, 0) == 1 && (listener.revents & POLLHUP))
		loop->listener_over = true;
}

static void watch_keeper(struct loop *loop, int how)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT,
				    .data.ptr = &loop->tags[SOURCE_KEEPER]};

	epoll_ctl(loop->epoll, how, keeper_fd(loop->sup->keeper), &event);
}

/* Nobody waits for an answer any more, and our duplicates would keep the sockets from ending. */
static void drop_all(struct loop *loop)
{
	struct heap_node *first;

	empty_inbox(loop, clock_now_ns());
	while ((first = heap_first(&loop->heap))) {
		struct op *op = CONTAINER_OF(first, struct op, look);

		forget(loop, op);
		op_drop(op);
	}
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[64];

	watch_fd(loop, loop->sup->listener, 0, SOURCE_LISTENER); /* EPOLLHUP is always told */
	if (loop->sup->names)
		watch_fd(loop, names_fd(loop->sup->names), EPOLLIN, SOURCE_NAMES);
	if (keeper_fd(loop->sup->keeper) >= 0)
		watch_keeper(loop, EPOLL_CTL_ADD);
	if (urlfetch_fd(loop->sup->urlfetch) >= 0)
		watch_fd(loop, urlfetch_fd(loop->sup->urlfetch), EPOLLIN, SOURCE_URLFETCH);
	while (!child_is_over(loop->child, loop->listener_over)) {
		uint64_t now = clock_now_ns();
		int ms, n;

		atomic_store(&loop->sleeps_until, UINT64_MAX);
		ms = sleep_ms(loop, now);
		if (ms >= 0)
			atomic_store(&loop->sleeps_until, now + (uint64_t)ms * 1000000u);
		n = epoll_wait(loop->epoll, events, 64, ms);
		atomic_store(&loop->sleeps_until, 0);
		now = clock_now_ns();
		if (n < 0)
			grope(loop, now);
		loop->blind = n < 0;
		for (int i = 0; i < n; i++)
			handle_event(loop, &events[i], now);
		if (loop->sup->names)
			names_run(loop->sup->names);
		if (keeper_run(loop->sup->keeper, now))
			watch_keeper(loop, EPOLL_CTL_MOD);
		run_timers(loop, now);
	}
	drop_all(loop);
	return child_result(loop->child);
}
