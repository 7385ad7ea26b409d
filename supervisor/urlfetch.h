/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_URLFETCH_H
#define SUPERVISOR_URLFETCH_H

#include "account.h"
#include "net/addr.h"

#include <stdbool.h>
#include <sys/types.h>

struct supervisor;

/*
 * The supervisor's side of gae-urlfetch, the program through which HTTP goes where URL Fetch is in
 * force.  It listens on a port of 127.0.0.1 that is ours as well as its: no other process gets that
 * port while we live.  Connections of the program's to it are the one thing that is allowed
 * without a rule; each is announced to gae-urlfetch, which serves nobody else.
 *
 * gae-urlfetch asks about every name and address, and is answered by the rules that the program
 * has; its connections are in the account like the program's, under its own process name.
 *
 * Threads: urlfetch_is_at() and urlfetch_announce() from any; all else from the loop's.
 * NULL is allowed for @urlfetch everywhere: URL Fetch is not in force.
 */
struct urlfetch;

/**
 * urlfetch_start() - start gae-urlfetch, found beside our own executable.
 * @deadline: "SECONDS[,MAX]", NULL: its default
 * Return: NULL after an error line.
 */
struct urlfetch *urlfetch_start(struct supervisor *sup, const char *deadline);

/** urlfetch_await() - wait until it can be neither read nor written by the program.  Return: 0, or -1 after an error line. */
int urlfetch_await(struct urlfetch *urlfetch);

/** urlfetch_port() - where it listens on 127.0.0.1; 0: it does not. */
int urlfetch_port(const struct urlfetch *urlfetch);

/** urlfetch_pid() - its process, 0: none. */
pid_t urlfetch_pid(const struct urlfetch *urlfetch);

/** urlfetch_is_at() - is it what listens at @to? */
bool urlfetch_is_at(const struct urlfetch *urlfetch, const struct net_endpoint *to);

/**
 * urlfetch_announce() - a connection to it was begun on @socket, whose cookie is @cookie.
 * Return: 0, or -ECONNREFUSED: it will not be served.
 */
int urlfetch_announce(struct urlfetch *urlfetch, int socket, uint64_t cookie);

/** urlfetch_fd() - readable when urlfetch_run() has something to do; -1: there is nothing. */
int urlfetch_fd(const struct urlfetch *urlfetch);
void urlfetch_run(struct urlfetch *urlfetch);

/** urlfetch_owes() - has urlfetch_run() something to do as well when urlfetch_fd() is writable? */
bool urlfetch_owes(struct urlfetch *urlfetch);

/** urlfetch_owns() - is it one of its connections?  Then urlfetch_shut() shuts it. */
bool urlfetch_owns(const struct urlfetch *urlfetch, const struct account_look *look);
void urlfetch_shut(struct urlfetch *urlfetch, uint64_t cookie, int how);

/** urlfetch_finish() - the program is gone: end it, and wait until its connections have. */
void urlfetch_finish(struct urlfetch *urlfetch);

#endif
