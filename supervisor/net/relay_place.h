/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_RELAY_PLACE_H
#define NET_RELAY_PLACE_H

#include "net/addr.h"
#include "shared/wire/relay.h"

/** relay_place_of() - an address and port as they go over the wire between gae-supervisor and gae-urlfetch. */
struct relay_place relay_place_of(const struct net_endpoint *endpoint);

/** relay_place_endpoint() - and back, in normal form whatever came. */
struct net_endpoint relay_place_endpoint(const struct relay_place *place);

#endif
