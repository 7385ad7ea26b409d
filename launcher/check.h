/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_CHECK_H
#define LAUNCHER_CHECK_H

#include <stdbool.h>
#include <stdio.h>

/** check_run() - one line per kernel feature: ok, fallback or unavailable, and why.  Return: whether gae-run can work here. */
bool check_run(FILE *out);

#endif
