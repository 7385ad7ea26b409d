/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/landlock.h"

#include "shared/base/fd.h"
#include "shared/base/kernel.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ABI_NET = 4, ABI_SCOPE = 6 };

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

int landlock_fence(void)
{
	struct kernel_landlock_attr attr = {.handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP |
								  LANDLOCK_ACCESS_NET_CONNECT_TCP};
	size_t size = offsetof(struct kernel_landlock_attr, scoped);
	int abi = landlock_abi();

	if (abi < ABI_NET)
		return 0;
	if (abi >= ABI_SCOPE) {
		attr.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
		size = sizeof(attr);
	}
	CLEANUP_FD int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return -errno;
	return abi;
}
