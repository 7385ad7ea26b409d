/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: mkdir mkdirat access faccessat fcntl */
#include "shared/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void fd_cleanup(int *fd)
{
	fd_close(fd);
}

void free_cleanup(void *pointer)
{
	int saved = errno;

	free(*(void **)pointer);
	errno = saved;
}

ssize_t fd_read_full(int fd, void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fd_write_full(int fd, const void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, (const char *)buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int fd_read_file(const char *path, size_t max, char **data, size_t *size)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CLEANUP_FREE char *buf = NULL;
	size_t room = 4096, used = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	/* Not to wait for a writer when opening; a pipe that has one is waited for. */
	if (fcntl(fd, F_SETFL, 0) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) && st.st_size > 0)
		room = (size_t)st.st_size + 2;
	for (;;) {
		char *grown;
		ssize_t n;

		if (room > max + 2)
			room = max + 2;
		grown = realloc(buf, room);
		if (!grown)
			return -ENOMEM;
		buf = grown;
		n = fd_read_full(fd, buf + used, room - 1 - used);
		if (n < 0)
			return (int)n;
		used += (size_t)n;
		if (used < room - 1)
			break;
		if (used > max)
			return -EFBIG;
		room *= 2;
	}
	buf[used] = '\0';
	*data = buf;
	*size = used;
	buf = NULL;
	return 0;
}

int fd_move_high(int *fd, int min)
{
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, min);

	if (high < 0)
		return -errno;
	close(*fd);
	*fd = high;
	return 0;
}

int fd_make_parents(const char *path)
{
	char part[PATH_MAX];

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST) {
			int why = errno; /* EROFS, EACCES also where it is there already */

			if (access(part, F_OK) < 0)
				return -why;
		}
		*slash = '/';
	}
	return 0;
}
