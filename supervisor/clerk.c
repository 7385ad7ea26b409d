/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: poll clock_nanosleep */
#include "clerk.h"

#include "account.h"
#include "ledger/ledger.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "status/metrics.h"
#include "status/report.h"
#include "status/runtime.h"
#include "status/status_server.h"
#include "supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define ROWS_MAX 1024 /* of one batch */
/* A ledger that fails is tried again at growing distances. */
#define RETRY_FIRST_MS 5000
#define RETRY_LAST_MS 300000
#define METRICS_MS 15000
#define DEAF_MS 1000 /* gae-top is not listened to after it could not be accepted */
#define REFRESH_MS 10
#define REFRESH_MAX 2000
#define TRY_MS 1000  /* one try to write waits for other processes so long */
#define PAUSE_MS 5   /* between two tries */
#define GRACE_MS 250 /* beyond an order's time, for who carries it out to say how it went */

/* Rows on their way to the ledger: what failed is offered again as it was (ledger_write()). */
struct batch {
	struct ledger_batch batch;
	struct status_flow flows[ROWS_MAX];
	struct ledger_row rows[ROWS_MAX];
	char addresses[ROWS_MAX][NET_ADDR_TEXT_MAX];
};

/* To write all there is. */
struct order {
	uint64_t number;
	uint64_t until_ns; /* others who hold the ledger are waited for so long */
	bool last;         /* nothing is written after it */
};

struct clerk {
	struct supervisor *sup;
	struct clerk_config config;
	int wake, directory, listener;
	char name[RUNTIME_NAME_MAX];
	uint64_t started_ms;

	pthread_mutex_t lock;
	pthread_cond_t done;
	struct order order; /* the newest; under the lock, as are: */
	uint64_t obeyed;    /* number of the newest that was carried out */
	bool complete;      /* ... and that left nothing unwritten */
	bool clear;         /* the thread is up, has nothing in hand and no ledger open */

	/* The thread's own. */
	struct ledger *ledger;
	struct batch *batch; /* .batch.n_rows > 0 or .lost > 0: not written yet */
	uint64_t flush_ns, metrics_ns, retry_ms;
	uint64_t deaf_ns; /* until when the listener is left alone */
	bool told_ledger, told_metrics;
};

/* --- the picture --- */

static uint64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Return: 0, and the arrays are the caller's to free; -1 when out of memory. */
static int take_picture(const struct clerk *clerk, struct status *status)
{
	const struct supervisor *sup = clerk->sup;

	*status = (struct status){.app = sup->app,
				  .program = sup->argv && sup->argv[0] ? sup->argv[0] : "",
				  .pid = sup->child,
				  .supervisor = getpid(),
				  .started_ms = clerk->started_ms,
				  .now_ms = wall_ms(),
				  .memory = mallinfo2().uordblks};
	return account_picture(sup->account, status);
}

static void free_picture(struct status *status)
{
	free(status->sockets);
	free(status->flows);
}

/* --- the ledger --- */

static void fill_row(struct batch *batch, size_t i)
{
	const struct status_flow *flow = &batch->flows[i];
	char *address = batch->addresses[i];

	snprintf(address, NET_ADDR_TEXT_MAX, "*");
	if (flow->to.addr.family != AF_UNSPEC)
		net_addr_format(&flow->to.addr, address);
	batch->rows[i] = (struct ledger_row){.process = flow->process,
					     .host = flow->host,
					     .address = address,
					     .port = flow->to.port,
					     .transport = status_transport_name(flow->transport),
					     .usage = flow->usage};
}

static bool has_batch(const struct clerk *clerk)
{
	return clerk->batch->batch.n_rows > 0 || clerk->batch->batch.lost > 0;
}

