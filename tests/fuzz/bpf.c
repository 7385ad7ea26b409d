/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a filter: a call (struct seccomp_data), then instructions.  What bpf_check() takes runs
 * to an answer; an answer that bpf_run_fixed() has for a number is the one that every call with that
 * number gets; running reads nothing beside program and call.
 */
#include "policy/bpf.h"
#include "fuzz.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_data *call = malloc(sizeof(*call));
	struct sock_fprog program = {0};
	uint32_t answer = 0, again = 0, fixed = 0;
	size_t n;
	int rc, fixed_rc;

	expect(call != NULL);
	if (size < sizeof(*call)) {
		free(call);
		return 0;
	}
	memcpy(call, data, sizeof(*call));
	n = (size - sizeof(*call)) / sizeof(struct sock_filter);
	if (n > BPF_MAXINSNS)
		n = BPF_MAXINSNS;
	/* On the heap and exact, so that a jump too far is seen. */
	program.len = (unsigned short)n;
	program.filter = malloc(n ? n * sizeof(*program.filter) : 1);
	expect(program.filter != NULL);
	memcpy(program.filter, data + sizeof(*call), n * sizeof(*program.filter));
	rc = bpf_run(&program, call, &answer);
	expect(rc == 0 || rc == -EINVAL || rc == -EFAULT);
	if (bpf_check(&program) == 0)
		expect(rc == 0);
	expect(bpf_run(&program, call, &again) == rc && answer == again);
	fixed_rc = bpf_run_fixed(&program, call->arch, (uint32_t)call->nr, &fixed);
	if (fixed_rc == 0)
		expect(rc == 0 && fixed == answer);
	free(program.filter);
	free(call);
	return 0;
}
