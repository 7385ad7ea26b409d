/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the attacks of this directory share.
 *
 * An attack is run as `PROGRAM MODE` with ATTACK_PORT in its environment and tries one
 * thing; without a mode it lists its modes.  A packet that gets to a forbidden address
 * is seen by the runner.  An attack on something else prints "hit" when it had its
 * effect.  Where this system lacks what it needs it prints "skip: WHY".
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Own addresses of the runner's namespace.  PORT of 127.0.0.1 and ::1 is forbidden as well. */
#define FORBIDDEN "127.0.0.2"
#define FORBIDDEN6 "fd00::2"
#define ALLOWED "127.0.0.3"
#define ALLOWED6 "fd00::3"
/* A host on a wire, silent and forbidden, and our end of that wire. */
#define FAR "203.0.113.1"
#define NEAR_DEVICE "near0"

struct attack_mode {
	const char *name;
	void (*run)(void);
};

#define ATTACK_MODES(table) (table), sizeof(table) / sizeof((table)[0])

/* Of the environment; "" when it is not set. */
static inline const char *attack_setting(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static inline uint16_t attack_port(void)
{
	return (uint16_t)atoi(attack_setting("ATTACK_PORT"));
}

static inline _Noreturn void attack_skip(const char *why)
{
	printf("skip: %s\n", why);
	exit(0);
}

static inline void attack_hit(const char *what)
{
	printf("hit %s\n", what);
	fflush(stdout);
}

/* For the reader of a log only: packets and hits are what counts. */
static inline bool attack_say(const char *what, long rc)
{
	printf("%s: %s\n", what, rc < 0 ? strerrorname_np(errno) : "done");
	fflush(stdout);
	return rc >= 0;
}

static inline void attack_hit_if(const char *what, long rc)
{
	if (attack_say(what, rc))
		attack_hit(what);
}

static inline struct sockaddr_in attack_v4(const char *text)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(attack_port())};

	inet_pton(AF_INET, text, &at.sin_addr);
	return at;
}

static inline struct sockaddr_in6 attack_v6(const char *text)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(attack_port())};

	inet_pton(AF_INET6, text, &at.sin6_addr);
	return at;
}

static inline long attack_connect(int fd, const char *text)
{
	struct sockaddr_in at = attack_v4(text);

	return connect(fd, (const struct sockaddr *)&at, sizeof(at));
}

static inline long attack_sendto(int fd, const char *text, int flags)
{
	struct sockaddr_in at = attack_v4(text);

	return sendto(fd, "x", 1, flags, (const struct sockaddr *)&at, sizeof(at));
}

/* A UDP header with four bytes of data, for those who make their own. */
static inline void attack_udp_header(unsigned char header[12])
{
	uint16_t port = htons(attack_port());

	memset(header, 0, 12);
	memcpy(header, &port, sizeof(port));
	memcpy(header + 2, &port, sizeof(port));
	header[5] = 12;
}

static inline int attack_tcp(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static inline int attack_udp(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

/* The plain attempt, for attacks whose point is who makes it. */
static inline void attack_both(void)
{
	attack_say("connect", attack_connect(attack_tcp(), FORBIDDEN));
	attack_say("sendto", attack_sendto(attack_udp(), FORBIDDEN, 0));
}

/* State letter and parent of a process; 0 when it is gone. */
static inline char attack_state(pid_t pid, pid_t *parent)
{
	char path[64], text[512];
	int fd, above = 0;
	ssize_t n;
	char state = 0;
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %c %d", &state, &above) != 2)
		return 0;
	if (parent)
		*parent = above;
	return state;
}

static inline bool attack_is_fenced(void)
{
	char path[64], name[32] = "";
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", getppid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);
	if (fd >= 0)
		close(fd);
	return n > 0 && !strncmp(name, "gae-supervisor", 14);
}

/*
 * Natively there is nobody above worth attacking: a child in a group of its own stands in.  One that is stopped
 * before it has asked to end with us would stay.
 */
static inline pid_t attack_stand_in(void)
{
	pid_t self = getpid(), child;
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		attack_skip("no pipe");
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		while (getppid() == self)
			pause();
		_exit(0);
	}
	setpgid(child, child);
	if (read(ready[0], &byte, 1) != 1)
		attack_skip("no stand-in");
	close(ready[0]);
	close(ready[1]);
	return child;
}

static inline size_t attack_threads(pid_t pid, pid_t *out, size_t max)
{
	char path[64];
	DIR *tasks;
	struct dirent *entry;
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && n < max && (entry = readdir(tasks)))
		if (atoi(entry->d_name) > 0)
			out[n++] = atoi(entry->d_name);
	if (tasks)
		closedir(tasks);
	return n;
}

/* The other child of the supervisor's that was there before: gae-urlfetch.  One that is not there fails the row. */
static inline pid_t attack_gateway(void)
{
	DIR *all = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0, parent;

	while (all && !found && (entry = readdir(all))) {
		char path[300], name[32] = "";
		FILE *comm;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		comm = atoi(entry->d_name) > 0 ? fopen(path, "re") : NULL;
		if (comm && fgets(name, sizeof(name), comm) && !strcmp(name, "gae-urlfetch\n") &&
		    attack_state(atoi(entry->d_name), &parent) && parent == getppid())
			found = atoi(entry->d_name);
		if (comm)
			fclose(comm);
	}
	if (all)
		closedir(all);
	if (!found)
		attack_hit("there is no gateway to attack");
	return found;
}

/*
 * All threads of the processes above: supervisor, guard, front; with ATTACK_GATEWAY of the gateway beside
 * us; or of a stand-in.  Return: how many.
 */
static inline size_t attack_victims(pid_t *out, size_t max)
{
	pid_t pid = getppid();
	size_t n = 0;

	if (!attack_is_fenced())
		return attack_threads(attack_stand_in(), out, max);
	if (*attack_setting("ATTACK_GATEWAY"))
		return attack_threads(attack_gateway(), out, max);
	for (int levels = 3; levels > 0 && pid > 1; levels--) {
		n += attack_threads(pid, out + n, max - n);
		if (!attack_state(pid, &pid))
			break;
	}
	return n;
}

/* Does @pid end or stop within the time a signal takes?  It was just sent. */
static inline bool attack_is_down(pid_t pid)
{
	for (int i = 0; i < 20; i++) {
		char state = attack_state(pid, NULL);

		if (!state || strchr("TtZX", state))
			return true;
		usleep(1000);
	}
	return false;
}

static inline int attack_main(int argc, char **argv, const struct attack_mode *modes, size_t n)
{
	/* A send that was kept from a peer shall be told, not end the attack. */
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < n; i++) {
		if (argc < 2) {
			puts(modes[i].name);
		} else if (!strcmp(argv[1], modes[i].name)) {
			modes[i].run();
			return 0;
		}
	}
	return argc < 2 ? 0 : 2;
}
