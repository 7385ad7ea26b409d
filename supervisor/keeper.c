/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: poll pread64 */
#include "keeper.h"

#include "account.h"
#include "keeper_search.h"
#include "net/sock_diag.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "supervisor.h"
#include "target.h"
#include "urlfetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* At one time: the loop has others to serve. */
#define NEWS_AT_ONCE 4096
#define LOOKS_AT_ONCE 256
/*
 * Where sockets come and go by the thousand, each end is not worth a wake-up: news is fetched at
 * this distance until there is none.  The smallest buffer holds four hundred.
 */
#define NEWS_NS 5000000u
/* And the first looks at new sockets find the loop awake in time, so that nobody has to wake it. */
#define BUSY_NS 1000000000u

struct keeper {
	struct supervisor *sup;
	int news, questions, traffic_file;
	uint64_t traffic, traffic_read_ns;
	bool fetching; /* news, by time */
	uint64_t fetch_ns, busy_ns;
	struct target_cache targets;
	struct keeper_search *search;
	bool told_lost;
	bool losing; /* news was lost, and what is there was not fetched to its end since */
};

struct keeper *keeper_new(struct supervisor *sup)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));

	if (!keeper)
		return NULL;
	keeper->sup = sup;
	keeper->news = sock_diag_watch(sup->news_room);
	keeper->questions = sock_diag_open();
	keeper->traffic_file = open("/proc/self/net/snmp", O_RDONLY | O_CLOEXEC);
	if (keeper->news < 0 || keeper->questions < 0)
		log_warn("the kernel does not tell of sockets (%s): the last bytes of TCP "
			 "connections are not counted",
			 strerror(keeper->news < 0 ? -keeper->news : -keeper->questions));
	if (keeper->news < 0)
		account_deaf(sup->account);
	target_cache_init(&keeper->targets);
	keeper->search = keeper_search_new(sup);
	if (keeper->search)
		return keeper;
	free(keeper);
	return NULL;
}

int keeper_fd(const struct keeper *keeper)
{
	return keeper->news;
}

void keeper_ready(struct keeper *keeper)
{
	keeper->fetching = true;
	keeper->fetch_ns = 0;
}

uint64_t keeper_next_ns(struct keeper *keeper, uint64_t now)
{
	uint64_t next = account_next_look(keeper->sup->account);
	uint64_t soon = now + account_first_look_ns(keeper->sup->account);

	if (keeper->busy_ns && now - keeper->busy_ns < BUSY_NS && soon < next)
		next = soon;
	if (keeper->fetching && keeper->fetch_ns < next)
		next = keeper->fetch_ns;
	return next;
}

/* --- what has ended --- */

static void hear_end(void *context, const struct sock_end *end)
{
	struct keeper *keeper = context;
	struct account *account = keeper->sup->account;
	bool asks = end->is_tcp && end->tcp.bytes_received > 0 && end->unread == 0;
	int left = 0;

	if (asks &&
	    (account_has(account, end->cookie) || account_accepts(account, end->tuple.local.port)))
		left = sock_diag_state(keeper->questions, &end->tuple);
	if (!account_ended(account, end, sock_end_fin(end, left)) && end->is_tcp)
		account_accepted(account, end, sock_end_fin(end, left));
}

/*
 * The kernel says that news was lost when the first is, and not again before all there is was
 * fetched (netlink_overrun(), netlink_rcv_wake()): so what came to be in between is doubted then.
 * Return: whether there was any news.
 */
static bool hear(struct keeper *keeper)
{
	int rc = 1;
	bool any = false;

	for (int i = 0; i < NEWS_AT_ONCE && rc > 0 && keeper->news >= 0; i++) {
		rc = sock_diag_hear(keeper->news, hear_end, keeper);
		any |= rc != 0;
		if (rc == 0 && keeper->losing) {
			keeper->losing = false;
			account_doubt(keeper->sup->account, clock_now_ns());
		}
		if (rc != -ENOBUFS)
			continue;
		keeper->losing = true;
		if (!keeper->told_lost)
			log_info("sockets end faster than the kernel can tell: those that ended "
				 "unseen are counted as lost");
		keeper->told_lost = true;
		account_doubt(keeper->sup->account, clock_now_ns());
		rc = 1;
	}
	return any;
}

/* --- looking --- */

/*
 * All TCP segments in and out of this network namespace: as long as that does not move, no
 * connection has moved, and ten thousand quiet ones need no look.  Read once for all that are due
 * at @now: an older count would take a socket for idle that has just moved.
 */
