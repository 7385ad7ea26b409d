/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/bpf.h"
#include "policy/filter_build.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * Theory of operation.  Classic BPF jumps forward only, so the program is
 * emitted from its end to its start: whatever an instruction jumps to is there
 * already and its distance known.  Conditional jumps reach 255 instructions;
 * to a farther place a BPF_JA is put behind the jump, to a farther return a
 * new return.
 *
 * A row becomes a chain of clauses, a clause a chain of tests.  A test that
 * fails goes to the next clause that can still match, given the tests that held
 * on the way, and behind those of its tests that are known to hold.  So the 60
 * options of setsockopt are not walked one by one: levels first, then the
 * options of that level.  The word that is loaded is kept in A where the next
 * test wants the same one.
 */
#define NO_PLACE SIZE_MAX

struct code {
	struct sock_filter insns[BPF_MAXINSNS]; /* last instruction of the program first */
	size_t n;
	bool overflow;
};

/* One BPF comparison. */
struct test {
	uint32_t offset; /* into struct seccomp_data */
	uint32_t mask;   /* ANDed first, unless all ones */
	uint16_t jump;   /* BPF_JEQ, BPF_JSET, BPF_JGE */
	uint32_t value;
};

/* A ZERO64 makes two tests. */
#define TESTS_MAX (2 * FILTER_CONDS_MAX)

struct node {
	struct test test;
	bool used;         /* some path leads here */
	bool needs_load;   /* on some path A holds another word */
	size_t load, jump; /* places of the entry that loads and of the one that does not */
};

struct clause_code {
	struct node nodes[TESTS_MAX];
	size_t n;
	uint32_t answer;
};

struct row_code {
	struct clause_code *clauses;
	size_t n;
};

/* Where a path goes on: test .test of clause .clause; .test == n means that the clause answers. */
struct next {
	size_t clause, test;
};

/* --- emission, backwards --- */

/* Return: the place of the instruction. */
static size_t emit(struct code *code, uint16_t op, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (code->n == BPF_MAXINSNS) {
		code->overflow = true;
		return code->n - 1;
	}
	code->insns[code->n] = (struct sock_filter){op, jt, jf, k};
	return code->n++;
}

static size_t distance(const struct code *code, size_t place)
{
	return code->n - place - 1;
}

static size_t emit_near(struct code *code, size_t place)
{
	/* The other target's trampoline may come between: keep one instruction in hand. */
	if (distance(code, place) < UINT8_MAX)
		return place;
	return emit(code, BPF_JMP | BPF_JA, (uint32_t)distance(code, place), 0, 0);
}

static size_t emit_jump(struct code *code, uint16_t jump, uint32_t k, size_t yes, size_t no)
{
	yes = emit_near(code, yes);
	no = emit_near(code, no);
	return emit(code, BPF_JMP | jump | BPF_K, k, (uint8_t)distance(code, yes),
		    (uint8_t)distance(code, no));
}

/* A return of @value within reach, an old one if there is one. */
static size_t emit_return(struct code *code, uint32_t value)
{
	size_t oldest = code->n > UINT8_MAX - 8 ? code->n - (UINT8_MAX - 8) : 0;

	for (size_t place = code->n; place > oldest; place--) {
		const struct sock_filter *insn = &code->insns[place - 1];

		if (insn->code == (BPF_RET | BPF_K) && insn->k == value)
			return place - 1;
	}
	return emit(code, BPF_RET | BPF_K, value, 0, 0);
}

/* --- clauses to tests --- */

static uint32_t arg_offset(uint8_t arg, bool high)
{
	/* Both architectures are little-endian. */
	return (uint32_t)(offsetof(struct seccomp_data, args) + 8u * arg + (high ? 4 : 0));
}

static void clause_add_test(struct clause_code *clause, uint32_t offset, uint32_t mask,
			    uint16_t jump, uint32_t value)
{
	clause->nodes[clause->n++] = (struct node){
	    .test = {offset, mask, jump, value},
	    .load = NO_PLACE,
	    .jump = NO_PLACE,
	};
}

