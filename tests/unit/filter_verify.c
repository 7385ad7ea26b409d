/* SPDX-License-Identifier: Apache-2.0 */
#include "filter_fixture.h"

#include <fcntl.h>
#include <sys/syscall.h>

/*
 * The verifier is what stands between a compiler fault and a hole, so it is
 * itself put to the test: every instruction is changed in every way, and each
 * change must be noticed or make no difference.
 */

static uint32_t pick_low(const struct filter_spec *spec, const struct filter_row *row,
			 uint64_t *state)
{
	const struct filter_clause *clause;
	const struct filter_cond *cond;
	uint32_t low;

	if (!row)
		row = &spec->rows[fixture_random(state) % spec->n_rows];
	clause = &row->clauses[fixture_random(state) % row->n_clauses];
	if (!clause->n_conds)
		return (uint32_t)fixture_random(state) & 0x3f;
	cond = &clause->conds[fixture_random(state) % clause->n_conds];
	low = cond->op == FILTER_ANY32 ? cond->mask : cond->value;
	switch (fixture_random(state) % 6) {
	case 0:
		return low ^ 1u << fixture_random(state) % 32;
	case 1:
		return low + (uint32_t)(fixture_random(state) % 3) - 1;
	case 2:
		return (uint32_t)fixture_random(state);
	default:
		return low;
	}
}

/* Numbers and arguments near those that the spec speaks of; mostly native. */
static struct seccomp_data random_call(const struct filter_spec *spec, uint64_t *state)
{
	const struct filter_row *row = &spec->rows[fixture_random(state) % spec->n_rows];
	struct seccomp_data call = {.nr = row->nr, .arch = FILTER_ARCH};
	uint64_t kind = fixture_random(state) % 16;

	if (kind == 0)
		call.nr = (int)(fixture_random(state) % 512);
	else if (kind == 1)
		call.nr = (int)((uint32_t)call.nr | 1u << fixture_random(state) % 32);
	else if (kind == 2)
		call.arch ^= 1u << fixture_random(state) % 32;
	for (int i = 0; i < 6; i++) {
		call.args[i] = pick_low(spec, row, state);
		if (fixture_random(state) % 4 == 0)
			call.args[i] |= fixture_random(state) << 32;
	}
	/* The arguments of one clause together, so that deep places are reached. */
	if (fixture_random(state) % 2) {
		const struct filter_clause *clause =
		    &row->clauses[fixture_random(state) % row->n_clauses];

		for (size_t c = 0; c < clause->n_conds; c++)
			if (fixture_random(state) % 8)
				call.args[clause->conds[c].arg] =
				    clause->conds[c].op == FILTER_ANY32 ? clause->conds[c].mask
									: clause->conds[c].value;
	}
	return call;
}

/* Does the changed program answer any of a large sample otherwise than the spec? */
static bool differs(const struct filter_spec *spec, const struct sock_fprog *program,
		    const struct seccomp_data *sample, const uint32_t *answers, size_t n)
{
	uint32_t answer;

	(void)spec;
	for (size_t i = 0; i < n; i++)
		if (bpf_run(program, &sample[i], &answer) || answer != answers[i])
			return true;
	return false;
}

struct campaign {
	struct fixture f;
	struct seccomp_data *sample;
	uint32_t *answers;
	size_t n_sample;
	unsigned int tried, noticed, missed;
};

static void campaign_try(struct campaign *c, size_t pc, struct sock_filter changed)
{
	struct sock_filter *insn = &c->f.program.filter[pc], kept = *insn;

	if (!memcmp(insn, &changed, sizeof(changed)))
		return;
	*insn = changed;
	c->tried++;
	if (filter_verify(c->f.spec, &c->f.program, NULL) < 0) {
		c->noticed++;
	} else if (differs(c->f.spec, &c->f.program, c->sample, c->answers, c->n_sample)) {
		c->missed++;
		cr_log_error("missed: %zu: %#x %u %u %#x -> %#x %u %u %#x", pc,
			     (unsigned int)kept.code, (unsigned int)kept.jt, (unsigned int)kept.jf,
			     kept.k, (unsigned int)changed.code, (unsigned int)changed.jt,
			     (unsigned int)changed.jf, changed.k);
	}
	*insn = kept;
}

