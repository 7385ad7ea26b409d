/* SPDX-License-Identifier: Apache-2.0 */
/* #syscalls: socket connect sendmsg recvmsg poll setsockopt getsockopt */
#include "claim.h"

#include "porter.h"
#include "shared/base/fd.h"
#include "supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WHY_NOT_THERE "the token was used, has expired, or its instance has ended"

struct claim *claim_new(struct supervisor *sup)
{
	struct claim *claim = calloc(1, sizeof(*claim));

	if (!claim)
		return NULL;
	claim->sup = sup;
	claim->place = claim->socket = -1;
	return claim;
}

/* Return: the connection, or -errno. */
static int connect_to(const struct porter_identity *identity, const struct token *token)
{
	struct exchange_message ask = {.type = EXCHANGE_CLAIM, .app = identity->app};
	int connection =
	    runtime_connect_as(identity->directory, token->instance, geteuid(), SOCK_SEQPACKET);
	int rc;

	if (connection < 0)
		return connection;
	memcpy(ask.id, token->id, sizeof(ask.id));
	rc = exchange_send(connection, &ask, -1);
	if (rc == 0)
		return connection;
	close(connection);
	return rc;
}

/* What became of a try to reach the exporter, as the program is told. */
static int explain(int rc, const char **why)
{
	switch (rc) {
	case -ENOENT:
	case -ECONNREFUSED:
	case -EPIPE:
	case -ECONNRESET:
		*why = WHY_NOT_THERE;
		return -EPIPE;
	case -EAGAIN:
		*why = "too many claims wait for the exporting instance";
		return -EAGAIN;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		*why = "the supervisor is out of descriptors";
		return -ENOBUFS;
	default:
		*why = "the exporting instance cannot be reached";
		return -EPIPE;
	}
}

/* What @text says: ours, or whose we are to connect to.  Return: 0; -errno and *@why. */
static int claim_at(struct claim *claim, const struct porter_identity *identity, const char *text,
		    size_t size, int *connection, const char **why)
{
	struct token token;
	int rc = token_parse(text, size, &identity->app, identity->key, &token);

	if (rc < 0) {
		*why =
		    rc == -EACCES ? "the token is another app's" : "no token of this app and user";
		return rc;
	}
	claim->place = porter_take(claim->sup->porter, token.id, &claim->socket, &claim->moved);
	if (claim->place >= 0)
		return 0;
	rc = connect_to(identity, &token);
	if (rc < 0)
		return explain(rc, why);
	*connection = rc;
	return 0;
}

int claim_ask(struct claim *claim, const char *text, size_t size, int *connection, char *line,
	      size_t room, const char **why)
{
	struct porter_identity identity;
	int rc = porter_identity(claim->sup->porter, &identity, line, room);

	*connection = -1;
	*why = line;
	if (rc < 0)
		return rc;
	rc = claim_at(claim, &identity, text, size, connection, why);
	close(identity.directory);
	return rc;
}

int claim_hear(struct claim *claim, int connection, const char **why)
{
	struct exchange_message answer;
	int fd = -1, rc = exchange_receive(connection, &answer, &fd, NULL);

	if (rc == -EAGAIN)
		return rc;
	if (rc == 1 && answer.type == EXCHANGE_OFFER && fd >= 0) {
		claim->socket = fd;
		claim->moved = answer.moved;
		return 0;
	}
	fd_close(&fd);
	if (rc == -ENOBUFS) {
		*why = "the supervisor is out of descriptors";
		return rc;
	}
	if (rc == 1 && answer.type == EXCHANGE_REFUSED && answer.error == EACCES) {
		*why = "the exporting instance is another app's";
		return -EACCES;
	}
	*why = WHY_NOT_THERE;
	return -EPIPE;
}

/* Lets go of what is before us. */
static void drop(struct claim *claim)
{
	if (claim->place < 0)
		fd_close(&claim->socket);
	claim->socket = -1;
	claim->place = -1;
}

void claim_keep(struct claim *claim, int connection)
{
	if (claim->place >= 0)
		porter_settle(claim->sup->porter, claim->place, true, NULL, 0);
	else
		exchange_say(connection, EXCHANGE_KEPT, 0);
	drop(claim);
}

void claim_return(struct claim *claim, int connection)
{
	if (claim->socket < 0)
		return;
	if (claim->place >= 0)
		porter_settle(claim->sup->porter, claim->place, false, &claim->moved, 0);
	else
		exchange_say(connection, EXCHANGE_RETURNED, 0);
	drop(claim);
}

void claim_free(struct claim *claim)
{
	/* To another instance the end of the connection says the same. */
	if (claim->place >= 0)
		claim_return(claim, -1);
	drop(claim);
	free(claim);
}
