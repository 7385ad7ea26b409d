/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_METRICS_PATH_H
#define BASE_METRICS_PATH_H

#include <stdbool.h>

/** metrics_path_is_valid() - does the file's name end in .prom, and begin with no dot?  node_exporter reads no other. */
bool metrics_path_is_valid(const char *path);

#endif
