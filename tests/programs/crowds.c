/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crowds that call at once, for tests/act/robust.py.
 *
 *   crowds flood PORT MS         64 threads connect to 127.0.0.1:PORT and send to it by UDP for MS
 *                                milliseconds, every fourth time to the forbidden 127.0.0.2
 *   crowds numbers PORT MS       64 threads make UDP sockets: wrong are those whose number another thread
 *                                has, too
 *   crowds processes PORT N      N processes in all, 64 at a time; each connects and sends once
 *   crowds bomb PORT MAX         forks without end, MAX processes at most (RLIMIT_NPROC or the count)
 *   crowds storm PORT N          N connects while a timer fires every 100 us, without SA_RESTART
 *   crowds files PORT            fills its descriptor table, then calls; makes room, then calls again
 *   crowds soak PORT N           N connects and datagrams
 *   crowds rounds PORT           three calls at each line of its standard input
 * What came of it goes to standard output as NAME=NUMBER.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 64
#define AT_ONCE 64

static struct sockaddr_in allowed, forbidden;
static atomic_ulong right, wrong, others;
static atomic_int first_wrong;
static volatile sig_atomic_t alarms;

static void note(int rc, int wanted)
{
	int error = rc < 0 ? errno : 0;

	if (error == wanted) {
		atomic_fetch_add(&right, 1);
		return;
	}
	if (atomic_fetch_add(&wrong, 1) == 0)
		atomic_store(&first_wrong, error);
}

/* At once, and without a port that waits for two minutes. */
static void end(int fd)
{
	struct linger hard = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static int tcp(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc, error;

	if (fd < 0)
		return -1;
	rc = connect(fd, (const struct sockaddr *)to, sizeof(*to));
	error = errno;
	end(fd);
	errno = error;
	return rc;
}

static int udp(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc, error;

	if (fd < 0)
		return -1;
	rc = (int)sendto(fd, "x", 1, 0, (const struct sockaddr *)to, sizeof(*to));
	error = errno;
	close(fd);
	errno = error;
	return rc;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void print_counts(void)
{
	printf("right=%lu wrong=%lu first_wrong=%d others=%lu\n", atomic_load(&right),
	       atomic_load(&wrong), atomic_load(&first_wrong), atomic_load(&others));
}

static void *flood_thread(void *until)
{
	for (unsigned int i = 0; now_ms() < *(long *)until; i++) {
		note(tcp(i % 4 ? &allowed : &forbidden), i % 4 ? 0 : EACCES);
		note(udp(i % 4 ? &allowed : &forbidden), i % 4 ? 0 : EACCES);
	}
	return NULL;
}

static void *numbers_thread(void *until)
{
	static atomic_int owners[4096];

	for (unsigned int i = 0; now_ms() < *(long *)until; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || fd >= (int)(sizeof(owners) / sizeof(owners[0]))) {
			atomic_fetch_add(&others, 1);
			continue;
		}
		errno = EEXIST;
		note(atomic_fetch_add(&owners[fd], 1) == 0 ? 0 : -1, 0);
		if (i % 4 == 0)
			usleep(20);
		atomic_fetch_sub(&owners[fd], 1);
		close(fd);
	}
	return NULL;
}

static void flood(long ms, void *(*thread)(void *))
{
	pthread_t threads[THREADS];
	long until = now_ms() + ms;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, thread, &until) != 0)
			exit(3);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void reap(int *running)
{
	int status;

	if (wait(&status) < 0)
		return;
	--*running;
	note(WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1, 0);
}

static void processes(long n)
{
	int running = 0;

	for (long i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(tcp(&allowed) < 0 || udp(&allowed) < 0 || tcp(&forbidden) == 0);
		if (pid > 0)
			running++;
		else
			atomic_fetch_add(&others, 1);
		if (running >= AT_ONCE)
			reap(&running);
	}
	while (running > 0)
		reap(&running);
}

