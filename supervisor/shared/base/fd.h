/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Descriptors and memory that end with their scope.  Ownership is handed out by
 * setting the variable to -1 (or NULL).  The closers keep errno.
 */
#define CLEANUP_FD __attribute__((cleanup(fd_cleanup)))
#define CLEANUP_FREE __attribute__((cleanup(free_cleanup)))

void fd_cleanup(int *fd);
void free_cleanup(void *pointer);

/** fd_close() - close *@fd if it is open and set it to -1; errno is kept. */
void fd_close(int *fd);

/**
 * fd_read_full() - read exactly @size bytes, over short reads and EINTR.
 * Return: bytes read (less than @size only at end of file), or -errno.
 */
ssize_t fd_read_full(int fd, void *buf, size_t size);

/** fd_write_full() - write all of @buf, over short writes and EINTR.  Return: 0 or -errno. */
int fd_write_full(int fd, const void *buf, size_t size);

/**
 * fd_read_file() - read a whole file into memory from malloc, with a NUL behind it.
 * @path: file; @max: largest size accepted in bytes
 * @data, @size: the text and its length without the NUL; the caller frees @data
 * Return: 0, or -errno; -EFBIG when the file is larger than @max.
 */
int fd_read_file(const char *path, size_t max, char **data, size_t *size);

/** fd_make_parents() - make the directories of @path that are missing, for their owner alone.  Return: 0 or -errno. */
int fd_make_parents(const char *path);

/** fd_move_high() - move *@fd to a CLOEXEC number of at least @min.  Return: 0 or -errno. */
int fd_move_high(int *fd, int min);

#endif
