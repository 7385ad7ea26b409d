/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include "shared/base/fd.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 20

static struct net_endpoint endpoint(const char *text, uint16_t port)
{
	struct net_endpoint e = {.port = port};

	e.addr.family = strchr(text, ':') ? AF_INET6 : AF_INET;
	cr_assert_eq(inet_pton(e.addr.family, text, e.addr.bytes), 1);
	return e;
}

static const struct trace_record plain = {
    .call = "connect",
    .tid = 4711,
    .fd = -1,
    .decision = TRACE_ALLOW,
    .location = "10-appengine.conf:14",
};

/* --- a file of this test's own, and what is in it --- */

struct scratch {
	char path[64];
	char *text;
	size_t size;
};

static void scratch_init(struct scratch *scratch)
{
	int fd;

	*scratch = (struct scratch){.path = "/tmp/gae-trace-XXXXXX"};
	fd = mkstemp(scratch->path);
	cr_assert_geq(fd, 0);
	close(fd);
}

static void scratch_read(struct scratch *scratch)
{
	free(scratch->text);
	scratch->text = NULL;
	cr_assert_eq(fd_read_file(scratch->path, 1u << 28, &scratch->text, &scratch->size), 0);
}

static void scratch_fini(struct scratch *scratch)
{
	unlink(scratch->path);
	free(scratch->text);
}

/* Decisions and lost records in @text; every line must be whole. */
struct counts {
	unsigned long decisions, lost, notes;
};

static struct counts count(const char *text)
{
	struct counts counts = {0};
	unsigned long lost;
	const char *end;
	int length;

	for (; *text; text = end + 1) {
		end = strchr(text, '\n');
		cr_assert_not_null(end, "the last line is torn: %s", text);
		length = 0;
		if (sscanf(text, "%*2u:%*2u:%*2u.%*6u # %lu records lost here%n", &lost, &length) ==
			1 &&
		    length) {
			counts.lost += lost;
			counts.notes++;
			continue;
		}
		length = 0;
		sscanf(text, "%*2u:%*2u:%*2u.%*6u [%*d] connect() = 0 <%*u.%*6u>  # allow a:%*u%n",
		       &length);
		cr_assert(length > 0 && text + length == end, "torn: %.200s", text);
		counts.decisions++;
	}
	return counts;
}

static void decide(struct trace *trace, unsigned int number)
{
	struct trace_record record = plain;
	char location[64];

	/* Of many lengths: a short one may fit where a longer one before it did not. */
	snprintf(location, sizeof(location), "a:%0*u", number % 7 ? (int)(number % 40) : 0, number);
	record.location = location;
	trace_decided(trace, &record);
}

/* --- a reader of a pipe --- */

struct pipe_reader {
	int read_fd, write_fd;
	pthread_t thread;
	char *text;
	size_t size, room;
	char path[32]; /* opens the write end */
};

static void pipe_reader_init(struct pipe_reader *reader, int flags)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	*reader = (struct pipe_reader){.read_fd = ends[0], .write_fd = ends[1], .room = 1 << 24};
	fcntl(ends[1], F_SETPIPE_SZ, 4096);
	fcntl(ends[1], F_SETFL, flags);
	reader->text = calloc(1, reader->room);
	cr_assert_not_null(reader->text);
	snprintf(reader->path, sizeof(reader->path), "/proc/self/fd/%d", ends[1]);
}

static void *pipe_reader_main(void *argument)
{
	struct pipe_reader *reader = argument;
	ssize_t n;

	while ((n = read(reader->read_fd, reader->text + reader->size,
			 reader->room - 1 - reader->size)) > 0)
		reader->size += (size_t)n;
	return NULL;
}

static void pipe_reader_start(struct pipe_reader *reader)
{
	cr_assert_eq(pthread_create(&reader->thread, NULL, pipe_reader_main, reader), 0);
}

