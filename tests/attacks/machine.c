/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel itself: code in it, helpers that it starts outside the fence, devices that carry packets. */
#include "attack.h"

#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <sys/ioctl.h>

/* Natively an empty module is no executable (ENOEXEC); EPERM says that we may not at all. */
static void module(void)
{
	if (syscall(SYS_init_module, "", 0, "") < 0 && errno == ENOSYS)
		attack_skip("no modules in this kernel");
	if (errno != EPERM)
		attack_hit("init_module");
}

static void bpf(void)
{
	union bpf_attr map = {
	    .map_type = BPF_MAP_TYPE_SOCKMAP, .key_size = 4, .value_size = 4, .max_entries = 1};
	long fd = syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map));

	if (fd < 0 && errno == EINVAL)
		attack_skip("no socket maps in this kernel");
	attack_hit_if("socket map", fd);
}

static void perf(void)
{
	struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE,
					     .size = sizeof(attributes),
					     .config = PERF_COUNT_SW_CPU_CLOCK};

	/* Of everybody on processor 0. */
	attack_hit_if("perf_event_open", syscall(SYS_perf_event_open, &attributes, -1, 0, -1, 0));
}

/*
 * A key that does not exist is made by /sbin/request-key, which the kernel starts
 * outside every fence; for "dns_resolver" it asks name servers.  Where that program is
 * missing the kernel has tried (ENOENT, ENOKEY).
 */
static void key_helper(void)
{
	long rc = syscall(SYS_request_key, "user", "attack", "x", 0);

	if (rc < 0 && errno == ENOSYS)
		attack_skip("no keys in this kernel");
	printf("request_key: %s\n", strerrorname_np(errno));
	if (rc >= 0 || (errno != EPERM && errno != EACCES))
		attack_hit("helper");
}

/* tap0, made by the runner, belongs to nobody: who opens the device may attach. */
static void tunnel(void)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	unsigned char frame[34] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 20};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		attack_skip("/dev/net/tun cannot be opened");
	strncpy(request.ifr_name, "tap0", IFNAMSIZ - 1);
	if (!attack_say("TUNSETIFF", ioctl(fd, TUNSETIFF, &request)))
		return;
	frame[22] = 9;
	frame[23] = 253;
	memcpy(frame + 26, (unsigned char[]){203, 0, 113, 2, 203, 0, 113, 1}, 8);
	attack_say("write", write(fd, frame, sizeof(frame)));
}

/* A file that runs as root whoever starts it: this very program, copied by the runner. */
static void set_user_id(void)
{
	const char *copy = attack_setting("ATTACK_COPY");

	if (geteuid() == 0 && *copy) {
		char *const words[] = {(char *)(uintptr_t)copy, (char[]){"set_user_id"}, NULL};

		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			attack_skip("cannot become somebody else");
		setenv("ATTACK_COPY", "", 1);
		execv(copy, words);
		attack_skip("cannot be run");
	}
	if (geteuid() != 0)
		return;
	attack_hit("root");
}

static void ports(void)
{
	if (syscall(SYS_iopl, 3) < 0 && errno == ENOSYS)
		attack_skip("no I/O ports in this kernel");
	attack_hit_if("iopl", syscall(SYS_iopl, 3));
}

static void memory_device(void)
{
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);

	if (fd < 0 && !attack_is_fenced())
		attack_skip("no /dev/mem");
	attack_hit_if("mem", fd);
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"module", module}, {"bpf", bpf},
	    {"perf", perf},     {"key_helper", key_helper},
	    {"tunnel", tunnel}, {"set_user_id", set_user_id},
	    {"ports", ports},   {"memory_device", memory_device},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
