/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_INSTANCES_H
#define STATUS_INSTANCES_H

#include "status/runtime.h"

struct status;

/*
 * All instances in one runtime directory, asked for their pictures at the same time, so that one
 * that hangs costs the others nothing.
 */
#define INSTANCES_MAX 256

struct instance {
	char name[RUNTIME_NAME_MAX]; /* of its socket */
	struct status *status;       /* owned; NULL: it gave none */
	char error[96];              /* then why; escaped */
};

struct instances {
	struct instance *list;
	size_t n;
	size_t left_out; /* above INSTANCES_MAX */
};

/**
 * instances_read() - one picture of each.  Sockets of dead instances are removed if they are ours.
 * @dir: the directory, @owner: its user
 * @timeout_ms: when those that have not answered are given up
 * @instances: gets them, in order of their names; for instances_free() whatever is returned
 * Return: 0, or -errno when the directory cannot be read.
 */
int instances_read(int dir, uid_t owner, int timeout_ms, struct instances *instances);

void instances_free(struct instances *instances);

#endif
