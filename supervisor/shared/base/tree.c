/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: kill wait4 waitid readlink getdents64 prctl poll */
#include "shared/base/tree.h"

#include "shared/base/clock.h"
#include "shared/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
	pid_t pid, parent;
	bool below; /* known to descend from the caller */
	bool dead;  /* zombie: gone but for its parent's wait */
};

struct table {
	struct process *rows;
	size_t used, room;
};

int tree_adopt(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int tree_state(pid_t pid, pid_t *parent)
{
	char path[32], text[512], state;
	const char *end;
	ssize_t n;
	int above;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = fd_read_full(fd, text, sizeof(text) - 1);
	if (n < 0)
		return n == -ESRCH ? -ENOENT : (int)n;
	text[n] = '\0';
	/* proc(5): the name in parentheses is the program's choice and may hold any character. */
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %c %d", &state, &above) != 2)
		return -EPROTO;
	if (parent)
		*parent = above;
	return state;
}

/* In a process namespace of its own under the old /proc, pids read there would name strangers. */
static bool tree_proc_is_ours(void)
{
	char text[16];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	return atoi(text) == getpid();
}

static int tree_add(struct table *table, pid_t pid)
{
	struct process row = {.pid = pid};
	int state = tree_state(pid, &row.parent);

	if (state < 0)
		return 0; /* ended meanwhile */
	row.dead = state == 'Z' || state == 'X';
	if (table->used == table->room) {
		size_t room = table->room ? 2 * table->room : 256;
		struct process *rows = realloc(table->rows, room * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		table->rows = rows;
		table->room = room;
	}
	table->rows[table->used++] = row;
	return 0;
}

static int tree_read(struct table *table)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int rc = 0;

	if (!dir)
		return -errno;
	while (!rc && (entry = readdir(dir))) {
		int pid = atoi(entry->d_name);

		if (pid > 0)
			rc = tree_add(table, pid);
	}
	closedir(dir);
	return rc;
}

static bool tree_is_below(const struct table *table, pid_t parent, pid_t self)
{
	if (parent == self)
		return true;
	for (size_t i = 0; i < table->used; i++)
		if (table->rows[i].pid == parent)
			return table->rows[i].below;
	return false;
}

/* Marks child by child until a pass finds nothing new; parents mostly have the smaller pid. */
static size_t tree_mark(struct table *table)
{
	pid_t self = getpid();
	size_t alive = 0;
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < table->used; i++) {
			struct process *row = &table->rows[i];

			if (row->below || !tree_is_below(table, row->parent, self))
				continue;
			row->below = again = true;
			alive += !row->dead;
		}
	}
	return alive;
}

ssize_t tree_list(pid_t **pids)
{
	struct table table = {0};
	size_t alive, used = 0;
	int rc;

	*pids = NULL;
	if (!tree_proc_is_ours())
		return -ENOENT;
	rc = tree_read(&table);
	alive = rc ? 0 : tree_mark(&table);
	if (alive) {
		*pids = calloc(alive, sizeof(**pids));
		rc = *pids ? 0 : -ENOMEM;
	}
	for (size_t i = 0; *pids && i < table.used; i++)
		if (table.rows[i].below && !table.rows[i].dead)
			(*pids)[used++] = table.rows[i].pid;
	free(table.rows);
	return rc ? rc : (ssize_t)used;
}

/* Return: whether a child is left. */
static bool tree_reap(void)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, WNOHANG | __WALL);
	while (pid > 0 || (pid < 0 && errno == EINTR));
	return pid == 0;
}

int tree_kill(int timeout_ms)
{
	int64_t deadline = clock_now_ms() + timeout_ms;

	while (tree_reap()) {
		CLEANUP_FREE pid_t *pids = NULL;
		ssize_t n = tree_list(&pids);

		if (n == -ENOENT)
			return -ENOENT;
		/* SIGKILL ends also what is stopped; a fork with it pending does not happen. */
		for (ssize_t i = 0; pids && i < n; i++)
			kill(pids[i], SIGKILL);
		if (!tree_reap())
			return 0;
		if (clock_now_ms() >= deadline)
			return -ETIMEDOUT;
		poll(NULL, 0, 1);
	}
	return 0;
}
