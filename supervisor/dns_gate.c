/* SPDX-License-Identifier: Apache-2.0 */
#include "dns_gate.h"

#include "net/dns_message.h"
#include "net/names.h"
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dns_gate {
	const struct plan *plan;
	struct names *names; /* NULL: the policy has none */
	char search[NAMES_SEARCH_MAX][NAMES_TEXT_MAX];
	size_t n_search;
};

struct dns_gate *dns_gate_new(const struct plan *plan, struct names *names)
{
	struct dns_gate *gate;

	errno = 0;
	if (!names && !plan_judges_dns(plan))
		return NULL;
	gate = calloc(1, sizeof(*gate));
	if (!gate)
		return NULL;
	gate->plan = plan;
	gate->names = names;
	if (plan->dns.word == DNS_WORD_LISTED_ONLY)
		gate->n_search = names_system_search(NULL, gate->search);
	errno = 0;
	return gate;
}

bool dns_gate_judges(const struct dns_gate *gate)
{
	return gate && plan_judges_dns(gate->plan);
}

/*
 * A listed name, or one with a domain of the system's search list behind it: resolvers ask for
 * those first where resolv.conf(5) says so (ndots), and give up altogether on an error.  Such a
 * question goes to the system's own zones and says no more than the listed name.
 */
static bool is_listed(const struct dns_gate *gate, const char *name)
{
	char front[NAMES_TEXT_MAX];

	if (!gate->names)
		return false;
	if (names_lists(gate->names, name))
		return true;
	for (size_t i = 0; i < gate->n_search; i++) {
		if (!dns_name_is_below(name, gate->search[i]))
			continue;
		snprintf(front, sizeof(front), "%.*s",
			 (int)(strlen(name) - strlen(gate->search[i]) - 1), name);
		if (names_lists(gate->names, front))
			return true;
	}
	return false;
}

/* In the trace the name stands; the thread that refuses answers, too, before the next one. */
static _Thread_local char why[NAMES_TEXT_MAX + 64];

static enum dns_verdict refuse(struct request *req, struct source_loc loc, const char *text,
			       const struct dns_question *question)
{
	/* A name that is not plain could be anything: it is not shown. */
	if (question && question->plain)
		snprintf(why, sizeof(why), "%s: %s", text,
			 question->name[0] ? question->name : ".");
	else
		snprintf(why, sizeof(why), "%s", text);
	request_deny(req, ECONNREFUSED, loc, why);
	return DNS_REFUSED;
}

static enum dns_verdict judge(const struct dns_gate *gate, struct request *req,
			      const struct dns_question *question)
{
	const struct plan *plan = gate->plan;

	if (plan->reverse_dns.word == REVERSE_DNS_DENY && dns_name_is_reverse(question->name))
		return refuse(req, plan->reverse_dns.loc, "no reverse look-ups", question);
	if (plan->dns.word != DNS_WORD_LISTED_ONLY)
		return DNS_PASSES;
	if (!question->plain || !is_listed(gate, question->name))
		return refuse(req, plan->dns.loc, "no rule lists this name", question);
	/* Zone transfers, everything at once, keys: no stub resolver's questions. */
	if (question->class != DNS_CLASS_IN || question->type == DNS_OPT || question->type == 0 ||
	    (question->type >= DNS_META_FIRST && question->type <= DNS_META_LAST))
		return refuse(req, plan->dns.loc, "no such question about a listed name", question);
	if (!question->tidy)
		return refuse(req, plan->dns.loc, "a question with more in it than resolvers ask",
			      question);
	return DNS_PASSES;
}

enum dns_verdict dns_gate_look(const struct dns_gate *gate, struct request *req, const void *data,
			       size_t size, uint32_t *name, bool *is_question, uint16_t *id)
{
	const struct statement *word = gate->plan->dns.word == DNS_WORD_LISTED_ONLY
					   ? &gate->plan->dns
					   : &gate->plan->reverse_dns;
	struct dns_question question;
	enum dns_verdict verdict = DNS_PASSES;

	*is_question = data && dns_question_parse(data, size, &question) == 0;
	if (!*is_question)
		return dns_gate_judges(gate) ? refuse(req, word->loc, "not one DNS question", NULL)
					     : DNS_PASSES;
	*id = question.id;
	if (dns_gate_judges(gate))
		verdict = judge(gate, req, &question);
	if (verdict == DNS_PASSES && gate->names && question.plain &&
	    dns_question_asks_address(&question) &&
	    names_observe(gate->names, question.name, name) == NAMES_STALE)
		verdict = DNS_WAITS;
	return verdict;
}

int dns_gate_connect(const struct dns_gate *gate, struct request *req, uint16_t port)
{
	const struct statement *word;

	if (port != DNS_PORT || !dns_gate_judges(gate))
		return 0;
	word = gate->plan->dns.word == DNS_WORD_LISTED_ONLY ? &gate->plan->dns
							    : &gate->plan->reverse_dns;
	return (int)request_deny(req, ECONNREFUSED, word->loc,
				 "DNS over TCP is not seen, and questions are judged");
}
