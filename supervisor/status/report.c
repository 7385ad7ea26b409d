/* SPDX-License-Identifier: Apache-2.0 */
#include "status/report.h"

#include "shared/base/escape.h"
#include "status/human.h"
#include "status/status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* All columns but the destination and the spaces between them take 47. */
#define WIDTH_MIN 11
#define WIDTH_MAX 60

static const char *host_of(const struct status_flow *flow)
{
	return flow->host ? flow->host : "";
}

/* By what one row is about: the processes of one name, and of a host all addresses, go together. */
static int compare_keys(const void *a, const void *b)
{
	const struct status_flow *x = a, *y = b;
	int order = strncmp(x->process, y->process, sizeof(x->process));

	if (!order)
		order = (int)x->transport - (int)y->transport;
	if (!order)
		order = (int)x->to.port - (int)y->to.port;
	if (!order)
		order = strcmp(host_of(x), host_of(y));
	if (order || *host_of(x))
		return order;
	order = (int)x->to.addr.family - (int)y->to.addr.family;
	if (!order)
		order = memcmp(x->to.addr.bytes, y->to.addr.bytes, sizeof(x->to.addr.bytes));
	if (!order)
		order = (x->to.addr.scope_id > y->to.addr.scope_id) -
			(x->to.addr.scope_id < y->to.addr.scope_id);
	return order;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

/* Most first. */
static int compare_use(const void *a, const void *b)
{
	const struct status_flow *x = a, *y = b;
	int order = compare_numbers(x->usage.bytes_sent, y->usage.bytes_sent);

	if (!order)
		order = compare_numbers(x->usage.denied, y->usage.denied);
	if (!order)
		order = compare_numbers(x->usage.bytes_received, y->usage.bytes_received);
	return order ? order : compare_keys(a, b);
}

/* Return: how many rows @flows are now, from the first on. */
static size_t merge(struct status_flow *flows, size_t n)
{
	size_t rows = 0;

	qsort(flows, n, sizeof(*flows), compare_keys);
	for (size_t i = 0; i < n; i++) {
		if (i && !compare_keys(&flows[rows - 1], &flows[i])) {
			usage_add(&flows[rows - 1].usage, &flows[i].usage);
			continue;
		}
		flows[rows] = flows[i];
		rows++;
	}
	qsort(flows, rows, sizeof(*flows), compare_use);
	return rows;
}

static char *destination(const struct status_flow *flow, char out[HUMAN_NAME_MAX])
{
	if (!*host_of(flow) && flow->to.addr.family == AF_UNSPEC)
		snprintf(out, HUMAN_NAME_MAX, "(others)");
	else
		human_destination(&flow->to, flow->host, out, HUMAN_NAME_MAX);
	return out;
}

static int destination_width(const struct status_flow *rows, size_t n)
{
	char text[HUMAN_NAME_MAX];
	size_t width = WIDTH_MIN;

	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(destination(&rows[i], text));

		if (length > width)
			width = length;
	}
	return width < WIDTH_MAX ? (int)width : WIDTH_MAX;
}

static void print_row(const char *process, const char *transport, const char *to, int width,
		      const struct usage *usage, FILE *out)
{
	char name[HUMAN_NAME_MAX], place[HUMAN_NAME_MAX], connects[HUMAN_MAX], denied[HUMAN_MAX];
	char sent[HUMAN_MAX], received[HUMAN_MAX], datagrams[2 * HUMAN_MAX + 1], in[HUMAN_MAX];

	human_fit(process, 12, "~", name);
	human_fit(to, (size_t)width, "~", place);
	human_count(usage->datagrams_sent, datagrams);
	snprintf(datagrams + strlen(datagrams), HUMAN_MAX, "/%s",
		 human_count(usage->datagrams_received, in));
	fprintf(out, "%-12s %-3s %-*s %4s %4s %4s %4s %9s\n", name, transport, width, place,
		human_count(usage->connects, connects), human_count(usage->denied, denied),
		human_count(usage->bytes_sent, sent), human_count(usage->bytes_received, received),
		datagrams);
}

