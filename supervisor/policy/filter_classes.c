/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/filter_classes.h"

#include "policy/filter_build.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * Theory of operation.  A word is half of an argument.  What is asked of it:
 * whether it is one of some values (.equals, nearly all), and any other test
 * (.tests).  Which value it is, and how the tests come out, is the word's
 * class; the classes of the words that are asked about are the call's.
 *
 * trace_program() walks all paths that a call with the row's number can take,
 * both ways at each test of an argument.  All it knows is which word, under
 * which mask, is in A; an instruction that is reached with two different ones,
 * or that does anything else, makes the row irregular.
 */
#define WORDS_MAX 12 /* two of each argument */
#define EQUALS_MAX 1023
#define TESTS_MAX 22
#define ASKED_MAX 6 /* words of one row that anything is asked of */
#define SEEN_SIZE 1024
#define SEEN_MAX (SEEN_SIZE * 3 / 4)

/* (word & mask) jump value, as in BPF. */
struct word_test {
	uint16_t jump; /* BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET */
	uint32_t mask, value;
};

struct word_tests {
	uint32_t equals[EQUALS_MAX]; /* rising */
	size_t n_equals;
	struct word_test tests[TESTS_MAX];
	size_t n_tests;
};

/* What A holds at an instruction. */
struct content {
	bool reached;
	uint32_t offset; /* into struct seccomp_data; NO_WORD: not known */
	uint32_t mask;
};
#define NO_WORD UINT32_MAX

/* Place of the value in .equals (CLASS_PLACE), and a bit for each of .tests. */
typedef uint32_t class_id;
#define CLASS_PLACE 10
#define NO_CLASS UINT32_MAX

struct seen {
	unsigned int round; /* of whose row; another one: the place is free */
	class_id ids[ASKED_MAX];
};

struct filter_classes {
	struct word_tests words[WORDS_MAX];
	unsigned int asked[ASKED_MAX];
	size_t n_asked;
	bool regular;
	class_id base[ASKED_MAX]; /* of the call that others differ from in one word */
	class_id last;            /* of that word, in the call asked for last; NO_CLASS: none */
	unsigned int last_place;  /* of that word in .asked */
	unsigned int round;
	size_t n_seen;
	struct seen seen[SEEN_SIZE];
	struct content contents[BPF_MAXINSNS];
};

struct filter_classes *filter_classes_new(void)
{
	return calloc(1, sizeof(struct filter_classes));
}

void filter_classes_free(struct filter_classes *classes)
{
	free(classes);
}

/* --- tests --- */

static bool test_holds(const struct word_test *test, uint32_t word)
{
	word &= test->mask;
	switch (test->jump) {
	case BPF_JEQ:
		return word == test->value;
	case BPF_JGT:
		return word > test->value;
	case BPF_JGE:
		return word >= test->value;
	default: /* BPF_JSET */
		return (word & test->value) != 0;
	}
}

static void add_equal(struct filter_classes *classes, struct word_tests *word, uint32_t value)
{
	size_t at = word->n_equals;

	while (at > 0 && word->equals[at - 1] > value)
		at--;
	if (at > 0 && word->equals[at - 1] == value)
		return;
	if (word->n_equals == EQUALS_MAX) {
		classes->regular = false;
		return;
	}
	memmove(&word->equals[at + 1], &word->equals[at],
		(word->n_equals - at) * sizeof(word->equals[0]));
	word->equals[at] = value;
	word->n_equals++;
}

static void add_test(struct filter_classes *classes, unsigned int number, struct word_test test)
{
	struct word_tests *word = &classes->words[number];

	if (test.jump == BPF_JEQ && test.mask == UINT32_MAX) {
		add_equal(classes, word, test.value);
		return;
	}
	for (size_t i = 0; i < word->n_tests; i++)
		if (word->tests[i].jump == test.jump && word->tests[i].mask == test.mask &&
		    word->tests[i].value == test.value)
			return;
	if (word->n_tests == TESTS_MAX)
		classes->regular = false;
	else
		word->tests[word->n_tests++] = test;
}

/* --- what the row asks --- */

