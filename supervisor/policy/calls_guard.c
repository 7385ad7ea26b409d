/* SPDX-License-Identifier: Apache-2.0 */
/* What calls give that would go around the filter, or at the supervisor. */
#include "policy/calls_inner.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/ptrace.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* linux/ioprio.h, which C libraries do not carry along. */
enum { WHO_PROCESS = 1, WHO_PGRP = 2, WHO_USER = 3 };

/* --- ways around the filter --- */

void clauses_io_uring_setup(struct filter_builder *b)
{
	refuse_rest(b, ENOSYS, "io_uring is not available: its operations pass no filter");
}

void clauses_io_uring_enter(struct filter_builder *b)
{
	clauses_io_uring_setup(b);
}

void clauses_io_uring_register(struct filter_builder *b)
{
	clauses_io_uring_setup(b);
}

void clauses_epoll_create1(struct filter_builder *b)
{
	const struct statement *s = &b->plan->async;

	if (s->word == ASYNC_ALLOW)
		allow_if(b, NULL, 0, s->loc);
	else
		filter_builder_add(b, NULL, 0, refuse(s->error ? s->error : ENOSYS), s->loc,
				   "epoll is not available");
}

void clauses_epoll_create(struct filter_builder *b)
{
	clauses_epoll_create1(b);
}

void clauses_seccomp(struct filter_builder *b)
{
	refuse_if(
	    b, CONDS(EQ(0, SECCOMP_SET_MODE_FILTER), ANY_OF(1, SECCOMP_FILTER_FLAG_NEW_LISTENER)),
	    EBUSY, "a second listener would answer the program's own calls");
	allow_rest(b);
}

void clauses_prctl(struct filter_builder *b)
{
	/* A program that is not dumpable hides its memory from the supervisor, which then could answer nothing. */
	refuse_if(b, CONDS(EQ(0, PR_SET_DUMPABLE), ZERO(1)), 0, "answered as done, not done");
	allow_rest(b);
}

void clauses_pidfd_getfd(struct filter_builder *b)
{
	refuse_rest(b, EPERM, "descriptors of other processes are not available");
}

/* Landlock keeps a program from tracing what is outside its domain; the two calls below need the filter only without it. */
void clauses_ptrace(struct filter_builder *b)
{
	if (!b->setup->signal_scope) {
		refuse_if(b, CONDS(EQ(0, PTRACE_ATTACH)), EPERM,
			  "attaching is not available without Landlock");
		refuse_if(b, CONDS(EQ(0, PTRACE_SEIZE)), EPERM,
			  "attaching is not available without Landlock");
	}
	allow_rest(b);
}

void clauses_process_vm_writev(struct filter_builder *b)
{
	if (!b->setup->signal_scope)
		refuse_rest(b, EPERM, "not available without Landlock");
	allow_rest(b);
}

void clauses_clone(struct filter_builder *b)
{
	refuse_if(b, CONDS(ANY_OF(0, CLONE_NEWNET)), EPERM,
		  "a network namespace would hide its sockets");
	allow_rest(b);
}

void clauses_unshare(struct filter_builder *b)
{
	clauses_clone(b);
}

void clauses_clone3(struct filter_builder *b)
{
	struct filter_action unknown = {.kind = FILTER_ERRNO, .error = ENOSYS, .untraced = true};

	filter_builder_add(b, NULL, 0, unknown, builtin,
			   "its flags lie in memory; libraries fall back to clone");
}

void clauses_setns(struct filter_builder *b)
{
	refuse_rest(b, EPERM, "other namespaces are not available");
}

void clauses_bpf(struct filter_builder *b)
{
	refuse_rest(b, EPERM, "bpf is not available");
}

void clauses_ioctl(struct filter_builder *b)
{
	refuse_if(b, CONDS(EQ(1, TIOCSTI)), EPERM, "would type into the caller's terminal");
	refuse_if(b, CONDS(EQ(1, TIOCLINUX)), EPERM, "would type into the caller's terminal");
	/* A tap device that exists and has no owner, or this user for one, takes any frame from anybody. */
	refuse_if(b, CONDS(EQ(1, TUNSETIFF)), EPERM, "a network tunnel carries any packet");
	allow_rest(b);
}