static void pipe_reader_finish(struct pipe_reader *reader)
{
	fd_close(&reader->write_fd);
	pthread_join(reader->thread, NULL);
	fd_close(&reader->read_fd);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- this process's threads --- */

struct tasks {
	int tids[64];
	size_t n;
};

static bool tasks_have(const struct tasks *tasks, int tid)
{
	for (size_t i = 0; i < tasks->n; i++)
		if (tasks->tids[i] == tid)
			return true;
	return false;
}

static struct tasks tasks_now(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct tasks tasks = {.n = 0};
	struct dirent *entry;

	cr_assert_not_null(dir);
	while ((entry = readdir(dir)) && tasks.n < 64)
		if (entry->d_name[0] != '.')
			tasks.tids[tasks.n++] = atoi(entry->d_name);
	closedir(dir);
	return tasks;
}

/* The thread that has come since @before. */
static int tasks_new(const struct tasks *before)
{
	struct tasks now = tasks_now();

	for (size_t i = 0; i < now.n; i++)
		if (!tasks_have(before, now.tids[i]))
			return now.tids[i];
	cr_assert_fail("no thread was started");
	return 0;
}

/* --- the text --- */

static const char *text_of(const struct trace_record *record)
{
	static char line[TRACE_LINE_MAX];

	setenv("TZ", "UTC-1", 1);
	tzset();
	cr_expect_eq(trace_format_text(line, sizeof(line), record, 1763899384123456789),
		     strlen(line));
	return line;
}

Test(trace_text, has_straces_shape_in_local_time)
{
	struct net_endpoint to = endpoint("192.0.2.10", 25);
	struct trace_record record = {
	    .call = "connect",
	    .tid = 4711,
	    .comm = "curl",
	    .fd = 5,
	    .transport = "tcp",
	    .to = &to,
	    .host = "smtp.example.com",
	    .decision = TRACE_DENY,
	    .result = -EACCES,
	    .location = "50-mail.conf:8",
	    .reason = "port 25 (SMTP) is blocked",
	    .duration_ns = 41999,
	};

	cr_expect_str_eq(text_of(&record),
			 "13:03:04.123456 [4711 curl] connect(5<TCP>, "
			 "smtp.example.com[192.0.2.10]:25) = -1 EACCES (Permission denied) "
			 "<0.000041>  # deny 50-mail.conf:8 port 25 (SMTP) is blocked\n");
}

Test(trace_text, writes_addresses_with_and_without_names)
{
	struct net_endpoint v4 = endpoint("192.0.2.10", 53), v6 = endpoint("2001:db8::1", 443);
	struct trace_record record = plain;

	record.to = &v4;
	cr_expect(strstr(text_of(&record), "] connect(192.0.2.10:53) = 0 <"));
	record.to = &v6;
	record.fd = 0;
	cr_expect(strstr(text_of(&record), "] connect(0, [2001:db8::1]:443) = 0 <"));
	record.host = "v6.example";
	record.transport = "udp";
	cr_expect(strstr(text_of(&record), "] connect(0<UDP>, v6.example[2001:db8::1]:443) = 0 <"));
}

Test(trace_text, writes_arguments_and_results)
{
	struct trace_record record = plain;

	record.call = "setsockopt";
	record.arguments = "SOL_SOCKET, SO_MARK";
	record.decision = TRACE_EMULATE;
	record.result = 7;
	record.duration_ns = 2000001000;
	cr_expect_str_eq(text_of(&record),
			 "13:03:04.123456 [4711] setsockopt(SOL_SOCKET, SO_MARK) = 7 <2.000001>  # "
			 "emulate 10-appengine.conf:14\n");
	record.fd = 3;
	record.result = -512;
	cr_expect(strstr(text_of(&record), "setsockopt(3, SOL_SOCKET, SO_MARK) = ? ERESTARTSYS "));
	record.result = -999;
	record.location = NULL;
	record.decision = TRACE_REWRITE;
	cr_expect(strstr(text_of(&record), " = -1 E999 (Unknown error) <2.000001>  # rewrite\n"));
}

Test(trace_text, escapes_everything_from_the_program)
{
	struct net_endpoint to = endpoint("192.0.2.10", 25);
	struct trace_record record = plain;
	const char *line;

	record.comm = "\033[2J\n";
	record.arguments = "\"\001\"";
	record.reason = "line\nbreak\377";
	record.location = "we\nird:1";
	record.to = &to;
	record.host = "\r.example";
	line = text_of(&record);
	cr_expect(strstr(line, "[4711 \\033[2J\\n] connect(\\r.example[192.0.2.10]:25, "
			       "\\\"\\001\\\") = 0"));
	cr_expect(strstr(line, "# allow we\\nird:1 line\\nbreak\\377\n"));
}

static struct trace_record longest(struct net_endpoint *to)
{
	static char text[8192];

	memset(text, '\001', sizeof(text) - 1);
	*to = endpoint("2001:db8:1111:2222:3333:4444:5555:6666", 65535);
	return (struct trace_record){
	    .call = "sendmmsg",
	    .tid = 2147483647,
	    .pid = 2147483647,
	    .comm = text,
	    .fd = 2147483647,
	    .transport = "netlink",
	    .to = to,
	    .host = text,
	    .arguments = text,
	    .decision = TRACE_EMULATE,
	    .result = -EPROTONOSUPPORT,
	    .location = text,
	    .reason = text,
	    .duration_ns = UINT64_MAX,
	};
}

Test(trace_text, stays_one_whole_line_with_the_longest_texts)
{
	struct net_endpoint to;
	struct trace_record record = longest(&to);
	const char *line = text_of(&record);

	cr_expect_gt(strlen(line), 2000);
	cr_expect_eq(strchr(line, '\n'), line + strlen(line) - 1);
}

Test(trace_text, is_empty_where_the_room_is_too_small)
{
	char line[TRACE_LINE_MAX];
	size_t fits = strlen(text_of(&plain)) + 1;

	cr_expect_eq(trace_format_text(line, fits, &plain, 0), fits - 1);
	for (size_t room = 1; room < fits; room++) {
		memset(line, 'x', sizeof(line));
		cr_expect_eq(trace_format_text(line, room, &plain, 0), 0);
		cr_expect_str_eq(line, "");
		cr_expect_eq(line[room], 'x');
	}
}

/* --- JSON --- */

Test(trace_json, is_an_opentelemetry_record_on_one_line)
{
	struct net_endpoint to = endpoint("192.0.2.10", 25);
	char line[TRACE_LINE_MAX];
	struct trace_record record = {
	    .call = "connect",
	    .tid = 4712,
	    .pid = 4711,
	    .comm = "curl",
	    .fd = 5,
	    .transport = "tcp",
	    .to = &to,
	    .host = "smtp.example.com",
	    .decision = TRACE_DENY,
	    .result = -EACCES,
	    .location = "50-mail.conf:8",
	    .reason = "port",
	    .duration_ns = 41999,
	};

	cr_expect_eq(trace_format_json(line, sizeof(line), &record, 1763899384123456789, "shop", 7),
		     strlen(line));
	cr_expect_str_eq(
	    line, "{\"timestamp\":\"2025-11-23T12:03:04.123456789Z\",\"severity_text\":\"WARN\","
		  "\"event_name\":\"gae_run.decision\",\"attributes\":{\"process.pid\":4711,"
		  "\"thread.id\":4712,\"thread.name\":\"curl\",\"gae_run.fd\":5,"
		  "\"network.transport\":\"tcp\",\"network.type\":\"ipv4\","
		  "\"network.peer.address\":\"192.0.2.10\",\"network.peer.port\":25,"
		  "\"server.address\":\"smtp.example.com\",\"server.port\":25,"
		  "\"error.type\":\"EACCES\",\"gae_run.syscall\":\"connect\","
		  "\"gae_run.decision\":\"deny\",\"gae_run.reason\":\"port\","
		  "\"gae_run.rule.location\":\"50-mail.conf:8\",\"gae_run.duration\":0.000041999,"
		  "\"service.name\":\"shop\",\"gae_run.seq\":7}}\n");
}

Test(trace_json, leaves_out_what_is_unknown)
{
	char line[TRACE_LINE_MAX];

	cr_expect_gt(trace_format_json(line, sizeof(line), &plain, 1000000000, NULL, 1), 0);
	cr_expect_str_eq(line, "{\"timestamp\":\"1970-01-01T00:00:01.000000000Z\","
			       "\"severity_text\":\"INFO\",\"event_name\":\"gae_run.decision\","
			       "\"attributes\":{\"process.pid\":4711,\"thread.id\":4711,"
			       "\"gae_run.result\":0,\"gae_run.syscall\":\"connect\","
			       "\"gae_run.decision\":\"allow\","
			       "\"gae_run.rule.location\":\"10-appengine.conf:14\","
			       "\"gae_run.duration\":0.000000000,\"gae_run.seq\":1}}\n");
	for (size_t room = 1; room < 40; room++)
		cr_expect_eq(trace_format_json(line, room, &plain, 0, NULL, 1), 0);
}

/* Feed @lines to python3's parser; @check sees the list of records as `r`. */
static void python_check(const char *lines, const char *check)
{
	char command[2048];
	FILE *python;

	if (system("command -v python3 >/dev/null") != 0)
		cr_skip_test("python3 is not installed: JSON lines are not parsed");
	snprintf(command, sizeof(command),
		 "python3 -c '\nimport json,sys\n"
		 "r=[json.loads(l.decode()) for l in sys.stdin.buffer.read().splitlines()]\n"
		 "%s'",
		 check);
	python = popen(command, "w");
	cr_assert_not_null(python);
	fputs(lines, python);
	cr_expect_eq(pclose(python), 0, "python3 refuses: %s", lines);
}

Test(trace_json, parses_with_hostile_texts, .timeout = DEADLINE_S)
{
	char line[TRACE_LINE_MAX];
	struct trace_record record = plain;

	record.comm = "\xff\xc3(\n\"\\";
	record.arguments = "\001\002\x7f\xed\xa0\x80\"}{";
	record.reason = "caf\xc3\xa9 \xf0\x9f\x98\x80 \xc2\x9b[2J";
	trace_format_json(line, sizeof(line), &record, 0, "a\"b", 1);
	cr_expect_null(strstr(line, "\xc2\x9b"), "C1 controls must be escaped");
	python_check(line,
		     "a=r[0][\"attributes\"]; assert len(r)==1\n"
		     "assert a[\"thread.name\"]==\"\\ufffd\\ufffd(\\n\\\"\\\\\", a\n"
		     "assert a[\"gae_run.arguments\"]==\"\\x01\\x02\\x7f\\ufffd\\ufffd\\ufffd\\\"}"
		     "{\", a\n"
		     "assert a[\"gae_run.reason\"]==\"caf\\xe9 \\U0001f600 \\x9b[2J\", a\n"
		     "assert a[\"service.name\"]==\"a\\\"b\", a\n");
}

Test(trace_json, parses_with_the_longest_texts, .timeout = DEADLINE_S)
{
	char line[TRACE_LINE_MAX];
	struct net_endpoint to;
	struct trace_record record = longest(&to);

	cr_expect_gt(
	    trace_format_json(line, sizeof(line), &record, UINT64_MAX, record.comm, UINT64_MAX),
	    2500);
	python_check(line, "a=r[0][\"attributes\"]; assert len(r)==1\n"
			   "assert a[\"gae_run.seq\"]==2**64-1\n"
			   "assert a[\"network.type\"]==\"ipv6\"\n"
			   "assert a[\"gae_run.reason\"].endswith(\"...\")\n");
}

/* --- the ring and its writer --- */

Test(trace, appends_to_its_file_and_creates_it_as_a_shell_would)
{
	struct scratch scratch;
	struct trace *trace;
	struct stat st;

	scratch_init(&scratch);
	unlink(scratch.path);
	umask(027);
	for (unsigned int i = 0; i < 2; i++) {
		trace = trace_open(&(struct trace_config){.path = scratch.path});
		cr_assert_not_null(trace);
		decide(trace, i);
		trace_close(trace);
	}
	cr_assert_eq(stat(scratch.path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	scratch_read(&scratch);
	cr_expect_eq(count(scratch.text).decisions, 2);
	scratch_fini(&scratch);
}

Test(trace, says_why_a_file_cannot_be_opened)
{
	errno = 0;
	cr_expect_null(trace_open(&(struct trace_config){.path = "/proc/self/none/trace"}));
	cr_expect_eq(errno, ENOENT);
}

Test(trace, null_is_allowed)
{
	trace_decided(NULL, &plain);
	trace_started(NULL, 1, (const char *const[]){NULL});
	trace_exited(NULL, 1, 0);
	trace_note(NULL, "x");
	cr_expect(trace_flush(NULL, 0));
	trace_close(NULL);
}

static void write_events(struct trace *trace)
{
	const char *argv[200];

	for (size_t i = 0; i < 199; i++)
		argv[i] = i == 1 ? "a \"b\"\n" : "an argument of ordinary length";
	argv[0] = "/bin/prog";
	argv[199] = NULL;
	cr_assert_not_null(trace);
	trace_started(trace, 42, argv);
	argv[2] = NULL;
	trace_started(trace, 42, argv);
	trace_note(trace, "a note\nof two lines");
	trace_exited(trace, 42, 3 << 8);
	trace_exited(trace, 42, SIGKILL);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	trace_close(trace);
}

Test(trace, writes_start_note_and_exit_as_text)
{
	struct scratch scratch;

	scratch_init(&scratch);
	write_events(trace_open(&(struct trace_config){.path = scratch.path}));
	scratch_read(&scratch);
	cr_expect(strstr(scratch.text, "length\" ... +++\n"));
	cr_expect(strstr(scratch.text, "[42] +++ started \"/bin/prog\" \"a \\\"b\\\"\\n\" +++\n"));
	cr_expect(strstr(scratch.text, " # a note\\nof two lines\n"));
	cr_expect(strstr(scratch.text, "[42] +++ exited with 3 +++\n"));
	cr_expect(strstr(scratch.text, "[42] +++ killed by SIGKILL +++\n"));
	scratch_fini(&scratch);
}

Test(trace, writes_start_note_and_exit_as_json, .timeout = DEADLINE_S)
{
	struct scratch scratch;

	scratch_init(&scratch);
	write_events(trace_open(
	    &(struct trace_config){.path = scratch.path, .format = TRACE_JSON, .app = "shop"}));
	scratch_read(&scratch);
	python_check(
	    scratch.text,
	    "e=[x[\"event_name\"] for x in r]; a=[x[\"attributes\"] for x in r]\n"
	    "assert e==[\"gae_run.\"+x for x in \"start start note exit exit\".split()], e\n"
	    "assert a[0][\"process.command_args\"][-1]==\"...\"\n"
	    "assert a[1][\"process.command_args\"]==[\"/bin/prog\",\"a \\\"b\\\"\\n\"]\n"
	    "assert r[2][\"body\"]==\"a note\\nof two lines\"\n"
	    "assert a[3][\"process.exit.code\"]==3 and a[3][\"process.pid\"]==42\n"
	    "assert a[4][\"process.exit.code\"]==137 and a[4][\"gae_run.signal\"]==\"SIGKILL\"\n"
	    "assert [x[\"gae_run.seq\"] for x in a]==[1,2,3,4,5]\n"
	    "assert all(x[\"service.name\"]==\"shop\" for x in a)\n");
	scratch_fini(&scratch);
}

Test(trace, a_full_pipe_never_holds_up_the_caller_and_losses_are_counted, .timeout = DEADLINE_S)
{
	enum { RECORDS = 20000 };
	struct pipe_reader reader;
	struct trace *trace;
	struct counts counts;

	pipe_reader_init(&reader, 0);
	trace = trace_open(&(struct trace_config){.path = reader.path, .ring_size = 65536});
	cr_assert_not_null(trace);
	for (unsigned int i = 0; i < RECORDS; i++)
		decide(trace, i);
	cr_expect_not(trace_flush(trace, 10), "nobody reads");
	pipe_reader_start(&reader);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	decide(trace, RECORDS);
	trace_close(trace);
	pipe_reader_finish(&reader);
	counts = count(reader.text);
	cr_expect_gt(counts.lost, 0);
	cr_expect_eq(counts.decisions + counts.lost, RECORDS + 1, "%lu written, %lu lost",
		     counts.decisions, counts.lost);
	cr_expect(strstr(reader.text, " # allow a:20000\n"), "works again afterwards");
	free(reader.text);
}

/* The numbers in @text, and those that the notes between them stand for, in one unbroken row. */
static unsigned long check_row(char *text)
{
	unsigned long number, lost, expected = 0;
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "%*s # %lu records lost", &lost) == 1) {
			expected += lost;
			continue;
		}
		cr_assert_eq(sscanf(strstr(line, "# allow "), "# allow a:%lu", &number), 1);
		cr_assert_eq(number, expected++);
	}
	return expected;
}

