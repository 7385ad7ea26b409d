/* SPDX-License-Identifier: Apache-2.0 */
/* app_yaml_parse() on any bytes: what it takes is a list of variables that execve(2) takes. */
#include "launcher/app_yaml.h"
#include "fuzz.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[512] = "", name[256], *copy = malloc(size ? size : 1);
	struct app_yaml yaml;
	int rc;

	if (!copy)
		return 0;
	memcpy(copy, data, size); /* exact, so that one byte too far is seen */
	rc = app_yaml_parse("app.yaml", copy, size, &yaml, error, sizeof(error));
	free(copy);
	if (rc && (!*error || strchr(error, '\n')))
		abort();
	for (size_t i = 0; i < yaml.n_variables; i++) {
		const char *equals = strchr(yaml.variables[i], '=');

		if (!equals || equals == yaml.variables[i] ||
		    strlen(yaml.variables[i]) >= APP_YAML_VARIABLE_MAX)
			abort();
	}
	app_yaml_name(&yaml, name, sizeof(name));
	app_yaml_fini(&yaml);
	return 0;
}
