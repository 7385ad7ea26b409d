/* SPDX-License-Identifier: Apache-2.0 */
#include "net/relay_place.h"

#include <string.h>

struct relay_place relay_place_of(const struct net_endpoint *endpoint)
{
	struct relay_place place = {.family = endpoint->addr.family,
				    .port = endpoint->port,
				    .scope = endpoint->addr.scope_id};

	memcpy(place.bytes, endpoint->addr.bytes, sizeof(place.bytes));
	return place;
}

struct net_endpoint relay_place_endpoint(const struct relay_place *place)
{
	struct net_addr addr = place->family == AF_INET
				   ? net_addr_from_v4(place->bytes)
				   : net_addr_from_v6(place->bytes, place->scope);

	return (struct net_endpoint){addr, place->port};
}
