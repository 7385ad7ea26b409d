/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_TOP_OPTIONS_H
#define STATUS_TOP_OPTIONS_H

#include <stdbool.h>

#define TOP_FAILED 125 /* own failure: usage, no runtime directory fit for use */

enum top_key { TOP_RATE, TOP_SENT, TOP_RECEIVED, TOP_IDLE, TOP_PID, TOP_DESTINATION, TOP_KEYS };

/** top_key_name() - "rate", "sent", "received", "idle", "pid", "destination"; @key < TOP_KEYS. */
const char *top_key_name(enum top_key key);

struct top_options {
	bool batch;     /* asked for; else where standard output is no terminal */
	bool json;      /* implies batch */
	bool all_users; /* root alone */
	bool reverse;
	enum top_key key;
	unsigned int count;    /* pictures; 0: not said */
	unsigned int delay_ms; /* between pictures */
	const char *app;       /* NULL: all */
	enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color;
};

/**
 * top_options_read() - the command line; says itself what is wrong with it.
 * Return: -1 to go on, or an exit status.
 */
int top_options_read(struct top_options *options, int argc, char **argv);

#endif
