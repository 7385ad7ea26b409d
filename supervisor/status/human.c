/* SPDX-License-Identifier: Apache-2.0 */
#include "status/human.h"

#include "shared/base/escape.h"

#include <inttypes.h>
#include <string.h>

char *human_count(uint64_t count, char out[HUMAN_MAX])
{
	static const char units[] = "kMGTPE";
	uint64_t tenths;
	size_t unit = 0;

	if (count < 1000) {
		snprintf(out, HUMAN_MAX, "%" PRIu64, count);
		return out;
	}
	/* Rounded down: what is shown as used up is used up. */
	tenths = count / 100;
	for (; tenths >= 10000; tenths /= 1000)
		unit++;
	if (tenths < 100)
		snprintf(out, HUMAN_MAX, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10,
			 units[unit]);
	else
		snprintf(out, HUMAN_MAX, "%" PRIu64 "%c", tenths / 10, units[unit]);
	return out;
}

char *human_duration(uint64_t ms, char out[HUMAN_MAX])
{
	uint64_t s = ms / 1000;

	if (s < 60)
		snprintf(out, HUMAN_MAX, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(out, HUMAN_MAX, "%" PRIu64 "m%02" PRIu64, s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, HUMAN_MAX, "%" PRIu64 "h%02" PRIu64, s / 3600, s / 60 % 60);
	else if (s / 86400 < 9999)
		snprintf(out, HUMAN_MAX, "%" PRIu64 "d", s / 86400);
	else
		snprintf(out, HUMAN_MAX, ">27y");
	return out;
}

uint64_t human_since(uint64_t earlier, uint64_t later)
{
	return later > earlier ? later - earlier : 0;
}

char *human_destination(const struct net_endpoint *to, const char *host, char *out, size_t room)
{
	char text[1024];

	if (host && *host) {
		escape_text(text, sizeof(text), host, strlen(host));
		snprintf(out, room, "%s:%u", text, (unsigned int)to->port);
	} else if (to->addr.family == AF_UNSPEC) {
		snprintf(out, room, "-");
	} else {
		snprintf(out, room, "%s", net_endpoint_format(to, text));
	}
	return out;
}

size_t human_fit(const char *text, size_t width, const char *mark, char *out)
{
	size_t length = strlen(text), head, tail;

	if (length <= width) {
		memcpy(out, text, length + 1);
		return length;
	}
	if (!width) {
		*out = '\0';
		return 0;
	}
	tail = (width - 1) / 2;
	head = width - 1 - tail;
	memcpy(out, text, head);
	memcpy(out + head, mark, strlen(mark));
	memcpy(out + head + strlen(mark), text + length - tail, tail + 1);
	return width;
}
