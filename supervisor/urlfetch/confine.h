/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_CONFINE_H
#define URLFETCH_CONFINE_H

/*
 * gae-urlfetch reads what strangers write, from both sides, and stands outside the program's fence.
 * So that a fault in it, in libcurl or in OpenSSL is worth little to who finds it, it gives up what
 * it never needs: to start programs, to write files, to read others than those of the system and the
 * certificates, to reach other processes, local sockets, new namespaces.  What is left is to
 * connect; what it may connect to is asked of the supervisor.
 *
 * Two fences: Landlock for files (nothing where the kernel has none), a seccomp filter for all else
 * and once more for writing.  The filter names what is refused, not what is needed: libcurl, OpenSSL
 * and the C library's name services load what the system has configured, and what these call is not
 * ours to list.
 */

/**
 * confine_self() - for good, for all threads that begin later.  Needs no_new_privs.
 * @certificates: a file or directory that may be read besides, NULL: none
 * Return: 0 or -errno.
 */
int confine_self(const char *certificates);

#endif
