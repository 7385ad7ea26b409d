/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_LANDLOCK_H
#define LAUNCHER_LANDLOCK_H

/** landlock_abi() - the kernel's Landlock version; 0 where it has none or it is switched off. */
int landlock_abi(void);

/**
 * landlock_fence() - the second fence, beside the filter: the calling thread and
 * all it starts can bind and connect no TCP socket, and signal no process and
 * reach no abstract socket outside, and read no memory of it; each as far as the kernel knows it.
 * @abi: landlock_abi(), or an older one for tests
 * Needs no_new_privs.  Return: the version applied, 0 for none, or -errno.
 */
int landlock_fence(int abi);

#endif