Test(trace, the_loss_is_reported_where_it_happened, .timeout = DEADLINE_S)
{
	/* Many sizes: how much room is left behind the last line that fits differs. */
	for (size_t size = 16384; size < 16384 + 640; size += 32) {
		struct pipe_reader reader;
		struct trace *trace;

		pipe_reader_init(&reader, 0);
		trace = trace_open(&(struct trace_config){.path = reader.path, .ring_size = size});
		for (unsigned int i = 0; i < 1000; i++)
			decide(trace, i);
		pipe_reader_start(&reader);
		cr_expect(trace_flush(trace, DEADLINE_S * 1000));
		decide(trace, 1000);
		trace_close(trace);
		pipe_reader_finish(&reader);
		cr_expect_eq(check_row(reader.text), 1001);
		free(reader.text);
	}
}

Test(trace, closing_does_not_wait_for_a_reader_that_stands_still, .timeout = DEADLINE_S)
{
	struct pipe_reader reader;
	struct trace *trace;
	double before;

	pipe_reader_init(&reader, 0);
	trace = trace_open(&(struct trace_config){.path = reader.path});
	for (unsigned int i = 0; i < 1000; i++)
		decide(trace, i);
	before = seconds();
	trace_close(trace);
	cr_expect_lt(seconds() - before, 5.0);
	/* Now the writer, left alone, comes to its end by itself. */
	pipe_reader_start(&reader);
	pipe_reader_finish(&reader);
	cr_expect_eq(count(reader.text).decisions, 1000);
	free(reader.text);
}

