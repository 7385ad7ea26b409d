/* SPDX-License-Identifier: Apache-2.0 */
#include "status/top_render.h"

#include "shared/base/escape.h"
#include "status/human.h"
#include "status/status.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/*
 *     PID PROCESS    NET DESTINATION          IDLE OUT/S  IN/S SENT RECV
 * All columns but process and destination, with the spaces between, take 41.
 */
#define OTHERS_WIDTH 41
#define PROCESS_MIN 10
#define PROCESS_MAX 15
#define DESTINATION_MIN 11
#define DESTINATION_MAX 255
#define WIDE 100 /* from here on there is room for whole names of processes */

enum style { PLAIN, BOLD, REVERSE };

struct canvas {
	FILE *out;
	const struct top_view *view;
	unsigned int process_width, destination_width;
	unsigned int left; /* lines that there is room for */
	bool is_first, is_last;
};

/* One line before it is cut to the screen. */
struct text {
	char bytes[2048];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *text, const char *format,
							   ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->bytes + text->used, sizeof(text->bytes) - text->used, format, args);
	va_end(args);
	if (n > 0)
		text->used += (size_t)n;
	if (text->used > sizeof(text->bytes) - 1)
		text->used = sizeof(text->bytes) - 1;
}

/* @content in exactly @width columns, and a space. */
static void text_add_column(struct text *text, const char *content, unsigned int width,
			    const char *mark)
{
	char fitted[DESTINATION_MAX + 16];
	size_t columns = human_fit(content, width, mark, fitted);

	text_add(text, "%s%*s ", fitted, (int)(width - columns), "");
}

/* How many bytes @width columns take: only a mark has more than one byte a column. */
static size_t bytes_of_columns(const struct text *text, unsigned int width)
{
	size_t at = 0;

	for (unsigned int column = 0; at < text->used; column++) {
		if (column == width)
			break;
		at++;
		while (at < text->used && ((unsigned char)text->bytes[at] & 0xc0) == 0x80)
			at++;
	}
	return at;
}

static void put_line(struct canvas *canvas, enum style style, struct text *text)
{
	static const char *const begin[] = {
	    [PLAIN] = "", [BOLD] = "\033[1m", [REVERSE] = "\033[7m"};
	const struct top_view *view = canvas->view;
	size_t size;

	if (!canvas->left)
		return;
	canvas->left--;
	while (style != REVERSE && text->used && text->bytes[text->used - 1] == ' ')
		text->used--;
	size = view->width ? bytes_of_columns(text, view->width) : text->used;
	/* The line is cleared first: behind its last column a terminal would clear that one. */
	if (view->height)
		fprintf(canvas->out, "%s%s", canvas->is_first ? "\033[H" : "\r\n",
			canvas->is_last ? "\033[J" : "\033[2K");
	if (view->has_style)
		fputs(begin[style], canvas->out);
	fwrite(text->bytes, 1, size, canvas->out);
	if (view->has_style && style != PLAIN)
		fputs("\033[m", canvas->out);
	if (!view->height)
		fputc('\n', canvas->out);
	canvas->is_first = false;
}

__attribute__((format(printf, 3, 4))) static void print_line(struct canvas *canvas,
							     enum style style, const char *format,
							     ...)
{
	struct text text = {.used = 0};
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text.bytes, sizeof(text.bytes), format, args);
	va_end(args);
	text.used = n < 0 ? 0 : strlen(text.bytes);
	put_line(canvas, style, &text);
}

static size_t count_sockets(const struct top_picture *picture)
{
	size_t n = 0;

	for (size_t i = 0; i < picture->n; i++)
		n += picture->list[i].instance.status ? picture->list[i].instance.status->n_sockets
						      : 0;
	return n;
}

