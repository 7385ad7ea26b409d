/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/usage.h"

void usage_add(struct usage *to, const struct usage *more)
{
	to->connects += more->connects;
	to->denied += more->denied;
	to->bytes_sent += more->bytes_sent;
	to->bytes_received += more->bytes_received;
	to->datagrams_sent += more->datagrams_sent;
	to->datagrams_received += more->datagrams_received;
}

int usage_is_zero(const struct usage *usage)
{
	return !(usage->connects | usage->denied | usage->bytes_sent | usage->bytes_received |
		 usage->datagrams_sent | usage->datagrams_received);
}
