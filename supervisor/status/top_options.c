/* SPDX-License-Identifier: Apache-2.0 */
#include "status/top_options.h"

#include "shared/base/log.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DELAY_DEFAULT_MS 1000
#define DELAY_MIN 0.1 /* seconds */
#define DELAY_MAX 86400

/* Options without a letter. */
enum { OPTION_FORMAT = UCHAR_MAX + 1, OPTION_COLOR };

static const struct option long_options[] = {
    {"all-users", no_argument, NULL, 'A'},
    {"app", required_argument, NULL, 'a'},
    {"batch", no_argument, NULL, 'b'},
    {"color", required_argument, NULL, OPTION_COLOR},
    {"count", required_argument, NULL, 'n'},
    {"delay", required_argument, NULL, 'd'},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"help", no_argument, NULL, 'h'},
    {"reverse", no_argument, NULL, 'r'},
    {"sort", required_argument, NULL, 's'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static void usage(FILE *out)
{
	fputs("usage: gae-top [OPTIONS]\n\n"
	      "Shows what runs under gae-run: its sockets, their rates and totals.\n\n"
	      "  -a, --app NAME           only instances of this app\n"
	      "  -A, --all-users          those of all users; for root\n"
	      "  -b, --batch              print plain text and end; so it is where standard\n"
	      "                           output is no terminal\n"
	      "  -d, --delay SECONDS      between two pictures, by default 1\n"
	      "  -n, --count COUNT        end after so many pictures; with --batch by default 1\n"
	      "  -s, --sort KEY           rate, sent, received, idle, pid or destination\n"
	      "  -r, --reverse            the other way round\n"
	      "      --format text|json   json: each picture a line, an array of instances\n"
	      "      --color auto|always|never\n"
	      "  -h, --help               this text\n"
	      "  -V, --version            the version\n\n"
	      "Keys: q quit; < > sort by another column; a rate, s sent, v received, i idle,\n"
	      "p pid, d destination; r reverse; space: now.\n",
	      out);
}

const char *top_key_name(enum top_key key)
{
	static const char *const names[] = {
	    [TOP_RATE] = "rate", [TOP_SENT] = "sent", [TOP_RECEIVED] = "received",
	    [TOP_IDLE] = "idle", [TOP_PID] = "pid",   [TOP_DESTINATION] = "destination",
	};
	_Static_assert(sizeof(names) / sizeof(names[0]) == TOP_KEYS, "a name for each key");

	return names[key];
}

static int fail(const char *option, const char *wanted, const char *given)
{
	log_error("%s wants %s, not '%s'; see gae-top --help", option, wanted, given);
	return TOP_FAILED;
}

static int read_key(struct top_options *options, const char *text)
{
	for (unsigned int i = 0; i < TOP_KEYS; i++) {
		if (strcmp(text, top_key_name(i)) != 0)
			continue;
		options->key = i;
		return -1;
	}
	return fail("--sort", "rate, sent, received, idle, pid or destination", text);
}

static int read_delay(struct top_options *options, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= DELAY_MIN && seconds <= DELAY_MAX))
		return fail("--delay", "seconds from 0.1 to 86400", text);
	options->delay_ms = (unsigned int)(seconds * 1000);
	return -1;
}

static int read_count(struct top_options *options, const char *text)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long count = strtoul(text, NULL, 10);

	if (!digits || digits > 9 || text[digits] || !count)
		return fail("--count", "a number from 1", text);
	options->count = (unsigned int)count;
	return -1;
}

static int read_format(struct top_options *options, const char *text)
{
	options->json = !strcmp(text, "json");
	if (!options->json && strcmp(text, "text") != 0)
		return fail("--format", "text or json", text);
	return -1;
}

static int read_color(struct top_options *options, const char *text)
{
	static const char *const words[] = {
	    [COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never"};

	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		options->color = i;
		return -1;
	}
	return fail("--color", "auto, always or never", text);
}

/* Return: -1 to go on, or an exit status. */
static int read_option(struct top_options *options, int c)
{
	switch (c) {
	case 'A':
		options->all_users = true;
		return -1;
	case 'a':
		options->app = optarg;
		return -1;
	case 'b':
		options->batch = true;
		return -1;
	case 'r':
		options->reverse = true;
		return -1;
	case 'd':
		return read_delay(options, optarg);
	case 'n':
		return read_count(options, optarg);
	case 's':
		return read_key(options, optarg);
	case OPTION_FORMAT:
		return read_format(options, optarg);
	case OPTION_COLOR:
		return read_color(options, optarg);
	case 'h':
		usage(stdout);
		return 0;
	case 'V':
		puts("gae-top " GAE_RUN_VERSION);
		return 0;
	default:
		fputs("see gae-top --help\n", stderr);
		return TOP_FAILED;
	}
}

int top_options_read(struct top_options *options, int argc, char **argv)
{
	int c, status = -1;

	*options = (struct top_options){.delay_ms = DELAY_DEFAULT_MS};
	while (status < 0 &&
	       (c = getopt_long(argc, argv, "Aa:bd:hn:rs:V", long_options, NULL)) != -1)
		status = read_option(options, c);
	if (status < 0 && optind < argc) {
		log_error("unexpected argument '%s'; see gae-top --help", argv[optind]);
		return TOP_FAILED;
	}
	if (status < 0 && options->all_users && geteuid() != 0) {
		log_error("--all-users: only root sees the instances of other users");
		return TOP_FAILED;
	}
	return status;
}