static void add_cond(struct filter_classes *classes, const struct filter_cond *cond)
{
	const unsigned int low = 2u * cond->arg, high = low + 1;

	switch (cond->op) {
	case FILTER_EQ32:
		add_test(classes, low, (struct word_test){BPF_JEQ, UINT32_MAX, cond->value});
		break;
	case FILTER_MASK32:
		add_test(classes, low, (struct word_test){BPF_JEQ, cond->mask, cond->value});
		break;
	case FILTER_ANY32:
		add_test(classes, low, (struct word_test){BPF_JSET, UINT32_MAX, cond->mask});
		break;
	case FILTER_GE32:
		add_test(classes, low, (struct word_test){BPF_JGE, UINT32_MAX, cond->value});
		break;
	case FILTER_ZERO64:
		add_test(classes, low, (struct word_test){BPF_JEQ, UINT32_MAX, 0});
		add_test(classes, high, (struct word_test){BPF_JEQ, UINT32_MAX, 0});
		break;
	}
}

static void add_row(struct filter_classes *classes, const struct filter_row *row)
{
	for (size_t i = 0; i < row->n_clauses; i++) {
		for (size_t c = 0; c < row->clauses[i].n_conds; c++)
			add_cond(classes, &row->clauses[i].conds[c]);
		if (row->keys && row->keys[i].arg != FILTER_KEY_NONE)
			add_test(classes, 2u * row->keys[i].arg,
				 (struct word_test){BPF_JEQ, UINT32_MAX, row->keys[i].value});
	}
}

/* --- what the program asks --- */

static void reach(struct filter_classes *classes, size_t pc, struct content from)
{
	struct content *at = &classes->contents[pc];

	from.reached = true;
	if (at->reached && (at->offset != from.offset || at->mask != from.mask))
		from.offset = NO_WORD;
	*at = from;
}

static void trace_jump(struct filter_classes *classes, const struct sock_filter *insn, size_t pc,
		       int nr)
{
	const struct content at = classes->contents[pc];
	const uint32_t first = offsetof(struct seccomp_data, args);
	const struct word_test test = {BPF_OP(insn->code), at.mask, insn->k};
	uint32_t known =
	    at.offset == offsetof(struct seccomp_data, nr) ? (uint32_t)nr : FILTER_ARCH;

	if (BPF_OP(insn->code) == BPF_JA) {
		reach(classes, pc + 1 + insn->k, at);
		return;
	}
	if (BPF_SRC(insn->code) != BPF_K || at.offset == NO_WORD) {
		classes->regular = false;
		return;
	}
	if (at.offset < first && at.offset != offsetof(struct seccomp_data, nr) &&
	    at.offset != offsetof(struct seccomp_data, arch)) {
		classes->regular = false; /* the instruction pointer */
		return;
	}
	if (at.offset >= first)
		add_test(classes, (at.offset - first) / 4, test);
	if (at.offset >= first || test_holds(&test, known))
		reach(classes, pc + 1 + insn->jt, at);
	if (at.offset >= first || !test_holds(&test, known))
		reach(classes, pc + 1 + insn->jf, at);
}

/* Jumps lead forward, so whatever leads to an instruction was met before it. */
static void trace_program(struct filter_classes *classes, const struct sock_fprog *program, int nr)
{
	struct content *contents = classes->contents;

	memset(contents, 0, program->len * sizeof(*contents));
	contents[0] = (struct content){true, NO_WORD, UINT32_MAX};
	for (size_t pc = 0; classes->regular && pc < program->len; pc++) {
		const struct sock_filter *insn = &program->filter[pc];

		if (!contents[pc].reached)
			continue;
		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			reach(classes, pc + 1, (struct content){true, insn->k, UINT32_MAX});
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			reach(classes, pc + 1,
			      (struct content){true, contents[pc].offset,
					       contents[pc].mask & insn->k});
			break;
		case BPF_RET | BPF_K:
			break;
		default:
			if (BPF_CLASS(insn->code) == BPF_JMP)
				trace_jump(classes, insn, pc, nr);
			else
				classes->regular = false;
		}
	}
}

/* --- classes --- */

