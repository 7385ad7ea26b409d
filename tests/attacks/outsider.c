/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No attack, but whom some attacks aim at: a process outside the fence that may reach
 * the forbidden address.  It prints "ready PID FLAG", FLAG the address of a word that
 * sends a datagram there once it is not 0; so does whatever comes in at the local
 * sockets "stream" and "datagram" in ATTACK_DIR and the abstract ones of the same names.
 * Who asks with "d" at a stream gets its descriptor 9, aimed already.
 */
#include "attack.h"

#include <poll.h>
#include <stddef.h>
#include <sys/un.h>

#define AIMED 9

static volatile int flag;

static int local(int type, const char *name, bool abstract)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	if (abstract)
		snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "%s/%s",
			 attack_setting("ATTACK_DIR"), name);
	else
		snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", attack_setting("ATTACK_DIR"),
			 name);
	if (bind(fd, (void *)&at,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract +
			     strlen(at.sun_path + abstract))) < 0)
		exit(1);
	if (type == SOCK_STREAM)
		listen(fd, 16);
	return fd;
}

static void hand_out(int to)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {{CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec part = {(char[]){"d"}, 1};
	struct msghdr message = {NULL, 0, &part, 1, &control, sizeof(control), 0};

	memcpy(CMSG_DATA(&control.header), &(int){AIMED}, sizeof(int));
	sendmsg(to, &message, MSG_NOSIGNAL);
}

static void send_datagram(void)
{
	send(AIMED, "x", 1, 0);
}

static void serve(int listener)
{
	int fd = accept(listener, NULL, NULL);
	char wish = 0;

	if (recv(fd, &wish, 1, 0) < 0)
		perror("recv");
	if (wish == 'd')
		hand_out(fd);
	else
		send_datagram();
	close(fd);
}

int main(void)
{
	struct pollfd polled[4];
	char text[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(attack_udp(), AIMED);
	attack_connect(AIMED, FORBIDDEN);
	for (int i = 0; i < 4; i++)
		polled[i] = (struct pollfd){
		    local(i & 1 ? SOCK_DGRAM : SOCK_STREAM, i & 1 ? "datagram" : "stream", i > 1),
		    POLLIN, 0};
	printf("ready %d %#lx\n", getpid(), (unsigned long)(uintptr_t)&flag);
	fflush(stdout);
	for (;;) {
		if (poll(polled, 4, 1) < 0)
			continue;
		if (flag) {
			send_datagram();
			flag = 0;
		}
		for (int i = 0; i < 4; i++) {
			if (!polled[i].revents)
				continue;
			if (i & 1 && recv(polled[i].fd, text, sizeof(text), 0) >= 0)
				send_datagram();
			else
				serve(polled[i].fd);
		}
	}
}
