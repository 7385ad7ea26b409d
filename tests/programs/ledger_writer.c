/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_writer PATH: writes to a ledger what standard input says, fields between tabs, a byte
 * may be %XX:
 *   row PROCESS HOST ADDRESS PORT TRANSPORT and the six counts    one more row for the next batch
 *   lost N                                                       sockets
 *   write DAY TIME APP        writes the batch; prints "ok" or "error WHY"; one that failed is
 *                             kept for the next write
 */
#include "ledger/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 13
#define ROWS_MAX 2000
#define TRIES 20 /* of a second each, while others are in the way */

static struct ledger_row rows[ROWS_MAX];
static struct ledger_batch batch = {.rows = rows};

static char *decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		char hex[3] = {0};

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		memcpy(hex, from + 1, 2);
		*to++ = (char)strtol(hex, NULL, 16);
		from += 2;
	}
	*to = '\0';
	return text;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

static void add_row(char **f)
{
	rows[batch.n_rows++] = (struct ledger_row){
	    .process = strdup(decode(f[1])),
	    .host = strdup(decode(f[2])),
	    .address = strdup(decode(f[3])),
	    .port = (uint16_t)number(f[4]),
	    .transport = strdup(f[5]),
	    .usage = {number(f[6]), number(f[7]), number(f[8]), number(f[9]), number(f[10]),
		      number(f[11])},
	};
}

static void clear_batch(void)
{
	for (size_t i = 0; i < batch.n_rows; i++) {
		free((void *)(uintptr_t)rows[i].process);
		free((void *)(uintptr_t)rows[i].host);
		free((void *)(uintptr_t)rows[i].address);
		free((void *)(uintptr_t)rows[i].transport);
	}
	batch.n_rows = 0;
	batch.lost = 0;
}

static void write_batch(struct ledger *ledger, char **f)
{
	char error[1024];
	int rc, tries = 0;

	batch.day = (int)number(f[1]);
	batch.time = (int64_t)number(f[2]);
	batch.app = decode(f[3]);
	do
		rc = ledger_write(ledger, &batch, error, sizeof(error));
	while (rc == -EAGAIN && tries++ < TRIES);
	if (rc == 0) {
		clear_batch();
		puts("ok");
	} else {
		printf("error %s\n", error);
	}
	fflush(stdout);
}

static void obey(struct ledger *ledger, char *line)
{
	char *fields[FIELDS_MAX] = {NULL};
	size_t n = 0;

	line[strcspn(line, "\n")] = '\0';
	while (n < FIELDS_MAX && (fields[n] = strsep(&line, "\t")))
		n++;
	if (n == 12 && !strcmp(fields[0], "row") && batch.n_rows < ROWS_MAX)
		add_row(fields);
	else if (n == 2 && !strcmp(fields[0], "lost"))
		batch.lost = number(fields[1]);
	else if (n == 4 && !strcmp(fields[0], "write"))
		write_batch(ledger, fields);
	else
		printf("error '%s' is not understood\n", fields[0]);
}

int main(int argc, char **argv)
{
	char error[1024], *line = NULL;
	struct ledger *ledger;
	size_t room = 0;

	if (argc != 2)
		return 2;
	ledger = ledger_open(argv[1], error, sizeof(error));
	if (!ledger) {
		printf("error %s\n", error);
		return 1;
	}
	while (getline(&line, &room, stdin) > 0)
		obey(ledger, line);
	clear_batch();
	free(line);
	ledger_close(ledger);
	return 0;
}
