/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/bpf.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>

#define PROGRAM(...)                                                                               \
	(struct sock_fprog)                                                                        \
	{                                                                                          \
		.filter = (struct sock_filter[]){__VA_ARGS__},                                     \
		.len = sizeof((struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter)    \
	}
#define RET_A BPF_STMT(BPF_RET | BPF_A, 0)
#define RET_K(k) BPF_STMT(BPF_RET | BPF_K, k)

static const struct seccomp_data sample = {
    .nr = 42,
    .arch = 0xc000003e,
    .instruction_pointer = 0x1122334455667788,
    .args = {0x0102030405060708, 1, 2, 3, 4, 0xfffffffffffffff5},
};

static uint32_t run(struct sock_fprog program)
{
	uint32_t answer = 0xdead;

	cr_expect(zero(int, bpf_check(&program)));
	cr_assert(zero(int, bpf_run(&program, &sample, &answer)));
	return answer;
}

static uint32_t load(uint32_t offset)
{
	return run(PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset), RET_A));
}

static uint32_t alu(uint16_t op, uint32_t a, uint32_t k)
{
	uint32_t by_k =
	    run(PROGRAM(BPF_STMT(BPF_LD | BPF_IMM, a), BPF_STMT(BPF_ALU | op | BPF_K, k), RET_A));
	uint32_t by_x = run(PROGRAM(BPF_STMT(BPF_LDX | BPF_IMM, k), BPF_STMT(BPF_LD | BPF_IMM, a),
				    BPF_STMT(BPF_ALU | op | BPF_X, 0), RET_A));

	cr_expect(eq(u32, by_k, by_x));
	return by_k;
}

static uint32_t jump(uint16_t op, uint32_t a, uint32_t k)
{
	return run(PROGRAM(BPF_STMT(BPF_LD | BPF_IMM, a), BPF_JUMP(BPF_JMP | op | BPF_K, k, 1, 0),
			   RET_K(0), RET_K(1)));
}

Test(bpf, loads_give_the_words_of_the_call)
{
	cr_expect(eq(u32, load(0), 42));
	cr_expect(eq(u32, load(4), 0xc000003e));
	cr_expect(eq(u32, load(8), 0x55667788));
	cr_expect(eq(u32, load(16), 0x05060708));
	cr_expect(eq(u32, load(20), 0x01020304));
	cr_expect(eq(u32, load(60), 0xffffffff));
	cr_expect(eq(u32, run(PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), RET_A)), 64));
}

Test(bpf, arithmetic_is_of_32_bits)
{
	cr_expect(eq(u32, alu(BPF_ADD, UINT32_MAX, 2), 1));
	cr_expect(eq(u32, alu(BPF_SUB, 1, 2), UINT32_MAX));
	cr_expect(eq(u32, alu(BPF_MUL, 0x10000, 0x10001), 0x10000));
	cr_expect(eq(u32, alu(BPF_DIV, 7, 2), 3));
	cr_expect(eq(u32, alu(BPF_OR, 0xc, 0xa), 0xe));
	cr_expect(eq(u32, alu(BPF_AND, 0xc, 0xa), 0x8));
	cr_expect(eq(u32, alu(BPF_XOR, 0xc, 0xa), 0x6));
	cr_expect(eq(u32, alu(BPF_LSH, 1, 31), 0x80000000));
	cr_expect(eq(u32, alu(BPF_RSH, 0x80000000, 31), 1));
	cr_expect(eq(
	    u32, run(PROGRAM(BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_ALU | BPF_NEG, 0), RET_A)),
	    UINT32_MAX));
	/* Division by an X of zero ends the program with 0. */
	cr_expect(
	    zero(u32, run(PROGRAM(BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_LD | BPF_IMM, 9),
				  BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), RET_K(5)))));
}

Test(bpf, jumps_compare_without_sign)
{
	cr_expect(eq(u32, jump(BPF_JEQ, 5, 5), 1));
	cr_expect(eq(u32, jump(BPF_JEQ, 5, 6), 0));
	cr_expect(eq(u32, jump(BPF_JGT, 5, 5), 0));
	cr_expect(eq(u32, jump(BPF_JGT, 0x80000000, 5), 1));
	cr_expect(eq(u32, jump(BPF_JGE, 5, 5), 1));
	cr_expect(eq(u32, jump(BPF_JGE, 4, 5), 0));
	cr_expect(eq(u32, jump(BPF_JSET, 6, 2), 1));
	cr_expect(eq(u32, jump(BPF_JSET, 6, 9), 0));
}

Test(bpf, memory_and_x_keep_what_was_put_there)
{
	cr_expect(eq(u32,
		     run(PROGRAM(BPF_STMT(BPF_LD | BPF_IMM, 7), BPF_STMT(BPF_ST, 15),
				 BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_LD | BPF_IMM, 1),
				 BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), BPF_STMT(BPF_STX, 2),
				 BPF_STMT(BPF_LDX | BPF_MEM, 15),
				 BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), RET_A)),
		     15));
}

Test(bpf, what_the_kernel_would_refuse_is_refused)
{
	const struct sock_fprog bad[] = {
	    {.len = 0},
	    PROGRAM(BPF_STMT(BPF_LD | BPF_IMM, 0)),                       /* no return */
	    PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET_A),        /* not aligned */
	    PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET_A),       /* behind the end */
	    PROGRAM(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RET_A),        /* a byte */
	    PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RET_A),        /* indirect */
	    PROGRAM(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 1), RET_A),       /* not on the list */
	    PROGRAM(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET_A),       /* by zero */
	    PROGRAM(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RET_A),      /* shifted out */
	    PROGRAM(BPF_STMT(BPF_ST, 16), RET_A),                         /* no such word */
	    PROGRAM(BPF_STMT(BPF_LD | BPF_MEM, 0), RET_A),                /* never written */
	    PROGRAM(BPF_STMT(BPF_JMP | BPF_JA, 1), RET_A),                /* behind the end */
	    PROGRAM(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RET_A), /* behind the end */
	    PROGRAM(BPF_JUMP(BPF_JMP | 0x50, 0, 0, 0), RET_A),            /* no such jump */
	    PROGRAM(BPF_STMT(0xffff, 0), RET_A),
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(not(zero(int, bpf_check(&bad[i]))), "program %zu", i);
}

Test(bpf, memory_written_on_one_path_only_is_refused)
{
	struct sock_fprog program =
	    PROGRAM(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_ST, 3),
		    BPF_STMT(BPF_LD | BPF_MEM, 3), RET_A);

	cr_expect(eq(int, bpf_check(&program), -EINVAL));
	program.filter[0].jf = 0;
	cr_expect(zero(int, bpf_check(&program)));
}

Test(bpf, running_an_unchecked_program_stays_in_bounds)
{
	const struct sock_fprog bad[] = {
	    PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET_A),
	    PROGRAM(BPF_STMT(BPF_LD | BPF_MEM, 16), RET_A),
	    PROGRAM(BPF_STMT(BPF_ST, UINT32_MAX), RET_A),
	    PROGRAM(BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX - 1), RET_A),
	    PROGRAM(BPF_STMT(BPF_LD | BPF_IMM, 1)),
	};
	uint32_t answer;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(eq(int, bpf_run(&bad[i], &sample, &answer), -EFAULT), "program %zu", i);
}
