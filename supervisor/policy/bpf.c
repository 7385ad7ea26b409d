/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/bpf.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct machine {
	uint32_t a, x;
	uint32_t memory[BPF_MEMWORDS];
	const struct seccomp_data *call;
	bool fixed; /* only number and architecture may be looked at */
};

/* The list in seccomp_check_filter(), which has neither BPF_MOD nor loads of other sizes. */
static bool code_is_legal(uint16_t code)
{
	switch (code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_ALU | BPF_NEG:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
	case BPF_JMP | BPF_JA:
		return true;
	}
	if (code > UINT8_MAX)
		return false;
	if (BPF_CLASS(code) == BPF_JMP)
		return BPF_OP(code) >= BPF_JEQ && BPF_OP(code) <= BPF_JSET;
	/* BPF_ADD to BPF_RSH are 0x00 to 0x70; behind them BPF_NEG, which has no operand, and BPF_MOD. */
	return BPF_CLASS(code) == BPF_ALU && (BPF_OP(code) <= BPF_RSH || BPF_OP(code) == BPF_XOR);
}

static bool load_is_legal(uint32_t offset)
{
	return offset < sizeof(struct seccomp_data) && !(offset & 3);
}

/* Operands that bpf_check_classic() and seccomp_check_filter() refuse. */
static int operand_check(const struct sock_filter *insn)
{
	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return load_is_legal(insn->k) ? 0 : -EINVAL;
	case BPF_ALU | BPF_DIV | BPF_K:
		return insn->k ? 0 : -EINVAL;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return insn->k < 32 ? 0 : -EINVAL;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return insn->k < BPF_MEMWORDS ? 0 : -EINVAL;
	default:
		return 0;
	}
}

/* @left: instructions behind this one. */
static int jump_check(const struct sock_filter *insn, size_t left)
{
	if (BPF_CLASS(insn->code) != BPF_JMP)
		return 0;
	if (BPF_OP(insn->code) == BPF_JA)
		return insn->k < left ? 0 : -EFAULT;
	return insn->jt < left && insn->jf < left ? 0 : -EFAULT;
}

/* Kernel: check_load_and_stores(): a word of memory is read only where every path has written it. */
static int memory_step(const struct sock_filter *insn, uint16_t *written, uint16_t *masks,
		       size_t pc)
{
	switch (insn->code) {
	case BPF_ST:
	case BPF_STX:
		*written = (uint16_t)(*written | 1u << insn->k);
		return 0;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
		return (*written & 1u << insn->k) ? 0 : -EINVAL;
	}
	if (BPF_CLASS(insn->code) != BPF_JMP)
		return 0;
	if (BPF_OP(insn->code) == BPF_JA) {
		masks[pc + 1 + insn->k] &= *written;
	} else {
		masks[pc + 1 + insn->jt] &= *written;
		masks[pc + 1 + insn->jf] &= *written;
	}
	*written = UINT16_MAX;
	return 0;
}

static int memory_check(const struct sock_fprog *program)
{
	uint16_t *masks = malloc(program->len * sizeof(*masks));
	uint16_t written = 0;
	int error = masks ? 0 : -ENOMEM;

	if (masks)
		memset(masks, 0xff, program->len * sizeof(*masks));
	for (size_t pc = 0; !error && pc < program->len; pc++) {
		written &= masks[pc];
		error = memory_step(&program->filter[pc], &written, masks, pc);
	}
	free(masks);
	return error;
}

int bpf_check(const struct sock_fprog *program)
{
	int error = 0;

	if (!program->len || program->len > BPF_MAXINSNS)
		return -EINVAL;
	for (size_t pc = 0; !error && pc < program->len; pc++) {
		const struct sock_filter *insn = &program->filter[pc];

		if (!code_is_legal(insn->code))
			return -EINVAL;
		error = operand_check(insn);
		if (!error)
			error = jump_check(insn, program->len - pc - 1);
	}
	if (!error && BPF_CLASS(program->filter[program->len - 1].code) != BPF_RET)
		error = -EINVAL;
	return error ? error : memory_check(program);
}

static int run_load(struct machine *m, const struct sock_filter *insn)
{
	uint32_t *target = BPF_CLASS(insn->code) == BPF_LD ? &m->a : &m->x;

	switch (BPF_MODE(insn->code)) {
	case BPF_ABS:
		if (!load_is_legal(insn->k))
			return -EFAULT;
		if (m->fixed && insn->k > offsetof(struct seccomp_data, arch))
			return -EAGAIN;
		memcpy(target, (const uint8_t *)m->call + insn->k, sizeof(*target));
		return 0;
	case BPF_LEN:
		*target = sizeof(struct seccomp_data);
		return 0;
	case BPF_IMM:
		*target = insn->k;
		return 0;
	default:
		if (insn->k >= BPF_MEMWORDS)
			return -EFAULT;
		*target = m->memory[insn->k];
		return 0;
	}
}

