/* SPDX-License-Identifier: Apache-2.0 */
/* gae-top: what runs under gae-run, live or as text. */
#include "shared/base/clock.h"
#include "shared/base/fd.h"
#include "shared/base/log.h"
#include "status/status.h"
#include "status/top_options.h"
#include "status/top_render.h"
#include "status/top_sample.h"
#include "status/top_terminal.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *clock_text(char text[16])
{
	time_t now = time(NULL);
	struct tm tm;

	if (!localtime_r(&now, &tm) || !strftime(text, 16, "%H:%M:%S", &tm))
		text[0] = '\0';
	return text;
}

/* https://no-color.org: --color has the last word. */
static bool has_style(const struct top_options *options, bool is_screen)
{
	const char *no_color = getenv("NO_COLOR");

	if (options->color != COLOR_AUTO)
		return options->color == COLOR_ALWAYS;
	return is_screen && !(no_color && *no_color);
}

static struct top_view make_view(const struct top_options *options, bool is_screen)
{
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");

	return (struct top_view){.mark = utf8 ? "\xe2\x80\xa6" : "~",
				 .has_style = has_style(options, is_screen)};
}

/* Return: 0 or -errno. */
static int print_instances_json(const struct top_picture *picture, FILE *out)
{
	bool is_first = true;
	int status = 0;

	fputc('[', out);
	for (size_t i = 0; i < picture->n && !status; i++) {
		char *text = NULL;
		size_t size = 0;
		FILE *memory;

		if (!picture->list[i].instance.status)
			continue;
		memory = open_memstream(&text, &size);
		if (!memory)
			return -errno;
		status = status_write_json(picture->list[i].instance.status, memory);
		if (fclose(memory))
			status = -ENOMEM;
		/* Its newline ends the line of all instances only. */
		if (!status)
			fprintf(out, "%s%.*s", is_first ? "" : ",", (int)size - 1, text);
		is_first = false;
		free(text);
	}
	fputs("]\n", out);
	return status;
}

/* What cannot be part of a JSON array. */
static void warn_of(const struct top_picture *picture)
{
	for (size_t i = 0; i < picture->n_notes; i++)
		log_warn("%s", picture->notes[i]);
	for (size_t i = 0; i < picture->n; i++)
		if (!picture->list[i].instance.status)
			log_warn("%s: %s", picture->list[i].instance.name,
				 picture->list[i].instance.error);
}

static int print_picture(const struct top_picture *picture, const struct top_options *options)
{
	struct top_view view = make_view(options, false);
	char text[16];
	int status = 0;

	if (options->json) {
		warn_of(picture);
		status = print_instances_json(picture, stdout);
	} else {
		if (isatty(STDOUT_FILENO))
			terminal_size(&view.width, &(unsigned int){0});
		top_render(picture, options, &view, clock_text(text), stdout);
	}
	if (fflush(stdout) || ferror(stdout))
		status = -errno;
	if (status)
		log_error("standard output: %s", strerror(-status));
	return status ? TOP_FAILED : 0;
}

static void sleep_until(int64_t end_ms)
{
	struct timespec end = {.tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000};

	int status;

	do
		status = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
	while (status == EINTR);
}

static int run_batch(const struct top_options *options)
{
	struct top_picture now, previous = {0};
	unsigned int count = options->count ? options->count : 1;
	int64_t begun = clock_now_ms();
	char error[512];
	int status = 0;

	for (unsigned int i = 0; i < count && !status; i++) {
		if (i) {
			sleep_until(begun + (int64_t)i * options->delay_ms);
			if (!options->json)
				putchar('\n');
		}
		status = top_sample_take(options, &previous, &now, error, sizeof(error));
		if (status) {
			log_error("%s", error);
			status = TOP_FAILED;
		} else {
			status = print_picture(&now, options);
		}
		top_sample_free(&previous);
		previous = now;
	}
	top_sample_free(&previous);
	return status;
}

