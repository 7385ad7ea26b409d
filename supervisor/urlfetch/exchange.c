/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/client.h"
#include "urlfetch/fetch.h"
#include "urlfetch/upstream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define PIECES_AT_ONCE 4 /* then others have their turn */
#define CHUNK_LINE 6     /* "3fff\r\n" */
#define BODY_PIECE ((16 << 10) - 32)

_Static_assert(FETCH_OUT_SIZE - REQUEST_HEAD_MAX >= BODY_PIECE + CHUNK_LINE + 2 + 5,
	       "a piece of the body fits behind the longest head, as the last chunk");

/* --- the request --- */

/* Nobody listens any more, but the answer may still come. */
static void stop_sending(struct fetch *fetch)
{
	fetch->sent = fetch->early = true;
	fetch->waits_body = false;
	fetch->out_at = fetch->out_end = 0;
}

/* Puts a piece of the body behind what is in .out.  Return: 0, or -1: what the client sends is none. */
static int fill_out(struct fetch *fetch)
{
	struct client *client = fetch->client;
	bool chunked = client->reader.request.chunked;
	char *at = fetch->out + fetch->out_end, line[32];
	size_t before = chunked ? CHUNK_LINE : 0;
	ssize_t n = client_read_body(client, at + before, BODY_PIECE);

	fetch->waits_body = n == -EAGAIN;
	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return -1;
	fetch->sent_body |= n > 0;
	fetch->body_ended = client->reader.state == READER_DONE;
	if (chunked && n > 0) {
		snprintf(line, sizeof(line), "%04zx\r\n", (size_t)n);
		memcpy(at, line, CHUNK_LINE);
		memcpy(at + CHUNK_LINE + n, "\r\n", 2);
		fetch->out_end += CHUNK_LINE + 2;
	}
	fetch->out_end += (size_t)n;
	if (chunked && fetch->body_ended) {
		memcpy(fetch->out + fetch->out_end, "0\r\n\r\n", 5);
		fetch->out_end += 5;
	}
	return 0;
}

/* Return: false: the fetch is gone. */
static bool send_request(struct fetch *fetch)
{
	struct client *client = fetch->client;
	ssize_t n;

	while (!fetch->sent) {
		/* TLS wants the same bytes again that did not go: nothing is put behind them. */
		if (fetch->out_at == fetch->out_end && !fetch->body_ended) {
			fetch->out_at = fetch->out_end = 0;
			if (fill_out(fetch) < 0) {
				fetch_fail(fetch, client->reader.status, client->reader.why);
				return false;
			}
		}
		if (fetch->waits_body && fetch->out_at == fetch->out_end)
			break;
		n = upstream_send(fetch->upstream, fetch->out + fetch->out_at,
				  fetch->out_end - fetch->out_at);
		if (n == -EAGAIN)
			break;
		/* Why is what the answer says, or the end in place of one. */
		if (n < 0) {
			stop_sending(fetch);
			break;
		}
		fetch->out_at += (size_t)n;
		fetch->sent = fetch->body_ended && fetch->out_at == fetch->out_end;
	}
	return true;
}

/* --- the answer --- */

/* The head is whole.  Return: 0 or -ENOMEM. */
static int take_head(struct fetch *fetch)
{
	/* A server that refuses does not wait for the rest. */
	if (fetch->early && fetch->answer.status >= 300)
		stop_sending(fetch);
	fetch->swallow = fetch_is_followed(fetch);
	return fetch->swallow ? 0 : fetch_put_head(fetch);
}

/* Bytes of the body, in .in.  Return: 0 or -ENOMEM. */
static int take_body(struct fetch *fetch)
{
	struct answer *answer = &fetch->answer;
	char *at = fetch->in + fetch->in_at;
	size_t size = fetch->in_end - fetch->in_at, taken, written;

	if (answer->framing == ANSWER_CHUNKED)
		taken = answer_chunked(answer, at, size, &written);
	else
		taken = written = answer_count(answer, size);
	fetch->in_at += taken;
	if (answer->state == ANSWER_FAILED || fetch->swallow)
		return 0;
	return fetch_put_body(fetch->client, at, written);
}

