/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_POSITIONED_H
#define SYS_POSITIONED_H

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8 /* 4.14 */
#endif
/* linux/fs.h, RWF_SUPPORTED less RWF_NOAPPEND: on a socket the others change nothing. */
#define RWF_HARMLESS 0x17

/**
 * positioned_flags() - what preadv2(2) and pwritev2(2) say of a socket, which has no position.
 * @arg: the call's arguments
 * Return: 0, or MSG_DONTWAIT where it asks not to wait; -errno.
 */
static inline int positioned_flags(const uint64_t *arg)
{
	/* The position in two halves; on 64 bits the low one has it all (pos_from_hilo()). */
	if (arg[3] != UINT64_MAX)
		return (int64_t)arg[3] < 0 ? -EINVAL : -ESPIPE;
	if ((int)arg[5] & ~(RWF_HARMLESS | RWF_NOWAIT))
		return -EOPNOTSUPP;
	return (int)arg[5] & RWF_NOWAIT ? MSG_DONTWAIT : 0;
}

#endif