/* One write for the whole screen: nothing of it is seen half done. */
static void draw(const struct top_picture *picture, const struct top_options *options)
{
	struct top_view view = make_view(options, true);
	char *screen = NULL, text[16];
	size_t size = 0;
	FILE *out = open_memstream(&screen, &size);

	if (!out)
		return;
	terminal_size(&view.width, &view.height);
	top_render(picture, options, &view, clock_text(text), out);
	if (!fclose(out) && fd_write_full(STDOUT_FILENO, screen, size)) {
		/* A terminal that is gone; its SIGHUP or the next read says so. */
	}
	free(screen);
}

/* Return: whether the picture is to be drawn anew; *@quit and *@now where the key says so. */
static bool take_key(struct top_options *options, int key, bool *quit, bool *now)
{
	static const char keys[] = "asvipd"; /* in the order of enum top_key */
	const char *found = key > 0 && key < 128 ? strchr(keys, key) : NULL;

	_Static_assert(sizeof(keys) - 1 == TOP_KEYS, "a letter for each key");
	if (found)
		options->key = (enum top_key)(found - keys);
	else if (key == '<')
		options->key = (options->key + TOP_KEYS - 1) % TOP_KEYS;
	else if (key == '>')
		options->key = (options->key + 1) % TOP_KEYS;
	else if (key == 'r')
		options->reverse = !options->reverse;
	else if (key == 'q')
		*quit = true;
	else if (key == ' ')
		*now = true;
	else
		return false;
	return true;
}

/*
 * Until the next picture is due.
 * Return: -1 to go on, 0 to end, or the signal to end by.
 */
static int interact(struct terminal *terminal, struct top_options *options,
		    struct top_picture *picture, int64_t due)
{
	bool quit = false, now = false;
	int key = 0;

	draw(picture, options);
	while (!quit && !now) {
		int64_t left = due - clock_now_ms();
		enum terminal_event event = terminal_wait(terminal, left > 0 ? (int)left : 0, &key);

		if (event == TERMINAL_TIME)
			break;
		if (event == TERMINAL_END)
			return key;
		if (event == TERMINAL_KEY && !take_key(options, key, &quit, &now))
			continue;
		top_sample_sort(picture, options);
		draw(picture, options);
	}
	return quit ? 0 : -1;
}

/* Return: as interact(); -2: @error says why it cannot go on. */
static int run_screen(struct terminal *terminal, struct top_options *options, char *error,
		      size_t room)
{
	struct top_picture now, previous = {0};
	int end = -1;

	for (unsigned int i = 0; end == -1 && (!options->count || i < options->count); i++) {
		int64_t due = clock_now_ms() + options->delay_ms;

		end = top_sample_take(options, &previous, &now, error, room) ? -2 : -1;
		if (end == -1)
			end = interact(terminal, options, &now, due);
		top_sample_free(&previous);
		previous = now;
	}
	top_sample_free(&previous);
	return end;
}

/* As if the signal had not been caught: who waits for us sees it. */
static void end_by(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int run_interactive(struct top_options *options)
{
	struct terminal terminal;
	char error[512];
	int end = terminal_open(&terminal);

	if (end) {
		log_error("terminal: %s", strerror(-end));
		return TOP_FAILED;
	}
	end = run_screen(&terminal, options, error, sizeof(error));
	terminal_close(&terminal);
	if (end == -2)
		log_error("%s", error);
	else if (end > 0)
		end_by(end);
	return end == -2 ? TOP_FAILED : 0;
}

int main(int argc, char **argv)
{
	struct top_options options;
	int status;

	log_open("gae-top", LOG_WARN);
	setlocale(LC_CTYPE, "");
	status = top_options_read(&options, argc, argv);
	if (status < 0 && !options.batch && !options.json && terminal_is_usable())
		return run_interactive(&options);
	if (status < 0)
		return run_batch(&options);
	if (fflush(stdout) || ferror(stdout)) {
		log_error("standard output: %s", strerror(errno));
		return TOP_FAILED;
	}
	return status;
}
