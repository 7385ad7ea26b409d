/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * All the seccomp ioctls, and nothing else.  -ENOENT from any of them means that
 * the caller is gone (killed, or its process ended): the request is over and no
 * error is to be reported.  See seccomp_unotify(2).
 */

/** notify_setup() - ask for synchronous wake-ups (6.6).  Return: false where the kernel has none. */
bool notify_setup(int listener);

/**
 * notify_receive() - wait for the next notification.
 * Return: 0; -ENOENT (the caller died before it was handed out); -EINTR; other -errno.
 */
int notify_receive(int listener, struct seccomp_notif *notif);

/** notify_alive() - is the request still waiting?  What was read of the target before counts only if so. */
bool notify_alive(int listener, uint64_t id);

/**
 * notify_answer() - give the caller its return value.
 * @result: >= 0, or -errno (-512, ERESTARTSYS, lets the kernel restart the call or give EINTR)
 * Return: 0; -ENOENT the caller is gone; -EINPROGRESS it was answered before.
 */
int notify_answer(int listener, uint64_t id, long result);

#endif
