/* SPDX-License-Identifier: Apache-2.0 */
#include "status/status_fields.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct field top[] = {
    {"app", FIELD_TEXT, offsetof(struct status, app)},
    {"program", FIELD_TEXT, offsetof(struct status, program)},
    {"pid", FIELD_PID, offsetof(struct status, pid)},
    {"supervisor", FIELD_PID, offsetof(struct status, supervisor)},
    {"started_ms", FIELD_NUMBER, offsetof(struct status, started_ms)},
    {"now_ms", FIELD_NUMBER, offsetof(struct status, now_ms)},
    {"idle_limit_ms", FIELD_NUMBER, offsetof(struct status, idle_limit_ms)},
    {"decisions_allowed", FIELD_NUMBER, offsetof(struct status, decisions_allowed)},
    {"decisions_denied", FIELD_NUMBER, offsetof(struct status, decisions_denied)},
    {"on_offer", FIELD_NUMBER, offsetof(struct status, on_offer)},
    {"reclaimed", FIELD_NUMBER, offsetof(struct status, reclaimed)},
    {"over_quota", FIELD_NUMBER, offsetof(struct status, over_quota)},
    {"lost", FIELD_NUMBER, offsetof(struct status, lost)},
    {"memory", FIELD_NUMBER, offsetof(struct status, memory)},
};

static const struct field left[] = {
    {"sockets_left_out", FIELD_NUMBER, offsetof(struct status, sockets_left_out)},
    {"flows_left_out", FIELD_NUMBER, offsetof(struct status, flows_left_out)},
};

/* The names of gae-usage --format json. */
static const struct field usage[] = {
    {"connects", FIELD_NUMBER, offsetof(struct usage, connects)},
    {"denied", FIELD_NUMBER, offsetof(struct usage, denied)},
    {"bytes_sent", FIELD_NUMBER, offsetof(struct usage, bytes_sent)},
    {"bytes_received", FIELD_NUMBER, offsetof(struct usage, bytes_received)},
    {"datagrams_sent", FIELD_NUMBER, offsetof(struct usage, datagrams_sent)},
    {"datagrams_received", FIELD_NUMBER, offsetof(struct usage, datagrams_received)},
};

static const struct field quota[] = {
    {"used_minute", FIELD_NUMBER, offsetof(struct status_quota, used_minute)},
    {"per_minute", FIELD_LIMIT, offsetof(struct status_quota, per_minute)},
    {"used_day", FIELD_NUMBER, offsetof(struct status_quota, used_day)},
    {"per_day", FIELD_LIMIT, offsetof(struct status_quota, per_day)},
};

static const struct field sockets[] = {
    {"cookie", FIELD_NUMBER, offsetof(struct status_socket, cookie)},
    {"pid", FIELD_PID, offsetof(struct status_socket, pid)},
    {"process", FIELD_PROCESS, offsetof(struct status_socket, process)},
    {"transport", FIELD_TRANSPORT, offsetof(struct status_socket, transport)},
    {"address", FIELD_ADDRESS, offsetof(struct status_socket, to)},
    {"scope_id", FIELD_SCOPE, offsetof(struct status_socket, to)},
    {"port", FIELD_PORT, offsetof(struct status_socket, to)},
    {"host", FIELD_TEXT, offsetof(struct status_socket, host)},
    {"on_offer", FIELD_NUMBER, offsetof(struct status_socket, on_offer)},
    {"age_ms", FIELD_NUMBER, offsetof(struct status_socket, age_ms)},
    {"idle_ms", FIELD_NUMBER, offsetof(struct status_socket, idle_ms)},
};

static const struct field flows[] = {
    {"pid", FIELD_PID, offsetof(struct status_flow, pid)},
    {"process", FIELD_PROCESS, offsetof(struct status_flow, process)},
    {"transport", FIELD_TRANSPORT, offsetof(struct status_flow, transport)},
    {"address", FIELD_ADDRESS, offsetof(struct status_flow, to)},
    {"scope_id", FIELD_SCOPE, offsetof(struct status_flow, to)},
    {"port", FIELD_PORT, offsetof(struct status_flow, to)},
    {"host", FIELD_TEXT, offsetof(struct status_flow, host)},
};

const struct field_table *status_fields(enum field_owner owner)
{
	static const struct field_table tables[] = {
	    [OWNER_STATUS] = {top, N(top)},         [OWNER_LEFT] = {left, N(left)},
	    [OWNER_USAGE] = {usage, N(usage)},      [OWNER_QUOTA] = {quota, N(quota)},
	    [OWNER_SOCKET] = {sockets, N(sockets)}, [OWNER_FLOW] = {flows, N(flows)},
	};
	_Static_assert(N(tables) == OWNERS, "a table for each owner");

	return &tables[owner];
}

const char *status_transport_name(enum transport transport)
{
	static const char *const names[] = {
	    [0] = "?", [TRANSPORT_TCP] = "tcp", [TRANSPORT_UDP] = "udp"};
	_Static_assert(TRANSPORT_TCP == 1 && TRANSPORT_UDP == 2, "a name for each transport");

	return names[transport < N(names) ? transport : 0];
}
