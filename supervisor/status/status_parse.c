/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/json.h"
#include "shared/base/escape.h"
#include "status/status.h"
#include "status/status_fields.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* No honest record is shorter: keeps what is made of a text in proportion to its size. */
#define RECORD_TEXT_MIN 32

struct parser {
	struct status *status;
	size_t size; /* of the text */
	size_t socket_room, flow_room;
	enum { AT_NOTHING, AT_QUOTA, AT_SOCKET, AT_FLOW } at; /* which record is being read */
	struct status_quota *quota;                           /* NULL: of no known name */
	size_t text_used;                                     /* of status->text */
	bool has_version, failed;
	char *error;
	size_t room;
};

__attribute__((format(printf, 2, 3))) static void fail(struct parser *parser, const char *format,
						       ...)
{
	va_list args;

	if (parser->failed)
		return;
	parser->failed = true;
	va_start(args, format);
	vsnprintf(parser->error, parser->room, format, args);
	va_end(args);
}

static void fail_value(struct parser *parser, const struct json_value *value)
{
	char text[64];

	escape_text(text, sizeof(text), value->text, strlen(value->text));
	fail(parser, "%s: \"%s\" makes no sense", value->name, text);
}

/* Decimal digits alone.  Return: false when it is none or is above @max. */
static bool read_number(const char *text, uint64_t max, uint64_t *number)
{
	size_t digits = strspn(text, "0123456789");
	char *end;

	if (!digits || text[digits])
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return !errno && *number <= max;
}

/* Every string is shorter than it was in the text, quotes and all: the room is enough for them. */
static const char *keep_text(struct parser *parser, const char *text)
{
	size_t size = strlen(text) + 1;
	char *kept = parser->status->text + parser->text_used;

	if (size > parser->size - parser->text_used)
		return "";
	memcpy(kept, text, size);
	parser->text_used += size;
	return kept;
}

static bool read_address(const char *text, struct net_addr *addr)
{
	uint32_t scope = addr->scope_id;

	if (!*text)
		*addr = (struct net_addr){.family = AF_UNSPEC};
	else if (net_addr_parse(text, addr))
		return false;
	addr->scope_id = scope;
	return true;
}

static bool read_transport(const char *text, enum transport *transport)
{
	for (unsigned int i = TRANSPORT_TCP; i <= TRANSPORT_UDP; i++) {
		if (strcmp(text, status_transport_name(i)) != 0)
			continue;
		*transport = i;
		return true;
	}
	return false;
}

/* What is a number in the text. */
static bool read_integer(enum field_type type, const char *text, void *at)
{
	struct net_endpoint *to = at;
	uint64_t max = type == FIELD_PID     ? INT_MAX
		       : type == FIELD_SCOPE ? UINT32_MAX
		       : type == FIELD_PORT  ? UINT16_MAX
					     : UINT64_MAX;
	uint64_t number;

	if (type == FIELD_LIMIT && !strcmp(text, "null")) {
		*(uint64_t *)at = QUOTA_UNLIMITED;
		return true;
	}
	if (!read_number(text, max, &number))
		return false;
	if (type == FIELD_PID)
		*(pid_t *)at = (pid_t)number;
	else if (type == FIELD_SCOPE)
		to->addr.scope_id = (uint32_t)number;
	else if (type == FIELD_PORT)
		to->port = (uint16_t)number;
	else
		*(uint64_t *)at = number;
	return true;
}

static bool read_field(struct parser *parser, enum field_type type, const char *text, void *at)
{
	switch (type) {
	case FIELD_TEXT:
		*(const char **)at = keep_text(parser, text);
		return true;
	case FIELD_PROCESS:
		snprintf(at, sizeof(((struct status_flow *)0)->process), "%s", text);
		return true;
	case FIELD_TRANSPORT:
		return read_transport(text, at);
	case FIELD_ADDRESS:
		return read_address(text, &((struct net_endpoint *)at)->addr);
	case FIELD_NUMBER:
	case FIELD_LIMIT:
	case FIELD_PID:
	case FIELD_SCOPE:
	case FIELD_PORT:
		break;
	}
	return read_integer(type, text, at);
}

/* Return: whether @owner has such a member. */
static bool read_member(struct parser *parser, enum field_owner owner, void *base,
			const struct json_value *value)
{
	const struct field_table *table = status_fields(owner);

	for (size_t i = 0; i < table->n; i++) {
		if (strcmp(table->fields[i].name, value->name) != 0)
			continue;
		if (!read_field(parser, table->fields[i].type, value->text,
				(char *)base + table->fields[i].offset))
			fail_value(parser, value);
		return true;
	}
	return false;
}

static void read_top(struct parser *parser, const struct json_value *value)
{
	if (strcmp(value->name, "gae_run_status") != 0) {
		if (!read_member(parser, OWNER_STATUS, parser->status, value))
			read_member(parser, OWNER_LEFT, parser->status, value);
		return;
	}
	parser->has_version = true;
	if (strcmp(value->text, "1") != 0)
		fail(parser, "written by another version of gae-run");
}

