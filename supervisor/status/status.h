/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include "ledger/usage.h"
#include "net/addr.h"
#include "policy/plan.h"

#include <stdio.h>
#include <sys/types.h>

/*
 * A picture of one running instance: what --report prints at the end, what the metrics file
 * says, and what gae-top gets over the instance's socket, as JSON.
 */
struct status_socket {
	uint64_t cookie; /* the kernel's (SO_COOKIE): tells sockets apart for ever */
	pid_t pid;       /* who connected or made it */
	char process[16];
	enum transport transport;
	struct net_endpoint to; /* UDP: the last destination; family AF_UNSPEC: none yet */
	const char *host;       /* "" unknown */
	uint64_t on_offer;      /* 1: to other instances, in no process of this one */
	uint64_t age_ms, idle_ms;
	struct usage usage;
};

/* All that went to one destination from one process. */
struct status_flow {
	pid_t pid;
	char process[16];
	enum transport transport;
	struct net_endpoint to; /* family AF_UNSPEC: all that had no place of its own */
	const char *host;
	struct usage usage;
};

struct status_quota {
	uint64_t used_minute, used_day;
	uint64_t per_minute, per_day; /* QUOTA_UNLIMITED: no limit */
};

struct status {
	const char *app, *program;
	pid_t pid, supervisor;  /* of the program, of gae-supervisor */
	uint64_t started_ms;    /* Unix time in milliseconds */
	uint64_t now_ms;        /* when the picture was taken */
	uint64_t idle_limit_ms; /* 0: never reclaimed */
	struct usage total;
	uint64_t decisions_allowed, decisions_denied;
	uint64_t on_offer;   /* sockets that other instances may take over */
	uint64_t reclaimed;  /* sockets that were idle too long */
	uint64_t over_quota; /* calls refused and sockets shut by a quota */
	uint64_t lost;       /* sockets that ended unseen: the sums lack their last bytes */
	uint64_t memory;     /* bytes that the supervisor has allocated */
	struct status_quota quotas[QUOTA_KINDS];
	struct status_socket *sockets;
	size_t n_sockets;
	struct status_flow *flows;
	size_t n_flows;
	/* Of a parsed picture: what was too much to send. */
	uint64_t sockets_left_out, flows_left_out;
	char *
	    text; /* owned: where the strings of a parsed picture are; NULL: they are somebody else's */
};

#define STATUS_TEXT_MAX (64u << 20) /* bytes of a picture as JSON */
#define STATUS_SOCKETS_MAX 1000000  /* and as many flows */

/** status_transport_name() - "tcp", "udp". */
const char *status_transport_name(enum transport transport);

/**
 * status_write_json() - one JSON object and a newline; nothing of the program's comes out raw.
 * What does not fit into STATUS_TEXT_MAX is left out and counted.  Stops early at an error
 * of @out, which may be a slow socket.
 * Return: 0, or -EIO when something could not be written.
 */
int status_write_json(const struct status *status, FILE *out);

/**
 * status_parse_json() - the picture that status_write_json() wrote, or that somebody made up:
 * the text may come from any process of the user.  Unknown members are passed over.
 * @error: gets one line, escaped, when NULL is returned
 * Return: a picture for status_free() whose strings are all set, or NULL.
 */
struct status *status_parse_json(const char *text, size_t size, char *error, size_t room);

/** status_free() - a parsed picture; NULL allowed. */
void status_free(struct status *status);

#endif
