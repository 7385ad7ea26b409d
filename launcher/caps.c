/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/caps.h"

#include "shared/base/kernel.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40 /* 5.9 */
#endif

/* Each with the way around the policy that it opens; root keeps the others (CHOWN, SETUID, KILL, ...). */
static const struct {
	cap_value_t cap;
	const char *why;
} rows[] = {
    {CAP_NET_ADMIN, "changes routes, addresses and packet filters, opens tunnels"},
    {CAP_NET_RAW, "opens raw and packet sockets"},
    {CAP_SYS_PTRACE, "steers processes outside, takes their sockets"},
    {CAP_SYS_ADMIN, "enters other network namespaces, installs filters without no_new_privs"},
    {CAP_SYS_MODULE, "loads code into the kernel"},
    {CAP_SYS_RAWIO, "writes the machine's memory and ports"},
    {CAP_SYS_BOOT, "loads another kernel"},
    {CAP_BPF, "loads programs that redirect or send packets"},
    {CAP_PERFMON, "reads the memory of the supervisor through the kernel"},
    {CAP_CHECKPOINT_RESTORE, "reads what other processes have mapped and open"},
    {CAP_SYS_TTY_CONFIG, "types into the terminals of others"},
    {CAP_MAC_ADMIN, "rewrites the rules of the security modules"},
    {CAP_MAC_OVERRIDE, "ignores the rules of the security modules"},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

bool caps_reaches_around(cap_value_t cap, const char **why)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (rows[i].cap != cap)
			continue;
		if (why)
			*why = rows[i].why;
		return true;
	}
	return false;
}

static bool caps_is_kept(cap_value_t cap, char *const *keep)
{
	for (; keep && *keep; keep++) {
		cap_value_t kept;

		if (!cap_from_name(*keep, &kept) && kept == cap)
			return true;
	}
	return false;
}

/* Clears @list from the three sets of capset(2); ambient follows (capabilities(7)). */
static int caps_clear(cap_t caps, const cap_value_t *list, int n)
{
	if (cap_set_flag(caps, CAP_EFFECTIVE, n, list, CAP_CLEAR) < 0 ||
	    cap_set_flag(caps, CAP_PERMITTED, n, list, CAP_CLEAR) < 0 ||
	    cap_set_flag(caps, CAP_INHERITABLE, n, list, CAP_CLEAR) < 0 || cap_set_proc(caps) < 0)
		return -errno;
	return 0;
}

int caps_drop(char *const *keep)
{
	cap_value_t list[N_ROWS];
	cap_flag_value_t may_bound = CAP_CLEAR;
	cap_t caps = cap_get_proc();
	int n = 0, rc;

	if (!caps)
		return -errno;
	cap_get_flag(caps, CAP_SETPCAP, CAP_EFFECTIVE, &may_bound);
	for (size_t i = 0; i < N_ROWS; i++) {
		/* A kernel older than the capability does not know it, nor what it allows. */
		if (caps_is_kept(rows[i].cap, keep) || cap_get_bound(rows[i].cap) < 0)
			continue;
		list[n++] = rows[i].cap;
		if (may_bound == CAP_SET)
			cap_drop_bound(rows[i].cap);
	}
	rc = n ? caps_clear(caps, list, n) : 0;
	cap_free(caps);
	return rc;
}
