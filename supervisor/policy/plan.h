/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_PLAN_H
#define POLICY_PLAN_H

#include "net/addr.h"
#include "net/prefix_set.h"

#include <stdint.h>
#include <stdio.h>

/*
 * The plan: a policy after loading, read only, shared by the filter compiler,
 * the decision and `gae-policy`.  Every rule keeps where it was written.
 */
#define PLAN_BUILTIN UINT16_MAX /* source_loc.file of what is built in and stands in no file */

struct source_loc {
	uint16_t file; /* index into plan.files, or PLAN_BUILTIN */
	uint32_t line; /* from 1 */
	uint32_t col;  /* from 1, in bytes */
};

struct plan_file {
	char *path;       /* as opened */
	const char *base; /* base name, inside .path: what traces and explanations print */
};

enum transport { TRANSPORT_TCP = 1, TRANSPORT_UDP = 2 }; /* bits */

enum rule_action { RULE_ALLOW, RULE_DENY };

struct port_range {
	uint16_t first, last; /* inclusive */
};

/*
 * A named or anonymous group of destinations.  An address is in it when, in this
 * order: no exception of its own takes it out; one of its prefixes covers it;
 * one of the sets or names that it includes has it.
 */
struct plan_set {
	char *name; /* NULL for a destination written inside a rule */
	char *
	    text; /* canonical, as printed: "10.0.0.0/8", "{ @lan 192.0.2.1 }", `file "/a/b.cidr"` */
	struct source_loc loc;
	bool resolvers; /* includes @resolvers, whose prefixes are in .prefixes as well */
	struct prefix_set *prefixes; /* finished; labels index plan.labels */
	/* Not NULL: exceptions of a set that has names or includes, which they take addresses out of as well. */
	struct prefix_set *excluded;
	struct plan_set **includes; /* other sets in it, borrowed; never in a circle */
	size_t n_includes;
	uint32_t *names; /* indices into plan.names, ascending: host names in it */
	size_t n_names;
};

/* Where a prefix of a set stands and what its line says: "10.0.0.0/8", "Private-Use, RFC 1918". */
struct plan_label {
	struct source_loc loc;
	char *text; /* the prefix, and behind two spaces the comment of its line if there is one */
};

struct rule {
	enum rule_action action;
	unsigned int transports;  /* enum transport bits */
	bool any;                 /* `to any`: every address */
	struct plan_set *to;      /* unless .any */
	struct port_range *ports; /* sorted, disjoint; NULL: every port */
	size_t n_ports;
	int error;     /* RULE_DENY: positive errno, EACCES unless written */
	char *because; /* NULL unless written */
	struct source_loc loc;
};

enum sockopt_action { SOCKOPT_MOCK, SOCKOPT_PASS, SOCKOPT_IGNORE, SOCKOPT_DENY };
enum { SOCKOPT_GET = 1, SOCKOPT_SET = 2 };
#define SOCKOPT_ANY (-1)

struct sockopt_rule {
	int level, option;  /* SOCKOPT_ANY: every one */
	unsigned int calls; /* SOCKOPT_GET | SOCKOPT_SET */
	enum sockopt_action action;
	int error;         /* SOCKOPT_DENY */
	uint8_t value[16]; /* SOCKOPT_MOCK: what getsockopt gives */
	uint8_t value_size;
	struct source_loc loc;
};

/* The one-word statements. */
enum listen_word { LISTEN_DENY, LISTEN_ALLOW };
enum bind_word { BIND_DENY, BIND_EPHEMERAL, BIND_ANY };
enum unix_word { UNIX_NONE, UNIX_PAIR, UNIX_ALLOW };
enum netlink_word { NETLINK_NONE, NETLINK_ROUTE_READ };
enum async_word { ASYNC_ALLOW, ASYNC_DENY };
enum descriptors_word { DESCRIPTORS_HANDOFF, DESCRIPTORS_SHARED, DESCRIPTORS_DENY };
enum dns_word { DNS_WORD_ANY, DNS_WORD_LISTED_ONLY };
enum reverse_dns_word { REVERSE_DNS_ALLOW, REVERSE_DNS_DENY };
enum http_word { HTTP_AUTO, HTTP_SOCKETS, HTTP_URLFETCH };

struct statement {
	int word;  /* one of the enums above */
	int error; /* positive errno of a refusal */
	struct source_loc loc;
};

/*
 * What may be used up, per minute and per day, over all instances of an app: App Engine's
 * socket quotas (Quotas page, 2016).  The order of the names in quota_name().
 */
enum quota_kind {
	QUOTA_CREATES, /* sockets, counted at their first use as on App Engine */
	QUOTA_BINDS,
	QUOTA_CONNECTS,
	QUOTA_SENDS,    /* datagrams, and data segments of TCP */
	QUOTA_RECEIVES, /* the same, in */
	QUOTA_BYTES_SENT,
	QUOTA_BYTES_RECEIVED,
	QUOTA_KINDS
};
#define QUOTA_UNLIMITED UINT64_MAX

struct quota {
	uint64_t per_minute, per_day; /* QUOTA_UNLIMITED: no limit */
	struct source_loc loc;        /* PLAN_BUILTIN: no file has spoken of it */
};

/* After so long without an operation or a byte a socket is reclaimed. */
struct idle_limit {
	uint64_t ms; /* 0: never */
	struct source_loc loc;
};

struct plan {
	struct plan_file *files;
	size_t n_files;
	struct rule *rules; /* in order; the first match decides; none: denied with EACCES */
	size_t n_rules;
	struct sockopt_rule
	    *sockopts; /* in order; the first match decides; none: denied with EACCES */
	size_t n_sockopts;
	struct plan_set **sets; /* owned */
	size_t n_sets;
	struct plan_label *labels;
	size_t n_labels;
	char **
	    names; /* host names in rules, lower case, without trailing dot, unique; "*.example.com" is a wildcard */
	size_t n_names;
	struct statement listen, bind, unix_sockets, netlink, async, descriptors, dns, reverse_dns,
	    http;
	struct idle_limit idle;
	struct quota quotas[QUOTA_KINDS];
	char **
	    unix_paths; /* UNIX_ALLOW: absolute paths, or "@name" for abstract ones; a trailing '*' matches any rest */
	size_t n_unix_paths;
};

void plan_free(struct plan *plan);

/** plan_judges_dns() - are questions to name servers judged by `dns` or `reverse-dns`? */
bool plan_judges_dns(const struct plan *plan);

/** quota_name() - "connects", "bytes-sent"; @kind < QUOTA_KINDS. */
const char *quota_name(enum quota_kind kind);

/** quota_counts_bytes() - its numbers are sizes. */
bool quota_counts_bytes(enum quota_kind kind);

/** plan_location() - "10-appengine.conf:14", or "built-in".  @out: @room bytes.  Return: @out. */
char *plan_location(const struct plan *plan, struct source_loc loc, char *out, size_t room);

/**
 * plan_sockopt() - the rule that decides an option call.
 * @call: SOCKOPT_GET or SOCKOPT_SET
 * Return: never NULL: a built-in deny with EACCES stands behind the last rule.
 */
const struct sockopt_rule *plan_sockopt(const struct plan *plan, unsigned int call, int level,
					int option);

#endif
