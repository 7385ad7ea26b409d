/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/metrics_path.h"

#include <string.h>

bool metrics_path_is_valid(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t length = strlen(name);

	return length > 5 && *name != '.' && !strcmp(name + length - 5, ".prom");
}
