/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "policy/decide.h"

/* tcp://HOST:PORT, udp://[2001:db8::1]:PORT */
struct explain_url {
	enum transport transport;
	char host[256]; /* without brackets */
	uint16_t port;
	bool is_address;
	struct net_addr addr; /* where it is one */
};

/** explain_url_parse() - Return: 0, or -EINVAL with what was expected in *@why (static text). */
int explain_url_parse(const char *text, struct explain_url *url, const char **why);

/** explain_verdict() - `deny EACCES  10-appengine.conf:23: deny tcp to @lan  (10.0.0.0/8 at lan.cidr:7)`, without newline. */
void explain_verdict(const struct plan *plan, const struct verdict *verdict, FILE *out);

/**
 * explain_question() - may a name server be asked for @name?  One line, with the statement that decides.
 * @name: lower case; NULL: a connection in which questions would not be seen
 * @listed: the policy lists it
 */
bool explain_question(const struct plan *plan, const char *name, bool listed, FILE *out);

/** explain_sockopt() - one line for getsockopt, one for setsockopt.  Return: true if both are permitted. */
bool explain_sockopt(const struct plan *plan, int level, int option, FILE *out);

#endif
