/* SPDX-License-Identifier: Apache-2.0 */
#include "status/top_terminal.h"

#include "shared/base/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SIZE_MAX_CELLS 4096 /* columns or lines: no screen has more */

static const int caught[] = {SIGWINCH, SIGTSTP, SIGCONT, SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void put(const char *sequence)
{
	if (fd_write_full(STDOUT_FILENO, sequence, strlen(sequence))) {
		/* A terminal that is gone; its SIGHUP or the next read says so. */
	}
}

bool terminal_is_usable(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

/* Keys come one by one and unseen; ^C and ^Z remain signals. */
static void enter(struct terminal *terminal)
{
	struct termios raw;

	if (terminal->has_keys && !tcgetattr(STDIN_FILENO, &terminal->before)) {
		raw = terminal->before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	/* Alternate screen, no cursor, no wrapping. */
	put("\033[?1049h\033[?25l\033[?7l\033[H\033[2J");
	terminal->is_on = true;
}

static void leave(struct terminal *terminal)
{
	if (!terminal->is_on)
		return;
	put("\033[m\033[?7h\033[?25h\033[?1049l");
	if (terminal->has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal->before);
	terminal->is_on = false;
}

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigaddset(set, caught[i]);
}

int terminal_open(struct terminal *terminal)
{
	sigset_t set;

	*terminal = (struct terminal){.has_keys = isatty(STDIN_FILENO)};
	signal_set(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	terminal->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (terminal->signals < 0)
		return -errno;
	enter(terminal);
	return 0;
}

void terminal_close(struct terminal *terminal)
{
	leave(terminal);
	fd_close(&terminal->signals);
}

static void stop(struct terminal *terminal)
{
	leave(terminal);
	raise(SIGSTOP);
	enter(terminal);
}

static enum terminal_event take_signal(struct terminal *terminal, int *key)
{
	struct signalfd_siginfo info;

	if (read(terminal->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return TERMINAL_REDRAW;
	switch (info.ssi_signo) {
	case SIGTSTP:
		stop(terminal);
		return TERMINAL_REDRAW;
	case SIGWINCH:
	case SIGCONT:
		return TERMINAL_REDRAW;
	default:
		*key = (int)info.ssi_signo;
		return TERMINAL_END;
	}
}

static enum terminal_event take_key(int *key)
{
	unsigned char byte;
	ssize_t n = read(STDIN_FILENO, &byte, 1);

	*key = n == 1 ? byte : 0;
	if (n == 1)
		return TERMINAL_KEY;
	return n < 0 && errno == EINTR ? TERMINAL_REDRAW : TERMINAL_END;
}

enum terminal_event terminal_wait(struct terminal *terminal, int timeout_ms, int *key)
{
	struct pollfd pollers[] = {
	    {.fd = terminal->signals, .events = POLLIN},
	    {.fd = terminal->has_keys ? STDIN_FILENO : -1, .events = POLLIN},
	};

	if (poll(pollers, 2, timeout_ms) <= 0)
		return TERMINAL_TIME;
	if (pollers[0].revents)
		return take_signal(terminal, key);
	return take_key(key);
}

static unsigned int from_environment(const char *name, unsigned int otherwise)
{
	const char *text = getenv(name);
	unsigned long number = text ? strtoul(text, NULL, 10) : 0;

	return number > 0 && number <= SIZE_MAX_CELLS ? (unsigned int)number : otherwise;
}

void terminal_size(unsigned int *width, unsigned int *height)
{
	struct winsize size = {0};

	*width = from_environment("COLUMNS", 80);
	*height = from_environment("LINES", 24);
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
		*width = size.ws_col;
		*height = size.ws_row;
	}
}
