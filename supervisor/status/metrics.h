/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_METRICS_H
#define STATUS_METRICS_H

#include <stddef.h>
#include <stdio.h>

struct status;

/*
 * Metrics for node_exporter's textfile collector (Prometheus text format 0.0.4).  Never addresses,
 * names of hosts or pids as labels: each value of a label is a time series for ever.
 */

/** metrics_print() - the metrics as text.  Return: 0 or -EIO. */
int metrics_print(const struct status *status, FILE *out);

/**
 * metrics_write() - replace the file @path, mode 0644; a reader sees the old one or the new, whole.
 * @error: gets one line
 * Return: 0, or -errno and the old file is as it was; -EINVAL: metrics_path_is_valid() is against it.
 */
int metrics_write(const char *path, const struct status *status, char *error, size_t room);

#endif
