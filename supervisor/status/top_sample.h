/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_TOP_SAMPLE_H
#define STATUS_TOP_SAMPLE_H

#include "status/instances.h"
#include "status/top_options.h"

#include <stdint.h>

struct status_socket;

/* What gae-top shows at one moment: the pictures of all instances, and the rates since the last moment. */
#define TOP_NOTES_MAX 8

struct top_socket {
	const struct status_socket *socket;
	uint64_t out_rate, in_rate; /* bytes per second */
};

struct top_instance {
	uid_t uid;
	struct instance instance;   /* its status is owned */
	struct top_socket *sockets; /* owned; as many as the status has, in order of display */
	const struct status_socket **by_cookie; /* owned; as many, in order of cookies */
	bool has_rates;
	uint64_t out_rate, in_rate; /* of all, closed ones as well */
};

struct top_picture {
	struct top_instance *list;
	size_t n;
	char notes[TOP_NOTES_MAX][256]; /* what could not be looked at; escaped */
	size_t n_notes;
};

/**
 * top_sample_take() - a picture of all instances that @options ask for.
 * @previous: the last one, for the rates; NULL: none
 * @picture: gets it, for top_sample_free() whatever is returned
 * @error: gets one line
 * Return: 0, or -errno: the user's own runtime directory is not fit for use, or no memory.
 */
int top_sample_take(const struct top_options *options, const struct top_picture *previous,
		    struct top_picture *picture, char *error, size_t room);

/** top_sample_sort() - the sockets of each instance by the key of @options. */
void top_sample_sort(struct top_picture *picture, const struct top_options *options);

void top_sample_free(struct top_picture *picture);

#endif
