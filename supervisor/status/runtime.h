/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_RUNTIME_H
#define STATUS_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sockaddr_un;

/*
 * The runtime directory, in which the instances of one user find each other: each has its sockets
 * there, PID being gae-supervisor's: PID.status for its picture, and PID.handover once it has put a
 * socket on offer (handover/exchange.h).
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

#define RUNTIME_STATUS ".status"
#define RUNTIME_HANDOVER ".handover"

/** runtime_name_is() - is it the name of an instance's socket of @kind: "4711.status" or "4711-2.status"? */
bool runtime_name_is(const char *name, const char *kind);

/** runtime_name_is_status() - the same for RUNTIME_STATUS. */
bool runtime_name_is_status(const char *name);

/**
 * runtime_is_ours() - is @address, @size bytes, one that runtime_listen() gives its sockets?  It is what
 * getpeername(2) says of them, wherever their files have been moved or linked to since.
 */
bool runtime_is_ours(const struct sockaddr_un *address, size_t size);

/**
 * runtime_bind() - bind the AF_UNIX socket @fd to @name in @dir, mode 0600.
 * Whatever length the directory's path has: goes by its descriptor.  Return: 0 or -errno.
 */
int runtime_bind(int dir, const char *name, int fd);

/**
 * runtime_listen() - listen as PID + @kind.
 * Where an instance with the same number in another PID namespace has that name: PID-2.status ...
 * @fd: an AF_UNIX socket of any type that listens
 * @name: gets the name, RUNTIME_NAME_MAX bytes
 * Return: 0 or -errno.
 */
int runtime_listen(int dir, int fd, const char *kind, char *name, size_t room);

/** runtime_unlink() - take the name away, before the listener is closed. */
void runtime_unlink(int dir, const char *name);

/**
 * runtime_key() - the user's key @name.
 * @known: @key has what it was before somebody removed it, and it is made of that again; else of random bytes
 * Return: 0; -EPERM: its file is not the user's alone; other -errno.
 */
int runtime_key(int dir, const char *name, void *key, size_t size, bool known);

/**
 * runtime_connect() - connect to the socket @name in @dir, without waiting.
 * A socket whose instance is dead is removed if it is ours.
 * @owner: whose it must be
 * Return: a descriptor (CLOEXEC, non-blocking), or -errno; -ECONNREFUSED: its instance is dead;
 *         -EAGAIN: too many are waiting for an answer already; -EACCES: no socket of @owner's.
 */
int runtime_connect(int dir, const char *name, uid_t owner);

/** runtime_connect_as() - the same with a socket of @type: SOCK_STREAM or SOCK_SEQPACKET. */
int runtime_connect_as(int dir, const char *name, uid_t owner, int type);

#endif
