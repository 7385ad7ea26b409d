/* SPDX-License-Identifier: Apache-2.0 */
/* What finds no room, or is refused, is counted, and said where it would have stood. */
#include "trace_outputs.h"

#include <sys/resource.h>

Test(trace_losses, a_full_pipe_never_holds_up_the_caller_and_losses_are_counted,
     .timeout = DEADLINE_S)
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

Test(trace_losses, the_loss_is_reported_where_it_happened, .timeout = DEADLINE_S)
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

static void limit_file_size(rlim_t size)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A file size limit refuses as a full disk does, in the middle of a line too, and can be lifted. */
Test(trace_losses, what_the_kernel_refuses_is_counted_and_reported_when_it_works_again,
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

Test(trace_losses, four_threads_lose_nothing_with_enough_room, .timeout = 3 * DEADLINE_S)
{
	struct counts counts = run_producers(1u << 25);

	cr_expect_eq(counts.decisions, PRODUCERS * PER_PRODUCER);
	cr_expect_eq(counts.lost, 0);
}

Test(trace_losses, four_threads_count_every_loss_with_too_little_room, .timeout = DEADLINE_S)
{
	struct counts counts = run_producers(1);

	cr_expect_gt(counts.lost, 0, "the ring was meant to be too small");
	cr_expect_eq(counts.decisions + counts.lost, PRODUCERS * PER_PRODUCER);
}
