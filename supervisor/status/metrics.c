/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: fchmod renameat renameat2 rename unlink unlinkat fsync */
#include "status/metrics.h"

#include "shared/base/escape.h"
#include "shared/base/fd.h"
#include "shared/base/metrics_path.h"
#include "shared/base/text.h"
#include "status/status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct page {
	FILE *out;
	const struct status *status;
	char app[1024]; /* as the value of a label */
};

/*
 * A label's value knows three escapes: \\ \" \n.  Of those of JSON two are the same, and what was
 * \u00XX becomes that text.
 */
static void label_value(char *out, size_t room, const char *text)
{
	char json[500];
	size_t used = 0;

	escape_json(json, sizeof(json), text, strlen(text));
	for (const char *at = json; *at && used + 3 < room; at++) {
		if (at[0] == '\\' && at[1] != 'u')
			out[used++] = *at++;
		else if (at[0] == '\\')
			out[used++] = '\\';
		out[used++] = *at;
	}
	out[used] = '\0';
}

static void begin_metric(struct page *page, const char *name, const char *type, const char *help)
{
	fprintf(page->out, "# HELP gae_run_%s %s\n# TYPE gae_run_%s %s\n", name, help, name, type);
}

/* @labels: further ones, with a comma in front, or "". */
__attribute__((format(printf, 4, 5))) static void sample(struct page *page, const char *name,
							 uint64_t value, const char *labels, ...)
{
	va_list args;

	fprintf(page->out, "gae_run_%s{app=\"%s\"", name, page->app);
	va_start(args, labels);
	vfprintf(page->out, labels, args);
	va_end(args);
	fprintf(page->out, "} %" PRIu64 "\n", value);
}

static void simple_metric(struct page *page, const char *name, const char *help, uint64_t value)
{
	begin_metric(page, name, "counter", help);
	sample(page, name, value, "%s", "");
}

/* Sums of all flows of one transport. */
static struct usage usage_of(const struct status *status, enum transport transport)
{
	struct usage sum = {0};

	for (size_t i = 0; i < status->n_flows; i++)
		if (status->flows[i].transport == transport)
			usage_add(&sum, &status->flows[i].usage);
	return sum;
}

static void print_transport(struct page *page, const char *name, const char *help, size_t offset)
{
	begin_metric(page, name, "counter", help);
	for (unsigned int t = TRANSPORT_TCP; t <= TRANSPORT_UDP; t++) {
		struct usage sum = usage_of(page->status, t);
		uint64_t value;

		memcpy(&value, (const char *)&sum + offset, sizeof(value));
		sample(page, name, value, ",transport=\"%s\"", status_transport_name(t));
	}
}

static void print_bytes(struct page *page)
{
	begin_metric(page, "bytes_total", "counter", "Bytes of payload, retransmissions left out.");
	for (unsigned int t = TRANSPORT_TCP; t <= TRANSPORT_UDP; t++) {
		struct usage sum = usage_of(page->status, t);
		const char *name = status_transport_name(t);

		sample(page, "bytes_total", sum.bytes_sent,
		       ",direction=\"transmit\",transport=\"%s\"", name);
		sample(page, "bytes_total", sum.bytes_received,
		       ",direction=\"receive\",transport=\"%s\"", name);
	}
}

static void print_totals(struct page *page)
{
	const struct status *status = page->status;

	begin_metric(page, "decisions_total", "counter", "Calls decided about.");
	sample(page, "decisions_total", status->decisions_allowed, ",decision=\"%s\"", "allow");
	sample(page, "decisions_total", status->decisions_denied, ",decision=\"%s\"", "deny");
	begin_metric(page, "datagrams_total", "counter", "UDP datagrams.");
	sample(page, "datagrams_total", status->total.datagrams_sent, ",direction=\"%s\"",
	       "transmit");
	sample(page, "datagrams_total", status->total.datagrams_received, ",direction=\"%s\"",
	       "receive");
	begin_metric(page, "sockets_on_offer", "gauge", "Sockets on offer to other instances.");
	sample(page, "sockets_on_offer", status->on_offer, "%s", "");
	simple_metric(page, "sockets_reclaimed_total", "Sockets shut because idle for too long.",
		      status->reclaimed);
	simple_metric(page, "quota_refused_total", "Calls refused and sockets shut by a quota.",
		      status->over_quota);
	simple_metric(page, "accounting_lost_total",
		      "Sockets that ended unseen, so that their last bytes are not counted.",
		      status->lost);
}

