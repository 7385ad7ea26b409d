/* SPDX-License-Identifier: Apache-2.0 */
/* sock_diag_parse() on any bytes: what it tells of is of IP, and its numbers do not depend on what lies behind. */
#include "net/sock_diag.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ENDS_MAX 64

struct heard {
	struct sock_end ends[ENDS_MAX];
	size_t n;
};

static void hear(void *context, const struct sock_end *end)
{
	struct heard *heard = context;

	if (end->tuple.local.addr.family != AF_INET && end->tuple.local.addr.family != AF_INET6)
		abort();
	if (!sock_end_fin(end, 0) && end->is_tcp && end->tcp.fin_acked && end->tcp.bytes_received)
		abort();
	if (heard->n < ENDS_MAX)
		heard->ends[heard->n] = *end;
	heard->n++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard *one = calloc(1, sizeof(*one)), *two = calloc(1, sizeof(*two));
	uint8_t *exact = malloc(size ? size : 1), *longer = malloc(size + 64);

	if (!one || !two || !exact || !longer)
		abort();
	memcpy(exact, data, size); /* exact, so that one byte too far is seen */
	memcpy(longer, data, size);
	memset(longer + size, 0xa5, 64);
	sock_diag_parse(exact, size, hear, one);
	sock_diag_parse(longer, size, hear, two);
	if (one->n != two->n)
		abort();
	for (size_t i = 0; i < one->n && i < ENDS_MAX; i++)
		if (one->ends[i].cookie != two->ends[i].cookie ||
		    one->ends[i].tcp.bytes_sent != two->ends[i].tcp.bytes_sent)
			abort();
	free(longer);
	free(exact);
	free(two);
	free(one);
	return 0;
}
