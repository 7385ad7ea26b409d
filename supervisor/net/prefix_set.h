/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_PREFIX_SET_H
#define NET_PREFIX_SET_H

#include "net/addr.h"

/*
 * A set of address prefixes in which the longest prefix decides: an address is
 * in the set when the longest of the prefixes that cover it was added as a
 * member, and not when it was added as an exception ("!192.0.0.9/32").
 *
 * Built once (add ... finish), then read only: flattened to sorted disjoint
 * ranges and searched in O(log n).
 */
struct prefix_set;

#define PREFIX_NO_LABEL UINT32_MAX

struct prefix_set *prefix_set_new(void);
void prefix_set_free(struct prefix_set *set);

/**
 * prefix_set_add() - add a prefix before prefix_set_finish().
 * @addr:   network address in normal form; bits behind @length must be zero
 *          (v4-mapped prefixes are IPv4: the caller has normalised both)
 * @length: 0..32 for AF_INET, 0..128 for AF_INET6
 * @member: true adds, false makes an exception
 * @label:  number that prefix_set_find() gives back, e.g. an index of file lines
 * Return: 0, -EINVAL (length, host bits), -EEXIST (same prefix already added),
 *         -ENOMEM.  -EEXIST may also come from prefix_set_finish().
 */
int prefix_set_add(struct prefix_set *set, const struct net_addr *addr, unsigned int length,
		   bool member, uint32_t label);

/**
 * prefix_set_finish() - make the set searchable; it cannot be changed any more.
 * @duplicate: where not NULL, gets the label of a prefix that was added twice
 * Return: 0, -EEXIST, -ENOMEM.
 */
int prefix_set_finish(struct prefix_set *set, uint32_t *duplicate);

/**
 * prefix_set_contains() - is @addr in the set?
 * @label: where not NULL and the answer is true, the deciding prefix's label
 */
bool prefix_set_contains(const struct prefix_set *set, const struct net_addr *addr,
			 uint32_t *label);

/** prefix_set_size() - prefixes added. */
size_t prefix_set_size(const struct prefix_set *set);

/**
 * prefix_parse() - "10.0.0.0/8", "2001:db8::/32", or an address (full length).
 * A v4-mapped prefix of length 96..128 becomes the IPv4 one.
 * Return: 0; -EINVAL not a prefix; -EDOM host bits set behind the length;
 *         -ERANGE length too large.
 */
int prefix_parse(const char *text, struct net_addr *addr, unsigned int *length);

#endif
