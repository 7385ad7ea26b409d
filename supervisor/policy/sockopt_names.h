/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_SOCKOPT_NAMES_H
#define POLICY_SOCKOPT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/** sockopt_level_parse() - 1 for "SOL_SOCKET"; SOL_X and IPPROTO_X are the same.  Return: false for a word that is no level. */
bool sockopt_level_parse(const char *name, int *level);

/** sockopt_option_parse() - 9 for SOL_SOCKET and "SO_KEEPALIVE". */
bool sockopt_option_parse(int level, const char *name, int *option);

/** sockopt_number_parse() - decimal, or hexadecimal with 0x, from @low to @high; *@value only where it is true. */
bool sockopt_number_parse(const char *text, long long low, long long high, long long *value);

/** sockopt_level_name() - "SOL_SOCKET", NULL for a number without a name. */
const char *sockopt_level_name(int level);

/** sockopt_option_name() - "SO_KEEPALIVE", NULL for a number without a name. */
const char *sockopt_option_name(int level, int option);

/** sockopt_level_all(), sockopt_option_all() - the @index-th name, NULL behind the last: for "did you mean". */
const char *sockopt_level_all(size_t index);
const char *sockopt_option_all(int level, size_t index);

/** sockopt_format() - "SOL_SOCKET, SO_MARK", with numbers where there is no name.  @out: @room bytes.  Return: @out. */
char *sockopt_format(int level, int option, char *out, size_t room);

#endif
