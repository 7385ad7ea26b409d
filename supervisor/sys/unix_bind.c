/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: bind clone wait4 fchdir umask capget capset exit openat newfstatat readlink */
/*
 * Binding a local socket to a path makes a file: in the program's working directory, with its
 * umask and its rights to the directory.  All three belong to a task, so a short-lived one takes
 * them on, made as vfork(2) makes it: it shares our memory and descriptors, but not the directory.
 *
 * The address is given to the kernel as the program wrote it, since getsockname(2) and every peer
 * is told it.  What is decided is the place that it leads to, as with connect; a program that
 * exchanges a directory on the path meanwhile gets its socket where it could make one of any other
 * kind (mkfifo(3)), and nobody is reached by it: connecting is decided by itself.
 */
#include "sys/unix_bind.h"

#include "shared/base/fd.h"
#include "supervisor.h"
#include "sys/unix_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELPER_STACK (64u * 1024)

struct helper {
	int socket, directory;
	mode_t mask;
	uint64_t rights; /* effective capabilities of the program */
	const struct sockaddr_un *name;
	socklen_t size;
	int rc; /* denied, until it is done */
};

/* Of the capabilities that we have left, only those that the program has as well. */
static int lower_rights(uint64_t rights)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	data[0].effective &= (uint32_t)rights;
	data[1].effective &= (uint32_t)(rights >> 32);
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int bind_as_program(const struct helper *helper)
{
	int rc = lower_rights(helper->rights);

	if (rc < 0)
		return rc;
	if (fchdir(helper->directory) < 0)
		return -errno;
	umask(helper->mask);
	return bind(helper->socket, (const struct sockaddr *)helper->name, helper->size) < 0
		   ? -errno
		   : 0;
}

static int run_helper(void *context)
{
	struct helper *helper = context;

	helper->rc = bind_as_program(helper);
	syscall(SYS_exit, 0);
	return 0;
}

static int start_helper(struct helper *helper)
{
	char *stack = malloc(HELPER_STACK);
	int pid, rc;

	if (!stack)
		return -ENOMEM;
	/* Without a signal at its end: the loop's waitpid(2) passes it over. */
	pid = clone(run_helper, stack + HELPER_STACK, CLONE_VM | CLONE_VFORK | CLONE_FILES, helper);
	rc = pid < 0 ? -errno : 0;
	if (pid > 0)
		waitpid(pid, NULL, __WCLONE);
	free(stack);
	return rc < 0 ? rc : helper->rc;
}

/* Of /proc/TID/status: "Umask:" in octal, "CapEff:" in hexadecimal. */
static int read_status(pid_t tid, struct helper *helper)
{
	CLEANUP_FREE char *text = NULL;
	char path[48];
	const char *mask, *rights;
	size_t size;
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	rc = fd_read_file(path, 65536, &text, &size);
	if (rc < 0)
		return rc;
	mask = strstr(text, "\nUmask:");
	rights = strstr(text, "\nCapEff:");
	if (!mask || !rights)
		return -EACCES;
	helper->mask = (mode_t)strtoul(mask + strlen("\nUmask:"), NULL, 8);
	helper->rights = strtoull(rights + strlen("\nCapEff:"), NULL, 16);
	return 0;
}

/* Where we and the program see different trees, its path means something else here. */
static bool shares_root(pid_t tid)
{
	char path[48];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/root/.", tid);
	return stat(path, &theirs) == 0 && stat("/", &ours) == 0 && theirs.st_dev == ours.st_dev &&
	       theirs.st_ino == ours.st_ino;
}

/* Ends @path in what is no name to give?  fs/namei.c, filename_create(): then nothing is made. */
static bool makes_nothing(const char *path)
{
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;

	return !*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

/* The place that @path leads to: its directory without links, and its last part.  Return: 0 or -errno. */
static int find_place(int base, const char *path, char place[PATH_MAX + 128])
{
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path) + 2], self[48];
	CLEANUP_FD int fd = -1;
	ssize_t n;

	snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		 slash ? path : ".");
	fd = openat(base, directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, place, PATH_MAX - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	snprintf(place + n, PATH_MAX + 128 - (size_t)n, "%s%s", n == 1 ? "" : "/", last);
	return 0;
}

static long bind_path(struct request *req, const struct sockaddr_un *name, size_t size)
{
	char path[sizeof(name->sun_path) + 1] = "", place[PATH_MAX + 128], at[48];
	struct helper helper = {
	    .socket = req->duplicate, .name = name, .size = (socklen_t)size, .rc = -EACCES};
	CLEANUP_FD int directory = -1;
	int rc;

	memcpy(path, name->sun_path, size - offsetof(struct sockaddr_un, sun_path));
	snprintf(at, sizeof(at), "/proc/%d/cwd", req->tid);
	directory = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	helper.directory = directory;
	rc = shares_root(req->tid) ? find_place(directory, path, place) : -EACCES;
	if (rc == 0)
		rc = read_status(req->tid, &helper);
	if (rc < 0)
		return rc;
	if (!makes_nothing(path) &&
	    (!unix_is_listed(req->sup->plan, place) || unix_in_runtime_directory(place)))
		return request_deny(req, EACCES, req->sup->plan->unix_sockets.loc,
				    "local socket not listed");
	return start_helper(&helper);
}

/* A name of the kernel's choice is one of all abstract ones. */
static long bind_abstract(struct request *req, const struct sockaddr_un *name, size_t size)
{
	bool chosen = size == offsetof(struct sockaddr_un, sun_path);

	if (chosen ? !unix_is_listed(req->sup->plan, "@")
		   : !unix_is_listed_abstract(req, name, size))
		return request_deny(req, EACCES, req->sup->plan->unix_sockets.loc,
				    "local socket not listed");
	return bind(req->duplicate, (const struct sockaddr *)name, (socklen_t)size) < 0 ? -errno
											: 0;
}

long unix_bind(struct request *req, const void *bytes, size_t size)
{
	const struct plan *plan = req->sup->plan;
	struct sockaddr_un name = {0};

	/* net/unix/af_unix.c, unix_bind(), unix_validate_addr() */
	if (size < offsetof(struct sockaddr_un, sun_path) || size > sizeof(name))
		return -EINVAL;
	memcpy(&name, bytes, size);
	if (name.sun_family != AF_UNIX)
		return -EINVAL;
	if (plan->unix_sockets.word != UNIX_ALLOW || !unix_has_our_uid(req->tid))
		return request_deny(req, EACCES, plan->unix_sockets.loc, "binding a local socket");
	req->by_policy = true;
	req->loc = plan->unix_sockets.loc;
	req->why = "listed local socket";
	return name.sun_path[0] ? bind_path(req, &name, size) : bind_abstract(req, &name, size);
}
