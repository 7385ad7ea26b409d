/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: faccessat2 getrandom eventfd2 fcntl socket shutdown openat unlinkat fchmod */
#include "porter.h"

#include "account.h"
#include "handover/blake2s.h"
#include "shared/base/clock.h"
#include "shared/base/fd.h"
#include "shared/base/log.h"
#include "shared/gae_sockets.h"
#include "supervisor.h"
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Claims that fail, in a second: each may have asked another instance. */
#define FAILURES_MAX 256

enum state { FREE, PREPARED, OFFERED, CLAIMED };

struct offer {
	enum state state;
	uint8_t id[TOKEN_ID_SIZE];
	int fd; /* OFFERED, CLAIMED */
	struct porter_owner owner;
};

struct porter {
	struct supervisor *sup;
	int changed; /* eventfd */

	pthread_mutex_t opening; /* the directory: held over system calls on it */
	bool opened;
	bool has_key; /* .identity.key is what tokens were made with */
	struct porter_identity identity;
	int listener;             /* the last one; the thread closes it */
	atomic_int next_listener; /* for the thread; -1: it has the last one */
	bool serving;             /* the thread runs */
	char name[RUNTIME_NAME_MAX];

	pthread_mutex_t lock; /* never held over a system call that waits */
	struct offer *offers; /* PORTER_OFFERS_MAX */
	size_t max;           /* of .held */
	size_t held, next;
	uint64_t second, failures;
};

/* Half of our descriptors stay for all else: a program that offers as much as it can still has its other calls. */
static size_t most_offers(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / 2 >= PORTER_OFFERS_MAX)
		return PORTER_OFFERS_MAX;
	return files.rlim_cur / 2;
}

struct porter *porter_new(struct supervisor *sup)
{
	struct porter *porter = calloc(1, sizeof(*porter));

	if (!porter)
		return NULL;
	porter->sup = sup;
	porter->max = most_offers();
	porter->listener = porter->identity.directory = -1;
	atomic_init(&porter->next_listener, -1);
	porter->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	porter->offers = calloc(PORTER_OFFERS_MAX, sizeof(*porter->offers));
	pthread_mutex_init(&porter->opening, NULL);
	pthread_mutex_init(&porter->lock, NULL);
	if (porter->offers && porter->changed >= 0)
		return porter;
	free(porter->offers);
	free(porter);
	return NULL;
}

/* --- who we are --- */

/* What a token is authenticated with: one file per app, with a name that any app's name gives. */
static int open_identity(struct porter *porter, char *error, size_t room)
{
	struct porter_identity *identity = &porter->identity;
	char path[PATH_MAX], name[RUNTIME_NAME_MAX];
	int rc;

	if (porter->opened)
		return 0;
	identity->directory = runtime_dir_open(path, sizeof(path), error, room);
	if (identity->directory < 0)
		return -EIO;
	identity->app = token_app(porter->sup->app, geteuid());
	snprintf(name, sizeof(name), "%02x%02x%02x%02x%02x%02x%02x%02x.key", identity->app.bytes[0],
		 identity->app.bytes[1], identity->app.bytes[2], identity->app.bytes[3],
		 identity->app.bytes[4], identity->app.bytes[5], identity->app.bytes[6],
		 identity->app.bytes[7]);
	rc = runtime_key(identity->directory, name, identity->key, sizeof(identity->key),
			 porter->has_key);
	porter->opened = rc == 0;
	porter->has_key |= rc == 0;
	if (rc == 0)
		return 0;
	snprintf(error, room, "no key %.200s/%s: %s", path, name,
		 rc == -EPERM ? "what is there is not this user's alone" : strerror(-rc));
	fd_close(&identity->directory);
	return -EIO;
}

