/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/front.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/signalfd.h>

enum { PROGRAM = 77, STRANGER = 5 };

static bool forwards(int number, int code, unsigned int sender, bool leader)
{
	struct signalfd_siginfo info = {
	    .ssi_signo = (unsigned int)number, .ssi_code = code, .ssi_pid = sender};

	return front_forwards(&info, PROGRAM, leader);
}

Test(front, what_the_terminal_sends_to_the_group_is_not_forwarded)
{
	cr_expect_not(forwards(SIGINT, SI_KERNEL, 0, false));
	cr_expect_not(forwards(SIGQUIT, SI_KERNEL, 0, false));
	cr_expect_not(forwards(SIGTSTP, SI_KERNEL, 0, false));
	cr_expect_not(forwards(SIGWINCH, SI_KERNEL, 0, true));
}

Test(front, what_a_process_sends_is_forwarded)
{
	cr_expect(forwards(SIGINT, SI_USER, STRANGER, false));
	cr_expect(forwards(SIGTERM, SI_USER, STRANGER, false));
	cr_expect(forwards(SIGRTMIN, SI_QUEUE, STRANGER, false));
	cr_expect(forwards(SIGALRM, SI_KERNEL, 0, false));
}

Test(front, a_hang_up_is_forwarded_where_the_front_alone_got_it)
{
	cr_expect(forwards(SIGHUP, SI_KERNEL, 0, true));
	cr_expect_not(forwards(SIGHUP, SI_KERNEL, 0, false));
	cr_expect(forwards(SIGHUP, SI_USER, STRANGER, false));
}

Test(front, what_is_meant_for_the_front_or_comes_from_the_program_stays_here)
{
	cr_expect_not(forwards(SIGCHLD, CLD_EXITED, PROGRAM, false));
	cr_expect_not(forwards(SIGTTIN, SI_KERNEL, 0, false));
	cr_expect_not(forwards(SIGTTOU, SI_USER, STRANGER, false));
	cr_expect_not(forwards(SIGTERM, SI_USER, PROGRAM, false));
}
