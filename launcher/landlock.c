/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/landlock.h"

#include "shared/base/fd.h"
#include "shared/base/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ABI_REFER = 2, ABI_NET = 4, ABI_SCOPE = 6 };

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

/*
 * Before 6.7 Landlock knows files only.  Any domain of its keeps those inside from tracing those
 * outside and from their memory (/proc/PID/mem), so one is made that forbids as good as nothing: what
 * it handles is allowed everywhere.  REFER must be among it, or files could not be moved between
 * directories; 5.13 does not know that one, and is left without this fence.  mount(2) is forbidden
 * inside such a domain.
 */
static int fence_by_files(int abi)
{
	struct kernel_landlock_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_BLOCK |
								 LANDLOCK_ACCESS_FS_REFER};
	struct landlock_path_beneath_attr everywhere = {.allowed_access = attr.handled_access_fs};
	CLEANUP_FD int root = open("/", O_PATH | O_CLOEXEC);
	CLEANUP_FD int ruleset = -1;

	everywhere.parent_fd = root;
	ruleset =
	    (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (root < 0 || ruleset < 0 ||
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &everywhere, 0) <
		0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return -errno;
	return abi;
}

int landlock_fence(int abi)
{
	struct kernel_landlock_attr attr = {.handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP |
								  LANDLOCK_ACCESS_NET_CONNECT_TCP};
	size_t size = offsetof(struct kernel_landlock_attr, scoped);

	if (abi < ABI_REFER)
		return 0;
	if (abi < ABI_NET)
		return fence_by_files(abi);
	if (abi >= ABI_SCOPE) {
		attr.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
		size = sizeof(attr);
	}
	CLEANUP_FD int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return -errno;
	return abi;
}
