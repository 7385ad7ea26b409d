/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_STATUS_SERVER_H
#define STATUS_STATUS_SERVER_H

#include <stddef.h>

struct status;

/*
 * An instance's side of its socket in the runtime directory: who connects gets one picture as
 * JSON and end of file; nothing is read.
 */
#define STATUS_SERVE_MS 500 /* how long all in all a client is waited for */

/**
 * status_listen() - listen as PID.status in the runtime directory @dir.
 * Where an instance with the same number in another PID namespace has that name: PID-2.status ...
 * @name: gets the name, for status_unlink(); RUNTIME_NAME_MAX bytes
 * @error: gets one line
 * Return: the listener (CLOEXEC, non-blocking), or -errno.
 */
int status_listen(int dir, char *name, size_t room, char *error, size_t error_room);

/** status_unlink() - take the name away, before the listener is closed. */
void status_unlink(int dir, const char *name);

/**
 * status_accept() - the next client that may see the picture; others are closed.
 * Return: a descriptor (CLOEXEC, non-blocking); -EAGAIN: no one is waiting; another -errno.
 */
int status_accept(int listener);

/**
 * status_serve() - send @status to @client and close it.
 * Waits for a client that does not read for STATUS_SERVE_MS in all, then drops it.
 * Return: 0; -EACCES: not our user nor root; -EIO: it did not take all.
 */
int status_serve(int client, const struct status *status);

#endif
