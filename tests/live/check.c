/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/check.h"

#include "shared/base/kernel.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 5.9 to 5.13: a descriptor and the answer are two steps. */
static bool two_steps;

/* In the place of the C library's, for all of this program; @request as glibc declares it. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *argument;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (two_steps && request == SECCOMP_IOCTL_NOTIF_ADDFD &&
	    ((struct seccomp_notif_addfd *)argument)->flags & SECCOMP_ADDFD_FLAG_SEND) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_ioctl, fd, request, argument);
}

/* Whether --check says that gae-run works; @line: how the line of a feature begins, which must be there. */
static bool check_says(const char *line)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool works;

	cr_assert(out);
	works = check_run(out);
	fclose(out);
	cr_expect(strstr(text, line), "%s", text);
	free(text);
	return works;
}

Test(check, a_kernel_that_answers_in_two_steps_is_good_enough)
{
	bool works = check_says("ADDFD with SEND      ok");

	two_steps = true;
	cr_expect_eq(check_says("ADDFD with SEND      fallback     in two steps"), works);
}
