/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/filter.h"

#include "policy/filter_build.h"

#include <stdlib.h>
#include <string.h>

void filter_builder_add(struct filter_builder *builder, const struct filter_cond *conds,
			size_t n_conds, struct filter_action action, struct source_loc loc,
			const char *why)
{
	struct filter_clause *grown, *clause;
	size_t room;

	if (builder->closed || builder->failed || n_conds > FILTER_CONDS_MAX)
		return;
	if (builder->n_clauses == builder->room) {
		room = builder->room ? builder->room * 2 : 8;
		grown = reallocarray(builder->clauses, room, sizeof(*grown));
		if (!grown) {
			builder->failed = true;
			return;
		}
		builder->clauses = grown;
		builder->room = room;
	}
	clause = &builder->clauses[builder->n_clauses++];
	*clause = (struct filter_clause){
	    .n_conds = (uint8_t)n_conds, .action = action, .loc = loc, .why = why};
	if (n_conds)
		memcpy(clause->conds, conds, n_conds * sizeof(*conds));
	builder->closed = !n_conds;
}

static bool clauses_all_allow(const struct filter_builder *builder)
{
	for (size_t i = 0; i < builder->n_clauses; i++)
		if (builder->clauses[i].action.kind != FILTER_ALLOW)
			return false;
	return true;
}

/* The last test of a clause as its key: of an option pair that is the option, which tells most apart. */
static struct filter_key *make_keys(const struct filter_builder *builder)
{
	struct filter_key *keys = calloc(builder->n_clauses, sizeof(*keys));

	for (size_t i = 0; keys && i < builder->n_clauses; i++) {
		const struct filter_clause *clause = &builder->clauses[i];
		const struct filter_cond *last =
		    clause->n_conds ? &clause->conds[clause->n_conds - 1] : NULL;

		keys[i].arg = last && last->op == FILTER_EQ32 ? last->arg : FILTER_KEY_NONE;
		keys[i].value = last ? last->value : 0;
	}
	return keys;
}

/* A row that allows everything is left out, so that the kernel's cache of always-allowed calls takes it. */
static int spec_add_call(struct filter_spec *spec, const struct filter_call *call,
			 const struct plan *plan, const struct filter_setup *setup)
{
	struct filter_builder builder = {.plan = plan, .setup = setup};

	call->clauses(&builder);
	if (builder.failed || clauses_all_allow(&builder)) {
		free(builder.clauses);
		return builder.failed ? -1 : 0;
	}
	spec->rows[spec->n_rows++] = (struct filter_row){
	    .nr = call->nr,
	    .name = call->name,
	    .clauses = builder.clauses,
	    .n_clauses = builder.n_clauses,
	    .keys = make_keys(&builder),
	};
	return spec->rows[spec->n_rows - 1].keys ? 0 : -1;
}

static int row_compare(const void *left, const void *right)
{
	const struct filter_row *a = left, *b = right;

	return a->nr < b->nr ? -1 : a->nr > b->nr;
}

struct filter_spec *filter_spec_new(const struct plan *plan, const struct filter_setup *setup)
{
	struct filter_spec *spec = calloc(1, sizeof(*spec));
	size_t n;
	const struct filter_call *calls = filter_calls(&n);

	if (!spec)
		return NULL;
	spec->trace = setup->trace;
	spec->rows = calloc(n, sizeof(*spec->rows));
	for (size_t i = 0; spec->rows && i < n; i++) {
		if (calls[i].nr >= 0 && spec_add_call(spec, &calls[i], plan, setup)) {
			filter_spec_free(spec);
			return NULL;
		}
	}
	if (!spec->rows) {
		free(spec);
		return NULL;
	}
	qsort(spec->rows, spec->n_rows, sizeof(*spec->rows), row_compare);
	return spec;
}

void filter_spec_free(struct filter_spec *spec)
{
	if (!spec)
		return;
	for (size_t i = 0; i < spec->n_rows; i++) {
		free(spec->rows[i].clauses);
		free(spec->rows[i].keys);
	}
	free(spec->rows);
	free(spec);
}

const struct filter_row *filter_row_find(const struct filter_spec *spec, int nr)
{
	const struct filter_row key = {.nr = nr};

	if (!spec->n_rows)
		return NULL;
	return bsearch(&key, spec->rows, spec->n_rows, sizeof(key), row_compare);
}

static inline bool cond_holds(const struct filter_cond *cond, const uint64_t args[6])
{
	uint64_t arg = args[cond->arg];
	uint32_t low = (uint32_t)arg;

	/* Nearly all are of this kind, and the verifier asks half a million of them at every start. */
	if (__builtin_expect(cond->op == FILTER_EQ32, 1))
		return low == cond->value;
	switch (cond->op) {
	case FILTER_EQ32:
		return low == cond->value;
	case FILTER_MASK32:
		return (low & cond->mask) == cond->value;
	case FILTER_ANY32:
		return (low & cond->mask) != 0;
	case FILTER_GE32:
		return low >= cond->value;
	case FILTER_ZERO64:
		return arg == 0;
	}
	return false;
}

static inline bool clause_matches(const struct filter_clause *clause, const uint64_t args[6])
{
	for (size_t i = 0; i < clause->n_conds; i++)
		if (!cond_holds(&clause->conds[i], args))
			return false;
	return true;
}

static inline bool key_differs(const struct filter_row *row, size_t i, const uint64_t args[6])
{
	const struct filter_key *key = row->keys ? &row->keys[i] : NULL;

	return key && key->arg != FILTER_KEY_NONE && (uint32_t)args[key->arg] != key->value;
}

const struct filter_clause *filter_clause_find(const struct filter_row *row, const uint64_t args[6])
{
	size_t i = 0;

	/* The last clause has no condition. */
	while (i + 1 < row->n_clauses &&
	       (key_differs(row, i, args) || !clause_matches(&row->clauses[i], args)))
		i++;
	return &row->clauses[i];
}

uint32_t filter_action_value(const struct filter_spec *spec, struct filter_action action)
{
	switch (action.kind) {
	case FILTER_ALLOW:
		return SECCOMP_RET_ALLOW;
	case FILTER_ERRNO:
		if (!spec->trace || action.untraced)
			return SECCOMP_RET_ERRNO | action.error;
		break;
	case FILTER_NOTIFY:
		break;
	}
	return SECCOMP_RET_USER_NOTIF;
}

uint32_t filter_answer(const struct filter_spec *spec, const struct seccomp_data *call)
{
	const struct filter_row *row;
	uint64_t args[6];

	if (call->arch != FILTER_ARCH)
		return SECCOMP_RET_USER_NOTIF;
#ifdef FILTER_X32_BIT
	if ((uint32_t)call->nr >= FILTER_X32_BIT)
		return SECCOMP_RET_USER_NOTIF;
#endif
	row = filter_row_find(spec, call->nr);
	if (!row)
		return SECCOMP_RET_ALLOW;
	for (int i = 0; i < 6; i++)
		args[i] = call->args[i];
	return filter_action_value(spec, filter_clause_find(row, args)->action);
}
