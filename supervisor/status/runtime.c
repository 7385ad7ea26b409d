/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: mkdir fchmod fchmodat bind connect unlinkat renameat2 socket geteuid getuid */
/* #syscalls: fstatfs */
#include "status/runtime.h"

#include "shared/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

char *runtime_dir_path(char *path, size_t room)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	unsigned int uid = geteuid();
	struct stat st;
	int n;

	if (xdg && *xdg == '/') {
		n = snprintf(path, room, "%s/gae-run", xdg);
	} else {
		snprintf(path, room, "/run/user/%u", uid);
		if (!lstat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == uid)
			n = snprintf(path, room, "/run/user/%u/gae-run", uid);
		else
			n = snprintf(path, room, "/tmp/gae-run-%u", uid);
	}
	return n > 0 && (size_t)n < room ? path : NULL;
}

/* What a path is that would not open as a directory. */
static int fail_open(const char *path, char *error, size_t room)
{
	int number = errno;
	struct stat st;

	if (!lstat(path, &st) && !S_ISDIR(st.st_mode)) {
		snprintf(error, room, "%s is %s: remove it, or set XDG_RUNTIME_DIR", path,
			 S_ISLNK(st.st_mode) ? "a symbolic link" : "no directory");
		return -EPERM;
	}
	snprintf(error, room, "%s: %s", path, strerror(number));
	return -number;
}

int runtime_dir_find(const char *path, uid_t owner, char *error, size_t room)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int found;

	if (fd < 0 || fstat(fd, &st))
		return fail_open(path, error, room);
	if (st.st_uid != owner) {
		snprintf(error, room, "%s belongs to user %u, not to %u", path,
			 (unsigned int)st.st_uid, (unsigned int)owner);
		return -EPERM;
	}
	if (st.st_mode & (S_IRWXG | S_IRWXO)) {
		snprintf(error, room, "%s is open to others (mode %04o): chmod 700 it", path,
			 (unsigned int)st.st_mode & 07777);
		return -EPERM;
	}
	found = fd;
	fd = -1;
	return found;
}

int runtime_dir_open(char *path, size_t room, char *error, size_t error_room)
{
	if (!runtime_dir_path(path, room)) {
		snprintf(error, error_room, "XDG_RUNTIME_DIR is too long");
		return -ENAMETOOLONG;
	}
	if (mkdir(path, 0700) && errno != EEXIST)
		return fail_open(path, error, error_room);
	return runtime_dir_find(path, geteuid(), error, error_room);
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

bool runtime_name_is_status(const char *name)
{
	size_t n = digits(name);

	if (!n || n > 10)
		return false;
	if (name[n] == '-' && digits(name + n + 1) == 1)
		n += 2;
	return !strcmp(name + n, ".status");
}

/* A path to @name that fits wherever @dir is. */
static void socket_address(int dir, const char *name, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%.*s", dir,
		 RUNTIME_NAME_MAX, name);
}

int runtime_bind(int dir, const char *name, int fd)
{
	struct sockaddr_un address;

	socket_address(dir, name, &address);
	/* The file gets the socket's own mode (unix_bind_bsd()): at no time is it open to others. */
	if (fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return 0;
}

/* A new instance may have taken the name since @seen: then it stays. */
static void remove_stale(int dir, const char *name, const struct stat *seen)
{
	struct stat st;

	if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode) &&
	    st.st_uid == geteuid() && st.st_ino == seen->st_ino && st.st_dev == seen->st_dev)
		unlinkat(dir, name, 0);
}

/* The file may be the owner's and yet somebody else listen: root's supervisors serve all. */
static bool is_served_by(int fd, uid_t owner)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
	       (peer.uid == owner || peer.uid == 0);
}

int runtime_connect(int dir, const char *name, uid_t owner)
{
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	struct stat st;
	int connected;

	if (fd < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (!S_ISSOCK(st.st_mode) || st.st_uid != owner)
		return -EACCES;
	socket_address(dir, name, &address);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int number = errno;

		if (number == ECONNREFUSED && runtime_name_is_status(name))
			remove_stale(dir, name, &st);
		return -number;
	}
	if (!is_served_by(fd, owner))
		return -EACCES;
	connected = fd;
	fd = -1;
	return connected;
}