/* security/keys/request_key.c: without callout information only keys that exist are found. */
void clauses_request_key(struct filter_builder *b)
{
	allow_if(b, CONDS(ZERO(2)), builtin);
	refuse_rest(b, EPERM, "the kernel would start a helper outside");
}

/* --- the supervisor and the front as targets --- */

static const char supervisor_why[] = "the supervisor is out of reach";

static void protect(struct filter_builder *b, uint8_t arg)
{
	for (size_t i = 0; i < b->setup->n_protected; i++)
		refuse_if(b, CONDS(EQ(arg, b->setup->protected_pids[i])), EPERM, supervisor_why);
}

/* For setpriority and ioprio_set: argument 0 says what argument 1 is. */
static void protect_who(struct filter_builder *b, int process, int group, int user)
{
	const int kinds[] = {process, group};

	refuse_if(b, CONDS(EQ(0, user)), EPERM, supervisor_why);
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < b->setup->n_protected; i++)
			refuse_if(b, CONDS(EQ(0, kinds[k]), EQ(1, b->setup->protected_pids[i])),
				  EPERM, supervisor_why);
	allow_rest(b);
}

void clauses_kill(struct filter_builder *b)
{
	if (!b->setup->signal_scope) {
		refuse_if(b, CONDS(EQ(0, -1)), EPERM, "would reach the supervisor");
		for (size_t i = 0; i < b->setup->n_protected; i++)
			refuse_if(b, CONDS(EQ(0, -b->setup->protected_pids[i])), EPERM,
				  supervisor_why);
		protect(b, 0);
	}
	allow_rest(b);
}

void clauses_tkill(struct filter_builder *b)
{
	if (!b->setup->signal_scope)
		protect(b, 0);
	allow_rest(b);
}

void clauses_tgkill(struct filter_builder *b)
{
	if (!b->setup->signal_scope) {
		protect(b, 0);
		protect(b, 1);
	}
	allow_rest(b);
}

void clauses_rt_sigqueueinfo(struct filter_builder *b)
{
	clauses_tkill(b);
}

void clauses_rt_tgsigqueueinfo(struct filter_builder *b)
{
	clauses_tgkill(b);
}

void clauses_pidfd_open(struct filter_builder *b)
{
	clauses_tkill(b);
}

/* A directory of /proc is a pidfd to it, and names nobody in a register. */
void clauses_pidfd_send_signal(struct filter_builder *b)
{
	if (!b->setup->signal_scope)
		refuse_rest(b, ENOSYS, "not available without Landlock");
	allow_rest(b);
}

/* Landlock does not cover what follows: it could still starve the supervisor. */
void clauses_prlimit64(struct filter_builder *b)
{
	protect(b, 0);
	allow_rest(b);
}

void clauses_setpriority(struct filter_builder *b)
{
	protect_who(b, PRIO_PROCESS, PRIO_PGRP, PRIO_USER);
}

/* Who is in a group may name it 0.  The first protected one is the front, whose group is the program's. */
void clauses_setpgid(struct filter_builder *b)
{
	for (size_t i = 1; i < b->setup->n_protected; i++)
		refuse_if(b, CONDS(EQ(1, b->setup->protected_pids[i])), EPERM, supervisor_why);
	allow_rest(b);
}

void clauses_ioprio_set(struct filter_builder *b)
{
	protect_who(b, WHO_PROCESS, WHO_PGRP, WHO_USER);
}

void clauses_sched_setaffinity(struct filter_builder *b)
{
	clauses_prlimit64(b);
}

void clauses_sched_setscheduler(struct filter_builder *b)
{
	clauses_prlimit64(b);
}

void clauses_sched_setparam(struct filter_builder *b)
{
	clauses_prlimit64(b);
}

void clauses_sched_setattr(struct filter_builder *b)
{
	clauses_prlimit64(b);
}