static uint64_t read_traffic(struct keeper *keeper, uint64_t now)
{
	char text[4096];
	const char *at;
	unsigned long long in, out;
	ssize_t n;

	if (keeper->traffic_read_ns == now)
		return keeper->traffic;
	keeper->traffic_read_ns = now;
	keeper->traffic++; /* unknown: something may have moved */
	n = keeper->traffic_file < 0 ? -1 : pread(keeper->traffic_file, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return keeper->traffic;
	text[n] = '\0';
	at = strstr(text, "\nTcp: ");
	at = at ? strstr(at + 1, "\nTcp: ") : NULL;
	/* RFC 1213's tcp group: nine numbers, then tcpInSegs and tcpOutSegs. */
	if (at &&
	    sscanf(at, "\nTcp: %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &in, &out) == 2)
		keeper->traffic = in + out + 1;
	return keeper->traffic;
}

/* Return: true and *@numbers. */
static bool read_connection(struct keeper *keeper, struct account_look *look,
			    struct tcp_numbers *numbers)
{
	int fd, rc;

	if (keeper->questions >= 0 &&
	    sock_diag_ask(keeper->questions, &look->tuple, look->cookie, numbers) == 0)
		return true;
	/* Reset by its peer it is in no table of the kernel's, but the program may still have it. */
	if (urlfetch_owns(keeper->sup->urlfetch, look))
		return false; /* between connecting and its end the kernel knows it */
	fd = keeper_take(keeper->sup, &keeper->targets, look);
	look->gone = fd < 0;
	if (fd < 0)
		return false;
	rc = sock_diag_of(fd, numbers);
	close(fd);
	return rc == 0;
}

static void look_at(struct keeper *keeper, struct account_look *look, uint64_t now)
{
	struct account *account = keeper->sup->account;
	struct tcp_numbers numbers;
	uint64_t traffic = read_traffic(keeper, now);
	bool moved = look->traffic != traffic && look->has_tuple;
	enum account_todo todo;

	look->traffic = traffic;
	moved = moved && read_connection(keeper, look, &numbers);
	todo = account_looked(account, now, look, moved ? &numbers : NULL);
	if (todo == ACCOUNT_LEAVE)
		return;
	if (!keeper_shut(keeper->sup, &keeper->targets, look, todo))
		keeper_search_add(keeper->search, look, todo);
}

bool keeper_run(struct keeper *keeper, uint64_t now)
{
	struct account_look look;
	bool over = false;

	if (keeper->fetching && now >= keeper->fetch_ns) {
		keeper->fetching = hear(keeper);
		keeper->fetch_ns = now + NEWS_NS;
		over = !keeper->fetching;
		if (keeper->fetching)
			keeper->busy_ns = now;
	}
	for (int i = 0; i < LOOKS_AT_ONCE && account_due(keeper->sup->account, now, &look); i++)
		look_at(keeper, &look, now);
	return over;
}

/* --- the end --- */

size_t keeper_settle(struct keeper *keeper, int ms)
{
	struct account *account = keeper->sup->account;
	uint64_t until = clock_now_ns() + (uint64_t)ms * 1000000u, now;
	struct pollfd news = {.fd = keeper->news, .events = POLLIN};
	struct account_look look;

	hear(keeper);
	while (keeper->news >= 0 && account_open_tcp(account, false) > 0 &&
	       (now = clock_now_ns()) < until) {
		if (poll(&news, 1, (int)((until - now) / 1000000u) + 1) > 0)
			hear(keeper);
	}
	if (account_open_tcp(account, true) == 0)
		return 0;
	now = clock_now_ns();
	keeper->traffic_read_ns = 0;
	while (account_next_look(account) == 0 && account_due(account, now, &look))
		look_at(keeper, &look, now);
	/* Who is gone may yet be told of, when the kernel has time; but not where its news was lost, nor to the deaf. */
	account_give_up(account, keeper->news < 0);
	return account_open_tcp(account, false);
}

void keeper_stay(struct keeper *keeper, int wake)
{
	struct pollfd watched[2] = {{.fd = wake, .events = POLLIN},
				    {.fd = keeper->news, .events = POLLIN}};
	uint64_t now = clock_now_ns(), next = keeper_next_ns(keeper, now);
	int ms = -1;

	if (next <= now)
		ms = 0;
	else if (next != UINT64_MAX)
		ms = next - now > 60000000000u ? 60000 : (int)((next - now) / 1000000u) + 1;
	if (poll(watched, 2, ms) < 0 && errno != EINTR)
		log_debug("poll: %s", strerror(errno));
	if (watched[1].revents)
		keeper_ready(keeper);
	keeper_run(keeper, clock_now_ns());
}
