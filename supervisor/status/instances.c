/* SPDX-License-Identifier: Apache-2.0 */
#include "status/instances.h"

#include "shared/base/clock.h"
#include "shared/base/fd.h"
#include "status/status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes of text of all instances at a time: a user's processes could serve root any number of them. */
#define TEXT_MAX ((size_t)4 * STATUS_TEXT_MAX)

/* One connection; next to the instance of the same index. */
struct reading {
	int fd; /* -1: done */
	char *text;
	size_t used, room;
};

struct look {
	struct instances *instances;
	struct reading readings[INSTANCES_MAX];
	size_t text; /* sum of all rooms */
};

__attribute__((format(printf, 2, 3))) static void say(struct instance *instance, const char *format,
						      ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(instance->error, sizeof(instance->error), format, args);
	va_end(args);
}

static void begin_reading(struct look *look, size_t i, int dir, uid_t owner)
{
	struct instance *instance = &look->instances->list[i];
	int fd = runtime_connect(dir, instance->name, owner);

	look->readings[i] = (struct reading){.fd = fd >= 0 ? fd : -1};
	if (fd == -EAGAIN)
		say(instance, "too many ask it at once");
	else if (fd < 0)
		say(instance, "%s", strerror(-fd));
	/* Dead, or gone since its name was read. */
	if (fd == -ECONNREFUSED || fd == -ENOENT)
		instance->name[0] = '\0';
}

static void end_reading(struct look *look, size_t i)
{
	struct instance *instance = &look->instances->list[i];
	struct reading *reading = &look->readings[i];
	char why[72];

	fd_close(&reading->fd);
	if (!instance->error[0] && !reading->used) {
		say(instance, "says nothing");
	} else if (!instance->error[0]) {
		instance->status =
		    status_parse_json(reading->text, reading->used, why, sizeof(why));
		if (!instance->status)
			say(instance, "not understood: %s", why);
	}
	free(reading->text);
	look->text -= reading->room;
	*reading = (struct reading){.fd = -1};
}

/* Return: 0, or -errno. */
static int make_room(struct look *look, struct reading *reading)
{
	size_t wanted = reading->room ? reading->room * 2 : 16384;
	char *grown;

	if (reading->used < reading->room)
		return 0;
	if (wanted > STATUS_TEXT_MAX || look->text + wanted - reading->room > TEXT_MAX)
		return -EFBIG;
	grown = realloc(reading->text, wanted);
	if (!grown)
		return -ENOMEM;
	look->text += wanted - reading->room;
	reading->text = grown;
	reading->room = wanted;
	return 0;
}

/* What has come; a fair piece of it, for others wait. */
static void go_on_reading(struct look *look, size_t i)
{
	struct reading *reading = &look->readings[i];
	int status = make_room(look, reading);
	ssize_t n = 0;

	if (!status) {
		n = read(reading->fd, reading->text + reading->used, reading->room - reading->used);
		status = n < 0 ? -errno : 0;
	}
	if (status == -EAGAIN || status == -EINTR)
		return;
	reading->used += status ? 0 : (size_t)n;
	if (status)
		say(&look->instances->list[i], "%s", strerror(-status));
	if (status || n == 0)
		end_reading(look, i);
}

/* Return: how many are still being read. */
static size_t poll_once(struct look *look, int timeout)
{
	struct pollfd pollers[INSTANCES_MAX];
	size_t open = 0;

	for (size_t i = 0; i < look->instances->n; i++) {
		pollers[i] = (struct pollfd){.fd = look->readings[i].fd, .events = POLLIN};
		open += look->readings[i].fd >= 0;
	}
	if (!open || poll(pollers, look->instances->n, timeout) <= 0)
		return open;
	for (size_t i = 0; i < look->instances->n; i++)
		if (pollers[i].fd >= 0 && pollers[i].revents)
			go_on_reading(look, i);
	return open;
}

static void read_all(struct look *look, int timeout_ms)
{
	int64_t end = clock_now_ms() + timeout_ms;

	for (;;) {
		int64_t left = end - clock_now_ms();

		if (!poll_once(look, left > 0 ? (int)left : 0))
			return;
		if (left <= 0)
			break;
	}
	for (size_t i = 0; i < look->instances->n; i++) {
		if (look->readings[i].fd < 0)
			continue;
		say(&look->instances->list[i],
		    look->readings[i].used ? "did not finish in time" : "does not answer");
		end_reading(look, i);
	}
}

static int compare_names(const void *a, const void *b)
{
	const struct instance *x = a, *y = b;
	int by_pid = atoi(x->name) - atoi(y->name);

	return by_pid ? by_pid : strcmp(x->name, y->name);
}

/* The names in @dir, in order. */
static int list_names(int dir, struct instances *instances)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!stream) {
		fd_close(&copy);
		return -errno;
	}
	while ((entry = readdir(stream))) {
		if (!runtime_name_is_status(entry->d_name))
			continue;
		if (instances->n == INSTANCES_MAX)
			instances->left_out++;
		else
			snprintf(instances->list[instances->n++].name, RUNTIME_NAME_MAX, "%.31s",
				 entry->d_name);
	}
	closedir(stream);
	qsort(instances->list, instances->n, sizeof(*instances->list), compare_names);
	return 0;
}

/* Takes out those that were dead. */
static void drop_dead(struct instances *instances)
{
	size_t kept = 0;

	for (size_t i = 0; i < instances->n; i++)
		if (instances->list[i].name[0])
			instances->list[kept++] = instances->list[i];
	instances->n = kept;
}

int instances_read(int dir, uid_t owner, int timeout_ms, struct instances *instances)
{
	struct look *look = calloc(1, sizeof(*look));
	int status = -ENOMEM;

	*instances = (struct instances){.list = calloc(INSTANCES_MAX, sizeof(*instances->list))};
	if (look && instances->list)
		status = list_names(dir, instances);
	if (!status) {
		look->instances = instances;
		for (size_t i = 0; i < instances->n; i++)
			begin_reading(look, i, dir, owner);
		read_all(look, timeout_ms);
		drop_dead(instances);
	}
	free(look);
	return status;
}

void instances_free(struct instances *instances)
{
	for (size_t i = 0; i < instances->n; i++)
		status_free(instances->list[i].status);
	free(instances->list);
	*instances = (struct instances){0};
}
