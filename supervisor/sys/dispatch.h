/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_DISPATCH_H
#define SYS_DISPATCH_H

#include "request.h"

#include <linux/seccomp.h>

struct crew_worker;

/* One handler per call that the filter sends here; answers @req, or lets it wait. */
typedef void sys_handler(struct crew_worker *worker, struct request *req);

sys_handler sys_socket, sys_connect, sys_bind, sys_getsockopt, sys_setsockopt;
sys_handler sys_sendto, sys_sendmsg, sys_sendmmsg;
sys_handler sys_read, sys_readv, sys_preadv2, sys_recvfrom, sys_recvmsg, sys_recvmmsg;
sys_handler sys_write, sys_writev, sys_pwritev2, sys_sendfile, sys_splice;
sys_handler sys_dup, sys_dup2, sys_dup3, sys_fcntl;
/* For calls that are decided by their registers alone: they come here only to be traced. */
sys_handler sys_none;

/** dispatch() - answer one notification: by its clause in the spec, or by its handler. */
void dispatch(struct crew_worker *worker, const struct seccomp_notif *notif);

/** dispatch_handler() - the handler of native call @nr, NULL for a call without a row. */
sys_handler *dispatch_handler(int nr);

#endif
