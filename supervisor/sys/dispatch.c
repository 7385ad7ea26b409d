/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/dispatch.h"

#include "crew.h"
#include "shared/base/log.h"
#include "supervisor.h"
#include "trace.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#define X32_BIT 0
#endif

#define CALL(name, handler, documentation) [__NR_##name] = (handler),
static sys_handler *const handlers[] = {
#include "policy/calls.def"
};
#undef CALL

sys_handler *dispatch_handler(int nr)
{
	if (nr < 0 || (size_t)nr >= sizeof(handlers) / sizeof(handlers[0]))
		return NULL;
	return handlers[nr];
}

/* The registers of such a call mean something else; no rule was written for it. */
static void refuse_foreign(struct crew_worker *worker, struct request *req)
{
	static atomic_bool told;
	const char *kind = req->call.arch == NATIVE_ARCH ? "x32" : "32-bit";
	struct source_loc nowhere = {.file = PLAN_BUILTIN};

	(void)worker;
	if (!atomic_exchange(&told, true))
		log_warn(
		    "process %d makes %s system calls; they are refused (ENOSYS): use a native "
		    "64-bit program",
		    req->tid, kind);
	req->name = kind;
	request_answer(req, request_deny(req, ENOSYS, nowhere, "foreign architecture"));
}

void sys_none(struct crew_worker *worker, struct request *req)
{
	struct source_loc nowhere = {.file = PLAN_BUILTIN};

	(void)worker;
	request_answer(req, request_deny(req, EACCES, nowhere, "no handler"));
}

/* Calls that the filter would have settled alone, here only because a trace is wanted: the same answer. */
static void answer_by_clause(struct request *req, const struct filter_clause *clause)
{
	req->loc = clause->loc;
	req->why = clause->why;
	req->by_policy = true;
	req->denied = clause->action.error != 0;
	req->emulated = !req->denied;
	request_answer(req, -(long)clause->action.error);
}

void dispatch(struct crew_worker *worker, const struct seccomp_notif *notif)
{
	const struct filter_row *row;
	const struct filter_clause *clause;
	struct request req;

	request_init(&req, worker->sup, notif);
	if (req.call.arch != NATIVE_ARCH || (X32_BIT && (req.call.nr & X32_BIT))) {
		refuse_foreign(worker, &req);
		return;
	}
	row = filter_row_find(worker->sup->spec, req.call.nr);
	if (!row) {
		sys_none(worker, &req);
		return;
	}
	req.name = row->name;
	clause = filter_clause_find(row, (const uint64_t *)req.call.args);
	if (clause->action.kind == FILTER_ERRNO) {
		answer_by_clause(&req, clause);
		return;
	}
	/* The filter lets it by: the handlers lean on what the clauses say of their arguments. */
	if (clause->action.kind == FILTER_ALLOW) {
		sys_none(worker, &req);
		return;
	}
	handlers[req.call.nr](worker, &req);
}
