/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_CAPS_H
#define LAUNCHER_CAPS_H

#include <stdbool.h>
#include <sys/capability.h>

/** caps_reaches_around() - whether @cap lets a process around the policy.  @why: where not NULL, how. */
bool caps_reaches_around(cap_value_t cap, const char **why);

/**
 * caps_drop() - take from the calling thread every capability that reaches
 * around the policy, from all five sets.  With no_new_privs, which the caller
 * sets, no exec brings one back, not even where the bounding set cannot be changed.
 * @keep: names to keep, NULL-terminated, each known to libcap; or NULL
 * Return: 0 or -errno.
 */
int caps_drop(char *const *keep);

#endif
