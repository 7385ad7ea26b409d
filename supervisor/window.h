/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_WINDOW_H
#define SUPERVISOR_WINDOW_H

#include "policy/fd_window.h"

#include <stdbool.h>

struct crew_worker;
struct request;

/*
 * The UDP window at work (policy/fd_window.h says what it is).
 *
 * Invariant: a UDP socket that the program has stands in a slot of the window.  They come
 * into being in sys_socket() and are renumbered by sys_dup() and its kin alone, all of which
 * place them here; a message that would carry one away is refused (sys/send_control.c).
 *
 * A call on an ordinary file in a slot must go on in the kernel: nobody else can write to a
 * pipe or a terminal in the program's place.  But what was an ordinary file when we looked
 * could be a UDP socket when the kernel looks.  So such a slot is *spent*: under the lock of
 * its number it is looked at once more, marked, and no UDP socket is ever put there again.
 */
struct window;

/**
 * window_new() - @strict: the filter lets sendmsg(2) pass unseen outside the window, so that
 * no UDP socket may stand there.  Return: NULL when out of memory.
 */
struct window *window_new(const struct fd_window *numbers, bool strict);

/**
 * window_place() - give the caller @file, a UDP socket, in a free slot, and answer with its number.
 * @from: lowest number that will do (F_DUPFD), 0: any
 * Where no slot is free and the window is not strict it gets the lowest free number, and what is
 * written to it there is not counted: *@outside says so.
 * Return: the number (the request was answered); -EMFILE and other -errno: not answered.
 */
int window_place(struct crew_worker *worker, struct request *req, int file, int from, bool cloexec,
		 bool *outside);

/**
 * window_replace() - the same at number @fd, whatever is there, as dup2(2) does.
 * Return: @fd (the request was answered); -EPERM @fd is outside the window; -EBUSY the slot is spent; ...
 */
int window_replace(struct crew_worker *worker, struct request *req, int file, int fd, bool cloexec);

/**
 * window_put() - put @file in the place of the caller's UDP socket @fd, without answering the call.
 * Outside the window that is possible only where UDP sockets may stand there.
 * Return: 0, or -errno as window_replace().
 */
int window_put(struct crew_worker *worker, struct request *req, int file, int fd, bool cloexec);

/**
 * window_take_udp() - take the caller's descriptor @fd, a number of the window, if it is a UDP
 * socket; a call on any other file goes on in the kernel.
 * Return: true when @req has taken the socket; else the request is over.
 */
bool window_take_udp(struct crew_worker *worker, struct request *req, int fd);

#endif