Test(trace, a_closed_pipe_ends_the_trace_only, .timeout = DEADLINE_S)
{
	struct tasks tasks = tasks_now();
	struct pipe_reader reader;
	struct trace *trace;
	double before;
	int writer;

	signal(SIGPIPE, SIG_IGN);
	pipe_reader_init(&reader, 0);
	trace = trace_open(&(struct trace_config){.path = reader.path});
	writer = tasks_new(&tasks);
	fd_close(&reader.read_fd);
	decide(trace, 0);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	for (unsigned int i = 0; i < 100000; i++)
		decide(trace, i);
	cr_expect(trace_flush(trace, 0));
	do
		tasks = tasks_now();
	while (tasks_have(&tasks, writer));
	before = seconds();
	trace_close(trace);
	cr_expect_lt(seconds() - before, 0.5);
	fd_close(&reader.write_fd);
	free(reader.text);
}

Test(trace, a_closed_standard_error_ends_the_trace_only, .timeout = DEADLINE_S)
{
	struct trace *trace;
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);

	trace = trace_open(&(struct trace_config){0});
	close(STDERR_FILENO);
	decide(trace, 0);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	trace_close(trace);
	dup2(saved, STDERR_FILENO);
}

Test(trace, a_non_blocking_standard_error_loses_nothing, .timeout = DEADLINE_S)
{
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	struct pipe_reader reader;
	struct trace *trace;

	pipe_reader_init(&reader, O_NONBLOCK);
	dup2(reader.write_fd, STDERR_FILENO);
	trace = trace_open(&(struct trace_config){0});
	for (unsigned int i = 0; i < 1000; i++)
		decide(trace, i);
	pipe_reader_start(&reader);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	trace_close(trace);
	dup2(saved, STDERR_FILENO);
	pipe_reader_finish(&reader);
	cr_expect_eq(count(reader.text).decisions, 1000);
	free(reader.text);
}

