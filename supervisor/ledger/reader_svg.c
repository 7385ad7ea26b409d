/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/reader_chart.h"

#include "ledger/reader_print.h"
#include "shared/base/escape.h"

#include <string.h>

/* In pixels of a picture that can be made any size. */
#define WIDTH 960
#define LEFT 84
#define RIGHT 28
#define TOP 76
#define PLOT_HEIGHT 300
#define PLOT_WIDTH (WIDTH - LEFT - RIGHT)
#define BOTTOM (TOP + PLOT_HEIGHT)
#define LEGEND_TOP (BOTTOM + 56)
#define LEGEND_ROW 22
#define LEGEND_COLUMNS 3
#define LEGEND_NAME_MAX 22 /* characters */
#define TICKS 5            /* about so many lines across */
#define LABELS 11          /* at most so many days are written under the axis */

/* Okabe and Ito's, told apart by the colour-blind too; the last is for all the others. */
static const char *const colours[READER_CHART_APPS + 1] = {"#0072b2", "#e69f00", "#009e73",
							   "#cc79a7", "#56b4e9", "#d55e00",
							   "#8c6d1f", "#5e4fa2", "#b4b4b4"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct picture {
	const struct reader_chart *chart;
	FILE *out;
	int64_t begin, end; /* Unix seconds at the ends of the axis */
	double top;         /* bytes at the upper end of the axis */
	double step;        /* bytes between two lines */
};

/* Text for XML: no control character (escape_name()), nor the two that are none of XML's. */
static void print_text(FILE *out, const char *name, size_t max)
{
	char text[4 * LEDGER_NAME_MAX];
	size_t n = 0;

	escape_name(text, sizeof(text), name, strlen(name));
	for (const char *c = text; *c; c++) {
		n += ((unsigned char)*c & 0xc0) != 0x80;
		if (n > max) {
			fputs("\xe2\x80\xa6", out); /* an ellipsis */
			return;
		}
		if (!strncmp(c, "\xef\xbf\xbe", 3) || !strncmp(c, "\xef\xbf\xbf", 3))
			c += 2, fputc('?', out);
		else if (*c == '<' || *c == '>' || *c == '&' || *c == '"')
			fprintf(out, "&#%d;", *c);
		else
			fputc(*c, out);
	}
}

static double x_of(const struct picture *picture, int64_t time)
{
	return LEFT + PLOT_WIDTH * (double)(time - picture->begin) /
			  (double)(picture->end - picture->begin);
}

static double y_of(const struct picture *picture, double bytes)
{
	return BOTTOM - PLOT_HEIGHT * bytes / picture->top;
}

/* 1, 2 or 5 times a power of ten, so that there are about TICKS lines below @max. */
static double nice_step(double max)
{
	double rough = max / TICKS, power = 1;

	while (power * 10 <= rough)
		power *= 10;
	if (rough <= power)
		return power;
	return rough <= 2 * power ? 2 * power : rough <= 5 * power ? 5 * power : 10 * power;
}

static void find_scale(struct picture *picture)
{
	const struct reader_chart *chart = picture->chart;
	double max = 0;

	for (size_t bucket = 0; bucket < chart->n_buckets; bucket++) {
		double sum = 0;

		for (size_t i = 0; i < chart->n_series; i++)
			sum += (double)chart->series[i].values[bucket];
		max = sum > max ? sum : max;
	}
	picture->step = nice_step(max > 10 ? max : 10);
	picture->top = picture->step;
	while (picture->top < max)
		picture->top += picture->step;
}

static void draw_head(const struct picture *picture)
{
	const struct reader_chart *chart = picture->chart;
	char from[READER_DAY_ROOM], to[READER_DAY_ROOM], bytes[READER_BYTES_ROOM];
	size_t rows = (chart->n_series + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS;
	int height = LEGEND_TOP + LEGEND_ROW * (int)(rows ? rows : 1) + 6;
	double total = 0;

	for (size_t i = 0; i < chart->n_series; i++)
		total += (double)chart->series[i].total;
	reader_day_format(chart->from, from);
	reader_day_format(chart->to, to);
	reader_bytes_format(total < 1e19 ? (uint64_t)total : UINT64_MAX, bytes);
	fprintf(
	    picture->out,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
	    "height=\"%d\" font-family=\"system-ui, 'DejaVu Sans', Helvetica, Arial, "
	    "sans-serif\" font-size=\"12\" fill=\"#333\">\n"
	    "<title>Bytes sent by app, %s to %s</title>\n"
	    "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n"
	    "<text x=\"%d\" y=\"32\" font-size=\"19\" font-weight=\"600\" fill=\"#111\">Egress by "
	    "app</text>\n<text x=\"%d\" y=\"54\" font-size=\"13\" fill=\"#666\">%s",
	    WIDTH, height, WIDTH, height, from, to, WIDTH, height, LEFT, LEFT, from);
	if (chart->from != chart->to)
		fprintf(picture->out, " to %s", to);
	fprintf(picture->out, " (%s) \xc2\xb7 %s sent \xc2\xb7 bytes per %s</text>\n",
		chart->zone == DAY_UTC ? "UTC" : "Pacific time", bytes,
		chart->intraday ? "5 minutes" : "day");
}

static void draw_scale(const struct picture *picture)
{
	char label[READER_BYTES_ROOM];
	int n = (int)(picture->top / picture->step + 0.5);

	for (int i = 0; i <= n; i++) {
		double bytes = i * picture->step, y = y_of(picture, bytes);

		fprintf(picture->out,
			"<path d=\"M%d %.1fH%d\" stroke=\"%s\"/>"
			"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			LEFT, y, WIDTH - RIGHT, i ? "#e4e4e4" : "#888", LEFT - 10, y + 4,
			reader_bytes_format((uint64_t)bytes, label));
	}
}

static void draw_label(const struct picture *picture, double x, int line, const char *text)
{
	fprintf(picture->out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\"%s>%s</text>\n", x,
		BOTTOM + 20 + 16 * line, line ? " fill=\"#666\"" : "", text);
}

static void draw_tick(const struct picture *picture, double x)
{
	fprintf(picture->out, "<path d=\"M%.1f %dv5\" stroke=\"#888\"/>", x, BOTTOM);
}

static char *short_day(int day, bool is_long_range, char *out, size_t room)
{
	const char *month = months[day / 100 % 100 - 1];

	if (is_long_range)
		snprintf(out, room, "%s %d", month, day / 10000);
	else
		snprintf(out, room, "%s %d", month, day % 100);
	return out;
}

/* What the clocks show, every third hour of one day and every sixth of two. */
static void draw_hours(const struct picture *picture)
{
	const struct reader_chart *chart = picture->chart;
	int every = chart->from == chart->to ? 3 : 6, shown = -1;
	char text[24];

	for (int64_t time = picture->begin; time <= picture->end; time += 1800) {
		int64_t local = time + day_offset(time, chart->zone);
		int hour = (int)(local / 3600 % 24), day = day_of(time, chart->zone);

		if (local % 3600 || hour % every || hour == shown)
			continue;
		shown = hour; /* the hour that comes twice when the clocks go back */
		draw_tick(picture, x_of(picture, time));
		snprintf(text, sizeof(text), "%02d:00", hour);
		draw_label(picture, x_of(picture, time), 0, text);
		if (hour == 0 && time < picture->end && chart->from != chart->to)
			draw_label(picture, x_of(picture, time), 1,
				   short_day(day, false, text, sizeof(text)));
	}
}

/* Below the middle of each day's bar, or of every so manieth. */
static void draw_days(const struct picture *picture)
{
	const struct reader_chart *chart = picture->chart;
	size_t every = (chart->n_buckets + LABELS - 1) / LABELS;
	char text[24];

	for (size_t i = 0; i < chart->n_buckets; i += every) {
		double x = (x_of(picture, reader_chart_begin(chart, i)) +
			    x_of(picture, reader_chart_begin(chart, i + 1))) /
			   2;

		draw_tick(picture, x);
		draw_label(picture, x, 0,
			   short_day(day_add(chart->from, (int)i), chart->n_buckets > 330, text,
				     sizeof(text)));
	}
}

/* One path per app: all its bars, each on top of those of the apps before it. */
static void draw_series(const struct picture *picture, size_t which, double *base)
{
	const struct reader_chart *chart = picture->chart;
	const struct reader_series *series = &chart->series[which];

	fprintf(picture->out, "<path fill=\"%s\" d=\"",
		colours[series->app ? which : READER_CHART_APPS]);
	for (size_t i = 0; i < chart->n_buckets; i++) {
		double value = (double)series->values[i];
		double left = x_of(picture, reader_chart_begin(chart, i));
		double width = x_of(picture, reader_chart_begin(chart, i + 1)) - left;
		double gap = width > 6 ? width * 0.15 : 0;

		if (value > 0)
			fprintf(picture->out, "M%.2f %.2fh%.2fV%.2fh%.2fz", left + gap / 2,
				y_of(picture, base[i]), width - gap, y_of(picture, base[i] + value),
				gap - width);
		base[i] += value;
	}
	fputs("\"/>\n", picture->out);
}

static void draw_legend(const struct picture *picture)
{
	const struct reader_chart *chart = picture->chart;
	char bytes[READER_BYTES_ROOM];

	for (size_t i = 0; i < chart->n_series; i++) {
		const struct reader_series *series = &chart->series[i];
		int x = LEFT + PLOT_WIDTH / LEGEND_COLUMNS * (int)(i % LEGEND_COLUMNS);
		int y = LEGEND_TOP + LEGEND_ROW * (int)(i / LEGEND_COLUMNS);

		fprintf(picture->out,
			"<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" rx=\"2\" fill=\"%s\"/>"
			"<text x=\"%d\" y=\"%d\">",
			x, y, colours[series->app ? i : READER_CHART_APPS], x + 19, y + 10);
		print_text(picture->out, series->app ? series->app : "all others", LEGEND_NAME_MAX);
		fprintf(picture->out, " <tspan fill=\"#777\">%s</tspan></text>\n",
			reader_bytes_format(series->total, bytes));
	}
	if (!chart->n_series)
		fprintf(picture->out,
			"<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" fill=\"#777\" "
			"font-size=\"15\">nothing was recorded</text>\n",
			LEFT + PLOT_WIDTH / 2, TOP + PLOT_HEIGHT / 2);
}

void reader_chart_draw(const struct reader_chart *chart, FILE *out)
{
	struct picture picture = {.chart = chart, .out = out};
	double base[READER_CHART_DAYS] = {0}; /* room for the slots of two days as well */

	_Static_assert(READER_CHART_DAYS >= 50 * 3600 / LEDGER_SLOT, "slots of two days");
	picture.begin = reader_chart_begin(chart, 0);
	picture.end = reader_chart_begin(chart, chart->n_buckets);
	find_scale(&picture);
	draw_head(&picture);
	draw_scale(&picture);
	for (size_t i = 0; i < chart->n_series; i++)
		draw_series(&picture, i, base);
	if (chart->intraday)
		draw_hours(&picture);
	else
		draw_days(&picture);
	draw_legend(&picture);
	fputs("</svg>\n", out);
}