static void print_heading(struct canvas *canvas, const struct top_picture *picture,
			  const char *time)
{
	uint64_t out_rate = 0, in_rate = 0;
	size_t sockets = count_sockets(picture);
	char out[HUMAN_MAX], in[HUMAN_MAX];

	for (size_t i = 0; i < picture->n; i++) {
		out_rate += picture->list[i].out_rate;
		in_rate += picture->list[i].in_rate;
	}
	print_line(canvas, PLAIN, "gae-top  %s  %zu instance%s, %zu socket%s  out %s/s  in %s/s",
		   time, picture->n, picture->n == 1 ? "" : "s", sockets, sockets == 1 ? "" : "s",
		   human_count(out_rate, out), human_count(in_rate, in));
}

static void print_columns(struct canvas *canvas)
{
	struct text text = {.used = 0};

	text_add(&text, "%7s ", "PID");
	text_add_column(&text, "PROCESS", canvas->process_width, "");
	text_add(&text, "NET ");
	text_add_column(&text, "DESTINATION", canvas->destination_width, "");
	text_add(&text, "%5s %5s %5s %4s %4s", "IDLE", "OUT/S", "IN/S", "SENT", "RECV");
	put_line(canvas, REVERSE, &text);
}

static const char *show_rate(bool known, uint64_t rate, char out[HUMAN_MAX])
{
	return known ? human_count(rate, out) : "-";
}

static void text_add_numbers(struct text *text, bool has_rates, uint64_t out_rate, uint64_t in_rate,
			     const struct usage *usage)
{
	char out[HUMAN_MAX], in[HUMAN_MAX], sent[HUMAN_MAX], received[HUMAN_MAX];

	text_add(text, "%5s %5s %4s %4s", show_rate(has_rates, out_rate, out),
		 show_rate(has_rates, in_rate, in), human_count(usage->bytes_sent, sent),
		 human_count(usage->bytes_received, received));
}

static void print_socket(struct canvas *canvas, const struct top_socket *row, bool has_rates)
{
	const struct status_socket *socket = row->socket;
	char process[4 * sizeof(socket->process) + 1], to[HUMAN_NAME_MAX], idle[HUMAN_MAX];
	struct text text = {.used = 0};

	escape_text(process, sizeof(process), socket->process, strlen(socket->process));
	/* In no process any more: its pid is that of who had it. */
	if (socket->on_offer)
		text_add(&text, "%7s ", "offer");
	else
		text_add(&text, "%7d ", socket->pid);
	text_add_column(&text, process, canvas->process_width, canvas->view->mark);
	text_add(&text, "%s ", status_transport_name(socket->transport));
	human_destination(&socket->to, socket->host, to, sizeof(to));
	text_add_column(&text, to, canvas->destination_width, canvas->view->mark);
	text_add(&text, "%5s ", human_duration(socket->idle_ms, idle));
	text_add_numbers(&text, has_rates, row->out_rate, row->in_rate, &socket->usage);
	put_line(canvas, PLAIN, &text);
}

/* What is limited to nothing is used up. */
static unsigned int percent(uint64_t used, uint64_t limit)
{
	double part = limit ? 100.0 * (double)used / (double)limit : 100;

	return part > 999 ? 999 : (unsigned int)part;
}

static void text_add_quota(struct text *text, enum quota_kind kind,
			   const struct status_quota *quota)
{
	text_add(text, "  %s", quota_name(kind));
	if (quota->per_minute != QUOTA_UNLIMITED)
		text_add(text, " %u%%/min", percent(quota->used_minute, quota->per_minute));
	if (quota->per_day != QUOTA_UNLIMITED)
		text_add(text, " %u%%/day", percent(quota->used_day, quota->per_day));
}

/* How far the tighter window is used up, or -1 without a limit. */
static int quota_use(const struct status_quota *quota)
{
	int minute = quota->per_minute == QUOTA_UNLIMITED
			 ? -1
			 : (int)percent(quota->used_minute, quota->per_minute);
	int day =
	    quota->per_day == QUOTA_UNLIMITED ? -1 : (int)percent(quota->used_day, quota->per_day);

	return minute > day ? minute : day;
}

