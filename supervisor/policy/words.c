/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/words.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 32 /* longer words have no neighbours */

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Edits that turn @a into @b: insert, delete, replace, swap neighbours (optimal string alignment); case costs nothing. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int cost[WORD_MAX + 1][WORD_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= n; i++) {
		for (size_t j = 0; j <= m; j++) {
			if (!i || !j) {
				cost[i][j] = (unsigned int)(i + j);
				continue;
			}
			cost[i][j] = least(least(cost[i - 1][j], cost[i][j - 1]) + 1,
					   cost[i - 1][j - 1] + !same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
		}
	}
	return cost[n][m];
}

const char *words_closest(const char *word, const char *const *names)
{
	unsigned int size = (unsigned int)strlen(word), limit = least(size / 3, 3), best, d;
	const char *closest = NULL;

	/* Another single letter is no neighbour of a single letter. */
	if (!limit && size > 1)
		limit = 1;
	best = limit + 1;
	for (; *names; names++) {
		d = distance(word, *names);
		if (d < best) {
			best = d;
			closest = *names;
		}
	}
	return closest;
}

/* FNV-1a. */
static size_t hash(const char *word)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *word; word++)
		h = (h ^ (unsigned char)*word) * 0x100000001b3u;
	return (size_t)(h ^ h >> 32);
}

/* The slot that holds @word, or the free one where it belongs.  There is always a free one. */
static size_t find_slot(const struct word_index *index, const char *word)
{
	size_t slot = hash(word) & (index->room - 1);

	while (index->words[slot] && strcmp(index->words[slot], word))
		slot = (slot + 1) & (index->room - 1);
	return slot;
}

uint32_t word_index_find(const struct word_index *index, const char *word)
{
	size_t slot;

	if (!index->room)
		return WORD_NONE;
	slot = find_slot(index, word);
	return index->words[slot] ? index->values[slot] : WORD_NONE;
}

static int grow(struct word_index *index)
{
	struct word_index larger = {.room = index->room ? index->room * 2 : 64,
				    .used = index->used};

	larger.words = calloc(larger.room, sizeof(*larger.words));
	larger.values = calloc(larger.room, sizeof(*larger.values));
	if (!larger.words || !larger.values) {
		word_index_fini(&larger);
		return -ENOMEM;
	}
	for (size_t i = 0; i < index->room; i++) {
		size_t slot;

		if (!index->words[i])
			continue;
		slot = find_slot(&larger, index->words[i]);
		larger.words[slot] = index->words[i];
		larger.values[slot] = index->values[i];
	}
	word_index_fini(index);
	*index = larger;
	return 0;
}

int word_index_add(struct word_index *index, const char *word, uint32_t value)
{
	size_t slot;

	if (2 * (index->used + 1) > index->room && grow(index))
		return -ENOMEM;
	slot = find_slot(index, word);
	index->words[slot] = word;
	index->values[slot] = value;
	index->used++;
	return 0;
}

void word_index_fini(struct word_index *index)
{
	free(index->words);
	free(index->values);
	*index = (struct word_index){0};
}
