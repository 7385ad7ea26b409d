/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: sendto */
#include "outbox.h"

#include <errno.h>
#include <sys/socket.h>

void outbox_init(struct outbox *outbox, int wire)
{
	outbox->wire = wire;
	outbox->owes = false;
	pthread_mutex_init(&outbox->lock, NULL);
}

/* Under the lock.  Return: 0: nothing is owed any more; -EAGAIN. */
static int send_owed(struct outbox *outbox)
{
	int rc = outbox->owes ? relay_send(outbox->wire, &outbox->owed, MSG_DONTWAIT) : 0;

	outbox->owes = rc == -EAGAIN;
	/* Of the end of gae-urlfetch the loop hears by itself. */
	return outbox->owes ? -EAGAIN : 0;
}

int outbox_tell(struct outbox *outbox, struct relay_message *message)
{
	int rc;

	pthread_mutex_lock(&outbox->lock);
	rc = send_owed(outbox);
	if (rc == 0)
		rc = relay_send(outbox->wire, message, MSG_DONTWAIT);
	pthread_mutex_unlock(&outbox->lock);
	return rc;
}

void outbox_answer(struct outbox *outbox, const struct relay_message *answer)
{
	pthread_mutex_lock(&outbox->lock);
	outbox->owed = *answer;
	outbox->owes = true;
	send_owed(outbox);
	pthread_mutex_unlock(&outbox->lock);
}

bool outbox_flush(struct outbox *outbox)
{
	bool owes;

	pthread_mutex_lock(&outbox->lock);
	owes = send_owed(outbox) < 0;
	pthread_mutex_unlock(&outbox->lock);
	return owes;
}
