/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/escape.h"
#include "status/status.h"
#include "status/status_fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* Sockets may fill the first part, flows what is left of the second; the rest is for all else. */
#define SOCKETS_END (STATUS_TEXT_MAX / 2)
#define FLOWS_END (STATUS_TEXT_MAX - (1u << 20))

struct writer {
	FILE *out;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format,
						      ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vfprintf(writer->out, format, args);
	va_end(args);
	if (n > 0)
		writer->used += (size_t)n;
}

static void put_text(struct writer *writer, const char *text, size_t size)
{
	char escaped[1024];

	escape_json(escaped, sizeof(escaped), text, size);
	put(writer, "\"%s\"", escaped);
}

static void put_address(struct writer *writer, const struct net_endpoint *to)
{
	struct net_addr addr = to->addr;
	char text[NET_ADDR_TEXT_MAX];

	addr.scope_id = 0;
	put(writer, "\"%s\"", addr.family == AF_UNSPEC ? "" : net_addr_format(&addr, text));
}

static void put_value(struct writer *writer, enum field_type type, const void *at)
{
	const struct net_endpoint *to = at;
	const char *text;

	switch (type) {
	case FIELD_NUMBER:
	case FIELD_LIMIT:
		if (type == FIELD_LIMIT && *(const uint64_t *)at == QUOTA_UNLIMITED)
			put(writer, "null");
		else
			put(writer, "%" PRIu64, *(const uint64_t *)at);
		break;
	case FIELD_PID:
		put(writer, "%d", *(const pid_t *)at);
		break;
	case FIELD_TEXT:
		text = *(const char *const *)at;
		put_text(writer, text ? text : "", text ? strlen(text) : 0);
		break;
	case FIELD_PROCESS:
		put_text(writer, at, strnlen(at, sizeof(((struct status_flow *)0)->process)));
		break;
	case FIELD_TRANSPORT:
		put(writer, "\"%s\"", status_transport_name(*(const enum transport *)at));
		break;
	case FIELD_ADDRESS:
		put_address(writer, to);
		break;
	case FIELD_SCOPE:
		put(writer, "%" PRIu32, to->addr.scope_id);
		break;
	case FIELD_PORT:
		put(writer, "%u", (unsigned int)to->port);
		break;
	}
}

/* `"name":value` of each row, with @before in front of the first. */
static void put_fields(struct writer *writer, enum field_owner owner, const void *base,
		       const char *before)
{
	const struct field_table *table = status_fields(owner);

	for (size_t i = 0; i < table->n; i++) {
		put(writer, "%s\"%s\":", i ? "," : before, table->fields[i].name);
		put_value(writer, table->fields[i].type,
			  (const char *)base + table->fields[i].offset);
	}
}

static void put_quotas(struct writer *writer, const struct status *status)
{
	put(writer, ",\"quotas\":[");
	for (unsigned int i = 0; i < QUOTA_KINDS; i++) {
		/* The name first: the reader needs it to know where the numbers go. */
		put(writer, "%s{\"name\":\"%s\"", i ? "," : "", quota_name(i));
		put_fields(writer, OWNER_QUOTA, &status->quotas[i], ",");
		put(writer, "}");
	}
	put(writer, "]");
}

/* Return: how many there was no room for. */
static size_t put_sockets(struct writer *writer, const struct status *status)
{
	size_t i;

	put(writer, ",\"sockets\":[");
	for (i = 0; i < status->n_sockets && i < STATUS_SOCKETS_MAX && !ferror(writer->out); i++) {
		if (writer->used > SOCKETS_END)
			break;
		put_fields(writer, OWNER_SOCKET, &status->sockets[i], i ? ",{" : "{");
		put_fields(writer, OWNER_USAGE, &status->sockets[i].usage, ",");
		put(writer, "}");
	}
	put(writer, "]");
	return status->n_sockets - i;
}

static size_t put_flows(struct writer *writer, const struct status *status)
{
	size_t i;

	put(writer, ",\"flows\":[");
	for (i = 0; i < status->n_flows && i < STATUS_SOCKETS_MAX && !ferror(writer->out); i++) {
		if (writer->used > FLOWS_END)
			break;
		put_fields(writer, OWNER_FLOW, &status->flows[i], i ? ",{" : "{");
		put_fields(writer, OWNER_USAGE, &status->flows[i].usage, ",");
		put(writer, "}");
	}
	put(writer, "]");
	return status->n_flows - i;
}

int status_write_json(const struct status *status, FILE *out)
{
	struct writer writer = {out, 0};
	struct status left = {.sockets_left_out = status->sockets_left_out,
			      .flows_left_out = status->flows_left_out};

	put(&writer, "{\"gae_run_status\":1");
	put_fields(&writer, OWNER_STATUS, status, ",");
	put(&writer, ",\"total\":{");
	put_fields(&writer, OWNER_USAGE, &status->total, "");
	put(&writer, "}");
	put_quotas(&writer, status);
	left.sockets_left_out += put_sockets(&writer, status);
	left.flows_left_out += put_flows(&writer, status);
	put_fields(&writer, OWNER_LEFT, &left, ",");
	put(&writer, "}\n");
	return ferror(out) ? -EIO : 0;
}
