/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals: keys pushed into the caller's, and whom its keys signal. */
#include "attack.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

/* A terminal of our own stands for the caller's: the calls are the same. */
static int own_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	char *name;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || !(name = ptsname(master)))
		attack_skip("no terminals");
	setsid();
	slave = open(name, O_RDWR | O_CLOEXEC);
	ioctl(slave, TIOCSCTTY, 0);
	return slave;
}

static void push(unsigned long request)
{
	int terminal = own_terminal(), waiting = 0;

	attack_say("TIOCSTI", syscall(SYS_ioctl, terminal, request, "\n"));
	if (ioctl(terminal, FIONREAD, &waiting) == 0 && waiting > 0)
		attack_hit("a key");
}

static void in_child(void (*what)(unsigned long), unsigned long request)
{
	/* A session leader cannot lead another. */
	if (fork() == 0) {
		what(request);
		_exit(0);
	}
	wait(NULL);
}

static void push_key(void)
{
	in_child(push, TIOCSTI);
}

static void push_key_high_bits(void)
{
	in_child(push, 0x500000000ul | TIOCSTI);
}

/* The runner types ^Z and ^\ once it has read "ready": at the foreground group. */
static void foreground(void)
{
	pid_t victim;

	attack_victims(&victim, 1);
	signal(SIGTTOU, SIG_IGN);
	attack_say("tcsetpgrp", tcsetpgrp(0, getpgid(victim)));
	attack_say("ready", 0);
	for (int i = 0; i < 20 && !attack_is_down(victim); i++)
		poll(NULL, 0, 5);
	if (attack_is_down(victim))
		attack_hit("foreground");
	attack_say("answered", attack_sendto(attack_udp(), ALLOWED, 0));
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"push_key", push_key},
	    {"push_key_high_bits", push_key_high_bits},
	    {"foreground", foreground},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
