/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_RUNTIME_H
#define STATUS_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The runtime directory, in which the instances of one user find each other: each has its sockets
 * there, PID.status for its picture, PID being gae-supervisor's.
 *
 * XDG_RUNTIME_DIR/gae-run where that variable is an absolute path; else /run/user/UID/gae-run where
 * /run/user/UID is the user's; else /tmp/gae-run-UID.  Whoever else could write there could pose as
 * an instance, so it must be a directory of the user's own and closed to all others.
 */
#define RUNTIME_NAME_MAX 32 /* bytes of a socket's name, with the NUL */

/** runtime_dir_path() - where it is, or would be.  Return: @path, or NULL when it does not fit. */
char *runtime_dir_path(char *path, size_t room);

/**
 * runtime_dir_open() - open it, made with mode 0700 where it is missing.
 * @path: gets its path
 * @error: gets one line saying what is wrong with it and what to do
 * Return: a descriptor (CLOEXEC), or -errno; -EPERM: it is not fit for use.
 */
int runtime_dir_open(char *path, size_t room, char *error, size_t error_room);

/**
 * runtime_dir_find() - open the directory @path of user @owner, if it is there.
 * Return: as above; -ENOENT: there is none.
 */
int runtime_dir_find(const char *path, uid_t owner, char *error, size_t room);

/** runtime_name_is_status() - "4711.status" or "4711-2.status": the name of an instance's socket? */
bool runtime_name_is_status(const char *name);

/**
 * runtime_bind() - bind the AF_UNIX socket @fd to @name in @dir, mode 0600.
 * Whatever length the directory's path has: goes by its descriptor.  Return: 0 or -errno.
 */
int runtime_bind(int dir, const char *name, int fd);

/**
 * runtime_connect() - connect to the socket @name in @dir, without waiting.
 * A socket whose instance is dead is removed if it is ours.
 * @owner: whose it must be
 * Return: a descriptor (CLOEXEC, non-blocking), or -errno; -ECONNREFUSED: its instance is dead;
 *         -EAGAIN: too many are waiting for an answer already; -EACCES: no socket of @owner's.
 */
int runtime_connect(int dir, const char *name, uid_t owner);

#endif
