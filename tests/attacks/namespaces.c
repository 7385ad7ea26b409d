/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: another network, or rights over this one. */
#include "attack.h"

#include <linux/if_ether.h>
#include <sched.h>
#include <sys/mount.h>

static int sleeper(void *argument)
{
	(void)argument;
	return 0;
}

static void unshare_network(void)
{
	attack_hit_if("unshare", unshare(CLONE_NEWNET));
}

static void unshare_user_network(void)
{
	attack_hit_if("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNET));
}

static void clone_network(void)
{
	static char stack[16384] __attribute__((aligned(16)));

	attack_hit_if("clone", clone(sleeper, stack + sizeof(stack),
				     CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, NULL));
}

static void clone_high_bits(void)
{
	/* The kernel looks at the low 32 bits only. */
	long child =
	    syscall(SYS_clone, 0xf00000000ul | CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);

	if (child == 0)
		_exit(0);
	attack_hit_if("clone", child);
}

static void clone3_network(void)
{
	uint64_t arguments[8] = {CLONE_NEWUSER | CLONE_NEWNET, 0, 0, 0, SIGCHLD};
	long child = syscall(SYS_clone3, arguments, sizeof(arguments));

	if (child == 0)
		_exit(0);
	attack_hit_if("clone3", child);
}

static void enter_by_file(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/ns/net", attack_setting("ATTACK_PID"));
	attack_hit_if("setns", setns(open(path, O_RDONLY | O_CLOEXEC), 0));
	attack_hit_if("own", setns(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), CLONE_NEWNET));
}

static void enter_by_pidfd(void)
{
	int pid = atoi(attack_setting("ATTACK_PID"));

	attack_hit_if("setns", setns((int)syscall(SYS_pidfd_open, pid, 0), CLONE_NEWNET));
}

/* Root of a user namespace of one's own has every capability in it; the network belongs to another. */
static void root_inside(void)
{
	struct sockaddr_in at = attack_v4(FORBIDDEN);
	unsigned char header[12];
	int fd;

	if (unshare(CLONE_NEWUSER) < 0)
		attack_skip("no user namespaces");
	attack_udp_header(header);
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	if (attack_say("raw", fd))
		attack_say("sendto",
			   sendto(fd, header, sizeof(header), 0, (void *)&at, sizeof(at)));
	attack_say("packet", socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)));
	attack_both();
}

/* Where the supervisor would look for us, if it looked in our file system. */
static void other_proc(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		attack_skip("no user namespaces");
	attack_say("private", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	attack_say("mount", mount("none", "/proc", "tmpfs", 0, NULL));
	attack_both();
}

static void no_root_directory(void)
{
	if (unshare(CLONE_NEWUSER) < 0)
		attack_skip("no user namespaces");
	if (chdir(attack_setting("ATTACK_DIR")) < 0 || chroot(".") < 0)
		attack_skip("cannot change the root");
	attack_both();
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"unshare", unshare_network},    {"unshare_user", unshare_user_network},
	    {"clone", clone_network},        {"clone_high_bits", clone_high_bits},
	    {"clone3", clone3_network},      {"setns", enter_by_file},
	    {"setns_pidfd", enter_by_pidfd}, {"root_inside", root_inside},
	    {"other_proc", other_proc},      {"no_root_directory", no_root_directory},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
