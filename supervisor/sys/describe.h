/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_DESCRIBE_H
#define SYS_DESCRIBE_H

#include <stddef.h>

struct request;

/* Words for the trace, made only when there is one.  Both return @out, or NULL when there is nothing to say. */

/** describe_arguments() - the registers of a call without a destination: "AF_INET, SOCK_RAW, 1". */
const char *describe_arguments(const struct request *req, char *out, size_t room);

/** describe_reason() - the rule's because-text, the prefix or name that matched, or why. */
const char *describe_reason(const struct request *req, char *out, size_t room);

#endif
