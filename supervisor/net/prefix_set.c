/* SPDX-License-Identifier: Apache-2.0 */
#include "net/prefix_set.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Theory of operation.  Prefixes nest or are disjoint, never overlap by half.
 * Sorted by first address, shorter first, a parent comes before its children;
 * one sweep with a stack of the prefixes that are open at the moment gives the
 * points where the deciding prefix changes.  Between two such points lies one
 * segment with one answer, so a look-up is a binary search for the last segment
 * that starts at or before the address.  IPv4 segments are kept apart: 8 bytes
 * each instead of 20, and four times as many fit a cache line.
 */
typedef unsigned __int128 u128; /* an address as a number; IPv4 uses the low 32 bits */

#define NOT_MEMBER (UINT32_MAX - 1)

struct entry {
	u128 first;
	uint32_t value; /* label, or NOT_MEMBER for an exception */
	uint8_t length;
};

/* The prefixes of one family: entries until finish, segments from then on. */
struct table {
	unsigned int width; /* bits of an address */
	struct entry *entries;
	size_t n_entries, room;
	void *
	    starts; /* uint32_t (width 32) or u128: first address of each segment, rising, the first is 0 */
	uint32_t *values; /* of each segment */
	size_t n_segments;
};

struct prefix_set {
	struct table v4, v6;
	size_t size;
	bool finished;
};

/* 128 bits in network order to a number. */
static u128 load_u128(const uint8_t *bytes)
{
	uint64_t high, low;

	memcpy(&high, bytes, 8);
	memcpy(&low, bytes + 8, 8);
	return (u128)be64toh(high) << 64 | be64toh(low);
}

static uint32_t load_u32(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, 4);
	return ntohl(word);
}

/* The bits behind a prefix of @length, all ones. */
static u128 host_mask(unsigned int width, unsigned int length)
{
	if (length == width)
		return 0;
	return (~(u128)0 >> (128 - width)) >> length;
}

struct prefix_set *prefix_set_new(void)
{
	struct prefix_set *set = calloc(1, sizeof(*set));

	if (set) {
		set->v4.width = 32;
		set->v6.width = 128;
	}
	return set;
}

void prefix_set_free(struct prefix_set *set)
{
	struct table *tables[] = {set ? &set->v4 : NULL, set ? &set->v6 : NULL};

	for (int i = 0; set && i < 2; i++) {
		free(tables[i]->entries);
		free(tables[i]->starts);
		free(tables[i]->values);
	}
	free(set);
}

static int table_add(struct table *table, const struct entry *entry)
{
	struct entry *grown;
	size_t room;

	if (table->n_entries == table->room) {
		room = table->room ? table->room * 2 : 16;
		grown = reallocarray(table->entries, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		table->entries = grown;
		table->room = room;
	}
	table->entries[table->n_entries++] = *entry;
	return 0;
}

int prefix_set_add(struct prefix_set *set, const struct net_addr *addr, unsigned int length,
		   bool member, uint32_t label)
{
	bool v4 = addr->family == AF_INET;
	struct table *table = v4 ? &set->v4 : &set->v6;
	struct entry entry = {.value = member ? label : NOT_MEMBER, .length = (uint8_t)length};
	int error;

	if (set->finished || (!v4 && addr->family != AF_INET6) || length > table->width ||
	    (member && label == NOT_MEMBER))
		return -EINVAL;
	entry.first = v4 ? load_u32(addr->bytes) : load_u128(addr->bytes);
	if (entry.first & host_mask(table->width, length))
		return -EINVAL;
	error = table_add(table, &entry);
	if (!error)
		set->size++;
	return error;
}

/* By first address; of two that start together the shorter first: it is the parent. */
static int entry_compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return (int)a->length - (int)b->length;
}

static bool table_is_sorted(const struct table *table)
{
	for (size_t i = 1; i < table->n_entries; i++)
		if (entry_compare(&table->entries[i - 1], &table->entries[i]) > 0)
			return false;
	return true;
}

static const struct entry *table_find_duplicate(const struct table *table)
{
	for (size_t i = 1; i < table->n_entries; i++)
		if (!entry_compare(&table->entries[i - 1], &table->entries[i]))
			return &table->entries[i];
	return NULL;
}

static u128 table_start(const struct table *table, size_t index)
{
	if (table->width == 32)
		return ((const uint32_t *)table->starts)[index];
	return ((const u128 *)table->starts)[index];
}

/* From @start on @value decides; a start given twice means that the later one is nested deeper. */
static void table_emit(struct table *table, u128 start, uint32_t value)
{
	size_t n = table->n_segments;

	if (n && table_start(table, n - 1) == start)
		n--;
	if (n && table->values[n - 1] == value) {
		table->n_segments = n;
		return;
	}
	if (table->width == 32)
		((uint32_t *)table->starts)[n] = (uint32_t)start;
	else
		((u128 *)table->starts)[n] = start;
	table->values[n] = value;
	table->n_segments = n + 1;
}