static void print_open(struct page *page)
{
	uint64_t open[TRANSPORT_UDP + 1] = {0};

	for (size_t i = 0; i < page->status->n_sockets; i++)
		if (page->status->sockets[i].transport <= TRANSPORT_UDP)
			open[page->status->sockets[i].transport]++;
	begin_metric(page, "sockets_open", "gauge", "Sockets that are open.");
	for (unsigned int t = TRANSPORT_TCP; t <= TRANSPORT_UDP; t++)
		sample(page, "sockets_open", open[t], ",transport=\"%s\"",
		       status_transport_name(t));
}

/* Quotas without a limit are left out. */
static void print_quotas(struct page *page)
{
	static const char labels[] = ",quota=\"%s\",window=\"%s\"";
	const struct status_quota *quotas = page->status->quotas;

	begin_metric(page, "quota_used", "gauge", "Used up in the running minute or day.");
	for (unsigned int i = 0; i < QUOTA_KINDS; i++) {
		if (quotas[i].per_minute != QUOTA_UNLIMITED)
			sample(page, "quota_used", quotas[i].used_minute, labels, quota_name(i),
			       "minute");
		if (quotas[i].per_day != QUOTA_UNLIMITED)
			sample(page, "quota_used", quotas[i].used_day, labels, quota_name(i),
			       "day");
	}
	begin_metric(page, "quota_limit", "gauge", "What may be used up in a minute or a day.");
	for (unsigned int i = 0; i < QUOTA_KINDS; i++) {
		if (quotas[i].per_minute != QUOTA_UNLIMITED)
			sample(page, "quota_limit", quotas[i].per_minute, labels, quota_name(i),
			       "minute");
		if (quotas[i].per_day != QUOTA_UNLIMITED)
			sample(page, "quota_limit", quotas[i].per_day, labels, quota_name(i),
			       "day");
	}
}

static void print_instance(struct page *page)
{
	uint64_t started = page->status->started_ms;

	begin_metric(page, "build_info", "gauge", "1; the version is a label.");
	sample(page, "build_info", 1, ",version=\"%s\"", GAE_RUN_VERSION);
	begin_metric(page, "start_time_seconds", "gauge", "When it started, in Unix time.");
	fprintf(page->out, "gae_run_start_time_seconds{app=\"%s\"} %" PRIu64 ".%03" PRIu64 "\n",
		page->app, started / 1000, started % 1000);
}

int metrics_print(const struct status *status, FILE *out)
{
	struct page page = {.out = out, .status = status};

	label_value(page.app, sizeof(page.app), status->app ? status->app : "");
	print_totals(&page);
	print_transport(&page, "connects_total", "Connects begun.",
			offsetof(struct usage, connects));
	print_transport(&page, "denied_total", "Destinations refused.",
			offsetof(struct usage, denied));
	print_bytes(&page);
	print_open(&page);
	print_quotas(&page);
	print_instance(&page);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

/* The text is complete on disk, or at least was taken by the file system, before it gets its name. */
static int write_temporary(int fd, const struct status *status)
{
	FILE *out;
	int written;

	if (fchmod(fd, 0644)) {
		fd_close(&fd);
		return -errno;
	}
	out = fdopen(fd, "w");
	if (!out) {
		fd_close(&fd);
		return -errno;
	}
	errno = 0;
	written = metrics_print(status, out);
	if (fclose(out) || written)
		return errno ? -errno : -EIO;
	return 0;
}

int metrics_write(const char *path, const struct status *status, char *error, size_t room)
{
	char temporary[PATH_MAX];
	int fd, written, n;

	if (!metrics_path_is_valid(path)) {
		snprintf(error, room, "%s: no name of a metrics file", path);
		return -EINVAL;
	}
	/* No .prom at its end: node_exporter passes it over. */
	n = snprintf(temporary, sizeof(temporary), "%.*s.%s.XXXXXX",
		     (int)(text_base_name(path) - path), path, text_base_name(path));
	errno = ENAMETOOLONG;
	fd = n < (int)sizeof(temporary) ? mkostemp(temporary, O_CLOEXEC) : -1;
	written = fd < 0 ? -errno : write_temporary(fd, status);
	if (!written && rename(temporary, path))
		written = -errno;
	if (written) {
		snprintf(error, room, "%s: %s", path, strerror(-written));
		if (fd >= 0)
			unlink(temporary);
	}
	return written;
}
