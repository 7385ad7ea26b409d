/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_FILTER_H
#define POLICY_FILTER_H

#include "policy/fd_window.h"
#include "policy/plan.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

/*
 * The filter, in three forms that must agree:
 *   spec   - which call gives what, as clauses in order (the first match decides);
 *   bytes  - the BPF program compiled from the spec (filter_compile);
 *   answer - what bytes give for one call, by the interpreter in bpf.h.
 * filter_verify() runs the bytes against the spec over a table of calls made
 * from it, at every start: a compiler fault stops the program from starting.
 */
enum filter_kind { FILTER_ALLOW, FILTER_ERRNO, FILTER_NOTIFY };

struct filter_action {
	enum filter_kind kind;
	uint16_t
	    error; /* FILTER_ERRNO: 0 (the call returns 0 and does nothing) or a positive errno */
	/* Never sent to the supervisor only to be traced: a call that is made too often, or that a
	 * signal must not turn into EINTR. */
	bool untraced;
};

/* A test of one argument.  int and unsigned int arguments: the kernel looks at the low 32 bits only. */
enum filter_op {
	FILTER_EQ32,   /* (uint32_t)arg == value */
	FILTER_MASK32, /* ((uint32_t)arg & mask) == value */
	FILTER_ANY32,  /* ((uint32_t)arg & mask) != 0 */
	FILTER_GE32,   /* (uint32_t)arg >= value */
	FILTER_ZERO64, /* arg == 0, all 64 bits (a pointer) */
};

struct filter_cond {
	uint8_t arg; /* 0..5 */
	enum filter_op op;
	uint32_t value, mask;
};

#define FILTER_CONDS_MAX 4

struct filter_clause {
	struct filter_cond conds[FILTER_CONDS_MAX]; /* all must hold; none: always */
	uint8_t n_conds;
	struct filter_action action;
	struct source_loc loc; /* the statement it comes from; PLAN_BUILTIN: why below */
	const char *why;       /* static text for the trace, e.g. "io_uring is not available" */
};

/* A test that must hold for a clause to match, side by side so that most clauses are passed over quickly. */
struct filter_key {
	uint32_t arg; /* FILTER_KEY_NONE: look at the clause */
	uint32_t value;
};
#define FILTER_KEY_NONE 6u

/* One per call; calls without a row are allowed.  The last clause has no condition. */
struct filter_row {
	int nr;
	const char *name;
	struct filter_clause *clauses;
	size_t n_clauses;
	struct filter_key *keys; /* one per clause, owned; NULL: none were made */
};

struct filter_spec {
	struct filter_row *rows; /* by rising nr */
	size_t n_rows;
	bool trace; /* refusals go to the supervisor, which gives the same answer and traces it */
};

/* What the filter needs to know beside the plan. */
struct filter_setup {
	bool trace;
	bool signal_scope; /* Landlock scopes signals: no clauses on pids needed */
	/* Front (the first), guard, supervisor and its threads, gae-urlfetch: not to be signalled or starved. */
	const int *protected_pids;
	size_t n_protected;
	struct fd_window
	    window; /* where UDP sockets live; all zero: nowhere, nothing leans on it */
	/* A UDP socket may come to stand outside the window: descriptors arrive by local sockets. */
	bool local_sockets;
};

/** filter_spec_new() - the spec of a plan.  Return: NULL when out of memory. */
struct filter_spec *filter_spec_new(const struct plan *plan, const struct filter_setup *setup);
void filter_spec_free(struct filter_spec *spec);

/** filter_row_find() - the row of native call @nr, or NULL. */
const struct filter_row *filter_row_find(const struct filter_spec *spec, int nr);

/** filter_clause_find() - the clause of @row that decides for @args; never NULL. */
const struct filter_clause *filter_clause_find(const struct filter_row *row,
					       const uint64_t args[6]);

/**
 * filter_answer() - what the spec says of a call, as a SECCOMP_RET_* value.
 * Another architecture than the native one, and x32, are FILTER_NOTIFY.
 */
uint32_t filter_answer(const struct filter_spec *spec, const struct seccomp_data *call);

/**
 * filter_compile() - the BPF program.
 * @program: .filter from malloc, at most BPF_MAXINSNS
 * Return: 0, -ENOMEM, -E2BIG.
 */
int filter_compile(const struct filter_spec *spec, struct sock_fprog *program);

/**
 * filter_verify() - run @program over the table of calls that @spec gives rise to.
 * @bad: where not NULL, the first call that is answered otherwise than the spec says
 * Return: number of calls checked, -EINVAL (an answer differs), -EFAULT (the program is no
 *         valid filter), -ENOMEM.
 */
int filter_verify(const struct filter_spec *spec, const struct sock_fprog *program,
		  struct seccomp_data *bad);

/** filter_print() - the program as text, one instruction a line, with its calls named. */
void filter_print(const struct filter_spec *spec, const struct sock_fprog *program, FILE *out);

#endif
