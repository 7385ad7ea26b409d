/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/print.h"

#include "policy/sockopt_names.h"
#include "policy/units.h"
#include "shared/base/errname.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char *const listen_words[] = {"deny", "allow"};
static const char *const bind_words[] = {"deny", "ephemeral", "any"};
static const char *const unix_words[] = {"none", "pair", "allow"};
static const char *const netlink_words[] = {"none", "route-read"};
static const char *const async_words[] = {"allow", "deny"};
static const char *const http_words[] = {"auto", "sockets", "urlfetch"};
static const char *const descriptors_words[] = {"handoff", "shared", "deny"};
static const char *const dns_words[] = {"any", "listed-only"};
static const char *const reverse_dns_words[] = {"allow", "deny"};
_Static_assert(LISTEN_ALLOW == 1 && BIND_ANY == 2 && UNIX_ALLOW == 2 && NETLINK_ROUTE_READ == 1 &&
		   ASYNC_DENY == 1 && DESCRIPTORS_DENY == 2 && DNS_WORD_LISTED_ONLY == 1 &&
		   REVERSE_DNS_DENY == 1 && HTTP_URLFETCH == 2,
	       "the words above are in the order of their enums");

void print_statements(const struct plan *plan, struct print_statement out[PRINT_STATEMENTS])
{
	out[0] = (struct print_statement){"listen", listen_words[plan->listen.word], &plan->listen,
					  plan->listen.word == LISTEN_DENY};
	out[1] = (struct print_statement){"bind", bind_words[plan->bind.word], &plan->bind,
					  plan->bind.word == BIND_DENY};
	out[2] = (struct print_statement){"unix", unix_words[plan->unix_sockets.word],
					  &plan->unix_sockets, false};
	out[3] = (struct print_statement){"netlink", netlink_words[plan->netlink.word],
					  &plan->netlink, false};
	out[4] = (struct print_statement){"async", async_words[plan->async.word], &plan->async,
					  plan->async.word == ASYNC_DENY};
	out[5] = (struct print_statement){"descriptors", descriptors_words[plan->descriptors.word],
					  &plan->descriptors,
					  plan->descriptors.word == DESCRIPTORS_DENY};
	out[6] = (struct print_statement){"dns", dns_words[plan->dns.word], &plan->dns, false};
	out[7] = (struct print_statement){"reverse-dns", reverse_dns_words[plan->reverse_dns.word],
					  &plan->reverse_dns, false};
	out[8] = (struct print_statement){"http", http_words[plan->http.word], &plan->http, false};
}

size_t print_set_prefixes(const struct plan_set *set)
{
	return prefix_set_size(set->prefixes);
}

static void print_quoted(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void print_location(const struct plan *plan, struct source_loc loc, FILE *out)
{
	char where[300];

	fprintf(out, "# %s\n", plan_location(plan, loc, where, sizeof(where)));
}

#define WRAP_COLUMN 96

/* @text at its blanks in lines of at most WRAP_COLUMN where that is possible: only lists have more than one word. */
static void print_wrapped(const char *text, size_t column, FILE *out)
{
	size_t size;

	if (text[0] != '{') {
		fputs(text, out);
		return;
	}
	for (bool first = true; *text; first = false) {
		size = strcspn(text, " ");
		if (!first && column + size + 1 > WRAP_COLUMN) {
			fputs("\n       ", out);
			column = 7;
		}
		fprintf(out, "%s%.*s", first ? "" : " ", (int)size, text);
		column += size + 1;
		text += size + strspn(text + size, " ");
	}
}

static void print_set(const struct plan *plan, const struct plan_set *set, FILE *out)
{
	if (strncmp(set->text, "file ", 5) == 0)
		fprintf(out, "# %zu prefixes\n", print_set_prefixes(set));
	print_location(plan, set->loc, out);
	fprintf(out, "set %s ", set->name);
	print_wrapped(set->text, 5 + strlen(set->name), out);
	fputc('\n', out);
}

static const char *transport_text(unsigned int transports)
{
	if (transports == (TRANSPORT_TCP | TRANSPORT_UDP))
		return "tcp,udp";
	return transports == TRANSPORT_TCP ? "tcp" : "udp";
}

static void print_ports(const struct rule *rule, FILE *out)
{
	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct port_range *range = &rule->ports[i];

		fprintf(out, "%s%u", i ? "," : " port ", range->first);
		if (range->last != range->first)
			fprintf(out, "-%u", range->last);
	}
}

void print_rule(const struct rule *rule, FILE *out)
{
	fprintf(out, "%s %s to ", rule->action == RULE_ALLOW ? "allow" : "deny",
		transport_text(rule->transports));
	if (rule->any)
		fputs("any", out);
	else if (rule->to->name)
		fprintf(out, "@%s", rule->to->name);
	else
		print_wrapped(rule->to->text, 16, out);
	print_ports(rule, out);
	if (rule->action == RULE_DENY && rule->error != EACCES)
		fprintf(out, " errno %s", errname(rule->error));
	if (rule->because) {
		fputs(" because ", out);
		print_quoted(rule->because, out);
	}
}

static void print_number_or_name(const char *name, int number, FILE *out)
{
	if (number == SOCKOPT_ANY)
		fputs(" any", out);
	else if (name)
		fprintf(out, " %s", name);
	else
		fprintf(out, " %d", number);
}