static void print_flow(const struct status_flow *flow, int width, FILE *out)
{
	char process[4 * sizeof(flow->process) + 1], to[HUMAN_NAME_MAX];

	escape_text(process, sizeof(process), flow->process,
		    strnlen(flow->process, sizeof(flow->process)));
	print_row(process, status_transport_name(flow->transport), destination(flow, to), width,
		  &flow->usage, out);
}

/* *@rows: from malloc, NULL when there is no memory.  Return: how many they are. */
static size_t make_rows(const struct status *status, struct status_flow **rows)
{
	size_t n = status->n_flows;

	*rows = calloc(n + 1, sizeof(**rows));
	for (size_t i = 0; *rows && i < n; i++)
		(*rows)[i] = status->flows[i];
	return *rows ? merge(*rows, n) : 0;
}

static void print_rows(const struct status_flow *rows, size_t n, const struct usage *total,
		       FILE *out)
{
	size_t shown = n < REPORT_ROWS_MAX ? n : REPORT_ROWS_MAX;
	int width = destination_width(rows, shown);

	if (shown)
		fprintf(out, "%-12s %-3s %-*s %4s %4s %4s %4s %9s\n", "process", "net", width,
			"destination", "conn", "deny", "sent", "recv", "dgram s/r");
	/* It takes merge() for a function that gives nothing but 0. */
	// cppcheck-suppress knownConditionTrueFalse
	for (size_t i = 0; i < shown; i++)
		print_flow(&rows[i], width, out);
	// cppcheck-suppress knownConditionTrueFalse
	if (n > shown)
		fprintf(out, "and %zu more\n", n - shown);
	if (n > 1)
		print_row("total", "", "", width, total, out);
}

static void print_table(const struct status *status, FILE *out)
{
	struct status_flow *rows;
	size_t n = make_rows(status, &rows);

	print_rows(rows, n, &status->total, out);
	free(rows);
}

static void print_heading(const struct status *status, FILE *out)
{
	uint64_t ms = human_since(status->started_ms, status->now_ms);
	const char *name = status->app ? status->app : "";
	char app[256];

	escape_text(app, sizeof(app), name, strlen(name));
	fprintf(out,
		"gae-run: network use of %s (pid %d) in %" PRIu64 ".%" PRIu64 " s: %" PRIu64
		" decisions allowed, %" PRIu64 " denied\n",
		app, status->pid, ms / 1000, ms / 100 % 10, status->decisions_allowed,
		status->decisions_denied);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void print_remarks(const struct status *status, FILE *out)
{
	const struct usage *total = &status->total;

	fprintf(out,
		"sent %" PRIu64 " bytes, received %" PRIu64 " bytes; datagrams: %" PRIu64
		" sent, %" PRIu64 " received\n",
		total->bytes_sent, total->bytes_received, total->datagrams_sent,
		total->datagrams_received);
	if (status->on_offer)
		fprintf(out, "%" PRIu64 " socket%s on offer to other instances\n", status->on_offer,
			plural(status->on_offer));
	if (status->reclaimed)
		fprintf(out, "%" PRIu64 " socket%s reclaimed: idle for too long\n",
			status->reclaimed, plural(status->reclaimed));
	if (status->over_quota)
		fprintf(out, "%" PRIu64 " time%s a quota was spent: call refused or socket shut\n",
			status->over_quota, plural(status->over_quota));
	if (status->lost)
		fprintf(out,
			"%" PRIu64 " socket%s ended unseen: their last bytes are not counted\n",
			status->lost, plural(status->lost));
}

void report_print(const struct status *status, FILE *out)
{
	print_heading(status, out);
	print_table(status, out);
	print_remarks(status, out);
}
