/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls under signals.
 *
 *   interrupted wait SILENT             one connect that never ends; "waiting" first
 *   interrupted alarms PORT N           N connects under a timer of one millisecond, no SA_RESTART
 *   interrupted urges PORT N            N connects and sends while a thread sends this one SIGURG, SA_RESTART, as Go does
 *   interrupted waits-urges SILENT N    a connect with a limit of three seconds under N such signals
 *
 * Prints "ok=N interrupted=N other=N".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static struct sockaddr_in to = {.sin_family = AF_INET};
static atomic_bool over;
static atomic_uint handled;
static unsigned long counts[3];

static void handle(int signal)
{
	(void)signal;
	handled++;
}

static void catch (int signal, int flags)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = flags};

	sigaction(signal, &action, NULL);
}

static void count(long rc)
{
	counts[rc >= 0 ? 0 : errno == EINTR ? 1 : 2]++;
	if (rc < 0 && errno != EINTR)
		fprintf(stderr, "%s\n", strerrorname_np(errno));
}

static void connect_once(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct linger hard = {1, 0};

	count(connect(fd, (void *)&to, sizeof(to)));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static void *urge(void *argument)
{
	pid_t *ids = argument;

	while (!over) {
		syscall(SYS_tgkill, ids[0], ids[1], SIGURG);
		usleep(200);
	}
	return NULL;
}

static void alarms(unsigned long n)
{
	struct itimerval timer = {{0, 1000}, {0, 1000}}, none = {0};

	catch (SIGALRM, 0);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (n--)
		connect_once();
	setitimer(ITIMER_REAL, &none, NULL);
}

static void urges(unsigned long n, void (*call)(void))
{
	pid_t ids[2] = {getpid(), (pid_t)syscall(SYS_gettid)};
	pthread_t thread;

	catch (SIGURG, SA_RESTART);
	pthread_create(&thread, NULL, urge, ids);
	while (n--)
		call();
	over = true;
	pthread_join(thread, NULL);
}

static void connect_and_send(void)
{
	static int udp = -1;
	char text[] = "x";
	struct iovec part = {text, 1};
	struct msghdr message = {
	    .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1};

	if (udp < 0)
		udp = socket(AF_INET, SOCK_DGRAM, 0);
	connect_once();
	count(sendto(udp, text, 1, 0, (void *)&to, sizeof(to)));
	count(sendmsg(udp, &message, 0));
}

/* TCP_SYNCNT 1: the kernel gives up after about three seconds. */
static void connect_silently(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &(int){1}, sizeof(int));
	if (connect(fd, (void *)&to, sizeof(to)) < 0)
		counts[errno == ETIMEDOUT ? 0 : errno == EINTR ? 1 : 2]++;
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	if (argc < 3)
		return 2;
	if (strchr(argv[2], '.')) {
		inet_pton(AF_INET, argv[2], &to.sin_addr);
		to.sin_port = htons(9);
	} else {
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		to.sin_port = htons((unsigned short)atoi(argv[2]));
	}
	if (!strcmp(argv[1], "wait")) {
		puts("waiting");
		fflush(stdout);
		count(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&to, sizeof(to)));
	} else if (!strcmp(argv[1], "alarms")) {
		alarms(n);
	} else if (!strcmp(argv[1], "urges")) {
		urges(n, connect_and_send);
	} else if (!strcmp(argv[1], "waits-urges")) {
		urges(n, connect_silently);
	}
	printf("ok=%lu interrupted=%lu other=%lu handled=%s\n", counts[0], counts[1], counts[2],
	       handled ? "yes" : "no");
	return 0;
}