static void print_mock(const struct sockopt_rule *rule, FILE *out)
{
	int32_t word;

	fputs(" mock", out);
	if (rule->value_size % sizeof(word)) {
		fputs(" hex ", out);
		for (size_t i = 0; i < rule->value_size; i++)
			fprintf(out, "%02x", rule->value[i]);
		return;
	}
	for (size_t i = 0; i < rule->value_size; i += sizeof(word)) {
		memcpy(&word, rule->value + i, sizeof(word));
		fprintf(out, "%s%d", i ? "," : " ", word);
	}
}

void print_sockopt(const struct sockopt_rule *rule, FILE *out)
{
	fputs("sockopt", out);
	print_number_or_name(sockopt_level_name(rule->level), rule->level, out);
	print_number_or_name(sockopt_option_name(rule->level, rule->option), rule->option, out);
	if (rule->calls == SOCKOPT_GET)
		fputs(" get", out);
	if (rule->calls == SOCKOPT_SET)
		fputs(" set", out);
	if (rule->action == SOCKOPT_PASS)
		fputs(" pass", out);
	else if (rule->action == SOCKOPT_IGNORE)
		fputs(" ignore", out);
	else if (rule->action == SOCKOPT_DENY)
		fprintf(out, " deny %s", errname(rule->error));
	else
		print_mock(rule, out);
}

static void print_path(const char *path, FILE *out)
{
	fputc(' ', out);
	if (strpbrk(path, " \t#{},\"\\"))
		print_quoted(path, out);
	else
		fputs(path, out);
}

static void print_one_word(const struct plan *plan, const struct print_statement *row, FILE *out)
{
	print_location(plan, row->statement->loc, out);
	fprintf(out, "%s %s", row->name, row->word);
	if (row->has_errno)
		fprintf(out, " %s", errname(row->statement->error));
	for (size_t i = 0; row->statement == &plan->unix_sockets && i < plan->n_unix_paths; i++)
		print_path(plan->unix_paths[i], out);
	fputc('\n', out);
}

static bool is_before(const struct plan_set *set, const struct plan_set *other)
{
	if (set->loc.file != other->loc.file)
		return set->loc.file < other->loc.file;
	return set->loc.line != other->loc.line ? set->loc.line < other->loc.line
						: set->loc.col < other->loc.col;
}

/*
 * In the order in which they are written, not in that in which rules and other sets
 * first speak of them: so what is printed, read and printed again stays as it is.
 */
static void print_sets(const struct plan *plan, FILE *out)
{
	const struct plan_set *last = NULL;

	for (;;) {
		const struct plan_set *next = NULL;

		for (size_t i = 0; i < plan->n_sets; i++) {
			const struct plan_set *set = plan->sets[i];

			if (set->name && !set->resolvers && (!last || is_before(last, set)) &&
			    (!next || is_before(set, next)))
				next = set;
		}
		if (!next)
			return;
		print_set(plan, next, out);
		last = next;
	}
}

void print_policy(const struct plan *plan, FILE *out)
{
	fputs("gae-policy 1\n", out);
	print_sets(plan, out);
	for (size_t i = 0; i < plan->n_rules; i++) {
		print_location(plan, plan->rules[i].loc, out);
		print_rule(&plan->rules[i], out);
		fputc('\n', out);
	}
	print_settings(plan, out);
}

static void print_idle(const struct plan *plan, FILE *out)
{
	char text[UNITS_TEXT_MAX];

	print_location(plan, plan->idle.loc, out);
	fprintf(out, "idle %s\n",
		plan->idle.ms ? units_format(UNITS_TIME, plan->idle.ms, text) : "never");
}

static void print_rate(enum quota_kind kind, uint64_t rate, const char *period, FILE *out)
{
	char text[UNITS_TEXT_MAX];

	if (rate == QUOTA_UNLIMITED)
		return;
	if (quota_counts_bytes(kind))
		fprintf(out, " %s/%s", units_format(UNITS_BYTES, rate, text), period);
	else
		fprintf(out, " %" PRIu64 "/%s", rate, period);
}

/* Nothing for a quota that no file has spoken of. */
static void print_quota(const struct plan *plan, enum quota_kind kind, FILE *out)
{
	const struct quota *quota = &plan->quotas[kind];

	if (quota->loc.file == PLAN_BUILTIN)
		return;
	print_location(plan, quota->loc, out);
	fprintf(out, "quota %s", quota_name(kind));
	print_rate(kind, quota->per_minute, "min", out);
	print_rate(kind, quota->per_day, "day", out);
	if (quota->per_minute == QUOTA_UNLIMITED && quota->per_day == QUOTA_UNLIMITED)
		fputs(" unlimited", out);
	fputc('\n', out);
}

void print_settings(const struct plan *plan, FILE *out)
{
	struct print_statement rows[PRINT_STATEMENTS];

	print_statements(plan, rows);
	for (size_t i = 0; i < PRINT_STATEMENTS; i++)
		print_one_word(plan, &rows[i], out);
	print_idle(plan, out);
	for (int i = 0; i < QUOTA_KINDS; i++)
		print_quota(plan, i, out);
	for (size_t i = 0; i < plan->n_sockopts; i++) {
		print_location(plan, plan->sockopts[i].loc, out);
		print_sockopt(&plan->sockopts[i], out);
		fputc('\n', out);
	}
}
