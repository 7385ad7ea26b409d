/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <stdint.h>

/*
 * What front, launcher stage and supervisor say to each other: fixed-size
 * messages over SOCK_SEQPACKET socket pairs made by the front before any fork.
 *
 *   stage -> supervisor      STAGE_READY a: WIRE_LOCAL_SOCKETS  inherited descriptors are in order
 *   supervisor -> stage      FILTER    +fd: sealed memfd with the BPF bytes, a: WIRE_LANDLOCK
 *   stage -> supervisor      LISTENER  +fd: the seccomp listener
 *   supervisor -> stage      GO        a: port of gae-urlfetch on 127.0.0.1, 0: HTTP goes by sockets
 *   stage -> supervisor      EXEC_FAILED a: errno              (end of file instead: exec succeeded)
 *   stage -> supervisor      STAGE_FAILED text                 any step before failed; already a whole sentence
 *   supervisor -> front      STARTED                           exec succeeded
 *                            EXEC_FAILED a: errno
 *                            FAILED                            own failure; the supervisor has logged it
 *                            STOPPED a: signal | CONTINUED     of the program, for job control
 *                            EXIT a: wait status of the program; the last message;
 *                                 text WIRE_NOTHING_LEFT where the supervisor ends at once:
 *                                 the front then waits for the guard, so that it leaves no
 *                                 zombie to an init that does not reap; without that text
 *                                 the front ends at once
 *   front -> supervisor      SIGNAL a: signal number           to the program
 * End of file from the front: it is gone; the supervisor kills the tree.
 */
#define WIRE_VERSION 1
#define WIRE_TEXT_MAX 480
/* Seconds between two writes of the ledger: what is missing there when the supervisor is killed. */
#define WIRE_ACCOUNT_S 5

#define WIRE_NOTHING_LEFT "nothing left" /* WIRE_EXIT.text */

enum wire_type {
	WIRE_STAGE_READY = 1,
	WIRE_FILTER,
	WIRE_LISTENER,
	WIRE_GO,
	WIRE_EXEC_FAILED,
	WIRE_STAGE_FAILED,
	WIRE_STARTED,
	WIRE_FAILED,
	WIRE_STOPPED,
	WIRE_CONTINUED,
	WIRE_EXIT,
	WIRE_SIGNAL,
};

/* WIRE_FILTER.a */
enum { WIRE_LANDLOCK = 1 };

/* WIRE_STAGE_READY.a: AF_UNIX sockets are among them */
enum { WIRE_LOCAL_SOCKETS = 1 };

struct wire_message {
	uint32_t version;
	uint32_t type;
	int32_t a;
	uint32_t reserved;
	char text[WIRE_TEXT_MAX]; /* NUL-terminated */
};

/** wire_pair() - two connected CLOEXEC ends.  Return: 0 or -errno. */
int wire_pair(int ends[2]);

/**
 * wire_send() - send one message, with a descriptor if @fd >= 0.
 * @text: NULL for none; cut to fit
 * Never raises SIGPIPE.  Return: 0 or -errno (-EPIPE: the peer is gone).
 */
int wire_send(int socket, enum wire_type type, int32_t a, const char *text, int fd);

/**
 * wire_send_plain() - wire_send() without a descriptor, by write(2) alone: for the
 * stage, whose sendmsg(2) waits for the supervisor once the filter is in place.
 * Raises SIGPIPE where that is not blocked.  Return: 0 or -errno.
 */
int wire_send_plain(int socket, enum wire_type type, int32_t a, const char *text);

/**
 * wire_receive() - receive one message; blocks unless the socket is non-blocking.
 * @fd: where not NULL, the CLOEXEC descriptor that came along, or -1
 * Return: 1; 0 at end of file; -errno (-EPROTO: wrong size, version or unknown type).
 */
int wire_receive(int socket, struct wire_message *message, int *fd);

#endif
