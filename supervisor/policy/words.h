/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_WORDS_H
#define POLICY_WORDS_H

#include <stddef.h>
#include <stdint.h>

/** words_closest() - the name nearest to @word by edit distance, NULL when none is near (a third of its length, at most 3). */
const char *words_closest(const char *word, const char *const *names);

/* Texts to numbers; the texts belong to somebody else and outlive the index. */
struct word_index {
	const char **words;
	uint32_t *values;
	size_t used, room;
};

#define WORD_NONE UINT32_MAX

uint32_t word_index_find(const struct word_index *index, const char *word);
/** word_index_add() - Return: 0 or -ENOMEM. */
int word_index_add(struct word_index *index, const char *word, uint32_t value);
void word_index_fini(struct word_index *index);

#endif
