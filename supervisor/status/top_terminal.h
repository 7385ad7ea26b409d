/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_TOP_TERMINAL_H
#define STATUS_TOP_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

/*
 * The terminal of gae-top: the alternate screen, keys without Enter, signals as events.  The
 * sequences are those that every terminal since the VT220 has, and xterm's alternate screen, which
 * one without it passes over: nothing that would need terminfo.
 */
struct terminal {
	int signals;   /* signalfd */
	bool has_keys; /* standard input is the terminal */
	bool is_on;
	struct termios before;
};

enum terminal_event {
	TERMINAL_TIME,   /* the time is over */
	TERMINAL_KEY,    /* one in *@key */
	TERMINAL_REDRAW, /* its size may be another */
	TERMINAL_END,    /* a signal that ends, in *@key; or the terminal is gone, then 0 */
};

/** terminal_is_usable() - are standard output and TERM fit for it? */
bool terminal_is_usable(void);

/** terminal_open() - begin; blocks the signals that it waits for.  Return: 0 or -errno. */
int terminal_open(struct terminal *terminal);

/** terminal_close() - everything as it was; may be called twice. */
void terminal_close(struct terminal *terminal);

/**
 * terminal_wait() - wait for an event, for at most @timeout_ms.
 * Stops the process itself when asked to (^Z), with the terminal as it was in the meantime.
 */
enum terminal_event terminal_wait(struct terminal *terminal, int timeout_ms, int *key);

/** terminal_size() - columns and lines, from the terminal, COLUMNS and LINES, or 80 and 24. */
void terminal_size(unsigned int *width, unsigned int *height);

#endif
