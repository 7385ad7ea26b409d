/* SPDX-License-Identifier: Apache-2.0 */
/* ledger PATH: what it costs to write a batch of 1,000 rows, new ones and such as are there. */
#include "ledger/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS 1000
#define BATCHES 50

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void name_rows(struct ledger_row *rows, char (*hosts)[32], int series)
{
	for (int i = 0; i < ROWS; i++) {
		snprintf(hosts[i], sizeof(hosts[i]), "h%d-%d.example.com", series, i);
		rows[i] =
		    (struct ledger_row){"bench", hosts[i], "192.0.2.7",
					443,     "tcp",    {.connects = 1, .bytes_sent = 1000}};
	}
}

/* @is_new: each batch has destinations of its own. */
static void measure(struct ledger *ledger, const char *what, int is_new)
{
	static struct ledger_row rows[ROWS];
	static char hosts[ROWS][32];
	struct ledger_batch batch = {
	    .day = 20261125, .time = 1795600000, .app = "bench", .rows = rows, .n_rows = ROWS};
	double times[BATCHES], begin;
	char error[512];

	for (int i = 0; i < BATCHES; i++) {
		name_rows(rows, hosts, is_new ? i : 0);
		begin = now_ms();
		if (ledger_write(ledger, &batch, error, sizeof(error))) {
			fprintf(stderr, "%s\n", error);
			exit(1);
		}
		times[i] = now_ms() - begin;
	}
	qsort(times, BATCHES, sizeof(times[0]), compare);
	printf("ledger_write, 1,000 rows %s: median %.1f ms, largest %.1f ms\n", what,
	       times[BATCHES / 2], times[BATCHES - 1]);
}

int main(int argc, char **argv)
{
	char error[512];
	struct ledger *ledger;

	if (argc != 2)
		return 2;
	ledger = ledger_open(argv[1], error, sizeof(error));
	if (!ledger) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	measure(ledger, "that are new", 1);
	measure(ledger, "that are there", 0);
	ledger_close(ledger);
	return 0;
}
