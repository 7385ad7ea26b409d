/* SPDX-License-Identifier: Apache-2.0 */
#include "status/metrics.h"

#include "shared/base/metrics_path.h"
#include "status/status.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A strict reader of what Prometheus reads: HELP and TYPE once and before the samples of a metric,
 * all its samples together, counters that end in _total, no label twice, no sample twice.
 */
struct reader {
	char metric[64], type[16]; /* the one that is open */
	char seen[64][64];         /* metrics that there were */
	size_t n_seen;
	char samples[128][256];
	size_t n_samples;
};

static const char *read_name(const char *at, char *name, size_t room)
{
	size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyz_");

	cr_assert(n > 0 && n < room, "a name: %s", at);
	memcpy(name, at, n);
	name[n] = '\0';
	return at + n;
}

static void read_help(struct reader *reader, const char *line)
{
	const char *rest = read_name(line, reader->metric, sizeof(reader->metric));

	cr_assert(*rest == ' ' && rest[1], "a help text: %s", line);
	cr_assert_null(strchr(rest, '\\'));
	for (size_t i = 0; i < reader->n_seen; i++)
		cr_assert_str_neq(reader->seen[i], reader->metric);
	memcpy(reader->seen[reader->n_seen++], reader->metric, sizeof(reader->metric));
	reader->type[0] = '\0';
}

static void read_type(struct reader *reader, const char *line)
{
	char name[64];
	const char *rest = read_name(line, name, sizeof(name));
	size_t length = strlen(name);
	bool is_total = length > 6 && !strcmp(name + length - 6, "_total");

	cr_assert_str_eq(name, reader->metric, "HELP and TYPE go together");
	snprintf(reader->type, sizeof(reader->type), "%s", rest + 1);
	cr_assert(!strcmp(reader->type, is_total ? "counter" : "gauge"), "%s", line);
}

/* `name="value"`, behind which stands a comma or a brace. */
static const char *read_label(const char *at)
{
	static const char *const allowed[] = {"app",   "decision", "transport", "direction",
					      "quota", "window",   "version"};
	char name[64];
	bool known = false;

	at = read_name(at, name, sizeof(name));
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		known |= !strcmp(name, allowed[i]);
	cr_assert(known, "label %s", name);
	cr_assert(at[0] == '=' && at[1] == '"');
	for (at += 2; *at != '"'; at++) {
		cr_assert((unsigned char)*at >= 0x20);
		if (*at == '\\')
			cr_assert(*++at && strchr("\\\"n", *at), "an escape: %s", at);
	}
	return at + 1;
}

static void read_sample(struct reader *reader, const char *line)
{
	char name[64], *end;
	const char *at = read_name(line, name, sizeof(name));

	cr_assert_str_eq(name, reader->metric);
	cr_assert(reader->type[0], "TYPE comes first");
	cr_assert(!strncmp(at, "{app=\"", 6), "%s", line);
	do
		at = read_label(at + 1);
	while (*at == ',');
	cr_assert(at[0] == '}' && at[1] == ' ' && isdigit((unsigned char)at[2]), "%s", at);
	for (size_t i = 0; i < reader->n_samples; i++)
		cr_assert(strncmp(reader->samples[i], line, (size_t)(at - line)) != 0, "twice: %s",
			  line);
	cr_assert_lt(reader->n_samples, 128);
	snprintf(reader->samples[reader->n_samples++], 256, "%s", line);
	strtod(at + 2, &end);
	cr_assert(!*end, "a number: %s", at);
}

static void read_page(struct reader *reader, char *text)
{
	char *rest = NULL;

	*reader = (struct reader){0};
	cr_assert(*text && text[strlen(text) - 1] == '\n');
	for (const char *line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (!strncmp(line, "# HELP ", 7))
			read_help(reader, line + 7);
		else if (!strncmp(line, "# TYPE ", 7))
			read_type(reader, line + 7);
		else
			read_sample(reader, line);
	}
}

static void expect_sample(const struct reader *reader, const char *wanted)
{
	for (size_t i = 0; i < reader->n_samples; i++)
		if (!strcmp(reader->samples[i], wanted))
			return;
	cr_expect(false, "no %s", wanted);
}

static void print(const struct status *status, struct reader *reader)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert(out);
	cr_assert_eq(metrics_print(status, out), 0);
	fclose(out);
	read_page(reader, text);
	free(text);
}

static struct status_flow flows[] = {
    {.pid = 123456,
     .transport = TRANSPORT_TCP,
     .host = "secret.example",
     .usage = {1, 2, 3, 4, 0, 0}},
    {.transport = TRANSPORT_TCP, .host = "", .usage = {10, 20, 30, 40, 0, 0}},
    {.transport = TRANSPORT_UDP, .host = "", .usage = {5, 6, 7, 8, 9, 10}},
};
static struct status_socket sockets[] = {{.transport = TRANSPORT_UDP, .host = ""},
					 {.transport = TRANSPORT_UDP, .host = ""}};

static struct status example(void)
{
	struct status status = {.app = "app",
				.started_ms = 1764000000007,
				.total = {16, 28, 40, 52, 9, 10},
				.decisions_allowed = 100,
				.decisions_denied = 28,
				.on_offer = 12,
				.reclaimed = 3,
				.over_quota = 4,
				.lost = 5,
				.flows = flows,
				.n_flows = 3,
				.sockets = sockets,
				.n_sockets = 2};

	for (unsigned int i = 0; i < QUOTA_KINDS; i++)
		status.quotas[i] = (struct status_quota){0, 0, QUOTA_UNLIMITED, QUOTA_UNLIMITED};
	status.quotas[QUOTA_CONNECTS] = (struct status_quota){16, 17, 4800, QUOTA_UNLIMITED};
	return status;
}

