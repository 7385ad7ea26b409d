/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses on a page that is filled when somebody reads it, and as late as the
 * attacker likes: by userfaultfd, or from a file of a FUSE file system of its own.
 */
#include "attack.h"

#include <linux/fuse.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

static int delay_ms;

static void fill(char *page)
{
	struct sockaddr_in at = attack_v4(FORBIDDEN);

	poll(NULL, 0, delay_ms);
	memcpy(page, &at, sizeof(at));
}

static void *fill_faults(void *argument)
{
	static char page[4096];
	int fd = *(int *)argument;
	struct uffd_msg message;

	while (read(fd, &message, sizeof(message)) == sizeof(message)) {
		struct uffdio_copy copy = {.dst = message.arg.pagefault.address & ~4095ull,
					   .src = (uintptr_t)page,
					   .len = sizeof(page)};

		fill(page);
		ioctl(fd, UFFDIO_COPY, &copy);
	}
	return NULL;
}

static void *faulting_page(void)
{
	static int fd;
	int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	fd = device >= 0 ? ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC)
			 : (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	range.range.start = (uintptr_t)page;
	range.range.len = 4096;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0)
		attack_skip("no userfaultfd for this user");
	pthread_create(&thread, NULL, fill_faults, &fd);
	return page;
}

static void try_with(void *name)
{
	/* In a child first: a supervisor may end who stalls it. */
	attack_say("connect", connect(attack_tcp(), name, sizeof(struct sockaddr_in)));
	attack_say("sendto", sendto(attack_udp(), "x", 1, 0, name, sizeof(struct sockaddr_in)));
}

static void uffd(void)
{
	delay_ms = 50;
	try_with(faulting_page());
}

/* After the supervisor's patience, so that an answer given up meanwhile would come alive again. */
static void uffd_late(void)
{
	delay_ms = 1300;
	try_with(faulting_page());
}

/* --- FUSE: a root with one file in it, whose only page is slow --- */

static void reply(int fuse, uint64_t unique, int error, const void *data, size_t size)
{
	static char out[8192];
	struct fuse_out_header header = {(uint32_t)(sizeof(header) + size), -error, unique};

	memcpy(out, &header, sizeof(header));
	if (size)
		memcpy(out + sizeof(header), data, size);
	if (write(fuse, out, sizeof(header) + size) < 0)
		perror("fuse");
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){.ino = node,
				  .size = node == 1 ? 0 : 4096,
				  .mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0644,
				  .nlink = 1,
				  .blksize = 4096};
}

static void serve_one(int fuse, const struct fuse_in_header *in)
{
	struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 4096};
	struct fuse_entry_out entry = {.nodeid = 2, .attr = attributes(2)};
	struct fuse_attr_out attr = {.attr = attributes(in->nodeid)};
	struct fuse_open_out open_out = {.fh = 1};
	static char page[4096];

	switch (in->opcode) {
	case FUSE_INIT:
		reply(fuse, in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		reply(fuse, in->unique, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		reply(fuse, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		reply(fuse, in->unique, 0, &open_out, sizeof(open_out));
		break;
	case FUSE_READ:
		fill(page);
		reply(fuse, in->unique, 0, page, sizeof(page));
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(fuse, in->unique, ENOSYS, NULL, 0);
	}
}

static void *serve(void *argument)
{
	static char request[FUSE_MIN_READ_BUFFER + 4096];
	int fuse = *(int *)argument;

	while (read(fuse, request, sizeof(request)) > 0)
		serve_one(fuse, (const struct fuse_in_header *)(const void *)request);
	return NULL;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		attack_skip("no user namespace");
	close(fd);
}

/* Mounts need rights over the mount namespace; one's own one has. */
static void become_root_inside(void)
{
	char map[64];
	gid_t gid = getegid();

	snprintf(map, sizeof(map), "0 %d 1", geteuid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		attack_skip("no user namespace");
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %d 1", gid);
	write_text("/proc/self/gid_map", map);
}

static void *slow_file(void)
{
	static int fuse;
	char options[128], path[256];
	pthread_t thread;
	int file;
	void *page;

	become_root_inside();
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	if (fuse < 0 || mount("attack", attack_setting("ATTACK_DIR"), "fuse", 0, options) < 0)
		attack_skip("no FUSE for this user");
	pthread_create(&thread, NULL, serve, &fuse);
	snprintf(path, sizeof(path), "%s/file", attack_setting("ATTACK_DIR"));
	file = open(path, O_RDONLY | O_CLOEXEC);
	page = file < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
	if (page == MAP_FAILED)
		attack_skip("no file in FUSE");
	/* While there is somebody to answer: at the end of the process there would be nobody, for ever. */
	close(file);
	return page;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Meanwhile others want to be answered. */
static void *watch_others(void *argument)
{
	(void)argument;
	for (;;) {
		long begun = now_ms();
		int fd = attack_udp();

		attack_sendto(fd, ALLOWED, 0);
		close(fd);
		if (now_ms() - begun > 500)
			attack_hit("held up others");
		poll(NULL, 0, 5);
	}
	return NULL;
}

static void fuse_with(int ms)
{
	void *page = slow_file();
	pthread_t thread;

	delay_ms = ms;
	pthread_create(&thread, NULL, watch_others, NULL);
	try_with(page);
	_exit(0);
}

static void fuse_file(void)
{
	fuse_with(50);
}

static void fuse_late(void)
{
	fuse_with(1300);
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"uffd", uffd},
	    {"uffd_late", uffd_late},
	    {"fuse", fuse_file},
	    {"fuse_late", fuse_late},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