/* Reads what is in .in.  Return: 0 or -ENOMEM. */
static int digest(struct fetch *fetch)
{
	struct answer *answer = &fetch->answer;
	bool in_head = answer->state == ANSWER_HEAD;
	size_t used = 1;

	while (answer->state == ANSWER_HEAD && used > 0) {
		used = answer_head(answer, fetch->in + fetch->in_at, fetch->in_end - fetch->in_at);
		fetch->in_at += used;
	}
	if (answer->state == ANSWER_HEAD) {
		fetch->in_end -= fetch->in_at;
		memmove(fetch->in, fetch->in + fetch->in_at, fetch->in_end);
		fetch->in_at = 0;
		return 0;
	}
	if (answer->state != ANSWER_FAILED && in_head && take_head(fetch) < 0)
		return -ENOMEM;
	if (answer->state == ANSWER_BODY && fetch->in_at < fetch->in_end && take_body(fetch) < 0)
		return -ENOMEM;
	fetch->stray |= fetch->in_at < fetch->in_end;
	fetch->in_at = fetch->in_end = 0;
	client_send_early(fetch->client);
	return 0;
}

/* Return: as of upstream_receive(), or -ENOMEM; *@room: as many bytes could have come. */
static ssize_t receive_here(struct fetch *fetch, size_t *room)
{
	ssize_t n;

	*room = FETCH_IN_SIZE - fetch->in_end;
	n = upstream_receive(fetch->upstream, fetch->in + fetch->in_end, *room);
	if (n <= 0)
		return n;
	fetch->heard = true;
	fetch->early |= !fetch->sent;
	fetch->in_end += (size_t)n;
	return digest(fetch) < 0 ? -ENOMEM : n;
}

/* Of a body that goes on as it comes, straight to the client's output. */
static ssize_t receive_there(struct fetch *fetch, size_t *room)
{
	struct client *client = fetch->client;
	size_t waiting = client->out_end - client->out_at, body;
	char *out;
	ssize_t n;

	/* What waits already goes with it, in one piece. */
	*room = waiting < CLIENT_OUT_EARLY ? CLIENT_OUT_EARLY - waiting : CLIENT_OUT_EARLY;
	out = client_reserve(client, *room);
	if (!out)
		return -ENOMEM;
	n = upstream_receive(fetch->upstream, out, *room);
	if (n <= 0)
		return n;
	body = answer_count(&fetch->answer, (size_t)n);
	fetch->stray |= body < (size_t)n;
	if (fetch->answer.state != ANSWER_FAILED)
		client->out_end += body;
	client_send_early(client);
	return n;
}

static void finish(struct fetch *fetch)
{
	struct upstream *upstream = fetch->upstream;

	fetch->upstream = NULL;
	/* Where one answer's end, or its request's, is in doubt, there is no other. */
	if (fetch->answer.keep_alive && fetch->sent && !fetch->early && !fetch->stray)
		upstream_keep(upstream);
	else
		upstream_free(upstream);
	fetch_answered(fetch);
}

/* Return: false: the answer is whole, or will never be; the fetch is gone. */
static bool goes_on(struct fetch *fetch)
{
	const struct answer *answer = &fetch->answer;
	char why[400];

	if (answer->state == ANSWER_DONE) {
		finish(fetch);
		return false;
	}
	if (answer->state != ANSWER_FAILED)
		return true;
	snprintf(why, sizeof(why), "%s: %s%s", fetch->url.host,
		 answer->is_http ? "" : "this is no answer that HTTP knows: ", answer->why);
	fetch_fail(fetch, 502, why);
	return false;
}

/*
 * The connection has ended.  Where it was kept and nothing has come, its server has most likely closed it
 * before it saw the request.  That it did not carry it out nobody can know: as libcurl does, and
 * browsers, once more, POST and PATCH as well, unless part of a body is gone that we cannot send again.
 */
