/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/filter_build.h"
#include "shared/base/errname.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is known of each instruction from the paths that lead to it. */
struct listing {
	const struct filter_spec *spec;
	const struct sock_fprog *program;
	int32_t *word;      /* offset of the word in A, or -1 */
	const char **block; /* name of the call whose row starts here, or NULL */
};

static size_t follow(const struct sock_fprog *program, size_t pc)
{
	while (pc < program->len && program->filter[pc].code == (BPF_JMP | BPF_JA))
		pc += program->filter[pc].k + 1;
	return pc;
}

static void pass_on(struct listing *list, size_t to, int32_t word)
{
	if (to < list->program->len)
		list->word[to] = word;
}

static bool is_number_test(const struct listing *list, size_t pc)
{
	return list->word[pc] == (int32_t)offsetof(struct seccomp_data, nr);
}

static void mark_block(struct listing *list, size_t pc)
{
	const struct sock_filter *insn = &list->program->filter[pc];
	const struct filter_row *row = filter_row_find(list->spec, (int)insn->k);
	size_t start = follow(list->program, pc + 1 + insn->jt);

	if (row && start < list->program->len &&
	    BPF_CLASS(list->program->filter[start].code) != BPF_RET)
		list->block[start] = row->name;
}

/* Jumps go forward, so one pass knows what A holds everywhere. */
static void listing_trace(struct listing *list)
{
	for (size_t pc = 0; pc < list->program->len; pc++) {
		const struct sock_filter *insn = &list->program->filter[pc];
		int32_t word = list->word[pc];

		if (insn->code == (BPF_LD | BPF_W | BPF_ABS)) {
			pass_on(list, pc + 1, (int32_t)insn->k);
		} else if (insn->code == (BPF_JMP | BPF_JA)) {
			pass_on(list, pc + 1 + insn->k, word);
		} else if (BPF_CLASS(insn->code) == BPF_JMP) {
			pass_on(list, pc + 1 + insn->jt, word);
			pass_on(list, pc + 1 + insn->jf, word);
			if (insn->code == (BPF_JMP | BPF_JEQ | BPF_K) && is_number_test(list, pc))
				mark_block(list, pc);
		} else if (BPF_CLASS(insn->code) != BPF_RET) {
			pass_on(list, pc + 1, word);
		}
	}
}

static void print_load(uint32_t offset, FILE *out)
{
	static const char *const heads[] = {"nr", "arch", "ip", "ip high"};
	uint32_t arg = (offset - 16) / 8;

	if (offset < 16)
		fprintf(out, "ld    [%u]  ; %s", offset, heads[offset / 4]);
	else
		fprintf(out, "ld    [%u]  ; arg%u%s", offset, arg, offset & 4 ? " high" : "");
}

static void print_return(uint32_t value, FILE *out)
{
	uint32_t data = value & SECCOMP_RET_DATA;

	switch (value & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		fputs("ret   ALLOW", out);
		break;
	case SECCOMP_RET_USER_NOTIF:
		fputs("ret   USER_NOTIF", out);
		break;
	case SECCOMP_RET_ERRNO:
		fprintf(out, "ret   ERRNO %s", data ? errname((int)data) : "0");
		break;
	default:
		fprintf(out, "ret   %#x", value);
		break;
	}
}

static void print_jump(const struct listing *list, size_t pc, FILE *out)
{
	static const char *const names[] = {"ja", "jeq", "jgt", "jge", "jset"};
	const struct sock_filter *insn = &list->program->filter[pc];
	const struct filter_row *row = filter_row_find(list->spec, (int)insn->k);

	if (BPF_OP(insn->code) == BPF_JA) {
		fprintf(out, "ja    -> %zu", pc + 1 + insn->k);
		return;
	}
	fprintf(out, "%-5s %#x  yes %zu no %zu", names[BPF_OP(insn->code) >> 4 & 7], insn->k,
		pc + 1 + insn->jt, pc + 1 + insn->jf);
	if (row && is_number_test(list, pc))
		fprintf(out, "  ; %s", row->name);
}

static void print_insn(const struct listing *list, size_t pc, FILE *out)
{
	const struct sock_filter *insn = &list->program->filter[pc];

	if (list->block[pc])
		fprintf(out, "; %s\n", list->block[pc]);
	fprintf(out, "%4zu  ", pc);
	if (insn->code == (BPF_LD | BPF_W | BPF_ABS))
		print_load(insn->k, out);
	else if (BPF_CLASS(insn->code) == BPF_JMP)
		print_jump(list, pc, out);
	else if (insn->code == (BPF_RET | BPF_K))
		print_return(insn->k, out);
	else if (insn->code == (BPF_ALU | BPF_AND | BPF_K))
		fprintf(out, "and   %#x", insn->k);
	else
		fprintf(out, "code  %#x %#x", insn->code, insn->k);
	fputc('\n', out);
}

void filter_print(const struct filter_spec *spec, const struct sock_fprog *program, FILE *out)
{
	struct listing list = {.spec = spec, .program = program};

	list.word = calloc(program->len + 1u, sizeof(*list.word));
	list.block = calloc(program->len + 1u, sizeof(*list.block));
	if (list.word && list.block) {
		memset(list.word, 0xff, program->len * sizeof(*list.word));
		listing_trace(&list);
		for (size_t pc = 0; pc < program->len; pc++)
			print_insn(&list, pc, out);
	} else {
		fputs("; out of memory\n", out);
	}
	free(list.word);
	free(list.block);
}
