/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/filter_classes.h"

#include "filter_fixture.h"

#include <sys/syscall.h>

/*
 * The verifier leaves out calls that are alike, so what is called alike must be
 * answered alike: by the row and by the program, however wrong the program is.
 */

static const struct filter_row *sockopt_row(const struct fixture *f)
{
	const struct filter_row *row = filter_row_find(f->spec, SYS_setsockopt);

	cr_assert(not(zero(ptr, (void *)(uintptr_t)row)));
	return row;
}

static bool alike(struct filter_classes *classes, const struct sock_fprog *program,
		  const struct filter_row *row, const uint64_t a[6], const uint64_t b[6])
{
	filter_classes_begin(classes, program, row);
	cr_assert(filter_classes_is_new(classes, a));
	return !filter_classes_is_new(classes, b);
}

Test(filter_classes, what_nobody_asks_about_makes_no_difference)
{
	const uint64_t known[6] = {3, SOL_SOCKET, SO_KEEPALIVE, 4, 5, 6};
	const uint64_t other[6] = {9, SOL_SOCKET | UINT64_C(1) << 40, SO_KEEPALIVE, 0, 1, 2};
	const uint64_t strange[6] = {3, SOL_SOCKET, 7777, 4, 5, 6};
	const uint64_t stranger[6] = {3, SOL_SOCKET, 8888, 4, 5, 6};
	struct filter_classes *classes = filter_classes_new();
	struct fixture f;

	fixture_init(&f);
	fixture_compile(&f);
	cr_expect(filter_classes_begin(classes, &f.program, sockopt_row(&f)));
	cr_expect(alike(classes, &f.program, sockopt_row(&f), known, other));
	cr_expect(alike(classes, &f.program, sockopt_row(&f), strange, stranger));
	cr_expect(not(alike(classes, &f.program, sockopt_row(&f), known, strange)));
	filter_classes_free(classes);
	fixture_fini(&f);
}

Test(filter_classes, what_the_program_alone_asks_about_tells_calls_apart)
{
	struct sock_filter insns[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7777, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	const struct sock_fprog program = {sizeof(insns) / sizeof(insns[0]), insns};
	const uint64_t back_door[6] = {3, SOL_SOCKET, 7777, 4, 5, 6};
	const uint64_t stranger[6] = {3, SOL_SOCKET, 8888, 4, 5, 6};
	struct filter_classes *classes = filter_classes_new();
	struct fixture f;

	fixture_init(&f);
	fixture_compile(&f);
	cr_expect(not(alike(classes, &program, sockopt_row(&f), stranger, back_door)));
	filter_classes_free(classes);
	fixture_fini(&f);
}

Test(filter_classes, where_the_program_does_more_than_ask_every_call_is_new)
{
	static const struct sock_filter more[] = {
	    BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1),
	    BPF_STMT(BPF_LD | BPF_IMM, 1),          BPF_STMT(BPF_ST, 0),
	    BPF_STMT(BPF_MISC | BPF_TAX, 0),        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
	    BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const uint64_t args[6] = {0};
	struct filter_classes *classes = filter_classes_new();
	struct fixture f;

	fixture_init(&f);
	fixture_compile(&f);
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		struct sock_filter insns[] = {
		    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		    more[i],
		    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7777, 0, 0),
		    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		};
		const struct sock_fprog program = {sizeof(insns) / sizeof(insns[0]), insns};

		cr_expect(not(filter_classes_begin(classes, &program, sockopt_row(&f))));
		cr_expect(filter_classes_is_new(classes, args));
		cr_expect(filter_classes_is_new(classes, args));
	}
	filter_classes_free(classes);
	fixture_fini(&f);
}

Test(filter_classes, a_word_that_two_paths_bring_along_is_not_taken_for_one_of_them)
{
	/* A is level or option, as the first argument says; then one test of it. */
	struct sock_filter insns[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 3, 0, 2),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
	    BPF_STMT(BPF_JMP | BPF_JA, 1),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7777, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	const struct sock_fprog program = {sizeof(insns) / sizeof(insns[0]), insns};
	struct filter_classes *classes = filter_classes_new();
	struct fixture f;

	fixture_init(&f);
	fixture_compile(&f);
	cr_expect(not(filter_classes_begin(classes, &program, sockopt_row(&f))));
	filter_classes_free(classes);
	fixture_fini(&f);
}