static void limit_file_size(rlim_t size)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A file size limit refuses as a full disk does, in the middle of a line too, and can be lifted. */
Test(trace, what_the_kernel_refuses_is_counted_and_reported_when_it_works_again,
     .timeout = DEADLINE_S)
{
	struct scratch scratch;
	struct trace *trace;
	struct counts counts;

	for (rlim_t size = 0; size < 200; size += 7) {
		scratch_init(&scratch);
		trace = trace_open(&(struct trace_config){.path = scratch.path});
		limit_file_size(size);
		for (unsigned int i = 0; i < 10; i++) {
			decide(trace, i);
			cr_assert(trace_flush(trace, DEADLINE_S * 1000));
		}
		limit_file_size(RLIM_INFINITY);
		decide(trace, 10);
		trace_close(trace);
		scratch_read(&scratch);
		counts = count(scratch.text);
		cr_expect_eq(counts.decisions + counts.lost, 11);
		cr_expect_geq(counts.lost, 5);
		cr_expect_eq(counts.notes, 1);
		scratch_fini(&scratch);
	}
}

struct producer {
	pthread_t thread;
	struct trace *trace;
	unsigned int first;
};

enum { PRODUCERS = 4, PER_PRODUCER = 10000 };

static void *producer_main(void *argument)
{
	struct producer *producer = argument;

	for (unsigned int i = 0; i < PER_PRODUCER; i++)
		decide(producer->trace, producer->first + i);
	return NULL;
}

