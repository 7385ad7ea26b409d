/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_HANDOVER_H
#define LAUNCHER_HANDOVER_H

#include <linux/filter.h>
#include <stddef.h>

/** handover_read_filter() - the filter in the sealed memfd @fd: sealed, whole, not longer than BPF_MAXINSNS.  @program: .filter from malloc.  Return: 0 or -errno. */
int handover_read_filter(int fd, struct sock_fprog *program);

/** handover_install() - seccomp(2) with a listener, the wait killable where the kernel knows that.  Return: the listener or -errno. */
int handover_install(const struct sock_fprog *program);

/** handover_explain() - one line for a failure of handover_install(): reason and remedy. */
void handover_explain(int error, char *text, size_t room);

/**
 * handover_run() - install @program on the calling thread and give the listener
 * to the supervisor over the wire @socket.  No copy of the listener stays here.
 * @error: on failure one line without newline
 * Return: 0 or -errno.
 */
int handover_run(int socket, const struct sock_fprog *program, char *error, size_t room);

#endif
