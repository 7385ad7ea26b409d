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
 * notify_continue() - let the kernel carry out the call itself, with what its memory and its
 * descriptors are by then: see window_continue() in window.c.  Return: as notify_answer().
 */
int notify_continue(int listener, uint64_t id);

/**
 * notify_give() - put @file into the caller's descriptor table and answer the call with its number.
 * @number: where (what is there is closed, as dup2(2) does), or -1: the lowest free number
 * @cloexec: with the close-on-exec flag
 * Return: the number, answered; -EBADF @number is beyond its limit on open files; -EMFILE no
 *         number is left; -ENOENT the caller is gone.  Not answered in these cases.
 */
int notify_give(int listener, uint64_t id, int file, int number, bool cloexec);

/**
 * notify_put() - put @file at @number of the caller's descriptor table, as notify_give(), without
 * answering the call.
 * Return: 0, or -errno as there.
 */
int notify_put(int listener, uint64_t id, int file, int number, bool cloexec);

/**
 * notify_answer() - give the caller its return value.
 * @result: >= 0, or -errno (-512, ERESTARTSYS, lets the kernel restart the call or give EINTR)
 * Return: 0; -ENOENT the caller is gone; -EINPROGRESS it was answered before.
 */
int notify_answer(int listener, uint64_t id, long result);

/**
 * notify_give_up() - no call is ever answered again: our end is noticed and ends the program and all
 * it started, with 125 and a word.
 * @what: that the kernel does not do
 */
_Noreturn void notify_give_up(const char *what, int error);

#endif
