/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/bpf.h"
#include "policy/filter_build.h"
#include "policy/filter_classes.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/*
 * The table of calls: for every clause arguments that just satisfy it, and for
 * every test in it arguments that just miss it, with garbage and with nothing
 * in the bits that do not matter; every combination of the values that a row
 * speaks of; every number, other architectures, x32.  The spec and the program
 * must give the same answer to all.  Of calls that neither of them can tell
 * apart (filter_classes.h) the first is run.
 */
struct verifier {
	const struct filter_spec *spec;
	const struct sock_fprog *program;
	struct filter_classes *classes; /* of the row that is checked */
	uint64_t (*foreign)[6];         /* see gather_foreign() */
	size_t n_foreign;
	struct seccomp_data *bad;
	int checked; /* calls of the table */
	int error;
};

static void run_call(struct verifier *v, uint32_t nr, const uint64_t args[6])
{
	struct seccomp_data call = {.nr = (int)nr, .arch = FILTER_ARCH};
	uint32_t answer;

	for (int i = 0; i < 6; i++)
		call.args[i] = args[i];
	if (bpf_run(v->program, &call, &answer))
		v->error = -EFAULT;
	else if (answer != filter_answer(v->spec, &call))
		v->error = -EINVAL;
	if (v->error)
		*v->bad = call;
}

/* A call of the row that is checked. */
static void check_call(struct verifier *v, const struct filter_row *row, const uint64_t args[6])
{
	if (v->error)
		return;
	v->checked++;
	if (filter_classes_is_new(v->classes, args))
		run_call(v, (uint32_t)row->nr, args);
}

/* --- numbers and architectures --- */

/* The answer must be the spec's, and come without a look at the arguments. */
static void check_fixed(struct verifier *v, uint32_t arch, uint32_t nr)
{
	struct seccomp_data call = {.nr = (int)nr, .arch = arch};
	uint32_t answer = 0;
	int error;

	if (v->error)
		return;
	error = bpf_run_fixed(v->program, arch, nr, &answer);
	if (error == -EAGAIN || (!error && answer != filter_answer(v->spec, &call)))
		v->error = -EINVAL;
	else if (error)
		v->error = -EFAULT;
	if (v->error)
		*v->bad = call;
	v->checked++;
}

static void check_number(struct verifier *v, uint32_t nr)
{
	const struct filter_row *row = filter_row_find(v->spec, (int)nr);

	/* What looks at arguments is for check_row(). */
	if (!row || row->n_clauses == 1)
		check_fixed(v, FILTER_ARCH, nr);
}

static void check_numbers(struct verifier *v)
{
	static const uint32_t edges[] = {1023,       1024,       0x3fffffff, 0x40000000, 0x400001ff,
					 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};

	for (uint32_t nr = 0; nr < 512; nr++)
		check_number(v, nr);
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		check_number(v, edges[i]);
	for (size_t i = 0; i < v->spec->n_rows; i++)
		for (unsigned int bit = 9; bit < 32; bit++)
			check_number(v, (uint32_t)v->spec->rows[i].nr | 1u << bit);
}

static void check_arches(struct verifier *v)
{
	static const uint32_t arches[] = {0, UINT32_MAX, AUDIT_ARCH_I386, AUDIT_ARCH_X86_64,
					  AUDIT_ARCH_AARCH64};

	for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++)
		for (uint32_t nr = 0; arches[i] != FILTER_ARCH && nr < 512; nr += 5)
			check_fixed(v, arches[i], nr);
	for (unsigned int bit = 0; bit < 32; bit++)
		check_fixed(v, FILTER_ARCH ^ 1u << bit, 0);
}

/* --- clauses --- */

static void set_low(uint64_t *arg, uint32_t low)
{
	*arg = (*arg & ~(uint64_t)UINT32_MAX) | low;
}

/* Make @arg satisfy @cond, leaving the bits that do not matter as they are. */
static void satisfy(const struct filter_cond *cond, uint64_t *arg)
{
	switch (cond->op) {
	case FILTER_EQ32:
	case FILTER_GE32:
		set_low(arg, cond->value);
		break;
	case FILTER_MASK32:
		set_low(arg, ((uint32_t)*arg & ~cond->mask) | cond->value);
		break;
	case FILTER_ANY32:
		set_low(arg, cond->mask & -cond->mask);
		break;
	case FILTER_ZERO64:
		*arg = 0;
		break;
	}
}

