/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_OPTION_FAULT_H
#define BASE_OPTION_FAULT_H

#include <stddef.h>

struct option;

/**
 * option_fault() - what getopt_long(3) found wrong, as "option --app needs an argument".
 * @found: its return, '?' or ':' (the short options begin with ':')
 * @argv:  as it was called with; optind and optopt are as it left them
 * @names: its table
 * What the line has of unknown words is escaped.  Return: @out, of @room bytes.
 */
char *option_fault(int found, char *const *argv, const struct option *names, char *out,
		   size_t room);

#endif