static void read_quota(struct parser *parser, const struct json_value *value)
{
	if (parser->quota)
		read_member(parser, OWNER_QUOTA, parser->quota, value);
	if (strcmp(value->name, "name") != 0)
		return;
	parser->quota = NULL;
	for (unsigned int i = 0; i < QUOTA_KINDS; i++)
		if (!strcmp(value->text, quota_name(i)))
			parser->quota = &parser->status->quotas[i];
}

static void read_record(struct parser *parser, const struct json_value *value)
{
	struct status *status = parser->status;
	struct status_socket *socket;
	struct status_flow *flow;

	if (parser->at == AT_QUOTA && !strcmp(value->parent, "quotas")) {
		read_quota(parser, value);
	} else if (parser->at == AT_SOCKET && !strcmp(value->parent, "sockets")) {
		socket = &status->sockets[status->n_sockets - 1];
		if (!read_member(parser, OWNER_SOCKET, socket, value))
			read_member(parser, OWNER_USAGE, &socket->usage, value);
	} else if (parser->at == AT_FLOW && !strcmp(value->parent, "flows")) {
		flow = &status->flows[status->n_flows - 1];
		if (!read_member(parser, OWNER_FLOW, flow, value))
			read_member(parser, OWNER_USAGE, &flow->usage, value);
	}
}

static void visit(void *context, const struct json_value *value)
{
	struct parser *parser = context;

	if (parser->failed)
		return;
	if (value->depth == 1)
		read_top(parser, value);
	else if (value->depth == 2 && !strcmp(value->parent, "total"))
		read_member(parser, OWNER_USAGE, &parser->status->total, value);
	else if (value->depth == 3)
		read_record(parser, value);
}

/* Room for one record more behind @n.  Return: where @records are now, or NULL and they stay. */
static void *grow(struct parser *parser, void *records, size_t n, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *grown;

	if (n >= STATUS_SOCKETS_MAX || n >= parser->size / RECORD_TEXT_MIN) {
		fail(parser, "more records than a picture has");
		return NULL;
	}
	if (n < *room)
		return records;
	grown = reallocarray(records, wanted, size);
	if (!grown)
		fail(parser, "out of memory");
	else
		*room = wanted;
	return grown;
}

static void begin_socket(struct parser *parser)
{
	struct status *status = parser->status;
	struct status_socket *grown =
	    grow(parser, status->sockets, status->n_sockets, &parser->socket_room, sizeof(*grown));

	if (!grown)
		return;
	status->sockets = grown;
	grown[status->n_sockets++] = (struct status_socket){.transport = TRANSPORT_TCP, .host = ""};
	parser->at = AT_SOCKET;
}

static void begin_flow(struct parser *parser)
{
	struct status *status = parser->status;
	struct status_flow *grown =
	    grow(parser, status->flows, status->n_flows, &parser->flow_room, sizeof(*grown));

	if (!grown)
		return;
	status->flows = grown;
	grown[status->n_flows++] = (struct status_flow){.transport = TRANSPORT_TCP, .host = ""};
	parser->at = AT_FLOW;
}

static void begin_item(void *context, const char *array, unsigned int depth)
{
	struct parser *parser = context;

	if (parser->failed || depth != 2)
		return;
	parser->at = AT_NOTHING;
	parser->quota = NULL;
	if (!strcmp(array, "quotas"))
		parser->at = AT_QUOTA;
	else if (!strcmp(array, "sockets"))
		begin_socket(parser);
	else if (!strcmp(array, "flows"))
		begin_flow(parser);
}

static struct status *new_status(size_t text_size)
{
	struct status *status = calloc(1, sizeof(*status));

	if (!status)
		return NULL;
	status->app = status->program = "";
	for (unsigned int i = 0; i < QUOTA_KINDS; i++)
		status->quotas[i].per_minute = status->quotas[i].per_day = QUOTA_UNLIMITED;
	status->text = malloc(text_size + 1);
	if (!status->text) {
		free(status);
		return NULL;
	}
	return status;
}

struct status *status_parse_json(const char *text, size_t size, char *error, size_t room)
{
	struct parser parser = {.size = size, .error = error, .room = room};

	if (size > STATUS_TEXT_MAX)
		fail(&parser, "larger than %u MiB", STATUS_TEXT_MAX >> 20);
	else if (!(parser.status = new_status(size)))
		fail(&parser, "out of memory");
	else if (json_read_items(text, size, visit, begin_item, &parser))
		fail(&parser, "not JSON, or cut short");
	else if (!parser.has_version)
		fail(&parser, "no picture of gae-run");
	if (!parser.failed)
		return parser.status;
	status_free(parser.status);
	return NULL;
}

void status_free(struct status *status)
{
	if (!status)
		return;
	free(status->sockets);
	free(status->flows);
	free(status->text);
	free(status);
}
