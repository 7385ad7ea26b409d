/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAUNCHER_PROBE_H
#define LAUNCHER_PROBE_H

/*
 * One kernel feature each, tried for real; what would change the caller is done
 * in a child.  Return: 0 or -errno.
 */
int probe_filter(void);
int probe_listener(void); /* -EBUSY: there is one already */
int probe_addfd(void);
int probe_addfd_send(void);
int probe_wait_killable(void);
int probe_sync_wake_up(void);
int probe_memory_file(void);
int probe_landlock(void); /* 0 also where the kernel has none */
int probe_pidfd_getfd(void);
int probe_pidfd_thread(void);
int probe_vm_readv(void);
int probe_proc_mem(void);
int probe_io_uring(void);
int probe_user_namespace(void);

#endif
