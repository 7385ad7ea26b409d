/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_TRACE_OUTPUTS_H
#define UNIT_TRACE_OUTPUTS_H

/* Where the records of a test go, a file or a pipe, and what has come there. */
#include "trace_records.h"

#include "shared/base/fd.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

struct scratch {
	char path[64];
	char *text;
	size_t size;
};

static inline void scratch_init(struct scratch *scratch)
{
	int fd;

	*scratch = (struct scratch){.path = "/tmp/gae-trace-XXXXXX"};
	fd = mkstemp(scratch->path);
	cr_assert_geq(fd, 0);
	close(fd);
}

static inline void scratch_read(struct scratch *scratch)
{
	free(scratch->text);
	scratch->text = NULL;
	cr_assert_eq(fd_read_file(scratch->path, 1u << 28, &scratch->text, &scratch->size), 0);
}

static inline void scratch_fini(struct scratch *scratch)
{
	unlink(scratch->path);
	free(scratch->text);
}

/* Decisions and lost records in @text; every line must be whole. */
struct counts {
	unsigned long decisions, lost, notes;
};

static inline struct counts count(const char *text)
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

static inline void decide(struct trace *trace, unsigned int number)
{
	struct trace_record record = plain;
	char location[64];

	/* Of many lengths: a short one may fit where a longer one before it did not. */
	snprintf(location, sizeof(location), "a:%0*u", number % 7 ? (int)(number % 40) : 0, number);
	record.location = location;
	trace_decided(trace, &record);
}

struct pipe_reader {
	int read_fd, write_fd;
	pthread_t thread;
	char *text;
	size_t size, room;
	char path[32]; /* opens the write end */
};

static inline void pipe_reader_init(struct pipe_reader *reader, int flags)
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

static inline void *pipe_reader_main(void *argument)
{
	struct pipe_reader *reader = argument;
	ssize_t n;

	while ((n = read(reader->read_fd, reader->text + reader->size,
			 reader->room - 1 - reader->size)) > 0)
		reader->size += (size_t)n;
	return NULL;
}

static inline void pipe_reader_start(struct pipe_reader *reader)
{
	cr_assert_eq(pthread_create(&reader->thread, NULL, pipe_reader_main, reader), 0);
}

static inline void pipe_reader_finish(struct pipe_reader *reader)
{
	fd_close(&reader->write_fd);
	pthread_join(reader->thread, NULL);
	fd_close(&reader->read_fd);
}

#endif