/* The kind that is nearest to its limit and not @shown, or QUOTA_KINDS. */
static unsigned int next_quota(const struct status *status, const bool shown[QUOTA_KINDS])
{
	unsigned int kind = QUOTA_KINDS;
	int best = -1;

	for (unsigned int i = 0; i < QUOTA_KINDS; i++) {
		int use = quota_use(&status->quotas[i]);

		if (shown[i] || use <= best)
			continue;
		best = use;
		kind = i;
	}
	return kind;
}

/* The end of the line may be cut. */
static void print_quotas(struct canvas *canvas, const struct status *status)
{
	bool shown[QUOTA_KINDS] = {false};
	unsigned int kind = next_quota(status, shown);
	struct text text = {.used = 0};

	if (kind == QUOTA_KINDS)
		return;
	text_add(&text, "%7s quota", "");
	for (; kind < QUOTA_KINDS; kind = next_quota(status, shown)) {
		shown[kind] = true;
		text_add_quota(&text, kind, &status->quotas[kind]);
	}
	put_line(canvas, PLAIN, &text);
}

static void text_add_remark(struct text *text, uint64_t n, const char *remark)
{
	if (n)
		text_add(text, "%s%" PRIu64 " %s", text->used ? ", " : "        ", n, remark);
}

static void print_remarks(struct canvas *canvas, const struct status *status)
{
	struct text text = {.used = 0};

	text_add_remark(&text, status->on_offer, "on offer");
	text_add_remark(&text, status->reclaimed, "reclaimed");
	text_add_remark(&text, status->over_quota, "over quota");
	text_add_remark(&text, status->lost, "ended unseen");
	text_add_remark(&text, status->sockets_left_out, "sockets not sent");
	if (text.used)
		put_line(canvas, PLAIN, &text);
}

/* The instance as a row of the table: its program in place of the process, sums in place of numbers. */
static void print_instance(struct canvas *canvas, const struct top_instance *instance,
			   bool with_user)
{
	const struct status *status = instance->instance.status;
	char app[256], up[HUMAN_MAX], denied[HUMAN_MAX], summary[128], user[32] = "";
	struct text text = {.used = 0};

	escape_text(app, sizeof(app), status->app, strlen(status->app));
	if (with_user)
		snprintf(user, sizeof(user), "user %u, ", (unsigned int)instance->uid);
	human_duration(human_since(status->started_ms, status->now_ms), up);
	snprintf(summary, sizeof(summary), "%s%zu socket%s, %s denied, up %s", user,
		 status->n_sockets, status->n_sockets == 1 ? "" : "s",
		 human_count(status->total.denied, denied), up);
	text_add(&text, "%7d ", status->pid);
	text_add_column(&text, app, canvas->process_width + 4, canvas->view->mark);
	text_add_column(&text, summary, canvas->destination_width + 6, canvas->view->mark);
	text_add_numbers(&text, instance->has_rates, instance->out_rate, instance->in_rate,
			 &status->total);
	put_line(canvas, BOLD, &text);
}

/* In at most @share lines. */
static void print_group(struct canvas *canvas, const struct top_instance *instance, bool with_user,
			unsigned int share)
{
	const struct status *status = instance->instance.status;
	unsigned int end = canvas->left - share; /* lines that are left for others */
	size_t room, shown;

	if (!status) {
		print_line(canvas, BOLD, "%7d %s", atoi(instance->instance.name),
			   instance->instance.error);
		return;
	}
	print_instance(canvas, instance, with_user);
	if (canvas->left > end)
		print_quotas(canvas, status);
	if (canvas->left > end)
		print_remarks(canvas, status);
	room = canvas->left - end;
	shown = status->n_sockets <= room ? status->n_sockets : room ? room - 1 : 0;
	for (size_t i = 0; i < shown; i++)
		print_socket(canvas, &instance->sockets[i], instance->has_rates);
	if (room && shown < status->n_sockets)
		print_line(canvas, PLAIN, "%7s and %zu more", "", status->n_sockets - shown);
}