/* --- programs that were changed at random --- */

static void change_program(struct sock_fprog *program, uint64_t *state)
{
	static const uint16_t codes[] = {
	    BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JGE | BPF_K,  BPF_JMP | BPF_JGT | BPF_K,
	    BPF_JMP | BPF_JA,          BPF_JMP | BPF_JSET | BPF_K, BPF_ALU | BPF_AND | BPF_K,
	    BPF_LD | BPF_W | BPF_ABS,  BPF_ALU | BPF_OR | BPF_K,
	};
	struct sock_filter *insn = &program->filter[fixture_random(state) % program->len];

	switch (fixture_random(state) % 4) {
	case 0:
		insn->k ^= 1u << fixture_random(state) % 32;
		break;
	case 1:
		insn->code = codes[fixture_random(state) % 8];
		break;
	case 2:
		insn->jt = (uint8_t)(fixture_random(state) % 8);
		break;
	default:
		insn->k = (uint32_t)(fixture_random(state) % 64) & ~3u;
	}
}

static void pick_args(const struct filter_row *row, uint64_t args[6], uint64_t *state)
{
	const struct filter_clause *clause = &row->clauses[fixture_random(state) % row->n_clauses];

	for (size_t c = 0; c < clause->n_conds; c++)
		args[clause->conds[c].arg] = clause->conds[c].value | clause->conds[c].mask;
	for (int n = (int)(fixture_random(state) % 3); n > 0; n--)
		args[fixture_random(state) % 6] ^= UINT64_C(1) << fixture_random(state) % 64;
}

static uint32_t answer_of(const struct sock_fprog *program, const struct filter_row *row,
			  const uint64_t args[6])
{
	struct seccomp_data call = {.nr = row->nr, .arch = FILTER_ARCH};
	uint32_t answer = 0;

	for (int i = 0; i < 6; i++)
		call.args[i] = args[i];
	cr_assert(zero(int, bpf_run(program, &call, &answer)));
	return answer;
}

/* Return: pairs that were alike. */
static unsigned int compare_pairs(const struct fixture *f, struct filter_classes *classes,
				  uint64_t *state)
{
	const struct filter_row *row = &f->spec->rows[fixture_random(state) % f->spec->n_rows];
	unsigned int n = 0;

	for (int i = 0; i < 50; i++) {
		uint64_t a[6] = {0}, b[6];

		pick_args(row, a, state);
		memcpy(b, a, sizeof(b));
		pick_args(row, b, state);
		if (!alike(classes, &f->program, row, a, b))
			continue;
		n++;
		cr_expect(eq(u32, answer_of(&f->program, row, a), answer_of(&f->program, row, b)));
		cr_expect(filter_clause_find(row, a) == filter_clause_find(row, b));
	}
	return n;
}

Test(filter_classes, calls_that_are_alike_are_answered_alike_by_a_program_however_wrong,
     .timeout = 60)
{
	struct filter_classes *classes = filter_classes_new();
	uint64_t state = 88172645463325252u;
	unsigned int n = 0;
	struct fixture f;

	fixture_init(&f);
	f.setup.window = (struct fd_window){512, 1024, 57344, 65536};
	fixture_compile(&f);
	for (int round = 0; round < 20000; round++) {
		struct sock_filter kept[BPF_MAXINSNS];

		memcpy(kept, f.program.filter, f.program.len * sizeof(kept[0]));
		for (int changes = (int)(fixture_random(&state) % 4); changes > 0; changes--)
			change_program(&f.program, &state);
		if (bpf_check(&f.program) == 0)
			n += compare_pairs(&f, classes, &state);
		memcpy(f.program.filter, kept, f.program.len * sizeof(kept[0]));
	}
	cr_expect(gt(u32, n, 10000));
	filter_classes_free(classes);
	fixture_fini(&f);
}
