/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: getdents64 readlinkat */
#include "holders.h"

#include "shared/base/clock.h"
#include "shared/base/fd.h"
#include "shared/base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A crew thread looks; one that takes a second is taken for stalled. */
#define LOOK_NS 400000000u
#define CHECK_EVERY 256
#define DEPTH_MAX 64

struct search {
	char wanted[32]; /* what its link says: "socket:[4711]" */
	size_t length;
	pid_t pid; /* the caller's process: its table is looked at by its thread */
	uint64_t until_ns;
	unsigned int steps;
	int found; /* 1, or -E2BIG: no need to go on */
};

static bool is_over(struct search *search)
{
	if (!search->found && ++search->steps % CHECK_EVERY == 0 &&
	    clock_now_ns() > search->until_ns)
		search->found = -E2BIG;
	return search->found != 0;
}

/* That a process has ended means nothing; that we have no descriptor to look with, means that we do not know. */
static void note_failure(struct search *search)
{
	if (!search->found && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		search->found = -EMFILE;
}

static void look_at_table(struct search *search, pid_t pid, int but)
{
	char path[32], target[sizeof(search->wanted)];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		note_failure(search);
	while (dir && !is_over(search) && (entry = readdir(dir))) {
		ssize_t n;

		if (entry->d_name[0] == '.' || atoi(entry->d_name) == but)
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
		if (n == (ssize_t)search->length && !memcmp(target, search->wanted, search->length))
			search->found = 1;
	}
	if (dir)
		closedir(dir);
}

static void look_below(struct search *search, pid_t pid, unsigned int depth);

/* The children of one thread, as proc(5) lists them.  Return: false: this kernel lists none. */
static bool look_at_children(struct search *search, pid_t pid, const char *thread,
			     unsigned int depth)
{
	char path[64];
	FILE *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/children", pid, thread);
	file = fopen(path, "re");
	if (!file) {
		note_failure(search);
		return false;
	}
	while (!is_over(search) && fscanf(file, "%d", &child) == 1) {
		if (child != search->pid)
			look_at_table(search, child, -1);
		look_below(search, child, depth + 1);
	}
	fclose(file);
	return true;
}

static void look_below(struct search *search, pid_t pid, unsigned int depth)
{
	struct dirent *entry;
	char path[32];
	DIR *dir;

	if (depth > DEPTH_MAX)
		search->found = -E2BIG;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	if (is_over(search))
		return;
	dir = opendir(path);
	if (!dir)
		note_failure(search);
	while (dir && !is_over(search) && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			look_at_children(search, pid, entry->d_name, depth);
	if (dir)
		closedir(dir);
}

/* Where the kernel keeps no lists of children (CONFIG_PROC_CHILDREN). */
static void look_at_all(struct search *search)
{
	CLEANUP_FREE pid_t *pids = NULL;
	ssize_t n = tree_list(&pids);

	for (ssize_t i = 0; i < n && !is_over(search); i++)
		if (pids[i] != search->pid)
			look_at_table(search, pids[i], -1);
}

int holders_find(pid_t tid, pid_t pid, int fd, ino_t inode)
{
	struct search search = {.pid = pid, .until_ns = clock_now_ns() + LOOK_NS};
	char self[16];

	search.length = (size_t)snprintf(search.wanted, sizeof(search.wanted), "socket:[%lu]",
					 (unsigned long)inode);
	look_at_table(&search, tid, fd);
	/* Our own children are the main thread's: it began the first, and orphans come to it. */
	snprintf(self, sizeof(self), "%d", getpid());
	if (!search.found && !look_at_children(&search, getpid(), self, 0))
		look_at_all(&search);
	return search.found;
}

int holders_cloexec(pid_t tid, int fd)
{
	char path[48], text[128];
	const char *at;
	CLEANUP_FD int info = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return errno == EMFILE || errno == ENFILE ? -EMFILE : -EBADF;
	n = read(info, text, sizeof(text) - 1);
	if (n <= 0)
		return -EBADF;
	text[n] = '\0';
	at = strstr(text, "flags:");
	return at ? (strtoul(at + 6, NULL, 8) & O_CLOEXEC) != 0 : -EBADF;
}