/* Every record once and whole, and each thread's in its order. */
static unsigned int check_order(const char *text)
{
	unsigned int next[PRODUCERS] = {0}, number, missing = 0;

	while ((text = strstr(text, "# allow a:"))) {
		text += strlen("# allow a:");
		number = (unsigned int)strtoul(text, NULL, 10);
		cr_assert_lt(number, PRODUCERS * PER_PRODUCER);
		cr_assert_geq(number % PER_PRODUCER, next[number / PER_PRODUCER]);
		missing += number % PER_PRODUCER - next[number / PER_PRODUCER];
		next[number / PER_PRODUCER] = number % PER_PRODUCER + 1;
	}
	for (unsigned int i = 0; i < PRODUCERS; i++)
		missing += PER_PRODUCER - next[i];
	return missing;
}

static struct counts run_producers(size_t ring_size)
{
	struct producer producers[PRODUCERS];
	struct scratch scratch;
	struct counts counts;
	struct trace *trace;

	scratch_init(&scratch);
	trace = trace_open(&(struct trace_config){.path = scratch.path, .ring_size = ring_size});
	cr_assert_not_null(trace);
	for (unsigned int i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){.trace = trace, .first = i * PER_PRODUCER};
		cr_assert_eq(
		    pthread_create(&producers[i].thread, NULL, producer_main, &producers[i]), 0);
	}
	for (unsigned int i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i].thread, NULL);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	trace_close(trace);
	scratch_read(&scratch);
	counts = count(scratch.text);
	cr_expect_eq(check_order(scratch.text), counts.lost);
	scratch_fini(&scratch);
	return counts;
}

