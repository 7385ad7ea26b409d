/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_HOLDERS_H
#define SUPERVISOR_HOLDERS_H

#include <sys/types.h>

/*
 * Who else has a socket?  The kernel tells of no open file how many descriptors it has, so all
 * processes below us are looked through.  What is in flight between two of them, or is duplicated
 * in this moment, is not seen: this is for programs that do not know of a copy, no fence.
 */

/**
 * holders_find() - is there a descriptor of socket @inode below us that is not number @fd of thread @tid?
 * Return: 1 there is; 0; -E2BIG there is too much to look through; -EMFILE we have no descriptor to look with.
 */
int holders_find(pid_t tid, pid_t pid, int fd, ino_t inode);

/** holders_cloexec() - does descriptor @fd of thread @tid close on exec?  Return: 0, 1, -errno. */
int holders_cloexec(pid_t tid, int fd);

#endif