/* At most how many lines it fills: itself, quotas, remarks, sockets. */
static size_t wanted_lines(const struct top_instance *instance)
{
	return instance->instance.status ? 3 + instance->instance.status->n_sockets : 1;
}

/* Of the lines that are left: what the instances behind @i do not need of their fair share, it may have. */
static unsigned int share_of_lines(const struct canvas *canvas, const struct top_picture *picture,
				   size_t i)
{
	unsigned int fair = canvas->left / (unsigned int)(picture->n - i);
	size_t others = 0;

	for (size_t j = i + 1; j < picture->n; j++) {
		size_t wanted = wanted_lines(&picture->list[j]);

		others += wanted < fair ? wanted : fair;
	}
	return others < canvas->left ? canvas->left - (unsigned int)others : 1;
}

static void print_groups(struct canvas *canvas, const struct top_picture *picture,
			 const struct top_options *options)
{
	for (size_t i = 0; i < picture->n && canvas->left; i++) {
		if (canvas->left == 1 && i + 1 < picture->n) {
			print_line(canvas, PLAIN, "%7s and %zu more instances", "", picture->n - i);
			return;
		}
		print_group(canvas, &picture->list[i], options->all_users,
			    share_of_lines(canvas, picture, i));
	}
}

static void print_keys(struct canvas *canvas, const struct top_options *options)
{
	struct text text = {.used = 0};

	canvas->left = 1;
	canvas->is_last = true;
	text_add(&text, "q quit  < > sort:");
	for (unsigned int i = 0; i < TOP_KEYS; i++)
		text_add(&text, i == options->key ? " [%s]" : " %s", top_key_name(i));
	text_add(&text, "  r %s", options->reverse ? "[reverse]" : "reverse");
	put_line(canvas, PLAIN, &text);
}

static unsigned int longest_destination(const struct top_picture *picture, bool with_user)
{
	size_t longest = with_user ? 48 : 30; /* what the summary of an instance takes */
	char to[HUMAN_NAME_MAX];

	for (size_t i = 0; i < picture->n; i++) {
		const struct status *status = picture->list[i].instance.status;

		for (size_t j = 0; status && j < status->n_sockets; j++) {
			const struct status_socket *socket = &status->sockets[j];
			size_t length =
			    strlen(human_destination(&socket->to, socket->host, to, sizeof(to)));

			if (length > longest)
				longest = length;
		}
	}
	return longest < DESTINATION_MAX ? (unsigned int)longest : DESTINATION_MAX;
}

static void lay_out(struct canvas *canvas, const struct top_picture *picture, bool with_user)
{
	unsigned int width = canvas->view->width, used;

	canvas->process_width = width && width < WIDE ? PROCESS_MIN : PROCESS_MAX;
	used = OTHERS_WIDTH + canvas->process_width;
	canvas->destination_width = longest_destination(picture, with_user);
	if (width && canvas->destination_width + used > width)
		canvas->destination_width =
		    width > used + DESTINATION_MIN ? width - used : DESTINATION_MIN;
}

void top_render(const struct top_picture *picture, const struct top_options *options,
		const struct top_view *view, const char *time, FILE *out)
{
	struct canvas canvas = {.out = out, .view = view, .is_first = true};

	lay_out(&canvas, picture, options->all_users);
	canvas.left = view->height ? view->height : UINT_MAX;
	canvas.is_last = view->height == 1;
	if (view->height > 1)
		canvas.left--; /* for the keys */
	if (!picture->n)
		print_line(&canvas, PLAIN, "no instance of %s is running",
			   options->app ? "this app" : "gae-run");
	else
		print_heading(&canvas, picture, time);
	for (size_t i = 0; i < picture->n_notes; i++)
		print_line(&canvas, PLAIN, "%s", picture->notes[i]);
	if (picture->n)
		print_columns(&canvas);
	print_groups(&canvas, picture, options);
	if (view->height > 1)
		print_keys(&canvas, options);
}
