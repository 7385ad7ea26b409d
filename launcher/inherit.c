/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/inherit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TUN_MAJOR 10 /* Documentation/admin-guide/devices.txt: /dev/net/tun */
#define TUN_MINOR 200

static const char *inherit_family_name(int family, int type)
{
	static char other[32];

	switch (family) {
	case AF_INET:
	case AF_INET6:
		return type == SOCK_STREAM ? "TCP" : type == SOCK_DGRAM ? "UDP" : "raw IP";
	case AF_UNIX:
		return "listening AF_UNIX";
	case AF_NETLINK:
		return "netlink";
	case AF_PACKET:
		return "packet";
	case AF_VSOCK:
		return "vsock";
	default:
		snprintf(other, sizeof(other), "family %d", family);
		return other;
	}
}

/* " to 192.0.2.1:80", " on [::]:53", or nothing where there is no address to tell. */
static void inherit_format_address(int fd, int family, char *out, size_t room)
{
	struct sockaddr_storage name = {0};
	const struct sockaddr_in *in = (const struct sockaddr_in *)&name;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&name;
	socklen_t size = sizeof(name);
	char text[INET6_ADDRSTRLEN];
	const char *word = "to";

	*out = '\0';
	if (family != AF_INET && family != AF_INET6)
		return;
	if (getpeername(fd, (struct sockaddr *)&name, &size) < 0) {
		word = "on";
		size = sizeof(name);
		if (getsockname(fd, (struct sockaddr *)&name, &size) < 0)
			return;
	}
	if (name.ss_family == AF_INET && inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)))
		snprintf(out, room, " %s %s:%u", word, text, ntohs(in->sin_port));
	if (name.ss_family == AF_INET6 && inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text)))
		snprintf(out, room, " %s [%s]:%u", word, text, ntohs(in6->sin6_port));
}

static int inherit_refuse(int fd, const char *what, char *error, size_t room)
{
	snprintf(error, room,
		 "descriptor %d is %s; the policy could not see it: close it before gae-run "
		 "(%d>&-)",
		 fd, what, fd);
	return -EPERM;
}

static int inherit_describe_socket(int fd, char *error, size_t room)
{
	int family = AF_UNSPEC, type = 0, listening = 0;
	socklen_t size = sizeof(int);
	char address[INET6_ADDRSTRLEN + 16], what[160];

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0)
		return inherit_refuse(fd, "a socket of unknown family", error, room);
	size = sizeof(int);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	size = sizeof(int);
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
	if (family == AF_UNIX && !listening)
		return INHERIT_LOCAL;
	inherit_format_address(fd, family, address, sizeof(address));
	snprintf(what, sizeof(what), "an inherited %s%s socket%s",
		 listening && family != AF_UNIX ? "listening " : "",
		 inherit_family_name(family, type), address);
	return inherit_refuse(fd, what, error, room);
}

static int inherit_describe_anonymous(int fd, char *error, size_t room)
{
	char path[32], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return inherit_refuse(fd, "of unknown kind", error, room);
	target[n] = '\0';
	if (!strcmp(target, "anon_inode:[io_uring]"))
		return inherit_refuse(fd, "an inherited io_uring", error, room);
	if (!strcmp(target, "anon_inode:seccomp notify"))
		return inherit_refuse(fd, "an inherited seccomp listener", error, room);
	return 0;
}

int inherit_describe(int fd, char *error, size_t room)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return errno == EBADF ? 0 : inherit_refuse(fd, "unreadable", error, room);
	if (S_ISSOCK(st.st_mode))
		return inherit_describe_socket(fd, error, room);
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(TUN_MAJOR, TUN_MINOR))
		return inherit_refuse(fd, "an inherited network tunnel (/dev/net/tun)", error,
				      room);
	/* Anonymous inodes have no file type (fs/anon_inodes.c); newer kernels call some regular. */
	if (!(st.st_mode & S_IFMT) || (S_ISREG(st.st_mode) && !st.st_nlink) ||
	    (S_ISREG(st.st_mode) && !st.st_size))
		return inherit_describe_anonymous(fd, error, room);
	return 0;
}

int inherit_check(int own, char *error, size_t room)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int rc = 0, local = 0;

	if (!dir) {
		rc = -errno;
		snprintf(error, room, "/proc/self/fd cannot be read: %s; gae-run needs /proc",
			 strerror(-rc));
		return rc;
	}
	while (rc >= 0 && (errno = 0, entry = readdir(dir))) {
		int fd = entry->d_name[0] == '.' ? own : atoi(entry->d_name);

		if (fd != own && fd != dirfd(dir))
			rc = inherit_describe(fd, error, room);
		if (rc > 0)
			local = rc;
	}
	/* What was not read has not been looked at. */
	if (rc >= 0 && errno) {
		rc = -errno;
		snprintf(error, room, "/proc/self/fd cannot be read: %s", strerror(-rc));
	}
	closedir(dir);
	return rc < 0 ? rc : local;
}
