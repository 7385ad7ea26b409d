/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_USAGE_H
#define LEDGER_USAGE_H

#include <stdint.h>

/* What is counted, everywhere the same: sockets, destinations, the ledger, reports. */
struct usage {
	uint64_t connects;       /* begun; of UDP: with the first datagram sent on the connection */
	uint64_t denied;         /* refused by a destination rule */
	uint64_t bytes_sent;     /* payload; retransmissions left out */
	uint64_t bytes_received; /* payload */
	uint64_t datagrams_sent, datagrams_received; /* UDP */
};

/** usage_add() - @to += @more. */
void usage_add(struct usage *to, const struct usage *more);

/** usage_is_zero() - nothing was counted. */
int usage_is_zero(const struct usage *usage);

#endif