Test(metrics, what_prometheus_reads)
{
	struct status status = example();
	struct reader reader;

	print(&status, &reader);
	expect_sample(&reader, "gae_run_decisions_total{app=\"app\",decision=\"allow\"} 100");
	expect_sample(&reader, "gae_run_decisions_total{app=\"app\",decision=\"deny\"} 28");
	expect_sample(&reader, "gae_run_connects_total{app=\"app\",transport=\"tcp\"} 11");
	expect_sample(&reader, "gae_run_denied_total{app=\"app\",transport=\"udp\"} 6");
	expect_sample(
	    &reader,
	    "gae_run_bytes_total{app=\"app\",direction=\"transmit\",transport=\"tcp\"} 33");
	expect_sample(&reader,
		      "gae_run_bytes_total{app=\"app\",direction=\"receive\",transport=\"udp\"} 8");
	expect_sample(&reader, "gae_run_datagrams_total{app=\"app\",direction=\"receive\"} 10");
	expect_sample(&reader, "gae_run_sockets_open{app=\"app\",transport=\"tcp\"} 0");
	expect_sample(&reader, "gae_run_sockets_open{app=\"app\",transport=\"udp\"} 2");
	expect_sample(&reader, "gae_run_sockets_on_offer{app=\"app\"} 12");
	expect_sample(&reader, "gae_run_sockets_reclaimed_total{app=\"app\"} 3");
	expect_sample(&reader, "gae_run_quota_refused_total{app=\"app\"} 4");
	expect_sample(&reader, "gae_run_accounting_lost_total{app=\"app\"} 5");
	expect_sample(&reader,
		      "gae_run_quota_used{app=\"app\",quota=\"connects\",window=\"minute\"} 16");
	expect_sample(&reader,
		      "gae_run_quota_limit{app=\"app\",quota=\"connects\",window=\"minute\"} 4800");
	expect_sample(&reader, "gae_run_build_info{app=\"app\",version=\"" GAE_RUN_VERSION "\"} 1");
	expect_sample(&reader, "gae_run_start_time_seconds{app=\"app\"} 1764000000.007");
	for (size_t i = 0; i < reader.n_samples; i++) {
		cr_expect_null(strstr(reader.samples[i], "secret"));
		cr_expect_null(strstr(reader.samples[i], "123456"));
		cr_expect_null(strstr(reader.samples[i], "window=\"day\""), "it has no limit");
	}
}

Test(metrics, any_app_name_is_a_label)
{
	static const char *const names[] = {"a\"b",     "a\\b", "a\nb", "\033[2J",
					    "\xff\xfe", "a\\",  "{}=,", "\xc3\xa9"};
	struct status status = example();
	struct reader reader;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		status.app = names[i];
		print(&status, &reader);
	}
	status.app = "a\"b\\";
	print(&status, &reader);
	expect_sample(&reader, "gae_run_sockets_reclaimed_total{app=\"a\\\"b\\\\\"} 3");
	status.app = "a\nb";
	print(&status, &reader);
	expect_sample(&reader, "gae_run_sockets_reclaimed_total{app=\"a\\\\u000ab\"} 3");
}

Test(metrics, names_that_node_exporter_reads)
{
	cr_expect(metrics_path_is_valid("a.prom"));
	cr_expect(metrics_path_is_valid("/var/lib/x.d/a.b.prom"));
	cr_expect_not(metrics_path_is_valid("a.txt"));
	cr_expect_not(metrics_path_is_valid(".prom"));
	cr_expect_not(metrics_path_is_valid("/x/.prom"));
	cr_expect_not(metrics_path_is_valid("/x/.a.prom"));
	cr_expect_not(metrics_path_is_valid("x.prom/a"));
	cr_expect_not(metrics_path_is_valid("x.prom/"));
	cr_expect_not(metrics_path_is_valid(""));
}

static size_t count_files(const char *path)
{
	DIR *stream = opendir(path);
	const struct dirent *entry;
	size_t n = 0;

	cr_assert(stream);
	while ((entry = readdir(stream)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(stream);
	return n;
}

Test(metrics, the_file_is_replaced_whole)
{
	char directory[] = "/tmp/gae-unit-metrics.XXXXXX", path[64], error[128] = "", text[32];
	struct status status = example();
	struct stat before, after;
	FILE *old;

	cr_assert(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/a.prom", directory);
	umask(077);
	cr_assert_eq(metrics_write(path, &status, error, sizeof(error)), 0, "%s", error);
	cr_assert_eq(stat(path, &before), 0);
	cr_expect_eq(before.st_mode & 07777, 0644);
	old = fopen(path, "re");
	cr_assert(old);
	cr_assert_eq(metrics_write(path, &status, error, sizeof(error)), 0, "%s", error);
	cr_assert_eq(stat(path, &after), 0);
	cr_expect_neq(before.st_ino, after.st_ino, "who reads the old one reads it to its end");
	cr_expect(fgets(text, sizeof(text), old));
	fclose(old);
	cr_expect_eq(count_files(directory), 1);
	unlink(path);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_eq(metrics_write(path, &status, error, sizeof(error)), -EISDIR);
	cr_expect(strstr(error, path), "%s", error);
	cr_expect_eq(count_files(directory), 1, "nothing is left behind");
	rmdir(path);
	rmdir(directory);
	cr_expect_eq(metrics_write(path, &status, error, sizeof(error)), -ENOENT);
	cr_expect_eq(metrics_write("/dev/full", &status, error, sizeof(error)), -EINVAL);
}