/* Return: whether there is anything to write. */
static bool take_batch(struct clerk *clerk)
{
	struct batch *batch = clerk->batch;
	size_t n;

	if (has_batch(clerk))
		return true;
	if (!account_unwritten(clerk->sup->account))
		return false;
	n = account_take(clerk->sup->account, batch->flows, ROWS_MAX, &batch->batch.lost);
	for (size_t i = 0; i < n; i++)
		fill_row(batch, i);
	batch->batch.time = (int64_t)time(NULL);
	batch->batch.day = day_of(batch->batch.time, clerk->config.zone);
	batch->batch.app = clerk->sup->app;
	batch->batch.rows = batch->rows;
	batch->batch.n_rows = n;
	return n > 0 || batch->batch.lost > 0;
}

static void warn_once(bool *told, const char *text)
{
	if (!*told)
		log_warn("%s", text);
	*told = true;
}

/* How long one try may wait for other processes. */
static int patience(uint64_t until_ns)
{
	uint64_t now = clock_now_ns(), left_ms = until_ns > now ? (until_ns - now) / 1000000u : 0;

	return left_ms > TRY_MS ? TRY_MS : (int)left_ms;
}

/* Return: 0 the batch is in the ledger; -EAGAIN others hold it, -EIO: it is kept, and @error says why. */
static int write_batch(struct clerk *clerk, uint64_t until_ns, char *error, size_t room)
{
	int rc;

	if (!clerk->ledger) {
		clerk->ledger = ledger_open(clerk->config.ledger, error, room);
		if (!clerk->ledger)
			return errno == EAGAIN ? -EAGAIN : -EIO;
	}
	ledger_wait(clerk->ledger, patience(until_ns));
	rc = ledger_write(clerk->ledger, &clerk->batch->batch, error, room);
	if (rc)
		return rc;
	clerk->batch->batch.n_rows = 0;
	clerk->batch->batch.lost = 0;
	clerk->retry_ms = RETRY_FIRST_MS;
	return 0;
}

/* Return: 0 the ledger has all there is; else as write_batch(). */
static int write_batches(struct clerk *clerk, uint64_t until_ns, char *error, size_t room)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

	while (clerk->config.ledger && take_batch(clerk)) {
		int rc = write_batch(clerk, until_ns, error, room);

		if (rc && (rc != -EAGAIN || clock_now_ns() >= until_ns))
			return rc;
		if (rc)
			nanosleep(&pause, NULL);
	}
	return 0;
}

/* At the end: what is taken here is written no more. */
static void say_missing(struct clerk *clerk, const char *error)
{
	struct batch *batch = clerk->batch;
	size_t rows = 0, n = batch->batch.n_rows;
	struct usage sum = {0};
	uint64_t lost;

	do {
		for (size_t i = 0; i < n; i++)
			usage_add(&sum, &batch->flows[i].usage);
		rows += n;
		n = account_take(clerk->sup->account, batch->flows, ROWS_MAX, &lost);
	} while (n > 0);
	log_warn("%s; missing there: %zu row%s, %" PRIu64 " B sent, %" PRIu64 " B received", error,
		 rows, rows == 1 ? "" : "s", sum.bytes_sent, sum.bytes_received);
}

/*
 * Has the keeper look at all connections, so that what is told is not older than this.  With very
 * many it goes by its own times: one that was quiet for long is then looked at less often.
 */
static void refresh(struct clerk *clerk, size_t max)
{
	struct timespec moment = {.tv_nsec = REFRESH_MS * 1000000L};

	if (account_refresh(clerk->sup->account, max))
		nanosleep(&moment, NULL);
}

/* Who has not opened it has nothing to close. */
static void close_ledger(struct clerk *clerk, uint64_t until_ns)
{
	if (clerk->ledger) {
		ledger_wait(clerk->ledger, patience(until_ns));
		ledger_close(clerk->ledger);
	}
	clerk->ledger = NULL;
	clerk->config.ledger = NULL;
}