int porter_identity(struct porter *porter, struct porter_identity *identity, char *error,
		    size_t room)
{
	int rc;

	pthread_mutex_lock(&porter->opening);
	rc = open_identity(porter, error, room);
	*identity = porter->identity;
	/* Ours is closed when somebody has cleaned up, and its number may be anything then. */
	if (rc == 0) {
		identity->directory = fcntl(porter->identity.directory, F_DUPFD_CLOEXEC, 0);
		if (identity->directory < 0) {
			snprintf(error, room, "the runtime directory: %s", strerror(errno));
			rc = -EIO;
		}
	}
	pthread_mutex_unlock(&porter->opening);
	return rc;
}

static void *porter_main(void *argument)
{
	struct porter *porter = argument;

	porter_serve(porter, &porter->identity.app);
}

static int start_thread(struct porter *porter)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 128u << 10);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attributes, porter_main, porter);
	pthread_attr_destroy(&attributes);
	return -rc;
}

static int listen_in(struct porter *porter)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, rc;

	/* Before it listens, so that every message says who sent it. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		rc = -errno;
	else
		rc = runtime_listen(porter->identity.directory, fd, RUNTIME_HANDOVER, porter->name,
				    sizeof(porter->name));
	if (rc < 0)
		fd_close(&fd);
	return rc < 0 ? rc : fd;
}

/* The thread's from now on: it closes the one before, which wakes it up by being shut. */
static void hand_to_thread(struct porter *porter, int listener)
{
	int untaken = atomic_exchange(&porter->next_listener, listener);

	if (porter->listener >= 0)
		shutdown(porter->listener, SHUT_RDWR);
	fd_close(&untaken);
	porter->listener = listener;
}

/* There is no thread. */
static void take_back(struct porter *porter)
{
	int untaken = atomic_exchange(&porter->next_listener, -1);

	fd_close(&untaken);
	porter->listener = -1;
}