Test(trace, four_threads_lose_nothing_with_enough_room, .timeout = 3 * DEADLINE_S)
{
	struct counts counts = run_producers(1u << 25);

	cr_expect_eq(counts.decisions, PRODUCERS * PER_PRODUCER);
	cr_expect_eq(counts.lost, 0);
}

Test(trace, four_threads_count_every_loss_with_too_little_room, .timeout = DEADLINE_S)
{
	struct counts counts = run_producers(1);

	cr_expect_gt(counts.lost, 0, "the ring was meant to be too small");
	cr_expect_eq(counts.decisions + counts.lost, PRODUCERS * PER_PRODUCER);
}

Test(trace, an_idle_writer_sleeps_for_ever_with_all_signals_blocked, .timeout = DEADLINE_S)
{
	struct tasks before = tasks_now();
	struct trace *trace = trace_open(&(struct trace_config){.path = "/dev/null"});
	int writer = tasks_new(&before);
	CLEANUP_FREE char *status = NULL;
	unsigned long timeout = 1;
	unsigned long long blocked;
	char path[64];
	size_t size;
	long nr = -1;

	decide(trace, 0);
	cr_expect(trace_flush(trace, DEADLINE_S * 1000));
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", writer);
	while (nr != SYS_futex) {
		CLEANUP_FREE char *text = NULL;

		cr_assert_eq(fd_read_file(path, 4096, &text, &size), 0);
		if (sscanf(text, "%ld %*x %*x %*x %lx", &nr, &timeout) < 1)
			nr = -1; /* "running" */
	}
	cr_expect_eq(timeout, 0, "futex(2) waits without a time-out");
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", writer);
	cr_assert_eq(fd_read_file(path, 65536, &status, &size), 0);
	cr_assert_eq(sscanf(strstr(status, "SigBlk:"), "SigBlk: %llx", &blocked), 1);
	/* All but SIGKILL, SIGSTOP and the two that belong to the C library. */
	cr_expect_eq(blocked | 1ull << 8 | 1ull << 18 | 3ull << 31, ~0ull);
	trace_close(trace);
}
