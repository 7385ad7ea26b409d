/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_UNIX_PATH_H
#define SYS_UNIX_PATH_H

struct sockaddr_un;

#include "request.h"

/*
 * Local sockets with a name (`unix allow PATH...`).
 *
 * The path is the program's and means something in its root, its working directory
 * and its mount namespace; the rule's path means something in ours.  So the file is
 * opened (O_PATH) the program's way, and must be the very file (device and inode)
 * that the rule's path leads to here.  What is connected to is the opened file.  The runtime
 * directory's sockets are the supervisors', and not listed whatever the rule says.
 */

/**
 * unix_path_check() - decide an AF_UNIX address.
 * @bytes, @size: copy of the program's sockaddr_un
 * @to, @to_size: the address for the kernel
 * Return: a descriptor to keep until the call is made (unix_path_close()), or -errno.
 */
int unix_path_check(struct request *req, const void *bytes, size_t size,
		    struct sockaddr_storage *to, socklen_t *to_size);
void unix_path_close(int path);

/**
 * unix_is_ours() - is the connected AF_UNIX socket @fd one to a supervisor?  No program speaks to those,
 * whatever the policy allows and wherever it has moved their files.
 */
bool unix_is_ours(int fd);

/**
 * unix_has_our_uid() - does thread @tid run as the user that we run as?
 * What we send on a local socket carries our credentials (SO_PASSCRED, SO_PEERCRED).
 */
bool unix_has_our_uid(pid_t tid);

/** unix_in_runtime_directory() - is @name, absolute, one of the supervisors' directory?  Nothing there is the program's. */
bool unix_in_runtime_directory(const char *name);

/** unix_is_listed() - does `unix allow` have @path, absolute and without links, or "@name"? */
bool unix_is_listed(const struct plan *plan, const char *path);

/** unix_is_listed_abstract() - the same for an abstract name of more than sun_family. */
bool unix_is_listed_abstract(const struct request *req, const struct sockaddr_un *un, size_t size);

/** unix_pattern_matches() - @pattern from the policy, a trailing '*' for any rest; @name may have NULs.  Pure. */
bool unix_pattern_matches(const char *pattern, const char *name, size_t length);

#endif