/* Return: whether the ledger has all there is. */
static bool flush(struct clerk *clerk, const struct order *order)
{
	uint64_t next_ms = (uint64_t)clerk->config.flush_ms;
	char error[PATH_MAX + 256] = "";
	int rc = write_batches(clerk, order->until_ns, error, sizeof(error));

	if (rc) {
		next_ms = clerk->retry_ms;
		clerk->retry_ms =
		    clerk->retry_ms * 2 > RETRY_LAST_MS ? RETRY_LAST_MS : clerk->retry_ms * 2;
	}
	clerk->flush_ns = clock_now_ns() + next_ms * 1000000u;
	if (rc && order->last)
		say_missing(clerk, error);
	else if (rc && rc != -EAGAIN)
		warn_once(&clerk->told_ledger, error);
	if (order->last)
		close_ledger(clerk, order->until_ns);
	return rc == 0;
}

/* --- metrics and gae-top --- */

static void write_metrics(struct clerk *clerk)
{
	char error[PATH_MAX + 256] = "";
	struct status status;

	clerk->metrics_ns = clock_now_ns() + (uint64_t)METRICS_MS * 1000000u;
	if (take_picture(clerk, &status) == 0 &&
	    metrics_write(clerk->config.metrics, &status, error, sizeof(error)) < 0)
		warn_once(&clerk->told_metrics, error);
	free_picture(&status);
}

static void serve(struct clerk *clerk)
{
	int client;

	while ((client = status_accept(clerk->listener)) >= 0) {
		struct status status;

		refresh(clerk, SIZE_MAX);
		if (take_picture(clerk, &status) == 0)
			status_serve(client, &status);
		else
			close(client);
		free_picture(&status);
	}
	/* Without a free descriptor it stays readable. */
	if (client != -EAGAIN)
		clerk->deaf_ns = clock_now_ns() + (uint64_t)DEAF_MS * 1000000u;
}

static void open_status(struct clerk *clerk)
{
	char path[PATH_MAX], error[PATH_MAX + 256];

	clerk->directory = runtime_dir_open(path, sizeof(path), error, sizeof(error));
	if (clerk->directory >= 0)
		clerk->listener = status_listen(clerk->directory, clerk->name, sizeof(clerk->name),
						error, sizeof(error));
	/* Nobody asked for it: what gae-top cannot show is no reason to speak. */
	if (clerk->directory < 0 || clerk->listener < 0)
		log_info("gae-top will not see this run: %s", error);
}

/* --- the thread --- */

static int until_ms(uint64_t at, uint64_t now)
{
	if (at == UINT64_MAX)
		return -1;
	return at <= now ? 0 : (int)((at - now) / 1000000u) + 1;
}

static void wait_for_work(struct clerk *clerk)
{
	uint64_t next = clerk->config.ledger ? clerk->flush_ns : UINT64_MAX, count;
	uint64_t now = clock_now_ns();
	bool deaf = now < clerk->deaf_ns;
	struct pollfd watched[2] = {{.fd = clerk->wake, .events = POLLIN},
				    {.fd = deaf ? -1 : clerk->listener, .events = POLLIN}};

	if (clerk->metrics_ns < next)
		next = clerk->metrics_ns;
	if (deaf && clerk->deaf_ns < next)
		next = clerk->deaf_ns;
	poll(watched, 2, until_ms(next, now));
	if (watched[1].revents)
		serve(clerk);
	if (read(clerk->wake, &count, sizeof(count)) < 0)
		count = 0;
}

/* @order: what was carried out; NULL: nothing had been asked for. */
static void report_back(struct clerk *clerk, const struct order *order, bool complete)
{
	pthread_mutex_lock(&clerk->lock);
	clerk->clear = !has_batch(clerk) && !clerk->ledger;
	if (order) {
		clerk->obeyed = order->number;
		clerk->complete = complete;
		pthread_cond_broadcast(&clerk->done);
	}
	pthread_mutex_unlock(&clerk->lock);
}

