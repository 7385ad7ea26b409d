/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HANDOVER_BLAKE2S_H
#define HANDOVER_BLAKE2S_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * BLAKE2s (RFC 7693), all at once.  No library that we link has a keyed hash of this strength, and
 * libcrypto would be larger than all of us.
 */
#define BLAKE2S_MAX 32 /* bytes of a hash, and of a key */

/**
 * blake2s() - hash @size bytes.
 * @out, @out_size: gets the hash, 1 .. BLAKE2S_MAX bytes
 * @key, @key_size: 0 .. BLAKE2S_MAX bytes; with a key the hash authenticates the data
 */
void blake2s(void *out, size_t out_size, const void *key, size_t key_size, const void *data,
	     size_t size);

/** bytes_equal() - compare in a time that does not depend on where they differ. */
bool bytes_equal(const void *a, const void *b, size_t size);

#endif