static void clause_args(const struct filter_clause *clause, uint64_t fill, uint64_t args[6])
{
	for (int i = 0; i < 6; i++)
		args[i] = fill;
	for (size_t i = 0; i < clause->n_conds; i++)
		satisfy(&clause->conds[i], &args[clause->conds[i].arg]);
}

/* The base of the classes but for the low half of one argument. */
static void check_low(struct verifier *v, const struct filter_row *row, const uint64_t base[6],
		      uint8_t arg, uint32_t low)
{
	uint64_t args[6];

	if (v->error)
		return;
	v->checked++;
	if (!filter_classes_is_new_low(v->classes, arg, low))
		return;
	memcpy(args, base, sizeof(args));
	set_low(&args[arg], low);
	run_call(v, (uint32_t)row->nr, args);
}

static void check_near_value(struct verifier *v, const struct filter_row *row,
			     const uint64_t base[6], const struct filter_cond *cond)
{
	const uint32_t lows[] = {0, UINT32_MAX, cond->value + 1, cond->value - 1, ~cond->value};

	for (size_t i = 0; i < sizeof(lows) / sizeof(lows[0]); i++)
		check_low(v, row, base, cond->arg, lows[i]);
	for (unsigned int bit = 0; bit < 32; bit++)
		check_low(v, row, base, cond->arg, cond->value ^ 1u << bit);
}

static void check_every_bit(struct verifier *v, const struct filter_row *row,
			    const uint64_t base[6], const struct filter_cond *cond)
{
	uint64_t args[6];

	for (unsigned int bit = 0; bit < 32; bit++) {
		check_low(v, row, base, cond->arg, cond->value ^ 1u << bit);
		check_low(v, row, base, cond->arg, ~(1u << bit));
	}
	check_low(v, row, base, cond->arg, ~cond->mask);
	check_low(v, row, base, cond->arg, cond->mask);
	check_low(v, row, base, cond->arg, 0);
	if (cond->op != FILTER_ZERO64)
		return;
	memcpy(args, base, sizeof(args));
	for (unsigned int bit = 0; bit < 64; bit++) {
		args[cond->arg] = (uint64_t)1 << bit;
		check_call(v, row, args);
	}
}

static void check_clause(struct verifier *v, const struct filter_row *row,
			 const struct filter_clause *clause)
{
	static const uint64_t fills[] = {0, UINT64_MAX, 0xa5a5a5a55a5a5a5a};
	uint64_t args[6];

	for (size_t f = 0; f < sizeof(fills) / sizeof(fills[0]); f++) {
		clause_args(clause, fills[f], args);
		check_call(v, row, args);
	}
	for (size_t i = 0; i < clause->n_conds; i++) {
		const struct filter_cond *cond = &clause->conds[i];

		clause_args(clause, i & 1 ? UINT64_MAX : 0, args);
		filter_classes_set_base(v->classes, args);
		if (cond->op == FILTER_EQ32 || cond->op == FILTER_GE32)
			check_near_value(v, row, args, cond);
		else
			check_every_bit(v, row, args, cond);
	}
}

/* --- combinations of a row's values --- */

#define VALUES_MAX 64
#define COMBINATIONS_MAX 2048

struct values {
	uint32_t low[VALUES_MAX];
	size_t n;
};

static void values_add(struct values *values, uint32_t low)
{
	for (size_t i = 0; i < values->n; i++)
		if (values->low[i] == low)
			return;
	if (values->n < VALUES_MAX)
		values->low[values->n++] = low;
}

static void row_values(const struct filter_row *row, struct values values[6])
{
	memset(values, 0, 6 * sizeof(*values));
	for (size_t i = 0; i < row->n_clauses; i++) {
		for (size_t c = 0; c < row->clauses[i].n_conds; c++) {
			const struct filter_cond *cond = &row->clauses[i].conds[c];
			uint64_t arg = 0;

			satisfy(cond, &arg);
			values_add(&values[cond->arg], (uint32_t)arg);
		}
	}
	/* And values that no clause speaks of, so that every test fails once while those behind it hold. */
	for (int i = 0; i < 6; i++) {
		if (!values[i].n)
			continue;
		values_add(&values[i], 0);
		values_add(&values[i], UINT32_MAX - 0x5a5a);
	}
}

