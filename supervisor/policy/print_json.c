/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/print.h"
#include "policy/units.h"

#include "shared/base/errname.h"
#include "shared/base/escape.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void print_string(const char *text, FILE *out)
{
	size_t size = strlen(text), room = 6 * size + 4;
	char *escaped = malloc(room);

	if (escaped)
		escape_json(escaped, room, text, size);
	fprintf(out, "\"%s\"", escaped ? escaped : "");
	free(escaped);
}

static void print_key(const char *key, const char *text, FILE *out)
{
	fprintf(out, ",\"%s\":", key);
	print_string(text, out);
}

static void print_origin(const struct plan *plan, struct source_loc loc, FILE *out)
{
	char where[300];

	fputs("{\"location\":", out);
	print_string(plan_location(plan, loc, where, sizeof(where)), out);
}

static void print_set(const struct plan *plan, const struct plan_set *set, FILE *out)
{
	print_origin(plan, set->loc, out);
	print_key("name", set->name, out);
	print_key("content", set->text ? set->text : "name servers of this system", out);
	fprintf(out, ",\"prefixes\":%zu,\"names\":%zu,\"sets\":%zu}", print_set_prefixes(set),
		set->n_names, set->n_includes);
}

static void print_rule_object(const struct plan *plan, const struct rule *rule, FILE *out)
{
	const char *action = rule->action == RULE_ALLOW ? "allow" : "deny";

	print_origin(plan, rule->loc, out);
	print_key("action", action, out);
	fprintf(out, ",\"tcp\":%s,\"udp\":%s", rule->transports & TRANSPORT_TCP ? "true" : "false",
		rule->transports & TRANSPORT_UDP ? "true" : "false");
	if (rule->any)
		print_key("to", "any", out);
	else if (rule->to->name)
		print_key("set", rule->to->name, out);
	else
		print_key("to", rule->to->text, out);
	for (size_t i = 0; i < rule->n_ports; i++)
		fprintf(out, "%s[%u,%u]%s", i ? "," : ",\"ports\":[", rule->ports[i].first,
			rule->ports[i].last, i + 1 < rule->n_ports ? "" : "]");
	if (rule->action == RULE_DENY)
		print_key("errno", errname(rule->error), out);
	if (rule->because)
		print_key("because", rule->because, out);
	fputc('}', out);
}

/* The text of the language is the value: it says all, and a second vocabulary would only drift. */
static void print_sockopt_object(const struct plan *plan, const struct sockopt_rule *rule,
				 FILE *out)
{
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	print_sockopt(rule, memory);
	fclose(memory);
	print_origin(plan, rule->loc, out);
	print_key("rule", text ? text : "", out);
	fputc('}', out);
	free(text);
}

static void print_statement_object(const struct plan *plan, const struct print_statement *row,
				   FILE *out)
{
	fprintf(out, ",\"%s\":", row->name);
	print_origin(plan, row->statement->loc, out);
	print_key("word", row->word, out);
	if (row->has_errno)
		print_key("errno", errname(row->statement->error), out);
	for (size_t i = 0; row->statement == &plan->unix_sockets && i < plan->n_unix_paths; i++) {
		fputs(i ? "," : ",\"paths\":[", out);
		print_string(plan->unix_paths[i], out);
		fputs(i + 1 < plan->n_unix_paths ? "" : "]", out);
	}
	fputc('}', out);
}

static void print_idle_object(const struct plan *plan, FILE *out)
{
	char text[UNITS_TEXT_MAX];

	fputs(",\"idle\":", out);
	print_origin(plan, plan->idle.loc, out);
	if (plan->idle.ms) {
		print_key("word", units_format(UNITS_TIME, plan->idle.ms, text), out);
		fprintf(out, ",\"ms\":%" PRIu64 "}", plan->idle.ms);
	} else {
		print_key("word", "never", out);
		fputc('}', out);
	}
}

/* A rate that is not there is not limited. */
static void print_quota_object(const struct plan *plan, enum quota_kind kind, FILE *out)
{
	const struct quota *quota = &plan->quotas[kind];

	print_origin(plan, quota->loc, out);
	print_key("name", quota_name(kind), out);
	if (quota->per_minute != QUOTA_UNLIMITED)
		fprintf(out, ",\"per_minute\":%" PRIu64, quota->per_minute);
	if (quota->per_day != QUOTA_UNLIMITED)
		fprintf(out, ",\"per_day\":%" PRIu64, quota->per_day);
	fputc('}', out);
}

static void print_quotas(const struct plan *plan, FILE *out)
{
	const char *comma = "";

	fputs(",\"quotas\":[", out);
	for (int i = 0; i < QUOTA_KINDS; i++) {
		if (plan->quotas[i].loc.file == PLAN_BUILTIN)
			continue;
		fputs(comma, out);
		print_quota_object(plan, i, out);
		comma = ",";
	}
	fputc(']', out);
}

void print_json(const struct plan *plan, FILE *out)
{
	struct print_statement rows[PRINT_STATEMENTS];
	const char *comma = "";

	fputs("{\"version\":1,\"sets\":[", out);
	for (size_t i = 0; i < plan->n_sets; i++) {
		if (!plan->sets[i]->name)
			continue;
		fputs(comma, out);
		print_set(plan, plan->sets[i], out);
		comma = ",";
	}
	fputs("],\"rules\":[", out);
	for (size_t i = 0; i < plan->n_rules; i++) {
		fputs(i ? "," : "", out);
		print_rule_object(plan, &plan->rules[i], out);
	}
	fputs("],\"sockopts\":[", out);
	for (size_t i = 0; i < plan->n_sockopts; i++) {
		fputs(i ? "," : "", out);
		print_sockopt_object(plan, &plan->sockopts[i], out);
	}
	fputc(']', out);
	print_statements(plan, rows);
	for (size_t i = 0; i < PRINT_STATEMENTS; i++)
		print_statement_object(plan, &rows[i], out);
	print_idle_object(plan, out);
	print_quotas(plan, out);
	fputs("}\n", out);
}