static void table_sweep(struct table *table)
{
	const struct entry *open[129]; /* nested prefixes: at most one of each length */
	const u128 top = host_mask(table->width, 0);
	size_t depth = 0;
	u128 last;

	table_emit(table, 0, NOT_MEMBER);
	for (size_t i = 0; i <= table->n_entries; i++) {
		const struct entry *next = i < table->n_entries ? &table->entries[i] : NULL;

		while (depth) {
			last = open[depth - 1]->first |
			       host_mask(table->width, open[depth - 1]->length);
			if (last == top || (next && next->first <= last))
				break;
			depth--;
			table_emit(table, last + 1, depth ? open[depth - 1]->value : NOT_MEMBER);
		}
		if (next) {
			table_emit(table, next->first, next->value);
			open[depth++] = next;
		}
	}
}

/* Give back what the estimate of two segments a prefix was too much; shrinking cannot fail in a way that matters. */
static void table_shrink(struct table *table, size_t key_size)
{
	void *starts = realloc(table->starts, table->n_segments * key_size);
	uint32_t *values = realloc(table->values, table->n_segments * sizeof(*values));

	if (starts)
		table->starts = starts;
	if (values)
		table->values = values;
}

static int table_finish(struct table *table, uint32_t *duplicate)
{
	size_t key_size = table->width == 32 ? sizeof(uint32_t) : sizeof(u128);
	size_t max = 2 * table->n_entries + 1;
	const struct entry *twice;

	if (!table->n_entries)
		return 0;
	if (!table_is_sorted(table))
		qsort(table->entries, table->n_entries, sizeof(*table->entries), entry_compare);
	twice = table_find_duplicate(table);
	if (twice) {
		if (duplicate)
			*duplicate = twice->value == NOT_MEMBER ? PREFIX_NO_LABEL : twice->value;
		return -EEXIST;
	}
	table->starts = reallocarray(NULL, max, key_size);
	table->values = reallocarray(NULL, max, sizeof(*table->values));
	if (!table->starts || !table->values)
		return -ENOMEM;
	table_sweep(table);
	table_shrink(table, key_size);
	free(table->entries);
	table->entries = NULL;
	return 0;
}

int prefix_set_finish(struct prefix_set *set, uint32_t *duplicate)
{
	int error;

	if (set->finished)
		return 0;
	error = table_finish(&set->v4, duplicate);
	if (!error)
		error = table_finish(&set->v6, duplicate);
	set->finished = !error;
	return error;
}

/* Both searches keep "starts[base] <= key" and shrink the rest without a branch on the key. */
static uint32_t find_v4(const struct table *table, uint32_t key)
{
	const uint32_t *starts = table->starts;
	size_t base = 0;

	for (size_t n = table->n_segments; n > 1; n -= n / 2)
		base += starts[base + n / 2] <= key ? n / 2 : 0;
	return table->values[base];
}

static uint32_t find_v6(const struct table *table, u128 key)
{
	const u128 *starts = table->starts;
	size_t base = 0;

	for (size_t n = table->n_segments; n > 1; n -= n / 2)
		base += starts[base + n / 2] <= key ? n / 2 : 0;
	return table->values[base];
}

bool prefix_set_contains(const struct prefix_set *set, const struct net_addr *addr, uint32_t *label)
{
	uint32_t value = NOT_MEMBER;

	if (addr->family == AF_INET && set->v4.n_segments)
		value = find_v4(&set->v4, load_u32(addr->bytes));
	else if (addr->family == AF_INET6 && set->v6.n_segments)
		value = find_v6(&set->v6, load_u128(addr->bytes));
	if (value == NOT_MEMBER)
		return false;
	if (label)
		*label = value;
	return true;
}

size_t prefix_set_size(const struct prefix_set *set)
{
	return set->size;
}

/* Decimal without sign or leading zero, at most three digits.  Return: -1 if it is something else. */
static int parse_length(const char *text)
{
	int value = 0;
	size_t i;

	for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 4; i++)
		value = value * 10 + (text[i] - '0');
	if (!i || text[i] || (i > 1 && text[0] == '0'))
		return -1;
	return value;
}

static bool has_host_bits(const struct net_addr *addr, unsigned int length)
{
	if (addr->family == AF_INET)
		return load_u32(addr->bytes) & (uint32_t)host_mask(32, length);
	return (load_u128(addr->bytes) & host_mask(128, length)) != 0;
}

int prefix_parse(const char *text, struct net_addr *addr, unsigned int *length)
{
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	char host[INET6_ADDRSTRLEN];
	int bits, width;

	if (size >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, size);
	host[size] = '\0';
	if (net_addr_parse(host, addr))
		return -EINVAL;
	/* The width as written: a v4-mapped prefix counts its length from the IPv6 address's first bit. */
	width = strchr(host, ':') ? 128 : 32;
	bits = slash ? parse_length(slash + 1) : width;
	if (bits < 0)
		return -EINVAL;
	if (bits > width)
		return -ERANGE;
	if (width == 128 && addr->family == AF_INET) {
		bits -= 96;
		if (bits < 0)
			return -EDOM;
	}
	*length = (unsigned int)bits;
	return has_host_bits(addr, *length) ? -EDOM : 0;
}
