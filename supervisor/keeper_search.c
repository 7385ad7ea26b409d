/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: getdents64 readlinkat shutdown */
#include "keeper_search.h"

#include "policy/units.h"
#include "porter.h"
#include "shared/base/log.h"
#include "shared/base/tree.h"
#include "supervisor.h"
#include "target.h"
#include "trace.h"
#include "urlfetch.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WANTED_MAX 256

struct wanted {
	struct account_look look;
	enum account_todo todo;
	bool found;
};

struct keeper_search {
	struct supervisor *sup;
	pthread_mutex_t lock;
	struct wanted next[WANTED_MAX]; /* under the lock */
	size_t n_next;
	bool running;
	/* The thread's own. */
	struct wanted now[WANTED_MAX];
	size_t n_now;
	struct target_cache targets;
};

int keeper_take(struct supervisor *sup, struct target_cache *targets,
		const struct account_look *look)
{
	int fd = porter_duplicate(sup->porter, look->cookie);

	if (fd >= 0)
		return fd;
	fd = target_duplicate(targets, look->tid, look->fd);

	/* The thread may have ended; its process has the same descriptors. */
	if (fd < 0 && look->pid != look->tid)
		fd = target_duplicate(targets, look->pid, look->fd);
	if (fd < 0)
		return -ENOENT;
	if (sock_cookie(fd) == look->cookie)
		return fd;
	close(fd);
	return -ENOENT;
}

static void trace_shut(struct supervisor *sup, const struct account_look *look,
		       enum account_todo todo)
{
	const struct plan *plan = sup->plan;
	bool reclaim = todo == ACCOUNT_RECLAIM;
	char location[300] = "built-in", reason[96], limit[UNITS_TEXT_MAX];
	struct trace_record record = {
	    .call = reclaim ? "reclaim" : "quota",
	    .tid = look->pid,
	    .comm = look->process,
	    .fd = look->fd,
	    .transport = look->transport == TRANSPORT_TCP ? "tcp" : "udp",
	    .to = look->to.addr.family ? &look->to : NULL,
	    .arguments = look->to.addr.family ? NULL : "",
	    .decision = TRACE_DENY,
	    .result = -EPIPE,
	    .location = location,
	    .reason = reason,
	    .duration_ns = reclaim ? look->quiet_ns : 0,
	};

	if (!sup->trace)
		return;
	plan_location(plan, reclaim ? plan->idle.loc : account_spent_loc(sup->account), location,
		      sizeof(location));
	if (reclaim)
		snprintf(reason, sizeof(reason), "idle for %s, reclaimed",
			 units_format(UNITS_TIME, plan->idle.ms, limit));
	else
		snprintf(reason, sizeof(reason), "the quota is used up, shut%s",
			 todo == ACCOUNT_SHUT_WRITING ? " for writing" : "");
	trace_decided(sup->trace, &record);
}

static bool is_listening(int fd)
{
	int listening = 0;
	socklen_t size = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

static void shut(struct supervisor *sup, int fd, const struct account_look *look,
		 enum account_todo todo)
{
	/* A server is not idle because nobody calls. */
	if (is_listening(fd)) {
		account_keep(sup->account, look->cookie);
		return;
	}
	/* ENOTCONN: an unconnected UDP socket is shut all the same (inet_shutdown()). */
	if (todo == ACCOUNT_RECLAIM)
		porter_drop(sup->porter, look->cookie);
	shutdown(fd, todo == ACCOUNT_SHUT_WRITING ? SHUT_WR : SHUT_RDWR);
	account_shut(sup->account, look->cookie, todo, true);
	trace_shut(sup, look, todo);
}

bool keeper_shut(struct supervisor *sup, struct target_cache *targets,
		 const struct account_look *look, enum account_todo todo)
{
	int fd;

	if (urlfetch_owns(sup->urlfetch, look)) {
		urlfetch_shut(sup->urlfetch, look->cookie,
			      todo == ACCOUNT_SHUT_WRITING ? SHUT_WR : SHUT_RDWR);
		account_shut(sup->account, look->cookie, todo, true);
		trace_shut(sup, look, todo);
		return true;
	}
	fd = keeper_take(sup, targets, look);
	if (fd < 0)
		return false;
	shut(sup, fd, look, todo);
	close(fd);
	return true;
}

/* --- the search --- */

static void try_descriptor(struct keeper_search *search, pid_t pid, int number)
{
	int fd = target_duplicate(&search->targets, pid, number);
	uint64_t cookie = fd < 0 ? 0 : sock_cookie(fd);

	for (size_t i = 0; cookie && i < search->n_now; i++) {
		struct wanted *wanted = &search->now[i];

		if (wanted->found || wanted->look.cookie != cookie)
			continue;
		wanted->found = true;
		shut(search->sup, fd, &wanted->look, wanted->todo);
	}
	if (fd >= 0)
		close(fd);
}

static void search_process(struct keeper_search *search, pid_t pid)
{
	char path[32], target[16];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));

		if (n > 7 && !memcmp(target, "socket:", 7))
			try_descriptor(search, pid, atoi(entry->d_name));
	}
	if (dir)
		closedir(dir);
}

static void search_tree(struct keeper_search *search)
{
	pid_t *pids = NULL;
	ssize_t n = tree_list(&pids);

	for (ssize_t i = 0; i < n; i++)
		search_process(search, pids[i]);
	free(pids);
	/* Of UDP nothing gets by us: found or not, the account has closed it. */
	for (size_t i = 0; i < search->n_now; i++)
		if (!search->now[i].found)
			account_shut(search->sup->account, search->now[i].look.cookie,
				     search->now[i].todo, false);
}

static void *search_main(void *argument)
{
	struct keeper_search *search = argument;

	for (;;) {
		pthread_mutex_lock(&search->lock);
		search->n_now = search->n_next;
		memcpy(search->now, search->next, search->n_next * sizeof(search->next[0]));
		search->n_next = 0;
		search->running = search->n_now > 0;
		pthread_mutex_unlock(&search->lock);
		if (search->n_now == 0)
			return NULL;
		search_tree(search);
	}
}

struct keeper_search *keeper_search_new(struct supervisor *sup)
{
	struct keeper_search *search = calloc(1, sizeof(*search));

	if (!search)
		return NULL;
	search->sup = sup;
	pthread_mutex_init(&search->lock, NULL);
	target_cache_init(&search->targets);
	return search;
}

void keeper_search_add(struct keeper_search *search, const struct account_look *look,
		       enum account_todo todo)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_mutex_lock(&search->lock);
	if (search->n_next < WANTED_MAX)
		search->next[search->n_next++] = (struct wanted){.look = *look, .todo = todo};
	if (!search->running) {
		pthread_attr_init(&attributes);
		pthread_attr_setstacksize(&attributes, 128u << 10);
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		search->running = pthread_create(&thread, &attributes, search_main, search) == 0;
		pthread_attr_destroy(&attributes);
	}
	pthread_mutex_unlock(&search->lock);
}
