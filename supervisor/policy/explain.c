/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/explain.h"

#include "net/dns_message.h"
#include "policy/print.h"
#include "shared/base/errname.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long value;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (*end || errno || !value || value > 65535)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

/* HOST:PORT or [ADDRESS]:PORT.  Return: what follows the colon, or NULL. */
static const char *split_host(const char *text, struct explain_url *url)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : strchr(text, ':');
	size_t size;

	if (!end)
		return NULL;
	text += text[0] == '[';
	size = (size_t)(end - text);
	if (!size || size >= sizeof(url->host))
		return NULL;
	memcpy(url->host, text, size);
	url->host[size] = '\0';
	end += *end == ']';
	return *end == ':' ? end + 1 : NULL;
}

int explain_url_parse(const char *text, struct explain_url *url, const char **why)
{
	const char *port;

	*url = (struct explain_url){.transport = TRANSPORT_TCP};
	*why = "expected tcp://HOST:PORT or udp://HOST:PORT, an IPv6 address in brackets";
	if (!strncmp(text, "udp://", 6))
		url->transport = TRANSPORT_UDP;
	else if (strncmp(text, "tcp://", 6) != 0)
		return -EINVAL;
	text += 6;
	port = split_host(text, url);
	if (!port)
		return -EINVAL;
	url->is_address = !net_addr_parse(url->host, &url->addr);
	if (url->is_address)
		net_addr_resolve_any(&url->addr);
	else if (text[0] == '[')
		return -EINVAL;
	*why = "expected a port between 1 and 65535";
	return parse_port(port, &url->port);
}

/* (10.0.0.0/8  Private-Use, RFC 1918 at special-purpose.cidr:7) */
static void print_cause(const struct plan *plan, const struct verdict *verdict, FILE *out)
{
	char where[300];

	if (verdict->label != PREFIX_NO_LABEL) {
		const struct plan_label *label = &plan->labels[verdict->label];

		fprintf(out, "  (%s at %s)", label->text,
			plan_location(plan, label->loc, where, sizeof(where)));
	} else if (verdict->name != UINT32_MAX) {
		fprintf(out, "  (an address of %s)", plan->names[verdict->name]);
	}
	if (verdict->unsure)
		fprintf(out, "  (%s may have it: no name server says)",
			plan->names[verdict->failed]);
	if (verdict->embedded)
		fputs("  (by the IPv4 address inside)", out);
}

void explain_verdict(const struct plan *plan, const struct verdict *verdict, FILE *out)
{
	char where[300];

	if (verdict->kind == VERDICT_NEEDS_NAME) {
		fprintf(out, "undecided  %s: depends on the addresses of %s",
			plan_location(plan, verdict->rule->loc, where, sizeof(where)),
			plan->names[verdict->name]);
		return;
	}
	if (verdict->kind == VERDICT_ALLOW)
		fputs("allow  ", out);
	else
		fprintf(out, "deny %s  ", errname(verdict->error));
	if (!verdict->rule) {
		fputs("built-in: no rule matches", out);
		return;
	}
	fprintf(out, "%s: ", plan_location(plan, verdict->rule->loc, where, sizeof(where)));
	print_rule(verdict->rule, out);
	print_cause(plan, verdict, out);
}

bool explain_question(const struct plan *plan, const char *name, bool listed, FILE *out)
{
	bool reverse = name && (dns_name_is_below(name, "in-addr.arpa") ||
				dns_name_is_below(name, "ip6.arpa"));
	bool listed_only = plan->dns.word == DNS_WORD_LISTED_ONLY;
	bool denies_reverse = plan->reverse_dns.word == REVERSE_DNS_DENY;
	bool by_reverse = denies_reverse && (reverse || !listed_only);
	bool refused = !name || (reverse && denies_reverse) || (listed_only && !listed);
	const struct statement *decides = by_reverse && refused ? &plan->reverse_dns : &plan->dns;
	char where[300];

	fprintf(out, "%s  %s: %s", refused ? "deny ECONNREFUSED" : "allow",
		plan_location(plan, decides->loc, where, sizeof(where)),
		decides == &plan->reverse_dns ? "reverse-dns deny"
		: listed_only                 ? "dns listed-only"
					      : "dns any");
	if (!name)
		fputs("  (DNS over TCP is not seen, and questions are judged)", out);
	else if (refused && decides == &plan->dns)
		fputs("  (no rule lists this name)", out);
	fputc('\n', out);
	return !refused;
}

bool explain_sockopt(const struct plan *plan, int level, int option, FILE *out)
{
	static const unsigned int calls[] = {SOCKOPT_GET, SOCKOPT_SET};
	bool permitted = true;
	char where[300];

	for (size_t i = 0; i < 2; i++) {
		const struct sockopt_rule *rule = plan_sockopt(plan, calls[i], level, option);

		fprintf(out, "%s  %s: ", i ? "setsockopt" : "getsockopt",
			plan_location(plan, rule->loc, where, sizeof(where)));
		print_sockopt(rule, out);
		fputc('\n', out);
		permitted &= rule->action != SOCKOPT_DENY;
	}
	return permitted;
}
