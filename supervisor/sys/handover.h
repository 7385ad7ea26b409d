/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_HANDOVER_H
#define SYS_HANDOVER_H

#include "request.h"

struct crew_worker;

/** handover_is_meant() - is it getsockopt(2) or setsockopt(2) of SOL_GAE, GAE_DESCRIPTOR? */
bool handover_is_meant(const struct request *req);

/** handover_offer() - getsockopt(2): put the socket on offer and give its token. */
void handover_offer(struct crew_worker *worker, struct request *req);

/** handover_claim() - setsockopt(2): turn a fresh socket into the one that the token stands for. */
void handover_claim(struct crew_worker *worker, struct request *req);

#endif
