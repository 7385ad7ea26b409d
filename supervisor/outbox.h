/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_OUTBOX_H
#define SUPERVISOR_OUTBOX_H

#include "shared/wire/relay.h"

#include <pthread.h>
#include <stdbool.h>

/*
 * What the supervisor says to gae-urlfetch.  The program fills the queue of the wire with its
 * connections, and the supervisor waits for nobody: so an answer for which there is no room is
 * kept, and goes before all that is said after it.  One is enough, for gae-urlfetch asks one
 * question at a time; when it has given one up and asks another, the older answer is worth nothing.
 *
 * Any thread.
 */
struct outbox {
	int wire;
	pthread_mutex_t lock;
	bool owes;
	struct relay_message owed;
};

/** outbox_init() - @wire: not owned. */
void outbox_init(struct outbox *outbox, int wire);

/** outbox_tell() - say something that may be lost.  Return: 0; -EAGAIN there is no room; other -errno. */
int outbox_tell(struct outbox *outbox, struct relay_message *message);

/** outbox_answer() - say it now, or as soon as there is room. */
void outbox_answer(struct outbox *outbox, const struct relay_message *answer);

/** outbox_flush() - send the answer that is owed, if there is room.  Return: is it still owed? */
bool outbox_flush(struct outbox *outbox);

#endif
