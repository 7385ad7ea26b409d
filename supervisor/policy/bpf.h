/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_BPF_H
#define POLICY_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

/**
 * bpf_check() - would the kernel take this as a seccomp filter?  The static tests of
 * bpf_check_classic() and seccomp_check_filter(), on every instruction whether reached or not.
 * Return: 0; -EINVAL illegal instruction, load, length or no return at the end;
 *         -EFAULT jump behind the end.
 */
int bpf_check(const struct sock_fprog *program);

/**
 * bpf_run() - interpret a classic BPF seccomp program (kernel:
 * seccomp_check_filter for the instructions that are legal, ___bpf_prog_run for what
 * they do).  It judges what it meets; the whole program is judged by bpf_check().
 * @answer: SECCOMP_RET_* value
 * Return: 0; -EINVAL illegal instruction; -EFAULT jump or load out of bounds;
 *         no return within the program's length is impossible (jumps go forward).
 */
int bpf_run(const struct sock_fprog *program, const struct seccomp_data *call, uint32_t *answer);

/**
 * bpf_run_fixed() - as bpf_run(), for an answer that follows from number and architecture alone
 * (kernel: seccomp_is_const_allow(), which lets such calls by without running the program).
 * Return: as bpf_run(); -EAGAIN: the program looks at more than these two.
 */
int bpf_run_fixed(const struct sock_fprog *program, uint32_t arch, uint32_t nr, uint32_t *answer);

#endif