static void check_combinations(struct verifier *v, const struct filter_row *row)
{
	struct values values[6];
	size_t total = 1, rest;
	uint64_t args[6];

	row_values(row, values);
	for (int i = 0; i < 6; i++)
		total *= values[i].n && total < COMBINATIONS_MAX ? values[i].n : 1;
	for (size_t index = 0; index < total && index < COMBINATIONS_MAX; index++) {
		rest = index;
		for (int i = 0; i < 6; i++) {
			args[i] = values[i].n ? values[i].low[rest % values[i].n] : 0;
			rest /= values[i].n ? values[i].n : 1;
		}
		check_call(v, row, args);
	}
}

/*
 * Values that belong to another argument or to the call next door, in every
 * argument but at most one: a jump that goes astray compares with those.
 */
static void check_strays(struct verifier *v, size_t index)
{
	const struct filter_spec *spec = v->spec;
	size_t first = index ? index - 1 : 0;
	struct values values[6], pool = {.n = 0};
	uint64_t args[6];

	for (size_t i = first; i < spec->n_rows && i <= index + 1; i++) {
		row_values(&spec->rows[i], values);
		for (int a = 0; a < 6; a++)
			for (size_t k = 0; k < values[a].n; k++)
				values_add(&pool, values[a].low[k]);
	}
	row_values(&spec->rows[index], values);
	for (size_t k = 0; k < pool.n; k++) {
		for (int other = -1; other < 6; other++) {
			if (other >= 0 && !values[other].n)
				continue;
			for (int a = 0; a < 6; a++)
				args[a] = a == other ? 0x5a5a5a5a : pool.low[k];
			check_call(v, &spec->rows[index], args);
		}
	}
}

#define FOREIGN_MAX 4

/* Arguments that calls refuse, of all rows. */
static int gather_foreign(struct verifier *v)
{
	const struct filter_spec *spec = v->spec;

	v->foreign = calloc(FOREIGN_MAX * (spec->n_rows + 1), sizeof(*v->foreign));
	if (!v->foreign)
		return -ENOMEM;
	for (size_t i = 0; i < spec->n_rows; i++) {
		const struct filter_row *row = &spec->rows[i];

		for (size_t c = 0; c + 1 < row->n_clauses && c < FOREIGN_MAX; c++)
			clause_args(&row->clauses[c], 0, v->foreign[v->n_foreign++]);
	}
	return 0;
}

/* Arguments that other calls refuse: a jump out of the row into theirs shows. */
static void check_foreign(struct verifier *v, const struct filter_row *row)
{
	for (size_t i = 0; i < v->n_foreign; i++)
		check_call(v, row, v->foreign[i]);
}

static void check_extremes(struct verifier *v, const struct filter_row *row)
{
	static const uint64_t zeros[6];
	static const uint64_t ones[6] = {UINT64_MAX, UINT64_MAX, UINT64_MAX,
					 UINT64_MAX, UINT64_MAX, UINT64_MAX};

	check_call(v, row, zeros);
	check_call(v, row, ones);
}

static void check_row(struct verifier *v, size_t index)
{
	const struct filter_row *row = &v->spec->rows[index];

	filter_classes_begin(v->classes, v->program, row);
	for (size_t c = 0; c < row->n_clauses; c++)
		check_clause(v, row, &row->clauses[c]);
	check_combinations(v, row);
	if (row->n_clauses > 1) {
		check_extremes(v, row);
		check_strays(v, index);
		check_foreign(v, row);
	}
}

int filter_verify(const struct filter_spec *spec, const struct sock_fprog *program,
		  struct seccomp_data *bad)
{
	struct seccomp_data call = {0};
	struct verifier v = {.spec = spec, .program = program, .bad = bad ? bad : &call};

	*v.bad = call;
	if (bpf_check(program))
		return -EFAULT;
	v.classes = filter_classes_new();
	v.error = v.classes ? gather_foreign(&v) : -ENOMEM;
	if (!v.error) {
		check_numbers(&v);
		check_arches(&v);
	}
	for (size_t i = 0; i < spec->n_rows && !v.error; i++)
		check_row(&v, i);
	free(v.foreign);
	filter_classes_free(v.classes);
	return v.error ? v.error : v.checked;
}
