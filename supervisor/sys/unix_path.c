/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: openat2 readlink getuid geteuid */
#include "sys/unix_path.h"

#include "shared/base/fd.h"
#include "status/runtime.h"
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

bool unix_pattern_matches(const char *pattern, const char *name, size_t length)
{
	size_t size = strlen(pattern);

	if (size > 0 && pattern[size - 1] == '*')
		return length >= size - 1 && memcmp(pattern, name, size - 1) == 0;
	return length == size && memcmp(pattern, name, size) == 0;
}

static bool is_listed(const struct plan *plan, const char *name, size_t length)
{
	for (size_t i = 0; i < plan->n_unix_paths; i++)
		if (unix_pattern_matches(plan->unix_paths[i], name, length))
			return true;
	return false;
}

bool unix_is_listed(const struct plan *plan, const char *path)
{
	return is_listed(plan, path, strlen(path));
}

/* We act with our own credentials: only for a program that still has the same ones. */
bool unix_has_our_uid(pid_t tid)
{
	char path[48], text[2048];
	CLEANUP_FD int fd = -1;
	const char *at;
	unsigned int ids[4];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	at = strstr(text, "\nUid:");
	return at && sscanf(at + 5, "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4 &&
	       ids[0] == getuid() && ids[1] == geteuid() && ids[3] == geteuid();
}

/* Opens @path as the program would: an absolute one below its root, else from its working directory. */
static int open_as_target(pid_t tid, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
	CLEANUP_FD int base = -1;
	char from[48];
	int fd;

	snprintf(from, sizeof(from), "/proc/%d/%s", tid, path[0] == '/' ? "root" : "cwd");
	base = open(from, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (base < 0)
		return -errno;
	if (path[0] == '/')
		how.resolve |= RESOLVE_IN_ROOT;
	fd = (int)syscall(SYS_openat2, base, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

bool unix_is_ours(int fd)
{
	struct sockaddr_un peer;
	socklen_t size = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
	       runtime_is_ours(&peer, size);
}

/* The runtime directory, by what it is and not by its name. */
bool unix_in_runtime_directory(const char *name)
{
	char path[PATH_MAX], directory[PATH_MAX];
	struct stat theirs, ours;
	const char *slash = strrchr(name, '/');

	if (!slash || !runtime_dir_path(path, sizeof(path)) || stat(path, &ours) < 0)
		return false;
	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - name + 1), name);
	return stat(directory, &theirs) == 0 && theirs.st_dev == ours.st_dev &&
	       theirs.st_ino == ours.st_ino;
}

/* Is the opened file the one that its own name leads to in our view, and is that name listed? */
static bool is_listed_file(const struct plan *plan, int fd)
{
	struct stat theirs, ours;
	char self[48], name[PATH_MAX];
	ssize_t n;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, name, sizeof(name) - 1);
	if (n <= 0)
		return false;
	name[n] = '\0';
	return unix_is_listed(plan, name) && !unix_in_runtime_directory(name) &&
	       fstat(fd, &theirs) == 0 && stat(name, &ours) == 0 && theirs.st_dev == ours.st_dev &&
	       theirs.st_ino == ours.st_ino && S_ISSOCK(ours.st_mode);
}

bool unix_is_listed_abstract(const struct request *req, const struct sockaddr_un *un, size_t size)
{
	char name[sizeof(un->sun_path) + 1] = "@";
	size_t length = size - offsetof(struct sockaddr_un, sun_path) - 1;

	memcpy(name + 1, un->sun_path + 1, length);
	return is_listed(req->sup->plan, name, length + 1);
}

static int check_abstract(struct request *req, const struct sockaddr_un *un, size_t size,
			  struct sockaddr_storage *to, socklen_t *to_size)
{
	if (!unix_is_listed_abstract(req, un, size))
		return (int)request_deny(req, EACCES, req->sup->plan->unix_sockets.loc,
					 "local socket not listed");
	memcpy(to, un, size);
	*to_size = (socklen_t)size;
	return open("/dev/null", O_PATH | O_CLOEXEC);
}

int unix_path_check(struct request *req, const void *bytes, size_t size,
		    struct sockaddr_storage *to, socklen_t *to_size)
{
	const struct plan *plan = req->sup->plan;
	struct sockaddr_un un = {0}, *out = (struct sockaddr_un *)to;
	char path[sizeof(un.sun_path) + 1] = "";
	int fd;

	/* net/unix/af_unix.c, unix_validate_addr(). */
	if (size <= offsetof(struct sockaddr_un, sun_path) || size > sizeof(un))
		return -EINVAL;
	memcpy(&un, bytes, size);
	if (un.sun_family != AF_UNIX)
		return -EINVAL;
	if (plan->unix_sockets.word != UNIX_ALLOW || !unix_has_our_uid(req->tid))
		return (int)request_deny(req, EACCES, plan->unix_sockets.loc, "local sockets");
	req->by_policy = true;
	req->loc = plan->unix_sockets.loc;
	req->why = "listed local socket";
	if (un.sun_path[0] == '\0')
		return check_abstract(req, &un, size, to, to_size);
	memcpy(path, un.sun_path, size - offsetof(struct sockaddr_un, sun_path));
	fd = open_as_target(req->tid, path);
	if (fd < 0)
		return fd;
	if (!is_listed_file(plan, fd)) {
		close(fd);
		return (int)request_deny(req, EACCES, plan->unix_sockets.loc,
					 "local socket not listed");
	}
	memset(to, 0, sizeof(*to));
	out->sun_family = AF_UNIX;
	*to_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			       (size_t)snprintf(out->sun_path, sizeof(out->sun_path),
						"/proc/self/fd/%d", fd));
	return fd;
}

void unix_path_close(int path)
{
	if (path >= 0)
		close(path);
}
