/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int saved = -1, reader = -1;

/* A SEQPACKET socket as standard error: each write(2) is one message. */
static void capture(void)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
		     0);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	reader = ends[0];
}

static void release(void)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(reader);
}

/* The next write(2), "" for none. */
static const char *written(void)
{
	static char text[4096];
	ssize_t n = recv(reader, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

TestSuite(log, .init = capture, .fini = release);

Test(log, writes_one_line_with_the_programs_name)
{
	log_open("prog", LOG_WARN);
	log_error("%s:%d: bad", "file", 3);
	cr_expect_str_eq(written(), "prog: file:3: bad\n");
	log_warn("old");
	cr_expect_str_eq(written(), "prog: warning: old\n");
	cr_expect_str_eq(written(), "", "one write(2) a line");
}

Test(log, leaves_out_what_is_more_detailed_than_asked)
{
	log_open("prog", LOG_ERROR);
	log_warn("no");
	log_info("no");
	log_debug("no");
	cr_expect_str_eq(written(), "");
	log_open("prog", LOG_DEBUG);
	log_debug("yes");
	cr_expect_str_eq(written(), "prog: yes\n");
}

Test(log, cuts_an_endless_line_but_ends_it)
{
	static char text[8192];
	const char *line;

	memset(text, 'x', sizeof(text) - 1);
	log_open("prog", LOG_WARN);
	log_error("%s", text);
	line = written();
	cr_expect_lt(strlen(line), 2049);
	cr_expect_eq(strchr(line, '\n'), line + strlen(line) - 1);
}

Test(log, keeps_errno_and_prints_it)
{
	log_open("prog", LOG_WARN);
	errno = EACCES;
	log_error("%m");
	cr_expect_eq(errno, EACCES);
	cr_expect_str_eq(written(), "prog: Permission denied\n");
}

Test(log, a_closed_standard_error_changes_nothing)
{
	log_open("prog", LOG_WARN);
	close(STDERR_FILENO);
	errno = ENOENT;
	log_error("nobody hears");
	cr_expect_eq(errno, ENOENT);
}