static void clause_add_cond(struct clause_code *clause, const struct filter_cond *cond)
{
	uint32_t low = arg_offset(cond->arg, false), high = arg_offset(cond->arg, true);

	switch (cond->op) {
	case FILTER_EQ32:
		clause_add_test(clause, low, UINT32_MAX, BPF_JEQ, cond->value);
		break;
	case FILTER_MASK32:
		clause_add_test(clause, low, cond->mask, BPF_JEQ, cond->value);
		break;
	case FILTER_ANY32:
		clause_add_test(clause, low, UINT32_MAX, BPF_JSET, cond->mask);
		break;
	case FILTER_GE32:
		clause_add_test(clause, low, UINT32_MAX, BPF_JGE, cond->value);
		break;
	case FILTER_ZERO64:
		clause_add_test(clause, low, UINT32_MAX, BPF_JEQ, 0);
		clause_add_test(clause, high, UINT32_MAX, BPF_JEQ, 0);
		break;
	}
}

static int row_code_init(struct row_code *row, const struct filter_spec *spec,
			 const struct filter_row *from)
{
	row->n = from->n_clauses;
	row->clauses = calloc(row->n, sizeof(*row->clauses));
	if (!row->clauses)
		return -ENOMEM;
	for (size_t i = 0; i < row->n; i++) {
		for (size_t c = 0; c < from->clauses[i].n_conds; c++)
			clause_add_cond(&row->clauses[i], &from->clauses[i].conds[c]);
		row->clauses[i].answer = filter_action_value(spec, from->clauses[i].action);
	}
	return 0;
}

/* --- which way a path goes --- */

static bool test_same_word(const struct test *a, const struct test *b)
{
	return a->offset == b->offset && a->mask == b->mask;
}

static bool test_equal(const struct test *a, const struct test *b)
{
	return test_same_word(a, b) && a->jump == b->jump && a->value == b->value;
}

/* @held and @other cannot both hold: one word, two values. */
static bool test_excludes(const struct test *held, const struct test *other)
{
	return test_same_word(held, other) && held->jump == BPF_JEQ && other->jump == BPF_JEQ &&
	       held->value != other->value;
}

static bool clause_is_ruled_out(const struct clause_code *clause, const struct clause_code *from,
				size_t failed)
{
	for (size_t t = 0; t < clause->n; t++) {
		if (test_equal(&clause->nodes[t].test, &from->nodes[failed].test))
			return true;
		for (size_t held = 0; held < failed; held++)
			if (test_excludes(&from->nodes[held].test, &clause->nodes[t].test))
				return true;
	}
	return false;
}

static bool test_is_known(const struct test *test, const struct clause_code *from, size_t failed)
{
	for (size_t held = 0; held < failed; held++)
		if (test_equal(&from->nodes[held].test, test))
			return true;
	return false;
}

/* Where to go when test @failed of clause @at fails, those before it having held. */
static struct next row_code_next(const struct row_code *row, size_t at, size_t failed)
{
	const struct clause_code *from = &row->clauses[at];
	struct next next = {at + 1, 0};

	while (clause_is_ruled_out(&row->clauses[next.clause], from, failed))
		next.clause++;
	while (next.test < row->clauses[next.clause].n &&
	       test_is_known(&row->clauses[next.clause].nodes[next.test].test, from, failed))
		next.test++;
	return next;
}

static void row_code_mark(struct row_code *row, struct next next, const struct test *loaded)
{
	struct clause_code *clause = &row->clauses[next.clause];

	if (next.test == clause->n)
		return;
	clause->nodes[next.test].used = true;
	if (!loaded || !test_same_word(loaded, &clause->nodes[next.test].test))
		clause->nodes[next.test].needs_load = true;
}

/* Paths lead forward only, so one pass finds every place that is reached. */
static void row_code_mark_used(struct row_code *row)
{
	row_code_mark(row, (struct next){0, 0}, NULL);
	for (size_t i = 0; i < row->n; i++) {
		for (size_t t = 0; t < row->clauses[i].n; t++) {
			const struct node *node = &row->clauses[i].nodes[t];

			if (!node->used)
				continue;
			row_code_mark(row, (struct next){i, t + 1}, &node->test);
			row_code_mark(row, row_code_next(row, i, t), &node->test);
		}
	}
}

static size_t row_code_place(struct row_code *row, struct code *code, struct next next,
			     const struct test *loaded)
{
	const struct clause_code *clause = &row->clauses[next.clause];
	const struct node *node = &clause->nodes[next.test];

	if (next.test == clause->n)
		return emit_return(code, clause->answer);
	return loaded && test_same_word(loaded, &node->test) ? node->jump : node->load;
}

