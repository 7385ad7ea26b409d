/* SPDX-License-Identifier: Apache-2.0 */
#include "flows.h"

#include <stdlib.h>
#include <string.h>

void flows_init(struct flows *flows)
{
	memset(flows, 0, sizeof(*flows));
	flows->end = &flows->first;
	for (int i = 0; i < 2; i++) {
		flows->rest[i].transport = i ? TRANSPORT_UDP : TRANSPORT_TCP;
		flows->rest[i].host = "";
	}
}

static struct flow **bucket(struct flows *flows, pid_t pid, enum transport transport,
			    const struct net_endpoint *to)
{
	uint64_t hash = (uint64_t)pid << 32 | (uint64_t)to->port << 8 | (uint64_t)transport;

	for (size_t i = 0; i < sizeof(to->addr.bytes); i += 4) {
		uint32_t word;

		memcpy(&word, to->addr.bytes + i, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return &flows->buckets[hash % FLOWS_BUCKETS];
}

struct flow *flows_find(struct flows *flows, pid_t pid, enum transport transport,
			const struct net_endpoint *to)
{
	struct flow *flow = *bucket(flows, pid, transport, to);

	while (flow && (flow->pid != pid || flow->transport != transport ||
			flow->to.port != to->port || !net_addr_equal(&flow->to.addr, &to->addr)))
		flow = flow->next;
	return flow;
}

struct flow *flows_add(struct flows *flows, pid_t pid, const char *process,
		       enum transport transport, const struct net_endpoint *to, const char *host)
{
	struct flow **first = bucket(flows, pid, transport, to);
	struct flow *flow = flows->n < FLOWS_MAX ? calloc(1, sizeof(*flow)) : NULL;

	if (!flow)
		return &flows->rest[transport == TRANSPORT_UDP];
	flow->pid = pid;
	strncpy(flow->process, process, sizeof(flow->process) - 1);
	flow->transport = transport;
	flow->to = *to;
	flow->host = host;
	flow->next = *first;
	*first = flow;
	*flows->end = flow;
	flows->end = &flow->later;
	flows->n++;
	return flow;
}
