/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries without end, from processes that fork and leave their sessions, until the
 * runner ends it: the runner kills parts of the fence meanwhile.  Prints "ready".
 */
#include "attack.h"

#include <poll.h>
#include <time.h>

static void child_of(int depth)
{
	for (;;) {
		int tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), udp = attack_udp();

		attack_connect(tcp, FORBIDDEN);
		attack_sendto(udp, FORBIDDEN, 0);
		close(tcp);
		close(udp);
		/* The old one ends, the new one goes on: a moving target. */
		if (depth % 4 == 3)
			setsid();
		if (fork() > 0)
			_exit(0);
		depth++;
		poll(NULL, 0, 1);
	}
}

int main(void)
{
	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			child_of(i);
	attack_say("ready", 0);
	for (;;)
		pause();
}
