/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that does not answer: pages behind userfaultfd which nobody fills.
 *
 *   stall name PORT          connects with such a sockaddr while another thread and
 *                            another process make connects to PORT
 *   stall part PORT          the same with the data of a sendmsg
 *   stall locked PORT        the same with a socket that a write from such a page holds
 *   stall many PORT THREADS  from many threads at once
 *   stall crowd SILENT THREADS PORT   no such page: many connects that never end
 *
 * Prints "ready", then "stalled RESULT MS", "others WORST_MS FAILED".  Status 77: this
 * kernel lets us make no such page.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in to = {.sin_family = AF_INET};
static struct sockaddr_in silent = {.sin_family = AF_INET};
static atomic_bool over;

static long millis(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int open_userfaultfd(void)
{
	int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

	if (device >= 0)
		return ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC);
	return (int)syscall(SYS_userfaultfd, O_CLOEXEC);
}

static void *silent_page(void)
{
	int fd = open_userfaultfd();
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	range.range.start = (uintptr_t)page;
	range.range.len = 4096;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0) {
		fprintf(stderr, "userfaultfd: %s\n", strerror(errno));
		exit(77);
	}
	return page;
}

static int tcp(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long connect_page(void *page)
{
	return connect(tcp(), page, sizeof(struct sockaddr_in));
}

static long send_page(void *page)
{
	struct iovec part = {page, 100};
	struct msghdr message = {
	    .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1};

	return sendmsg(socket(AF_INET, SOCK_DGRAM, 0), &message, 0);
}

struct locked {
	int fd;
	void *page;
};

/* tcp_sendmsg() copies with the socket locked. */
static void *hold(void *argument)
{
	struct locked *locked = argument;

	return (void *)(intptr_t)write(locked->fd, locked->page, 100);
}

static long connect_locked(void *page)
{
	static struct locked locked;
	pthread_t thread;

	locked = (struct locked){tcp(), page};
	if (connect(locked.fd, (void *)&to, sizeof(to)) < 0)
		return -1;
	pthread_create(&thread, NULL, hold, &locked);
	poll(NULL, 0, 100);
	return connect(locked.fd, (void *)&to, sizeof(to));
}

/* Connects until told to stop: how long did the worst take, how many failed? */
static void watch_connects(long *worst, long *failed)
{
	struct linger hard = {1, 0};

	while (!over) {
		long begun = millis(), took;
		int fd = tcp();

		*failed += connect(fd, (void *)&to, sizeof(to)) < 0;
		took = millis() - begun;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
		if (took > *worst)
			*worst = took;
		poll(NULL, 0, 2);
	}
}

static void *other_thread(void *argument)
{
	long *numbers = argument;

	watch_connects(&numbers[0], &numbers[1]);
	return NULL;
}

static void *end_later(void *argument)
{
	(void)argument;
	poll(NULL, 0, 1500);
	over = true;
	return NULL;
}

static pid_t other_process(int *out)
{
	long numbers[2] = {0, 0};
	pthread_t thread;
	int p[2];
	pid_t child;

	if (pipe(p) < 0)
		exit(1);
	*out = p[0];
	child = fork();
	if (child)
		return child;
	pthread_create(&thread, NULL, end_later, NULL);
	watch_connects(&numbers[0], &numbers[1]);
	_exit(write(p[1], numbers, sizeof(numbers)) < 0);
}

static void stall_once(long (*call)(void *))
{
	long numbers[2] = {0, 0}, theirs[2] = {0, 0}, begun, rc;
	int pipe_end, error;
	pthread_t thread;
	void *page = silent_page();

	other_process(&pipe_end);
	pthread_create(&thread, NULL, other_thread, numbers);
	puts("ready");
	begun = millis();
	rc = call(page);
	error = errno;
	printf("stalled %s %ld\n", rc < 0 ? strerrorname_np(error) : "done", millis() - begun);
	over = true;
	pthread_join(thread, NULL);
	if (read(pipe_end, theirs, sizeof(theirs)) < 0)
		exit(1);
	printf("others %ld %ld\n", numbers[0] > theirs[0] ? numbers[0] : theirs[0],
	       numbers[1] + theirs[1]);
	fflush(stdout);
	_exit(0);
}

static void *stall_thread(void *argument)
{
	(void)argument;
	return (void *)(intptr_t)connect_page(silent_page());
}

static void stall_many(int n)
{
	long numbers[2] = {0, 0};
	pthread_t thread;

	silent_page();
	puts("ready");
	fflush(stdout);
	if (fork()) {
		int status;

		wait(&status);
		/* The supervisor lives on: this process still connects. */
		pthread_create(&thread, NULL, end_later, NULL);
		watch_connects(&numbers[0], &numbers[1]);
		printf("killed %d\nothers %ld %ld\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		       numbers[0], numbers[1]);
		fflush(stdout);
		_exit(0);
	}
	while (n--)
		pthread_create(&thread, NULL, stall_thread, NULL);
	poll(NULL, 0, 20000);
	_exit(0);
}

static void *connect_silent(void *argument)
{
	(void)argument;
	return (void *)(intptr_t)connect(tcp(), (void *)&silent, sizeof(silent));
}

static void crowd(int n)
{
	long numbers[2] = {0, 0};
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	for (int i = 0; i < n; i++)
		if (pthread_create(&thread, &attributes, connect_silent, NULL))
			exit(3);
	pthread_create(&thread, NULL, end_later, NULL);
	watch_connects(&numbers[0], &numbers[1]);
	printf("others %ld %ld\nready\n", numbers[0], numbers[1]);
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";
	int number = argc > 3 ? atoi(argv[3]) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((unsigned short)atoi(argc > 4 ? argv[4] : argc > 2 ? argv[2] : "0"));
	if (!strcmp(mode, "name"))
		stall_once(connect_page);
	if (!strcmp(mode, "part"))
		stall_once(send_page);
	if (!strcmp(mode, "locked"))
		stall_once(connect_locked);
	if (!strcmp(mode, "many"))
		stall_many(number);
	if (!strcmp(mode, "crowd")) {
		inet_pton(AF_INET, argv[2], &silent.sin_addr);
		silent.sin_port = htons(9);
		crowd(number);
	}
	return 2;
}