/* Each process makes two more until there are @max (or RLIMIT_NPROC ends it); all of them call. */
static void bomb(long max)
{
	atomic_long *made =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct rlimit limit = {(rlim_t)max, (rlim_t)max};
	atomic_long *bad = made + 1;
	pid_t first = getpid();

	if (made == MAP_FAILED)
		exit(3);
	setrlimit(RLIMIT_NPROC, &limit);
	for (int children = 0; children < 2;) {
		pid_t pid = atomic_fetch_add(made, 1) < max ? fork() : -1;

		if (pid < 0)
			break;
		children = pid == 0 ? 0 : children + 1;
	}
	if (tcp(&allowed) < 0 || udp(&allowed) < 0 || tcp(&forbidden) == 0)
		atomic_fetch_add(bad, 1);
	while (wait(NULL) > 0)
		;
	if (getpid() != first)
		_exit(0);
	atomic_store(&right, (unsigned long)atomic_load(made));
	atomic_store(&wrong, (unsigned long)atomic_load(bad));
}

static void on_alarm(int number)
{
	(void)number;
	alarms++;
}

/* A connect that was interrupted goes on by itself, so its socket is not asked again. */
static void storm(long n)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (long i = 0; i < n; i++) {
		int rc = tcp(&allowed);

		if (rc < 0 && errno == EINTR)
			atomic_fetch_add(&others, 1);
		else
			note(rc, 0);
	}
	setitimer(ITIMER_REAL, &never, NULL);
}

/* No number is free: socket(2) says EMFILE, and what is open goes on. */
static void files(void)
{
	struct rlimit limit = {700, 700};
	int old = socket(AF_INET, SOCK_DGRAM, 0), last = -1, fd;

	setrlimit(RLIMIT_NOFILE, &limit);
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		last = fd;
	note(errno == EMFILE ? 0 : -1, 0);
	for (int i = 0; i < 100; i++) {
		note(socket(AF_INET, SOCK_DGRAM, 0), EMFILE);
		note(socket(AF_INET, SOCK_STREAM, 0), EMFILE);
		note(dup(old), EMFILE);
		note((int)sendto(old, "x", 1, 0, (struct sockaddr *)&allowed, sizeof(allowed)), 0);
		note((int)sendto(old, "x", 1, 0, (struct sockaddr *)&forbidden, sizeof(forbidden)),
		     EACCES);
	}
	close(last);
	for (int i = 0; i < 100; i++) {
		note(tcp(&allowed), 0);
		note(tcp(&forbidden), EACCES);
	}
}

static void soak(long n)
{
	for (long i = 0; i < n; i++) {
		note(tcp(&allowed), 0);
		if (i % 8 == 0)
			note(udp(&allowed), 0);
		if (i % 64 == 0)
			note(tcp(&forbidden), EACCES);
	}
}

/* One round at a line, for as long as there are lines: what fails meanwhile is told by its errno. */
static void rounds(void)
{
	char line[16];

	while (fgets(line, sizeof(line), stdin)) {
		int t = tcp(&allowed) < 0 ? errno : 0, u = udp(&allowed) < 0 ? errno : 0;

		printf("tcp=%d udp=%d forbidden=%d\n", t, u, tcp(&forbidden) < 0 ? errno : 0);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";
	long n = argc > 3 ? atol(argv[3]) : 0;

	allowed.sin_family = forbidden.sin_family = AF_INET;
	allowed.sin_port = forbidden.sin_port = htons((uint16_t)atoi(argc > 2 ? argv[2] : "0"));
	inet_pton(AF_INET, "127.0.0.1", &allowed.sin_addr);
	inet_pton(AF_INET, "127.0.0.2", &forbidden.sin_addr);
	if (strcmp(mode, "flood") == 0)
		flood(n, flood_thread);
	else if (strcmp(mode, "numbers") == 0)
		flood(n, numbers_thread);
	else if (strcmp(mode, "processes") == 0)
		processes(n);
	else if (strcmp(mode, "bomb") == 0)
		bomb(n);
	else if (strcmp(mode, "storm") == 0)
		storm(n);
	else if (strcmp(mode, "files") == 0)
		files();
	else if (strcmp(mode, "soak") == 0)
		soak(n);
	else if (strcmp(mode, "rounds") == 0)
		rounds();
	else
		return 2;
	print_counts();
	return 0;
}