static void *clerk_main(void *argument)
{
	struct clerk *clerk = argument;

	if (clerk->config.status)
		open_status(clerk);
	pthread_mutex_lock(&clerk->lock);
	clerk->clear = true;
	pthread_mutex_unlock(&clerk->lock);
	for (;;) {
		struct order order;
		bool asked, complete = false;
		uint64_t now;

		wait_for_work(clerk);
		now = clock_now_ns();
		pthread_mutex_lock(&clerk->lock);
		order = clerk->order;
		asked = order.number != clerk->obeyed;
		clerk->clear = false;
		pthread_mutex_unlock(&clerk->lock);
		if (!asked)
			order = (struct order){.until_ns = now + (uint64_t)TRY_MS * 1000000u};
		/* Who asked has looked by itself. */
		if (!asked && (now >= clerk->flush_ns || now >= clerk->metrics_ns))
			refresh(clerk, REFRESH_MAX);
		if (asked || now >= clerk->flush_ns)
			complete = flush(clerk, &order);
		if (clerk->config.metrics && (asked || now >= clerk->metrics_ns))
			write_metrics(clerk);
		report_back(clerk, asked ? &order : NULL, complete);
	}
	return NULL;
}

static int start(struct clerk *clerk)
{
	pthread_condattr_t clock;
	pthread_attr_t attributes;
	pthread_t thread;
	int rc;

	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&clerk->done, &clock);
	pthread_mutex_init(&clerk->lock, NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256u << 10);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attributes, clerk_main, clerk);
	pthread_attr_destroy(&attributes);
	return rc ? -rc : 0;
}

struct clerk *clerk_new(struct supervisor *sup, const struct clerk_config *config)
{
	struct clerk *clerk = calloc(1, sizeof(*clerk));

	if (!clerk)
		return NULL;
	clerk->sup = sup;
	clerk->config = *config;
	clerk->directory = clerk->listener = -1;
	clerk->started_ms = wall_ms();
	clerk->retry_ms = RETRY_FIRST_MS;
	clerk->flush_ns = clock_now_ns() + (uint64_t)clerk->config.flush_ms * 1000000u;
	clerk->metrics_ns = config->metrics ? clock_now_ns() : UINT64_MAX;
	clerk->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	clerk->batch = calloc(1, sizeof(*clerk->batch));
	if (clerk->wake >= 0 && clerk->batch && start(clerk) == 0)
		return clerk;
	free(clerk->batch);
	free(clerk);
	return NULL;
}

/* Return: whether it was carried out in time; *@complete: and left nothing unwritten. */
static bool command(struct clerk *clerk, int ms, bool last, bool *complete)
{
	uint64_t one = 1, until_ns = clock_now_ns() + (uint64_t)ms * 1000000u;
	uint64_t end_ns = until_ns + (uint64_t)GRACE_MS * 1000000u;
	struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000u),
			       .tv_nsec = (long)(end_ns % 1000000000u)};
	uint64_t mine;
	bool obeyed;
	int rc = 0;

	pthread_mutex_lock(&clerk->lock);
	/* A program that was never on the network has nothing to be written: no need to wake the thread. */
	if (clerk->clear && !clerk->config.metrics && !account_unwritten(clerk->sup->account)) {
		pthread_mutex_unlock(&clerk->lock);
		*complete = true;
		return true;
	}
	mine = clerk->order.number + 1;
	clerk->order = (struct order){.number = mine, .until_ns = until_ns, .last = last};
	if (write(clerk->wake, &one, sizeof(one)) < 0)
		log_debug("the clerk was woken already");
	while (clerk->obeyed < mine && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&clerk->done, &clerk->lock, &end);
	obeyed = clerk->obeyed >= mine;
	*complete = obeyed && clerk->complete;
	pthread_mutex_unlock(&clerk->lock);
	return obeyed;
}

bool clerk_flush(struct clerk *clerk, int ms)
{
	bool complete;

	return command(clerk, ms, false, &complete) && complete;
}

void clerk_finish(struct clerk *clerk, int ms)
{
	bool complete;

	if (!command(clerk, ms, true, &complete))
		log_warn("the ledger takes long to write: what this run used may be missing there");
}

void clerk_report(struct clerk *clerk)
{
	struct status status;

	if (!clerk->config.report)
		return;
	if (take_picture(clerk, &status) == 0)
		report_print(&status, stderr);
	free_picture(&status);
}

void clerk_close(struct clerk *clerk)
{
	if (clerk->listener >= 0)
		status_unlink(clerk->directory, clerk->name);
}
