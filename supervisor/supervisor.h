/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct account;
struct clerk;
struct crew;
struct dns_gate;
struct filter_spec;
struct keeper;
struct loop;
struct names;
struct plan;
struct porter;
struct trace;
struct urlfetch;
struct window;

/* What all parts of one supervisor process share; set up by main before the program runs, then read only. */
struct supervisor {
	int listener;
	struct plan *plan;
	struct filter_spec *spec;
	struct trace *trace;       /* NULL: no trace */
	struct names *names;       /* NULL: the policy has no host names */
	struct dns_gate *dns;      /* NULL: questions to name servers are not looked at */
	struct window *window;     /* where UDP sockets live */
	struct account *account;   /* what the program's sockets carry */
	struct keeper *keeper;     /* looks after them */
	struct porter *porter;     /* has what is on offer to other instances */
	struct clerk *clerk;       /* writes it down */
	struct urlfetch *urlfetch; /* NULL: HTTP goes by sockets */
	struct crew *crew;
	struct loop *loop;

	const char *app;
	int news_room; /* bytes of receive buffer for the news of ended sockets; 0: as much as there may be */

	pid_t front;             /* gae-run, as the shell knows it */
	pid_t child;             /* the program */
	const char *const *argv; /* its arguments, for the trace */

	bool may_segment;     /* the policy lets UDP_SEGMENT be set on a socket */
	bool trace_all;       /* mocked and ignored options too, which are no news on a terminal */
	bool trace_to_stderr; /* it must stay open for that */
	bool hints;           /* somebody sits at a terminal and gets a line at exit */
	atomic_uint denials;  /* destinations refused, for the line at exit */
};

#endif
