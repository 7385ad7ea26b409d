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
#define REFRESH_MS 10
#define REFRESH_MAX 2000

/* Rows on their way to the ledger: what failed is offered again as it was (ledger_write()). */
struct batch {
	struct ledger_batch batch;
	struct status_flow flows[ROWS_MAX];
	struct ledger_row rows[ROWS_MAX];
	char addresses[ROWS_MAX][NET_ADDR_TEXT_MAX];
};

struct clerk {
	struct supervisor *sup;
	struct clerk_config config;
	int wake, directory, listener;
	char name[RUNTIME_NAME_MAX];
	uint64_t started_ms;

	pthread_mutex_t lock;
	pthread_cond_t done;
	uint64_t wanted, written; /* flushes asked for, flushes finished; under the lock */
	bool
	    clear; /* the thread is up, and has nothing in hand that is not in the ledger; under the lock */

	/* The thread's own. */
	struct ledger *ledger;
	struct batch *batch; /* .batch.n_rows > 0 or .lost > 0: not written yet */
	uint64_t flush_ns, metrics_ns, retry_ms;
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

/* Return: 0 the batch is in the ledger; -1 it is kept for later. */
static int write_batch(struct clerk *clerk)
{
	char error[PATH_MAX + 256] = "";
	int rc;

	if (!clerk->ledger)
		clerk->ledger = ledger_open(clerk->config.ledger, error, sizeof(error));
	rc = clerk->ledger ? ledger_write(clerk->ledger, &clerk->batch->batch, error, sizeof(error))
			   : -EIO;
	if (rc == 0) {
		clerk->batch->batch.n_rows = 0;
		clerk->batch->batch.lost = 0;
		clerk->retry_ms = RETRY_FIRST_MS;
		return 0;
	}
	if (rc != -EAGAIN)
		warn_once(&clerk->told_ledger, error);
	return -1;
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

static void flush(struct clerk *clerk)
{
	uint64_t next_ms = (uint64_t)clerk->config.flush_ms;

	while (clerk->config.ledger && take_batch(clerk)) {
		if (write_batch(clerk) == 0)
			continue;
		next_ms = clerk->retry_ms;
		clerk->retry_ms =
		    clerk->retry_ms * 2 > RETRY_LAST_MS ? RETRY_LAST_MS : clerk->retry_ms * 2;
		break;
	}
	clerk->flush_ns = clock_now_ns() + next_ms * 1000000u;
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
	struct pollfd watched[2] = {{.fd = clerk->wake, .events = POLLIN},
				    {.fd = clerk->listener, .events = POLLIN}};
	uint64_t next = clerk->config.ledger ? clerk->flush_ns : UINT64_MAX, count;

	if (clerk->metrics_ns < next)
		next = clerk->metrics_ns;
	poll(watched, 2, until_ms(next, clock_now_ns()));
	if (watched[1].revents)
		serve(clerk);
	if (read(clerk->wake, &count, sizeof(count)) < 0)
		count = 0;
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
		uint64_t now, wanted;
		bool asked;

		wait_for_work(clerk);
		now = clock_now_ns();
		pthread_mutex_lock(&clerk->lock);
		wanted = clerk->wanted;
		asked = wanted != clerk->written;
		clerk->clear = false;
		pthread_mutex_unlock(&clerk->lock);
		/* Who asked has looked by itself. */
		if (!asked && (now >= clerk->flush_ns || now >= clerk->metrics_ns))
			refresh(clerk, REFRESH_MAX);
		if (asked || now >= clerk->flush_ns)
			flush(clerk);
		if (clerk->config.metrics && (asked || now >= clerk->metrics_ns))
			write_metrics(clerk);
		pthread_mutex_lock(&clerk->lock);
		clerk->written = wanted;
		clerk->clear = !has_batch(clerk);
		pthread_cond_broadcast(&clerk->done);
		pthread_mutex_unlock(&clerk->lock);
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

bool clerk_flush(struct clerk *clerk, int ms)
{
	uint64_t one = 1, mine;
	struct timespec until;
	bool done;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&clerk->lock);
	/* A program that was never on the network has nothing to be written: no need to wake the thread. */
	if (clerk->clear && !clerk->config.metrics && !account_unwritten(clerk->sup->account)) {
		pthread_mutex_unlock(&clerk->lock);
		return true;
	}
	mine = ++clerk->wanted;
	if (write(clerk->wake, &one, sizeof(one)) < 0)
		log_debug("the clerk was woken already");
	while (clerk->written < mine && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&clerk->done, &clerk->lock, &until);
	done = clerk->written >= mine;
	pthread_mutex_unlock(&clerk->lock);
	return done;
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
