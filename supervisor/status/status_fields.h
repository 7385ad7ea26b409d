/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_STATUS_FIELDS_H
#define STATUS_STATUS_FIELDS_H

#include "status/status.h"

/* One table row per member of a picture in JSON drives writer and reader. */
enum field_type {
	FIELD_NUMBER,    /* uint64_t */
	FIELD_LIMIT,     /* uint64_t; QUOTA_UNLIMITED is null */
	FIELD_PID,       /* pid_t */
	FIELD_TEXT,      /* const char * */
	FIELD_PROCESS,   /* char[16] */
	FIELD_TRANSPORT, /* enum transport */
	FIELD_ADDRESS,   /* struct net_endpoint; "" without one */
	FIELD_SCOPE,     /* the same, its scope_id */
	FIELD_PORT,      /* the same, its port */
};

struct field {
	const char *name;
	enum field_type type;
	size_t offset;
};

struct field_table {
	const struct field *fields;
	size_t n;
};
/* What the members belong to. */
enum field_owner {
	OWNER_STATUS, /* struct status */
	OWNER_LEFT,   /* the same: what was left out */
	OWNER_USAGE,  /* struct usage */
	OWNER_QUOTA,  /* struct status_quota */
	OWNER_SOCKET, /* struct status_socket, but for its usage */
	OWNER_FLOW,   /* struct status_flow, the same */
	OWNERS
};

/** status_fields() - the rows of @owner. */
const struct field_table *status_fields(enum field_owner owner);

#endif