static void list_asked(struct filter_classes *classes)
{
	for (unsigned int i = 0; i < WORDS_MAX; i++) {
		const struct word_tests *word = &classes->words[i];

		if (!word->n_equals && !word->n_tests)
			continue;
		if (classes->n_asked == ASKED_MAX)
			classes->regular = false;
		else
			classes->asked[classes->n_asked++] = i;
	}
}

bool filter_classes_begin(struct filter_classes *classes, const struct sock_fprog *program,
			  const struct filter_row *row)
{
	for (size_t i = 0; i < WORDS_MAX; i++)
		classes->words[i].n_equals = classes->words[i].n_tests = 0;
	classes->n_asked = 0;
	classes->regular = true;
	classes->round++;
	classes->n_seen = 0;
	add_row(classes, row);
	trace_program(classes, program, row->nr);
	list_asked(classes);
	return classes->regular;
}

/* From 1; 0 for all values that are not in .equals. */
static size_t place_of(const struct word_tests *word, uint32_t value)
{
	const uint32_t *base = word->equals;
	size_t n = word->n_equals;

	if (!n)
		return 0;
	while (n > 1) {
		size_t half = n / 2;

		base += base[half] <= value ? half : 0;
		n -= half;
	}
	return *base == value ? (size_t)(base - word->equals) + 1 : 0;
}

static class_id classify(const struct word_tests *word, uint32_t value)
{
	class_id id = (class_id)place_of(word, value);

	for (size_t i = 0; i < word->n_tests; i++)
		id |= (class_id)test_holds(&word->tests[i], value) << (CLASS_PLACE + i);
	return id;
}

static bool ids_equal(const class_id *left, const class_id *right, size_t n)
{
	class_id differ = 0;

	for (size_t i = 0; i < n; i++)
		differ |= left[i] ^ right[i];
	return !differ;
}

static bool see(struct filter_classes *classes, const class_id ids[ASKED_MAX])
{
	uint64_t hash = 0;
	struct seen *seen;

	for (size_t i = 0; i < classes->n_asked; i++)
		hash = (hash ^ ids[i]) * UINT64_C(0x9e3779b97f4a7c15);
	for (size_t place = hash >> 40;; place++) {
		seen = &classes->seen[place % SEEN_SIZE];
		if (seen->round != classes->round)
			break;
		if (ids_equal(seen->ids, ids, classes->n_asked))
			return false;
	}
	if (classes->n_seen == SEEN_MAX)
		return true;
	classes->n_seen++;
	seen->round = classes->round;
	memcpy(seen->ids, ids, classes->n_asked * sizeof(ids[0]));
	return true;
}

static void classify_all(const struct filter_classes *classes, const uint64_t args[6],
			 class_id ids[ASKED_MAX])
{
	for (size_t i = 0; i < classes->n_asked; i++) {
		unsigned int word = classes->asked[i];

		ids[i] = classify(&classes->words[word],
				  (uint32_t)(args[word / 2] >> (word & 1 ? 32 : 0)));
	}
}

bool filter_classes_is_new(struct filter_classes *classes, const uint64_t args[6])
{
	class_id ids[ASKED_MAX];

	if (!classes->regular)
		return true;
	classify_all(classes, args, ids);
	return see(classes, ids);
}

void filter_classes_set_base(struct filter_classes *classes, const uint64_t args[6])
{
	classes->last = NO_CLASS;
	if (classes->regular)
		classify_all(classes, args, classes->base);
}

bool filter_classes_is_new_low(struct filter_classes *classes, unsigned int arg, uint32_t low)
{
	class_id ids[ASKED_MAX], id;
	unsigned int place = 0;

	if (!classes->regular)
		return true;
	while (place < classes->n_asked && classes->asked[place] != 2 * arg)
		place++;
	if (place == classes->n_asked)
		return see(classes, classes->base);
	id = classify(&classes->words[2 * arg], low);
	if (id == classes->last && place == classes->last_place)
		return false;
	classes->last = id;
	classes->last_place = place;
	memcpy(ids, classes->base, sizeof(ids));
	ids[place] = id;
	return see(classes, ids);
}
