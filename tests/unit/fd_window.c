/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/fd_window.h"

#include <criterion/criterion.h>

static struct fd_window fit(rlim_t soft, rlim_t hard)
{
	return fd_window_fit(&(struct rlimit){soft, hard});
}

static void expect(struct fd_window window, uint32_t low, uint32_t low_end, uint32_t high,
		   uint32_t high_end)
{
	cr_expect_eq(window.low, low, "low %u", window.low);
	cr_expect_eq(window.low_end, low_end, "low end %u", window.low_end);
	cr_expect_eq(window.high, high, "high %u", window.high);
	cr_expect_eq(window.high_end, high_end, "high end %u", window.high_end);
}

Test(fd_window, follows_the_limits_on_open_files)
{
	expect(fit(1024, 1024), 512, 1024, 1024, 1024);
	expect(fit(1024, 524288), 512, 1024, 57344, 65536);
	expect(fit(RLIM_INFINITY, RLIM_INFINITY), 512, 1024, 57344, 65536);
	expect(fit(1024, 4096), 512, 1024, 3584, 4096);
	expect(fit(256, 256), 128, 256, 256, 256);
	expect(fit(65536, 65536), 512, 1024, 57344, 65536);
}

Test(fd_window, has_every_number_in_one_slot)
{
	const rlim_t limits[][2] = {{1024, 1024}, {1024, 524288}, {20, 20}, {1, 4096}, {0, 0}};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct fd_window window = fit(limits[i][0], limits[i][1]);
		uint32_t slots = fd_window_slots(&window), inside = 0;

		cr_expect_leq(slots, FD_WINDOW_SLOTS);
		for (uint32_t fd = 0; fd < 70000; fd++)
			inside += fd_window_has(&window, fd);
		cr_expect_eq(inside, slots);
		for (uint32_t slot = 0; slot < slots; slot++) {
			uint32_t number = fd_window_number(&window, slot);

			cr_assert(fd_window_has(&window, number));
			cr_assert_eq(fd_window_slot(&window, number), slot);
		}
	}
}

Test(fd_window, begins_below_1024_from_the_top)
{
	struct fd_window window = fit(1024, 524288);

	cr_expect_eq(fd_window_number(&window, 0), 1023);
	cr_expect_eq(fd_window_number(&window, 511), 512);
	cr_expect_eq(fd_window_number(&window, 512), 65535);
	cr_expect_eq(fd_window_number(&window, fd_window_slots(&window) - 1), 57344);
}
