/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_REPORT_H
#define STATUS_REPORT_H

#include <stdio.h>

struct status;

#define REPORT_ROWS_MAX 40

/**
 * report_print() - what gae-run --report says at the end: one row per process name, transport and
 * destination, most bytes sent first, then most denials; totals, exact to the byte.
 * Plain text, nothing of the program's unescaped; 80 columns unless a destination needs more.
 */
void report_print(const struct status *status, FILE *out);

#endif
