/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/fd_window.h"

#define LOW_SLOTS 512u
#define HIGH_SLOTS 8192u
/* A table of 65,536 descriptors takes the kernel half a megabyte; numbers far above cost more at every fork. */
#define HIGH_END 65536u

static uint32_t clamp(rlim_t value, uint32_t most)
{
	return value > most ? most : (uint32_t)value;
}

struct fd_window fd_window_fit(const struct rlimit *files)
{
	struct fd_window window;
	uint32_t top = clamp(files->rlim_max, HIGH_END);

	window.low_end = clamp(files->rlim_cur, FD_WINDOW_SELECT);
	window.low = window.low_end / 2;
	if (window.low_end - window.low > LOW_SLOTS)
		window.low = window.low_end - LOW_SLOTS;
	/* An eighth of the hard limit: the program's ordinary files have the rest for themselves. */
	window.high = window.high_end = top;
	if (top >= 2 * FD_WINDOW_SELECT)
		window.high = top - (top / 8 > HIGH_SLOTS ? HIGH_SLOTS : top / 8);
	return window;
}

bool fd_window_has(const struct fd_window *window, uint32_t fd)
{
	return (fd >= window->low && fd < window->low_end) ||
	       (fd >= window->high && fd < window->high_end);
}

uint32_t fd_window_slots(const struct fd_window *window)
{
	return window->low_end - window->low + window->high_end - window->high;
}

uint32_t fd_window_number(const struct fd_window *window, uint32_t slot)
{
	uint32_t low = window->low_end - window->low;

	return slot < low ? window->low_end - 1 - slot : window->high_end - 1 - (slot - low);
}

uint32_t fd_window_slot(const struct fd_window *window, uint32_t fd)
{
	if (fd < window->low_end)
		return window->low_end - 1 - fd;
	return window->low_end - window->low + window->high_end - 1 - fd;
}