static void take_end(struct fetch *fetch, int error)
{
	char why[400];

	if (fetch->upstream->reused && !fetch->heard && !fetch->sent_body && !fetch->retried) {
		fetch_retry(fetch);
		return;
	}
	if (error) {
		snprintf(why, sizeof(why), "%s: the connection broke: %s", fetch->url.host,
			 strerror(error));
		fetch_fail(fetch, 502, why);
		return;
	}
	answer_end(&fetch->answer);
	goes_on(fetch);
}

/* Return: false: the fetch is gone. */
static bool receive_answer(struct fetch *fetch)
{
	struct client *client = fetch->client;

	/* What libcurl holds back of TLS no event tells of: there it is read until it has nothing. */
	for (int i = 0; i < PIECES_AT_ONCE || fetch->upstream->easy; i++) {
		bool there = fetch->answer.state == ANSWER_BODY && !client->chunked_out &&
			     !fetch->swallow && fetch->answer.framing != ANSWER_CHUNKED;
		size_t room;
		ssize_t n;

		fetch->waits_room = client_is_full(client);
		if (fetch->waits_room)
			return true;
		n = there ? receive_there(fetch, &room) : receive_here(fetch, &room);
		if (n == -EAGAIN)
			return true;
		if (n == -ENOMEM) {
			fetch_fail(fetch, 503, "out of memory");
			return false;
		}
		if (n <= 0) {
			take_end(fetch, (int)-n);
			return false;
		}
		if (!goes_on(fetch))
			return false;
		if ((size_t)n < room && !fetch->upstream->easy)
			return true;
	}
	return true;
}

/* --- the loop --- */

/* An answer that has to wait is heard of once at the most: often it has room again before. */
static void watch(struct fetch *fetch, bool heard)
{
	struct source *source = &fetch->upstream->source;
	uint32_t events = fetch->waits_room ? (heard ? 0 : source->events & EPOLLIN) : EPOLLIN;

	if (fetch->out_at < fetch->out_end)
		events |= EPOLLOUT;
	gateway_watch(fetch->gateway, source, events);
}

void exchange_begin(struct fetch *fetch, struct upstream *upstream)
{
	const struct request_head head = {
	    .from = &fetch->client->reader.request,
	    .url = &fetch->url,
	    .app = fetch->gateway->app,
	    .has_body = fetch->has_body,
	    .becomes_get = fetch->becomes_get,
	    .strips = fetch->strips,
	};

	upstream->fetch = fetch;
	fetch->upstream = upstream;
	answer_init(&fetch->answer, !strcmp(head.from->method, "HEAD"));
	fetch->heard = fetch->early = fetch->stray = fetch->swallow = fetch->sent =
	    fetch->waits_room = fetch->waits_body = false;
	fetch->in_at = fetch->in_end = fetch->out_at = 0;
	fetch->out_end = request_head_write(&head, fetch->out);
	fetch->body_ended = !fetch->has_body;
	if (fetch->has_body && fill_out(fetch) < 0) {
		fetch_fail(fetch, fetch->client->reader.status, fetch->client->reader.why);
		return;
	}
	if (send_request(fetch))
		watch(fetch, false);
}

void exchange_run(struct fetch *fetch, uint32_t events)
{
	bool heard = events & ~(uint32_t)EPOLLOUT;

	if (events & EPOLLOUT && !send_request(fetch))
		return;
	if (heard && !fetch->waits_room && !receive_answer(fetch))
		return;
	watch(fetch, heard);
}

void exchange_resume(struct fetch *fetch)
{
	bool body = fetch->waits_body && client_has_input(fetch->client);
	bool room = fetch->waits_room && client_has_room(fetch->client);

	if (body && !send_request(fetch))
		return;
	if (room && !receive_answer(fetch))
		return;
	if (body || room)
		watch(fetch, false);
}
