/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_CONNECT_H
#define URLFETCH_CONNECT_H

struct fetch;
struct upstream;

/*
 * How a fetch gets a connection: by libcurl, which looks the name up, tries the addresses, and does
 * TLS with all its checks.  Its hooks ask the supervisor: before a name is looked up, and with the
 * very address that is connected to (CURLOPT_OPENSOCKETFUNCTION), so that no second look-up comes in
 * between.  It is told nothing of the request but scheme, host and port.
 */

/** connect_begin() - to the server of fetch->url; fetch_connected() is called at the end.  Return: 0 or -ENOMEM. */
int connect_begin(struct fetch *fetch);

/** connect_stop() - no more of it: no connection is left, or it was taken. */
void connect_stop(struct fetch *fetch);

/** connect_take_socket() - the plain connection that was made.  Return: a descriptor, registered with outgoing.h, or -1. */
int connect_take_socket(struct fetch *fetch);

/** connect_take() - the connection that was made, with TLS where the URL is https.  Return: NULL: there is no memory, or no descriptor. */
struct upstream *connect_take(struct fetch *fetch);

#endif
