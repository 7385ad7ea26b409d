/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/learn.h"

#include "policy/json.h"
#include "policy/parse.h"
#include "policy/print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One destination that was tried. */
struct attempt {
	char to[256]; /* host name or address */
	unsigned int transports;
	uint16_t port;
};

struct learn {
	struct attempt *attempts;
	size_t n;
	bool allowed_only;
};

/* What is of interest in one record. */
struct record {
	char transport[8], address[NET_ADDR_TEXT_MAX], port[8], host[256], decision[16];
};

struct learn *learn_new(bool allowed_only)
{
	struct learn *learn = calloc(1, sizeof(*learn));

	if (learn)
		learn->allowed_only = allowed_only;
	return learn;
}

void learn_free(struct learn *learn)
{
	if (learn)
		free(learn->attempts);
	free(learn);
}

static void visit(void *context, const struct json_value *value)
{
	struct record *record = context;
	const struct {
		const char *name;
		char *out;
		size_t room;
	} fields[] = {
	    {"network.transport", record->transport, sizeof(record->transport)},
	    {"network.peer.address", record->address, sizeof(record->address)},
	    {"network.peer.port", record->port, sizeof(record->port)},
	    {"server.address", record->host, sizeof(record->host)},
	    {"gae_run.decision", record->decision, sizeof(record->decision)},
	};

	if (strcmp(value->parent, "attributes") != 0)
		return;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!strcmp(value->name, fields[i].name) && strlen(value->text) < fields[i].room)
			snprintf(fields[i].out, fields[i].room, "%s", value->text);
}

/* A trace tells the names that were asked for: "200.1" a policy would take for an address, and a wildcard allows more. */
static bool is_name(const char *host)
{
	return host[0] && host[strspn(host, "0123456789.")] && !strchr(host, '*') &&
	       !parse_host_fault(host);
}

/* Return: 1 @attempt is filled, 0 the record is not about a destination, -EINVAL. */
static int read_record(const struct learn *learn, const struct record *record,
		       struct attempt *attempt)
{
	struct net_addr addr;
	unsigned long port;
	char *end;

	if (!strcmp(record->transport, "tcp"))
		attempt->transports = TRANSPORT_TCP;
	else if (!strcmp(record->transport, "udp"))
		attempt->transports = TRANSPORT_UDP;
	else
		return 0;
	if (!record->address[0] || !record->port[0] ||
	    (learn->allowed_only && strcmp(record->decision, "allow") != 0))
		return 0;
	port = strtoul(record->port, &end, 10);
	if (*end || port > 65535 || net_addr_parse(record->address, &addr))
		return -EINVAL;
	if (!port)
		return 0; /* getaddrinfo(3) sorts its answers with connects to port 0 */
	attempt->port = (uint16_t)port;
	if (is_name(record->host))
		snprintf(attempt->to, sizeof(attempt->to), "%s", record->host);
	else
		net_addr_format(&addr, attempt->to);
	return 1;
}

static bool attempt_equals(const struct attempt *a, const struct attempt *b)
{
	return a->port == b->port && a->transports == b->transports && !strcmp(a->to, b->to);
}

int learn_line(struct learn *learn, const char *line, size_t size)
{
	struct record record = {0};
	struct attempt attempt = {0};
	int status = json_read(line, size, visit, &record);

	if (status)
		return status;
	status = read_record(learn, &record, &attempt);
	if (status <= 0)
		return status;
	for (size_t i = learn->n; i > 0 && i + 64 > learn->n; i--)
		if (attempt_equals(&learn->attempts[i - 1], &attempt))
			return 0; /* loops repeat themselves: keep the list short */
	if (array_grow(&learn->attempts, learn->n, sizeof(attempt)))
		return -ENOMEM;
	learn->attempts[learn->n++] = attempt;
	return 0;
}

static int compare_attempts(const void *left, const void *right)
{
	const struct attempt *a = left, *b = right;
	int order = strcmp(a->to, b->to);

	if (order)
		return order;
	if (a->transports != b->transports)
		return a->transports < b->transports ? -1 : 1;
	return (int)a->port - (int)b->port;
}

/* Attempts [@first, @end) differ in their ports alone. */
static void print_group(const struct learn *learn, size_t first, size_t end, FILE *out)
{
	const struct attempt *attempts = learn->attempts;
	static const char *const transports[] = {"", "tcp", "udp", "tcp,udp"};

	fprintf(out, "allow %s to %s port ", transports[attempts[first].transports],
		attempts[first].to);
	for (size_t i = first; i < end; i++) {
		size_t run = i;

		while (run + 1 < end && attempts[run + 1].port <= attempts[run].port + 1)
			run++;
		fprintf(out, "%s%u", i == first ? "" : ",", attempts[i].port);
		if (attempts[run].port != attempts[i].port)
			fprintf(out, "-%u", attempts[run].port);
		i = run;
	}
	fputc('\n', out);
}

static size_t group_end(const struct learn *learn, size_t first)
{
	const struct attempt *attempts = learn->attempts;
	size_t end = first + 1;

	while (end < learn->n && attempts[end].transports == attempts[first].transports &&
	       !strcmp(attempts[end].to, attempts[first].to))
		end++;
	return end;
}

/* Both groups try the same ports of the same destination. */
static bool same_ports(const struct learn *learn, size_t a, size_t a_end, size_t b, size_t b_end)
{
	if (a_end - a != b_end - b || strcmp(learn->attempts[a].to, learn->attempts[b].to) != 0)
		return false;
	for (; a < a_end; a++, b++)
		if (learn->attempts[a].port != learn->attempts[b].port)
			return false;
	return true;
}

static void drop_repeated(struct learn *learn)
{
	size_t used = 0;

	if (learn->n)
		qsort(learn->attempts, learn->n, sizeof(*learn->attempts), compare_attempts);
	for (size_t i = 0; i < learn->n; i++)
		if (!used || compare_attempts(&learn->attempts[used - 1], &learn->attempts[i]) != 0)
			learn->attempts[used++] = learn->attempts[i];
	learn->n = used;
}

static size_t print_rules(struct learn *learn, FILE *out)
{
	size_t rules = 0, end, both;

	drop_repeated(learn);
	for (size_t i = 0; i < learn->n; i = end, rules++) {
		end = group_end(learn, i);
		both = end < learn->n ? group_end(learn, end) : end;
		if (both > end && same_ports(learn, i, end, end, both)) {
			learn->attempts[i].transports = TRANSPORT_TCP | TRANSPORT_UDP;
			print_group(learn, i, end, out);
			end = both;
		} else {
			print_group(learn, i, end, out);
		}
	}
	return rules;
}

size_t learn_print(struct learn *learn, const struct plan *base, FILE *out)
{
	size_t rules;

	fputs("gae-policy 1\n\n# Destinations, learnt from a trace; all others are refused.\n",
	      out);
	rules = print_rules(learn, out);
	fputs("\n# As in the policy that was in force.\n", out);
	print_settings(base, out);
	return rules;
}
