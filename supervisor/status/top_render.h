/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_TOP_RENDER_H
#define STATUS_TOP_RENDER_H

#include "status/top_sample.h"

#include <stdio.h>

/* How a picture becomes lines.  No line is ever wider than the screen. */
struct top_view {
	unsigned int width;  /* columns; 0: as many as it takes */
	unsigned int height; /* lines; 0: all of them, as plain text */
	const char *mark;    /* stands for what was cut out, one column wide */
	bool has_style;      /* bold and reverse */
};

/**
 * top_render() - print @picture.
 * With a height, each line clears its own and the rest of the screen is cleared, for a cursor in
 * the upper left corner; the last line has the keys.
 * @time: what time it is, as text
 */
void top_render(const struct top_picture *picture, const struct top_options *options,
		const struct top_view *view, const char *time, FILE *out);

#endif
