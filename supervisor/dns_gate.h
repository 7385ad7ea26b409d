/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_DNS_GATE_H
#define SUPERVISOR_DNS_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names;
struct plan;
struct request;

/*
 * Questions to name servers, on their way out.
 *
 * Every datagram for port 53 is read from the copy that will be sent.  Where the policy says
 * `dns listed-only` or `reverse-dns deny` it is *judged*: what is not one whole question, or
 * asks for what the policy does not list, is not sent.  Where rules have names, a question for
 * one of them is *paced*: it leaves after our own look-up of that name has ended, so that both
 * know the same addresses.
 *
 * What a refused question gets was measured (INTERNALS.md, "Names"): an error of the send ends
 * the look-ups of glibc, Go and c-ares at once.  musl does not look at it and waits for an
 * answer, so in place of the program's question one for `invalid.` leaves with its number.
 *
 * What is sent in a TCP connection is not seen here, so where questions are judged no
 * connection to port 53 is made.
 */
struct dns_gate;

/** dns_gate_new() - Return: NULL: nothing need be looked at, or (errno ENOMEM) out of memory; else errno is 0. */
struct dns_gate *dns_gate_new(const struct plan *plan, struct names *names);

/** dns_gate_judges() - are questions refused?  @gate may be NULL. */
bool dns_gate_judges(const struct dns_gate *gate);

enum dns_verdict {
	DNS_PASSES,
	DNS_WAITS,   /* until the name *@name has been looked up */
	DNS_REFUSED, /* .denied, .loc and .why of the request are set: -ECONNREFUSED */
};

/**
 * dns_gate_look() - a datagram for port 53.
 * @data: all of its @size bytes; NULL: it is not there as a whole
 * @id: DNS_REFUSED: the question's number, where it is a question (*@is_question)
 */
enum dns_verdict dns_gate_look(const struct dns_gate *gate, struct request *req, const void *data,
			       size_t size, uint32_t *name, bool *is_question, uint16_t *id);

/** dns_gate_connect() - a TCP connection to @port, which the rules allow.  Return: 0 or -ECONNREFUSED. */
int dns_gate_connect(const struct dns_gate *gate, struct request *req, uint16_t port);

#endif
