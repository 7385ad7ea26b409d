/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIVE_NAMES_FIXTURE_H
#define TESTS_LIVE_NAMES_FIXTURE_H

/* Look-ups against a dnsmasq of the test's own on a free loopback port: what the suites share. */
#include "net/names.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 20
#define WAIT_MS 10000
#define OBSERVED_MAX 64

static inline struct net_addr address(const char *text)
{
	struct net_addr addr = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

	cr_assert_eq(inet_pton(addr.family, text, addr.bytes), 1);
	return addr;
}

static inline int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* As now_ms(), but it stands still while this thread waits for a processor that others have (proc(5), schedstat). */
static inline int64_t own_ms(void)
{
	FILE *file = fopen("/proc/thread-self/schedstat", "re");
	unsigned long long ran, waited = 0;

	if (file && fscanf(file, "%llu %llu", &ran, &waited) != 2)
		waited = 0;
	if (file)
		fclose(file);
	return now_ms() - (int64_t)(waited / 1000000);
}

/*
 * Tests run side by side and a free port is free only until somebody else takes it:
 * each test gets a loopback of its own where the system lets it.
 */
static inline void own_loopback(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
}

/* A UDP socket on a loopback port that was free. */
static inline int udp_socket(uint16_t *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(in);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &size), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

struct server {
	uint16_t port;
	pid_t pid;
	char text[32]; /* names_config.servers */
};

static inline bool server_accepts(const struct server *server)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(server->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0;

	close(fd);
	return ok;
}

/* @options: NULL-terminated; .port is chosen where it is 0. */
static inline void server_start(struct server *server, const char *const *options)
{
	const char *argv[64] = {"dnsmasq",
				"--keep-in-foreground",
				"--conf-file=/dev/null",
				"--no-resolv",
				"--no-hosts",
				"--local=/test/",
				"--bind-interfaces",
				"--listen-address=127.0.0.1",
				"--pid-file",
				"--local-ttl=1",
				getuid() == 0 ? "--user=root" : "--no-poll"};
	int64_t deadline = now_ms() + WAIT_MS;
	char port[32];
	size_t n = 11;

	if (system("PATH=$PATH:/usr/sbin command -v dnsmasq >/dev/null") != 0)
		cr_skip_test("dnsmasq is not installed");
	/* Below the ports that connect(2) takes by itself: a probe of a closed one could meet itself. */
	if (!server->port)
		server->port = (uint16_t)(10000 + getpid() % 20000);
	snprintf(server->text, sizeof(server->text), "127.0.0.1:%u", server->port);
	snprintf(port, sizeof(port), "--port=%u", server->port);
	argv[n++] = port;
	while (*options && n < 63)
		argv[n++] = *options++;
	server->pid = fork();
	if (server->pid == 0) {
		setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (!server_accepts(server)) {
		cr_assert_eq(waitpid(server->pid, NULL, WNOHANG), 0, "dnsmasq ended");
		cr_assert_lt(now_ms(), deadline, "dnsmasq does not answer");
		sched_yield();
	}
}

static inline void server_stop(struct server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
}

#define SERVER(server, ...) server_start(server, (const char *const[]){__VA_ARGS__, NULL})

/* The names of names_for(); behind them the observed ones. */
enum { ONE, TWO, WILD, IN_WILD, NAMED, N_NAMES };

static unsigned int reported;

static inline void count_done(void *context, uint32_t name)
{
	cr_assert_eq(context, &reported);
	cr_assert_lt(name, N_NAMES + OBSERVED_MAX);
	reported++;
}

static inline struct names *names_for(const char *servers, struct names_config config)
{
	static const char *const list[N_NAMES] = {"one.test", "two.test", "*.wild.test",
						  "*.in.wild.test", "named.wild.test"};
	struct names *names;

	config.names = list;
	config.n_names = N_NAMES;
	config.servers = servers;
	config.observed_max = config.observed_max ? config.observed_max : OBSERVED_MAX;
	config.done = count_done;
	config.context = &reported;
	reported = 0;
	names = names_new(&config);
	cr_assert_not_null(names);
	return names;
}

static inline enum names_answer ask(struct names *names, uint32_t name, const char *text)
{
	struct net_addr addr = address(text);
	uint32_t which;

	return names_ask(names, &name, 1, &addr, &which);
}

static inline const char *of(struct names *names, const char *text)
{
	static char out[NAMES_TEXT_MAX];
	struct net_addr addr = address(text);
	const char *name = names_of(names, &addr, out);

	return name ? name : "";
}

#endif