static void node_emit(struct row_code *row, struct code *code, size_t i, size_t t)
{
	struct node *node = &row->clauses[i].nodes[t];
	size_t yes = row_code_place(row, code, (struct next){i, t + 1}, &node->test);
	size_t no = row_code_place(row, code, row_code_next(row, i, t), &node->test);

	node->jump = emit_jump(code, node->test.jump, node->test.value, yes, no);
	if (!node->needs_load)
		return;
	if (node->test.mask != UINT32_MAX)
		emit(code, BPF_ALU | BPF_AND | BPF_K, node->test.mask, 0, 0);
	node->load = emit(code, BPF_LD | BPF_W | BPF_ABS, node->test.offset, 0, 0);
}

/* Return: the place where the row starts, or -ENOMEM. */
static int row_emit(const struct filter_spec *spec, const struct filter_row *from,
		    struct code *code, size_t *start)
{
	struct row_code row;

	if (row_code_init(&row, spec, from))
		return -ENOMEM;
	row_code_mark_used(&row);
	for (size_t i = row.n; i-- > 0;)
		for (size_t t = row.clauses[i].n; t-- > 0;)
			if (row.clauses[i].nodes[t].used)
				node_emit(&row, code, i, t);
	*start = row_code_place(&row, code, (struct next){0, 0}, NULL);
	free(row.clauses);
	return 0;
}

/* --- the whole --- */

/* Balanced over rows @first..@last-1: with A the number, about log2(rows) comparisons to any answer. */
static size_t tree_emit(struct code *code, const struct filter_spec *spec, const size_t *starts,
			size_t first, size_t last)
{
	size_t middle = first + (last - first) / 2;
	size_t left, right, start;

	if (first == last)
		return emit_return(code, SECCOMP_RET_ALLOW);
	if (last - first > 1) {
		right = tree_emit(code, spec, starts, middle, last);
		left = tree_emit(code, spec, starts, first, middle);
		return emit_jump(code, BPF_JGE, (uint32_t)spec->rows[middle].nr, right, left);
	}
	start = starts[first];
	/* A row that is nothing but a return is brought near instead of jumped to. */
	if (code->insns[start].code == (BPF_RET | BPF_K))
		start = emit_return(code, code->insns[start].k);
	right = emit_return(code, SECCOMP_RET_ALLOW);
	return emit_jump(code, BPF_JEQ, (uint32_t)spec->rows[first].nr, start, right);
}

static void emit_head(struct code *code, size_t tree)
{
	size_t refused = emit_return(code, SECCOMP_RET_USER_NOTIF);

#ifdef FILTER_X32_BIT
	tree = emit_jump(code, BPF_JGE, FILTER_X32_BIT, refused, tree);
	refused = emit_return(code, SECCOMP_RET_USER_NOTIF);
#endif
	/* Falls through into the number's test, so the load goes right in front of it. */
	if (distance(code, tree))
		emit(code, BPF_JMP | BPF_JA, (uint32_t)distance(code, tree), 0, 0);
	tree =
	    emit(code, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, nr), 0, 0);
	emit_jump(code, BPF_JEQ, FILTER_ARCH, tree, refused);
	emit(code, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, arch), 0, 0);
}

static int code_finish(const struct code *code, struct sock_fprog *program)
{
	struct sock_filter *insns;

	if (code->overflow)
		return -E2BIG;
	insns = malloc(code->n * sizeof(*insns));
	if (!insns)
		return -ENOMEM;
	for (size_t i = 0; i < code->n; i++)
		insns[i] = code->insns[code->n - 1 - i];
	program->filter = insns;
	program->len = (unsigned short)code->n;
	return 0;
}

static int rows_emit(const struct filter_spec *spec, struct code *code)
{
	size_t *starts = calloc(spec->n_rows + 1, sizeof(*starts));
	int error = starts ? 0 : -ENOMEM;

	for (size_t i = spec->n_rows; !error && i-- > 0;)
		error = row_emit(spec, &spec->rows[i], code, &starts[i]);
	if (!error)
		emit_head(code, tree_emit(code, spec, starts, 0, spec->n_rows));
	free(starts);
	return error;
}

int filter_compile(const struct filter_spec *spec, struct sock_fprog *program)
{
	struct code *code = calloc(1, sizeof(*code));
	int error;

	if (!code)
		return -ENOMEM;
	error = rows_emit(spec, code);
	if (!error)
		error = code_finish(code, program);
	free(code);
	return error;
}