static void campaign_change_jumps(struct campaign *c, size_t pc)
{
	struct sock_filter kept = c->f.program.filter[pc], changed;

	if (BPF_CLASS(kept.code) != BPF_JMP || BPF_OP(kept.code) == BPF_JA)
		return;
	for (int delta = -3; delta <= 3; delta++) {
		changed = kept;
		changed.jt = (uint8_t)(changed.jt + delta);
		campaign_try(c, pc, changed);
		changed = kept;
		changed.jf = (uint8_t)(changed.jf + delta);
		campaign_try(c, pc, changed);
	}
	changed = kept;
	changed.jt = kept.jf;
	changed.jf = kept.jt;
	campaign_try(c, pc, changed);
	changed.jt = kept.jf;
	changed.jf = kept.jf;
	campaign_try(c, pc, changed);
	changed.jt = kept.jt;
	changed.jf = kept.jt;
	campaign_try(c, pc, changed);
}

static void campaign_change(struct campaign *c, size_t pc)
{
	static const uint16_t codes[] = {
	    BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JGE | BPF_K,
	    BPF_JMP | BPF_JGT | BPF_K, BPF_JMP | BPF_JSET | BPF_K,
	    BPF_JMP | BPF_JA,          BPF_ALU | BPF_AND | BPF_K,
	    BPF_ALU | BPF_OR | BPF_K,  BPF_LD | BPF_W | BPF_ABS,
	    BPF_LD | BPF_IMM,          BPF_RET | BPF_K,
	    BPF_RET | BPF_A,
	};
	struct sock_filter changed;

	for (unsigned int bit = 0; bit < 32; bit++) {
		changed = c->f.program.filter[pc];
		changed.k ^= 1u << bit;
		campaign_try(c, pc, changed);
	}
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		changed = c->f.program.filter[pc];
		changed.code = codes[i];
		campaign_try(c, pc, changed);
	}
	campaign_change_jumps(c, pc);
}

static void campaign_init(struct campaign *c, size_t n_sample, uint64_t seed)
{
	uint64_t state = seed;

	fixture_compile(&c->f);
	c->n_sample = n_sample;
	c->sample = calloc(n_sample, sizeof(*c->sample));
	c->answers = calloc(n_sample, sizeof(*c->answers));
	cr_assert(c->sample && c->answers);
	for (size_t i = 0; i < n_sample; i++) {
		c->sample[i] = random_call(c->f.spec, &state);
		c->answers[i] = filter_answer(c->f.spec, &c->sample[i]);
	}
}

static void campaign_run(struct campaign *c)
{
	for (size_t pc = 0; pc < c->f.program.len; pc++)
		campaign_change(c, pc);
	cr_expect(gt(u32, c->noticed, c->tried * 9 / 10), "%u of %u", c->noticed, c->tried);
	cr_expect(zero(u32, c->missed), "%u of %u changes were missed", c->missed, c->tried);
	free(c->sample);
	free(c->answers);
	fixture_fini(&c->f);
}

Test(filter_verify, every_change_of_the_program_is_noticed_or_makes_no_difference, .timeout = 120)
{
	struct campaign c = {0};

	fixture_init(&c.f);
	campaign_init(&c, 20000, 88172645463325252u);
	campaign_run(&c);
}

Test(filter_verify, a_truncated_or_empty_program_is_no_filter)
{
	struct fixture f;

	fixture_init(&f);
	fixture_compile(&f);
	f.program.len--;
	cr_expect(eq(int, filter_verify(f.spec, &f.program, NULL), -EFAULT));
	f.program.len = 0;
	cr_expect(eq(int, filter_verify(f.spec, &f.program, NULL), -EFAULT));
	fixture_fini(&f);
}

Test(filter_verify, the_call_that_differs_is_given_back)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};
	struct seccomp_data bad;
	uint32_t answer;
	struct fixture f;

	fixture_init(&f);
	fixture_compile(&f);
	cr_expect(eq(int, filter_verify(f.spec, &program, &bad), -EINVAL));
	cr_assert(zero(int, bpf_run(&program, &bad, &answer)));
	cr_expect(ne(u32, answer, filter_answer(f.spec, &bad)));
	fixture_fini(&f);
}

