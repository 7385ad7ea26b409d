/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static bool is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* A build directory inside a source tree: the tree's own policy and nothing else. */
static bool find_tree(const char *exe_dir, char *out, size_t room)
{
	const char *slash = strrchr(exe_dir, '/');

	if (strncmp(slash ? slash + 1 : exe_dir, "build", strlen("build")) != 0)
		return false;
	snprintf(out, room, "%s/../policy.d", exe_dir);
	return is_directory(out);
}

const char *const *policy_installed(const char *exe_dir)
{
	static char shipped[PATH_MAX + 64];
	static const char *directories[3];
	size_t n = 0;

	memset(directories, 0, sizeof(directories));
	if (find_tree(exe_dir, shipped, sizeof(shipped))) {
		directories[0] = shipped;
		return directories;
	}
	directories[n++] = GAE_RUN_SYSCONFDIR "/policy.d";
	/* A prefix that was moved as a whole still finds its own files. */
	snprintf(shipped, sizeof(shipped), "%s/../share/gae-run/policy.d", exe_dir);
	directories[n] = is_directory(shipped) ? shipped : GAE_RUN_DATADIR "/policy.d";
	return directories;
}
