/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: mkdir fchmod fchmodat bind connect linkat unlinkat renameat2 socket geteuid getuid */
/* #syscalls: fstatfs getrandom */
#include "status/runtime.h"

#include "shared/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SELF_FD "/proc/self/fd/"
#define BACKLOG 128
#define NAMES_MAX 9 /* PID.status, PID-2.status, ... */

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

bool runtime_name_is(const char *name, const char *kind)
{
	size_t n = digits(name);

	if (!n || n > 10)
		return false;
	if (name[n] == '-' && digits(name + n + 1) == 1)
		n += 2;
	return !strcmp(name + n, kind);
}

bool runtime_name_is_status(const char *name)
{
	return runtime_name_is(name, RUNTIME_STATUS);
}

/* What socket_address() makes of the name in runtime_listen(): /proc/self/fd/7/.4711.status.1a2b3c4d.new */
bool runtime_is_ours(const struct sockaddr_un *address, size_t size)
{
	const size_t front = offsetof(struct sockaddr_un, sun_path);
	char path[sizeof(address->sun_path) + 1] = "";
	const char *at = path;
	size_t n;

	if (address->sun_family != AF_UNIX || size <= front || size > sizeof(*address))
		return false;
	memcpy(path, address->sun_path, size - front);
	if (strncmp(at, SELF_FD, sizeof(SELF_FD) - 1) != 0)
		return false;
	at += sizeof(SELF_FD) - 1;
	at += digits(at);
	if (strncmp(at, "/.", 2) != 0)
		return false;
	at += 2 + digits(at + 2);
	n = strlen(at);
	return n > 4 && !strcmp(at + n - 4, ".new");
}

/* A path to @name that fits wherever @dir is. */
static void socket_address(int dir, const char *name, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), SELF_FD "%d/%.*s", dir,
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
	return runtime_connect_as(dir, name, owner, SOCK_STREAM);
}

int runtime_connect_as(int dir, const char *name, uid_t owner, int type)
{
	CLEANUP_FD int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
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

		if (number == ECONNREFUSED && (runtime_name_is(name, RUNTIME_STATUS) ||
					       runtime_name_is(name, RUNTIME_HANDOVER)))
			remove_stale(dir, name, &st);
		return -number;
	}
	if (!is_served_by(fd, owner))
		return -EACCES;
	connected = fd;
	fd = -1;
	return connected;
}

/* --- listening --- */

/* @type: of the sockets of this kind.  Return: 0; -EEXIST: @name belongs to a living instance; another -errno. */
static int place(int dir, const char *temporary, const char *name, int type)
{
	int fd;

	if (!renameat2(dir, temporary, dir, name, RENAME_NOREPLACE))
		return 0;
	if (errno == EINVAL) /* not every file system knows the flag */
		return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) &&
			       !renameat(dir, temporary, dir, name)
			   ? 0
			   : -EEXIST;
	if (errno != EEXIST)
		return -errno;
	/* Removes it if it is a dead one's. */
	fd = runtime_connect_as(dir, name, geteuid(), type);
	fd_close(&fd);
	return renameat2(dir, temporary, dir, name, RENAME_NOREPLACE) ? -errno : 0;
}

/*
 * A name for what is not ready: nobody else's, for in another PID namespace another instance may
 * have our number.  @out: RUNTIME_NAME_MAX bytes.  Return: 0 or -errno.
 */
static int name_temporary(const char *kind, char *out)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	snprintf(out, RUNTIME_NAME_MAX, ".%d%s.%08x.new", getpid(), kind, random);
	return 0;
}

/*
 * Between bind(2) and listen(2) a connect is refused, and who is refused removes the name as a
 * dead instance's.  So it listens under a name of its own, and only then takes the real one.
 */
int runtime_listen(int dir, int fd, const char *kind, char *name, size_t room)
{
	char temporary[RUNTIME_NAME_MAX];
	int type = SOCK_STREAM, status;
	socklen_t size = sizeof(type);

	status = name_temporary(kind, temporary);
	if (!status)
		status = runtime_bind(dir, temporary, fd);
	if (status)
		return status;
	status = listen(fd, BACKLOG) || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) ? -errno
											  : -EEXIST;
	for (int i = 1; i <= NAMES_MAX && status == -EEXIST; i++) {
		if (i == 1)
			snprintf(name, room, "%d%s", getpid(), kind);
		else
			snprintf(name, room, "%d-%d%s", getpid(), i, kind);
		status = place(dir, temporary, name, type);
	}
	if (status)
		unlinkat(dir, temporary, 0);
	return status;
}

void runtime_unlink(int dir, const char *name)
{
	if (unlinkat(dir, name, 0)) {
		/* Somebody cleaned up before: what was wanted. */
	}
}

/* --- keys --- */

/* Return: 0; -ENOENT; -EPERM: not the user's alone, or of another size. */
static int read_key(int dir, const char *name, void *key, size_t size)
{
	CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		return errno == ELOOP ? -EPERM : -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & (S_IRWXG | S_IRWXO) ||
	    st.st_size != (off_t)size)
		return -EPERM;
	n = fd_read_full(fd, key, size);
	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -EPERM;
}

/* Under a name of its own first: nobody ever reads half a key. */
static int make_key(int dir, const char *name, const void *key, size_t size)
{
	char temporary[RUNTIME_NAME_MAX];
	int fd, rc;

	rc = name_temporary(".key", temporary);
	if (rc)
		return rc;
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	rc = fd_write_full(fd, key, size);
	if (close(fd) && rc == 0)
		rc = -errno;
	/* Whoever was first has made it. */
	if (rc == 0 && linkat(dir, temporary, dir, name, 0) && errno != EEXIST)
		rc = -errno;
	unlinkat(dir, temporary, 0);
	return rc;
}

int runtime_key(int dir, const char *name, void *key, size_t size, bool known)
{
	int rc = read_key(dir, name, key, size);

	if (rc != -ENOENT)
		return rc;
	/* Then nothing has been read: @key is what it was. */
	if (!known && getrandom(key, size, 0) != (ssize_t)size)
		return -EIO;
	rc = make_key(dir, name, key, size);
	return rc < 0 ? rc : read_key(dir, name, key, size);
}
