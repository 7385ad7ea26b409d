/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/plan.h"

#include "shared/base/escape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void set_free(struct plan_set *set)
{
	if (!set)
		return;
	free(set->name);
	free(set->text);
	prefix_set_free(set->prefixes);
	prefix_set_free(set->excluded);
	free(set->includes);
	free(set->names);
	free(set);
}

static void strings_free(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n_files; i++)
		free(plan->files[i].path);
	for (size_t i = 0; i < plan->n_rules; i++) {
		free(plan->rules[i].ports);
		free(plan->rules[i].because);
	}
	for (size_t i = 0; i < plan->n_sets; i++)
		set_free(plan->sets[i]);
	for (size_t i = 0; i < plan->n_labels; i++)
		free(plan->labels[i].text);
	strings_free(plan->names, plan->n_names);
	strings_free(plan->unix_paths, plan->n_unix_paths);
	free(plan->files);
	free(plan->rules);
	free(plan->sockopts);
	free(plan->sets);
	free(plan->labels);
	free(plan);
}

const char *quota_name(enum quota_kind kind)
{
	static const char *const names[] = {"creates",  "binds",      "connects",      "sends",
					    "receives", "bytes-sent", "bytes-received"};

	_Static_assert(sizeof(names) / sizeof(names[0]) == QUOTA_KINDS, "one name per kind");
	return names[kind];
}

bool quota_counts_bytes(enum quota_kind kind)
{
	return kind == QUOTA_BYTES_SENT || kind == QUOTA_BYTES_RECEIVED;
}

char *plan_location(const struct plan *plan, struct source_loc loc, char *out, size_t room)
{
	char base[256];

	if (loc.file >= plan->n_files) {
		snprintf(out, room, "built-in");
		return out;
	}
	escape_name(base, sizeof(base), plan->files[loc.file].base,
		    strlen(plan->files[loc.file].base));
	snprintf(out, room, "%s:%u", base, loc.line);
	return out;
}

bool plan_judges_dns(const struct plan *plan)
{
	return plan->dns.word == DNS_WORD_LISTED_ONLY || plan->reverse_dns.word == REVERSE_DNS_DENY;
}

const struct sockopt_rule *plan_sockopt(const struct plan *plan, unsigned int call, int level,
					int option)
{
	static const struct sockopt_rule refused = {
	    .level = SOCKOPT_ANY,
	    .option = SOCKOPT_ANY,
	    .calls = SOCKOPT_GET | SOCKOPT_SET,
	    .action = SOCKOPT_DENY,
	    .error = EACCES,
	    .loc = {.file = PLAN_BUILTIN},
	};

	for (size_t i = 0; i < plan->n_sockopts; i++) {
		const struct sockopt_rule *rule = &plan->sockopts[i];

		if ((rule->calls & call) && (rule->level == SOCKOPT_ANY || rule->level == level) &&
		    (rule->option == SOCKOPT_ANY || rule->option == option))
			return rule;
	}
	return &refused;
}
