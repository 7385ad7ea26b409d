/* SPDX-License-Identifier: Apache-2.0 */
#include "status/top_sample.h"

#include "shared/base/escape.h"
#include "shared/base/fd.h"
#include "status/human.h"
#include "status/status.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 1000 /* an instance that has not answered by then is shown as such */

struct sampler {
	const struct top_options *options;
	const struct top_picture *previous;
	struct top_picture *picture;
};

static int compare_cookies(const void *a, const void *b)
{
	const struct status_socket *x = *(const struct status_socket *const *)a;
	const struct status_socket *y = *(const struct status_socket *const *)b;

	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

static const struct status_socket *find_socket(const struct top_instance *instance,
					       const struct status_socket *socket)
{
	const struct status_socket **found =
	    bsearch(&socket, instance->by_cookie, instance->instance.status->n_sockets,
		    sizeof(socket), compare_cookies);

	return found ? *found : NULL;
}

static uint64_t rate(uint64_t before, uint64_t now, uint64_t ms)
{
	uint64_t more = human_since(before, now);

	return !ms ? 0 : more > UINT64_MAX / 1000 ? UINT64_MAX : more * 1000 / ms;
}

/* The same run of the same instance, in the previous picture. */
static const struct top_instance *find_previous(const struct top_picture *previous,
						const struct top_instance *now)
{
	const struct status *status = now->instance.status;

	for (size_t i = 0; previous && i < previous->n; i++) {
		const struct top_instance *then = &previous->list[i];

		if (then->uid == now->uid && then->instance.status &&
		    !strcmp(then->instance.name, now->instance.name) &&
		    then->instance.status->started_ms == status->started_ms)
			return then;
	}
	return NULL;
}

/* What a socket had before: that of the last picture; nothing if it is younger; else nobody knows. */
static struct usage usage_before(const struct top_instance *then,
				 const struct status_socket *socket, uint64_t ms)
{
	const struct status_socket *before = find_socket(then, socket);
	static const struct usage nothing = {0};

	if (before)
		return before->usage;
	return socket->age_ms <= ms ? nothing : socket->usage;
}

/* Before the sockets are sorted. */
static void set_rates(struct top_instance *now, const struct top_instance *then)
{
	const struct status *status = now->instance.status, *old = then->instance.status;
	uint64_t ms = human_since(old->now_ms, status->now_ms);

	now->has_rates = true;
	now->out_rate = rate(old->total.bytes_sent, status->total.bytes_sent, ms);
	now->in_rate = rate(old->total.bytes_received, status->total.bytes_received, ms);
	for (size_t i = 0; i < status->n_sockets; i++) {
		const struct status_socket *socket = &status->sockets[i];
		struct usage before = usage_before(then, socket, ms);

		now->sockets[i].out_rate = rate(before.bytes_sent, socket->usage.bytes_sent, ms);
		now->sockets[i].in_rate =
		    rate(before.bytes_received, socket->usage.bytes_received, ms);
	}
}

/* Return: 0 or -ENOMEM. */
static int list_sockets(struct top_instance *instance)
{
	const struct status *status = instance->instance.status;
	size_t n = status->n_sockets;

	instance->sockets = calloc(n + 1, sizeof(*instance->sockets));
	instance->by_cookie = calloc(n + 1, sizeof(*instance->by_cookie));
	if (!instance->sockets || !instance->by_cookie)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		instance->sockets[i].socket = instance->by_cookie[i] = &status->sockets[i];
	qsort(instance->by_cookie, n, sizeof(*instance->by_cookie), compare_cookies);
	return 0;
}

static bool is_wanted(const struct top_options *options, const struct instance *instance)
{
	return !options->app || (instance->status && !strcmp(instance->status->app, options->app));
}

/* Takes the status over.  Return: 0 or -ENOMEM. */
static int add_instance(struct sampler *sampler, struct instance *found, uid_t uid)
{
	struct top_picture *picture = sampler->picture;
	struct top_instance *grown =
	    reallocarray(picture->list, picture->n + 1, sizeof(*picture->list));
	const struct top_instance *then;

	if (!grown)
		return -ENOMEM;
	picture->list = grown;
	grown += picture->n++;
	*grown = (struct top_instance){.uid = uid, .instance = *found};
	found->status = NULL;
	if (!grown->instance.status)
		return 0;
	if (list_sockets(grown))
		return -ENOMEM;
	then = find_previous(sampler->previous, grown);
	if (then)
		set_rates(grown, then);
	return 0;
}

static void add_note(struct top_picture *picture, const char *text)
{
	if (picture->n_notes < TOP_NOTES_MAX)
		escape_text(picture->notes[picture->n_notes++], sizeof(picture->notes[0]), text,
			    strlen(text));
}

/* Return: 0, or -errno with a line in @error. */
static int look_into(struct sampler *sampler, const char *path, uid_t uid, char *error, size_t room)
{
	CLEANUP_FD int dir = runtime_dir_find(path, uid, error, room);
	struct instances instances;
	char note[64];
	int status;

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	status = instances_read(dir, uid, ANSWER_MS, &instances);
	for (size_t i = 0; !status && i < instances.n; i++)
		if (is_wanted(sampler->options, &instances.list[i]))
			status = add_instance(sampler, &instances.list[i], uid);
	if (instances.left_out) {
		snprintf(note, sizeof(note), "%zu instances are left out", instances.left_out);
		add_note(sampler->picture, note);
	}
	if (status)
		snprintf(error, room, "%s: %s", path, strerror(-status));
	instances_free(&instances);
	return status;
}

/* "/run/user/1000/gae-run", "/tmp/gae-run-1000": the number.  Return: false when there is none. */
static bool owner_in_path(const char *path, uid_t *uid)
{
	const char *digits = path + strcspn(path, "0123456789");
	size_t length = strspn(digits, "0123456789");

	if (!length || length > 10 || (digits[length] && digits[length] != '/'))
		return false;
	*uid = (uid_t)strtoul(digits, NULL, 10);
	return true;
}

/* Those of other users: what is wrong with one is a note. */
static void look_at_others(struct sampler *sampler, const char *own)
{
	glob_t found = {0};
	char error[256];
	uid_t uid;

	glob("/run/user/[0-9]*/gae-run", 0, NULL, &found);
	glob("/tmp/gae-run-[0-9]*", GLOB_APPEND, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (strcmp(found.gl_pathv[i], own) != 0 && owner_in_path(found.gl_pathv[i], &uid) &&
		    look_into(sampler, found.gl_pathv[i], uid, error, sizeof(error)))
			add_note(sampler->picture, error);
	globfree(&found);
}

int top_sample_take(const struct top_options *options, const struct top_picture *previous,
		    struct top_picture *picture, char *error, size_t room)
{
	struct sampler sampler = {options, previous, picture};
	char own[PATH_MAX];
	int status;

	*picture = (struct top_picture){0};
	if (!runtime_dir_path(own, sizeof(own))) {
		snprintf(error, room, "XDG_RUNTIME_DIR is too long");
		return -ENAMETOOLONG;
	}
	status = look_into(&sampler, own, geteuid(), error, room);
	if (!status && options->all_users)
		look_at_others(&sampler, own);
	if (!status)
		top_sample_sort(picture, options);
	return status;
}

static int compare_destinations(const struct status_socket *a, const struct status_socket *b)
{
	int order;

	/* Names first. */
	if (!*a->host != !*b->host)
		return *a->host ? -1 : 1;
	order = strcmp(a->host, b->host);
	if (!order)
		order = (int)a->to.addr.family - (int)b->to.addr.family;
	if (!order)
		order = memcmp(a->to.addr.bytes, b->to.addr.bytes, sizeof(a->to.addr.bytes));
	return order ? order : (int)a->to.port - (int)b->to.port;
}

static int most_first(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static int compare_by(enum top_key key, const struct top_socket *a, const struct top_socket *b)
{
	const struct status_socket *x = a->socket, *y = b->socket;

	switch (key) {
	case TOP_RATE:
		return most_first(sum(a->out_rate, a->in_rate), sum(b->out_rate, b->in_rate));
	case TOP_SENT:
		return most_first(x->usage.bytes_sent, y->usage.bytes_sent);
	case TOP_RECEIVED:
		return most_first(x->usage.bytes_received, y->usage.bytes_received);
	case TOP_IDLE:
		return most_first(x->idle_ms, y->idle_ms);
	case TOP_PID:
		return (x->pid > y->pid) - (x->pid < y->pid);
	case TOP_DESTINATION:
	case TOP_KEYS:
		break;
	}
	return compare_destinations(x, y);
}

static int compare_sockets(const void *a, const void *b, void *context)
{
	const struct top_options *options = context;
	const struct top_socket *x = a, *y = b;
	int order = compare_by(options->key, x, y);

	if (options->reverse)
		order = -order;
	/* What is equal keeps its place from one picture to the next. */
	if (!order)
		order = (x->socket->cookie > y->socket->cookie) -
			(x->socket->cookie < y->socket->cookie);
	return order;
}

void top_sample_sort(struct top_picture *picture, const struct top_options *options)
{
	struct top_options copy = *options;

	for (size_t i = 0; i < picture->n; i++)
		if (picture->list[i].instance.status)
			qsort_r(picture->list[i].sockets,
				picture->list[i].instance.status->n_sockets,
				sizeof(*picture->list[i].sockets), compare_sockets, &copy);
}

void top_sample_free(struct top_picture *picture)
{
	for (size_t i = 0; i < picture->n; i++) {
		free(picture->list[i].sockets);
		free(picture->list[i].by_cookie);
		status_free(picture->list[i].instance.status);
	}
	free(picture->list);
	*picture = (struct top_picture){0};
}
