/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_TUNNEL_H
#define URLFETCH_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

struct fetch;
struct tunnel;

/*
 * CONNECT: https that the program does itself.  Name and address are the policy's to allow, as for
 * every fetch; then the ClientHello must name the host that CONNECT named, so that the policy was
 * asked about the server that is meant; then bytes go both ways as they come.
 */

/** tunnel_begin() - the connection of @fetch stands: it becomes a tunnel of the fetch's client.  The fetch is over. */
void tunnel_begin(struct fetch *fetch);

/** tunnel_run_client() - events on the client's side. */
void tunnel_run_client(struct tunnel *tunnel, uint32_t events);

/** tunnel_tick() - end it where no ClientHello has come in time.  Return: false: it is gone, with its client. */
bool tunnel_tick(struct tunnel *tunnel, uint64_t now_ns);

/** tunnel_free() - close the far side.  NULL allowed. */
void tunnel_free(struct tunnel *tunnel);

#endif