static bool is_cleaned_up(const struct porter *porter)
{
	return porter->listener >= 0 &&
	       faccessat(porter->identity.directory, porter->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

/*
 * Listening: the socket, its name in the directory, the thread.  Where somebody has removed the name,
 * or the directory, all begins anew with the same key, and what was on offer can be claimed again, unless
 * another instance of the app was quicker and has made another key.
 */
static int open_counter(struct porter *porter, char *error, size_t room)
{
	bool anew = is_cleaned_up(porter);
	int rc;

	if (porter->listener >= 0 && !anew)
		return 0;
	if (anew) {
		porter->opened = false;
		fd_close(&porter->identity.directory);
	}
	rc = open_identity(porter, error, room);
	if (rc < 0)
		return rc;
	rc = listen_in(porter);
	if (rc >= 0) {
		hand_to_thread(porter, rc);
		rc = porter->serving ? 0 : start_thread(porter);
	}
	porter->serving |= rc == 0;
	if (rc == 0)
		return 0;
	snprintf(error, room, "no socket for claims in the runtime directory: %s", strerror(-rc));
	if (!porter->serving)
		take_back(porter);
	return -EIO;
}

int porter_next_listener(struct porter *porter)
{
	return atomic_exchange(&porter->next_listener, -1);
}

/* --- offers; the lock is held where it is not said otherwise --- */

static void note_change(struct porter *porter)
{
	uint64_t one = 1;

	if (write(porter->changed, &one, sizeof(one)) < 0)
		log_debug("the porter's counter is full");
}

static int find_free(struct porter *porter)
{
	for (size_t i = 0; porter->held < porter->max && i < PORTER_OFFERS_MAX; i++) {
		size_t at = (porter->next + i) % PORTER_OFFERS_MAX;

		if (porter->offers[at].state != FREE)
			continue;
		porter->next = at + 1;
		return (int)at;
	}
	return -ENOBUFS;
}

/* Return: the socket, for the caller to close without the lock; -1. */
static int let_go(struct porter *porter, struct offer *offer)
{
	int fd = offer->state == PREPARED ? -1 : offer->fd;

	*offer = (struct offer){.fd = -1};
	porter->held--;
	note_change(porter);
	return fd;
}

int porter_prepare(struct porter *porter, char *text, size_t *size, char *error, size_t room)
{
	struct token token = {.instance = ""};
	int place, rc;

	if (getrandom(token.id, sizeof(token.id), 0) != (ssize_t)sizeof(token.id))
		return -ENOBUFS;
	pthread_mutex_lock(&porter->opening);
	rc = open_counter(porter, error, room);
	memcpy(token.instance, porter->name, sizeof(token.instance));
	if (rc == 0)
		*size = token_format(&token, &porter->identity.app, porter->identity.key, text);
	pthread_mutex_unlock(&porter->opening);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&porter->lock);
	place = find_free(porter);
	if (place >= 0) {
		porter->offers[place] = (struct offer){.state = PREPARED, .fd = -1};
		memcpy(porter->offers[place].id, token.id, TOKEN_ID_SIZE);
		porter->held++;
	}
	pthread_mutex_unlock(&porter->lock);
	return place;
}

void porter_publish(struct porter *porter, int place, int fd, const struct porter_owner *owner)
{
	struct offer *offer = &porter->offers[place];

	pthread_mutex_lock(&porter->lock);
	offer->state = OFFERED;
	offer->fd = fd;
	offer->owner = *owner;
	pthread_mutex_unlock(&porter->lock);
}

void porter_cancel(struct porter *porter, int place)
{
	pthread_mutex_lock(&porter->lock);
	let_go(porter, &porter->offers[place]);
	pthread_mutex_unlock(&porter->lock);
}

/* --- the trace --- */

static void note(struct porter *porter, const struct porter_owner *owner, const char *what,
		 pid_t by)
{
	char line[160], name[4 * sizeof(owner->process)];

	if (!porter->sup->trace)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)sizeof(owner->process), owner->process);
	if (by)
		snprintf(line, sizeof(line), "a %s socket of process %d %s by gae-supervisor %d",
			 owner->transport == TRANSPORT_TCP ? "TCP" : "UDP", owner->pid, what, by);
	else
		snprintf(line, sizeof(line), "a %s socket of process %d %s",
			 owner->transport == TRANSPORT_TCP ? "TCP" : "UDP", owner->pid, what);
	trace_note(porter->sup->trace, line);
}

void porter_withdraw(struct porter *porter, int place, uint64_t cookie)
{
	struct offer *offer = &porter->offers[place];
	struct porter_owner owner;
	int fd = -1;

	pthread_mutex_lock(&porter->lock);
	owner = offer->owner;
	if (offer->state == OFFERED && offer->owner.cookie == cookie)
		fd = let_go(porter, offer);
	pthread_mutex_unlock(&porter->lock);
	if (fd < 0)
		return;
	account_withdraw(porter->sup->account, cookie);
	note(porter, &owner, "is let go: who put it on offer has ended", 0);
	close(fd);
}

/* --- claims --- */

int porter_take(struct porter *porter, const uint8_t id[TOKEN_ID_SIZE], int *fd,
		struct moved_socket *moved)
{
	const struct plan *plan = porter->sup->plan;
	bool stays = plan->descriptors.word == DESCRIPTORS_SHARED;
	struct porter_owner owner = {0};
	struct tcp_numbers numbers;
	int place = -EPIPE;
	bool known;

	pthread_mutex_lock(&porter->lock);
	for (int i = 0; i < PORTER_OFFERS_MAX; i++) {
		struct offer *offer = &porter->offers[i];

		if (offer->state != OFFERED || !bytes_equal(offer->id, id, TOKEN_ID_SIZE))
			continue;
		offer->state = CLAIMED;
		owner = offer->owner;
		*fd = offer->fd;
		place = i;
	}
	pthread_mutex_unlock(&porter->lock);
	if (place < 0)
		return place;
	*moved = (struct moved_socket){.domain = owner.domain, .transport = owner.transport};
	known = owner.transport == TRANSPORT_TCP && sock_diag_of(*fd, &numbers) == 0;
	account_release(porter->sup->account, owner.cookie, known ? &numbers : NULL, stays, moved);
	return place;
}