/* --- random specs: the compiler against the spec --- */

static struct filter_cond random_cond(uint64_t *state)
{
	static const uint32_t values[] = {0, 1, 2, 3, 0x80000000, UINT32_MAX, 0x20000000, 41};
	struct filter_cond cond = {.arg = (uint8_t)(fixture_random(state) % 3),
				   .op = (enum filter_op)(fixture_random(state) % 5),
				   .value = values[fixture_random(state) % 8],
				   .mask = values[fixture_random(state) % 8]};

	if (cond.op == FILTER_MASK32)
		cond.value &= cond.mask;
	return cond;
}

static void random_clause(struct filter_clause *clause, bool last, uint64_t *state)
{
	clause->n_conds = last ? 0 : (uint8_t)(1 + fixture_random(state) % FILTER_CONDS_MAX);
	for (size_t c = 0; c < clause->n_conds; c++)
		clause->conds[c] = random_cond(state);
	clause->action = (struct filter_action){
	    .kind = (enum filter_kind)(fixture_random(state) % 3),
	    .error = (uint16_t)(fixture_random(state) % 4),
	};
}

static struct filter_spec *random_spec(uint64_t *state)
{
	struct filter_spec *spec = calloc(1, sizeof(*spec));
	int nr = -1;

	cr_assert(not(zero(ptr, spec)));
	spec->trace = fixture_random(state) % 4 == 0;
	spec->n_rows = 1 + fixture_random(state) % 12;
	spec->rows = calloc(spec->n_rows, sizeof(*spec->rows));
	cr_assert(not(zero(ptr, spec->rows)));
	for (size_t i = 0; i < spec->n_rows; i++) {
		struct filter_row *row = &spec->rows[i];

		nr += 1 + (int)(fixture_random(state) % 30);
		row->nr = nr;
		row->name = "random";
		/* One row in a while is long, for jumps of more than 255 instructions. */
		row->n_clauses =
		    1 + fixture_random(state) % (fixture_random(state) % 16 ? 12 : 300);
		row->clauses = calloc(row->n_clauses, sizeof(*row->clauses));
		cr_assert(not(zero(ptr, row->clauses)));
		for (size_t c = 0; c < row->n_clauses; c++)
			random_clause(&row->clauses[c], c + 1 == row->n_clauses, state);
	}
	return spec;
}

static void check_random_spec(uint64_t *state)
{
	struct filter_spec *spec = random_spec(state);
	struct sock_fprog program;
	int error = filter_compile(spec, &program);

	if (error == -E2BIG) {
		filter_spec_free(spec);
		return;
	}
	cr_assert(zero(int, error));
	cr_expect(gt(int, filter_verify(spec, &program, NULL), 0));
	for (int i = 0; i < 4000; i++) {
		struct seccomp_data call = random_call(spec, state);
		uint32_t answer;

		cr_assert(zero(int, bpf_run(&program, &call, &answer)));
		cr_assert(eq(u32, answer, filter_answer(spec, &call)));
	}
	free(program.filter);
	filter_spec_free(spec);
}

Test(filter_verify, random_specs_compile_to_what_they_say, .timeout = 60)
{
	uint64_t state = 0x2545f4914f6cdd1d;

	for (int i = 0; i < 400; i++)
		check_random_spec(&state);
}

Test(filter_verify, a_spec_that_needs_too_many_instructions_is_refused)
{
	struct filter_clause *clauses = calloc(5000, sizeof(*clauses));
	struct filter_row row = {.nr = 1, .name = "long", .clauses = clauses, .n_clauses = 5000};
	struct filter_spec spec = {.rows = &row, .n_rows = 1};
	struct sock_fprog program;

	cr_assert(not(zero(ptr, clauses)));
	for (uint32_t i = 0; i < 4999; i++)
		clauses[i] = (struct filter_clause){
		    .n_conds = 1, .conds = {{.arg = 0, .op = FILTER_EQ32, .value = i}}};
	cr_expect(eq(int, filter_compile(&spec, &program), -E2BIG));
	free(clauses);
}