static int run_store(struct machine *m, const struct sock_filter *insn)
{
	if (insn->k >= BPF_MEMWORDS)
		return -EFAULT;
	m->memory[insn->k] = insn->code == BPF_ST ? m->a : m->x;
	return 0;
}

static uint32_t run_alu(uint16_t op, uint32_t a, uint32_t operand)
{
	switch (op) {
	case BPF_ADD:
		return a + operand;
	case BPF_SUB:
		return a - operand;
	case BPF_MUL:
		return a * operand;
	case BPF_DIV:
		return a / operand;
	case BPF_OR:
		return a | operand;
	case BPF_AND:
		return a & operand;
	case BPF_LSH:
		return a << (operand & 31);
	case BPF_RSH:
		return a >> (operand & 31);
	case BPF_XOR:
		return a ^ operand;
	default: /* BPF_NEG */
		return -a;
	}
}

/* Instructions to skip. */
static uint32_t run_jump(const struct machine *m, const struct sock_filter *insn)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;
	bool taken;

	switch (BPF_OP(insn->code)) {
	case BPF_JA:
		return insn->k;
	case BPF_JEQ:
		taken = m->a == operand;
		break;
	case BPF_JGT:
		taken = m->a > operand;
		break;
	case BPF_JGE:
		taken = m->a >= operand;
		break;
	default: /* BPF_JSET */
		taken = (m->a & operand) != 0;
		break;
	}
	return taken ? insn->jt : insn->jf;
}

/* Return: 1 when the program has answered, 0 to go on, -errno. */
static int run_insn(struct machine *m, const struct sock_filter *insn, uint32_t *skip,
		    uint32_t *answer)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;

	if (!code_is_legal(insn->code))
		return -EINVAL;
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
	case BPF_LDX:
		return run_load(m, insn);
	case BPF_ST:
	case BPF_STX:
		return run_store(m, insn);
	case BPF_ALU:
		/* Division by an X of zero ends a classic program with 0. */
		if (BPF_OP(insn->code) == BPF_DIV && !operand) {
			*answer = 0;
			return 1;
		}
		m->a = run_alu(BPF_OP(insn->code), m->a, operand);
		return 0;
	case BPF_JMP:
		*skip = run_jump(m, insn);
		return 0;
	case BPF_RET:
		*answer = BPF_RVAL(insn->code) == BPF_A ? m->a : insn->k;
		return 1;
	default: /* BPF_MISC */
		if (BPF_MISCOP(insn->code) == BPF_TAX)
			m->x = m->a;
		else
			m->a = m->x;
		return 0;
	}
}

/* What filters are made of goes the short way; the rest through run_insn(). */
static int machine_run(struct machine *m, const struct sock_fprog *program, uint32_t *answer)
{
	const struct sock_filter *insn;
	uint32_t skip;
	int state;

	for (size_t pc = 0; pc < program->len; pc += (size_t)skip + 1) {
		insn = &program->filter[pc];
		switch (insn->code) {
		case BPF_JMP | BPF_JEQ | BPF_K:
			skip = m->a == insn->k ? insn->jt : insn->jf;
			continue;
		case BPF_JMP | BPF_JGE | BPF_K:
			skip = m->a >= insn->k ? insn->jt : insn->jf;
			continue;
		case BPF_LD | BPF_W | BPF_ABS:
			if (m->fixed || !load_is_legal(insn->k))
				break;
			memcpy(&m->a, (const uint8_t *)m->call + insn->k, sizeof(m->a));
			skip = 0;
			continue;
		case BPF_RET | BPF_K:
			*answer = insn->k;
			return 0;
		default:
			break;
		}
		skip = 0;
		state = run_insn(m, insn, &skip, answer);
		if (state)
			return state < 0 ? state : 0;
	}
	return -EFAULT;
}

int bpf_run(const struct sock_fprog *program, const struct seccomp_data *call, uint32_t *answer)
{
	struct machine m = {.call = call};

	return machine_run(&m, program, answer);
}

int bpf_run_fixed(const struct sock_fprog *program, uint32_t arch, uint32_t nr, uint32_t *answer)
{
	const struct seccomp_data call = {.nr = (int)nr, .arch = arch};
	struct machine m = {.call = &call, .fixed = true};

	return machine_run(&m, program, answer);
}