void porter_settle(struct porter *porter, int place, bool kept, const struct moved_socket *moved,
		   pid_t by)
{
	struct offer *offer = &porter->offers[place];
	struct porter_owner owner = offer->owner; /* nobody changes a CLAIMED one but us */
	int fd = -1;

	if (!kept) {
		struct account_caller nobody = {.pid = owner.pid,
						.tid = owner.pid,
						.process = owner.process,
						.fd = -1,
						.cookie = owner.cookie,
						.domain = owner.domain};

		account_adopt(porter->sup->account, &nobody, moved, true);
	}
	pthread_mutex_lock(&porter->lock);
	if (kept) {
		fd = let_go(porter, offer);
	} else {
		offer->state = OFFERED;
		note_change(porter);
	}
	pthread_mutex_unlock(&porter->lock);
	note(porter, &owner, kept ? "was taken over" : "is on offer again: it was not taken over",
	     kept ? by : 0);
	fd_close(&fd);
}

/* --- for the keeper --- */

static struct offer *find_cookie(struct porter *porter, uint64_t cookie)
{
	for (size_t i = 0; porter->held > 0 && i < PORTER_OFFERS_MAX; i++)
		if (porter->offers[i].state == OFFERED && porter->offers[i].owner.cookie == cookie)
			return &porter->offers[i];
	return NULL;
}

int porter_duplicate(struct porter *porter, uint64_t cookie)
{
	struct offer *offer;
	int fd;

	pthread_mutex_lock(&porter->lock);
	offer = find_cookie(porter, cookie);
	fd = offer ? fcntl(offer->fd, F_DUPFD_CLOEXEC, 0) : -1;
	pthread_mutex_unlock(&porter->lock);
	return fd < 0 ? -ENOENT : fd;
}

void porter_drop(struct porter *porter, uint64_t cookie)
{
	struct offer *offer;
	int fd = -1;

	pthread_mutex_lock(&porter->lock);
	offer = find_cookie(porter, cookie);
	if (offer)
		fd = let_go(porter, offer);
	pthread_mutex_unlock(&porter->lock);
	fd_close(&fd);
}

/* --- the end --- */

size_t porter_held(struct porter *porter)
{
	size_t held;

	pthread_mutex_lock(&porter->lock);
	held = porter->held;
	pthread_mutex_unlock(&porter->lock);
	return held;
}

int porter_wait_fd(const struct porter *porter)
{
	return porter->changed;
}

void porter_changed(struct porter *porter)
{
	uint64_t count;

	if (read(porter->changed, &count, sizeof(count)) < 0)
		return;
}

/* The lock is held.  Return: failures in this second. */
static uint64_t *count_failures(struct porter *porter)
{
	uint64_t second = clock_now_ns() / 1000000000u;

	if (second != porter->second)
		porter->failures = 0;
	porter->second = second;
	return &porter->failures;
}

void porter_claim_failed(struct porter *porter)
{
	pthread_mutex_lock(&porter->lock);
	++*count_failures(porter);
	pthread_mutex_unlock(&porter->lock);
}

bool porter_may_claim(struct porter *porter)
{
	bool may;

	pthread_mutex_lock(&porter->lock);
	may = *count_failures(porter) < FAILURES_MAX;
	pthread_mutex_unlock(&porter->lock);
	return may;
}

void porter_close(struct porter *porter)
{
	pthread_mutex_lock(&porter->opening);
	if (porter->serving)
		runtime_unlink(porter->identity.directory, porter->name);
	pthread_mutex_unlock(&porter->opening);
	for (size_t i = 0; i < PORTER_OFFERS_MAX; i++)
		if (porter->offers[i].state == OFFERED)
			note(porter, &porter->offers[i].owner, "is lost: it was still on offer", 0);
}
