/* SPDX-License-Identifier: Apache-2.0 */
/* Processes outside the fence (outsider.c): take their sockets, steer them, make them act. */
#include "attack.h"

#include <poll.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/un.h>

#define AIMED 9

static pid_t outsider(void)
{
	return (pid_t)atoi(attack_setting("ATTACK_PID"));
}

static uintptr_t flag(void)
{
	return strtoul(attack_setting("ATTACK_FLAG"), NULL, 0);
}

/* Its loop looks every millisecond. */
static void let_it_act(void)
{
	poll(NULL, 0, 50);
}

static void take_descriptor(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, outsider(), 0);
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, AIMED, 0);

	if (attack_say("pidfd_getfd", fd))
		attack_say("send", send(fd, "x", 1, 0));
}

static void open_descriptor(void)
{
	char path[64];
	char target[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", outsider(), AIMED);
	attack_hit_if("link", readlink(path, target, sizeof(target)));
	/* Its output, say: natively opened as if it were ours. */
	snprintf(path, sizeof(path), "/proc/%d/fd/1", outsider());
	attack_hit_if("open", open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
}

static void poke(int request)
{
	int status;

	if (!attack_say("attach", ptrace(request, outsider(), NULL, NULL)))
		return;
	if (request == PTRACE_SEIZE)
		ptrace(PTRACE_INTERRUPT, outsider(), NULL, NULL);
	waitpid(outsider(), &status, __WALL);
	attack_say("poke", ptrace(PTRACE_POKEDATA, outsider(), flag(), 1));
	ptrace(PTRACE_DETACH, outsider(), NULL, NULL);
	let_it_act();
}

static void attach(void)
{
	poke(PTRACE_ATTACH);
}

static void seize(void)
{
	poke(PTRACE_SEIZE);
}

static void write_memory(void)
{
	int one = 1;
	struct iovec here = {&one, sizeof(one)};
	struct iovec there = {(void *)flag(), sizeof(one)}; /* NOLINT: the outsider's address */

	attack_say("process_vm_writev", process_vm_writev(outsider(), &here, 1, &there, 1, 0));
	let_it_act();
}

static void write_mem_file(void)
{
	char path[64];
	int one = 1, fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", outsider());
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (attack_say("mem", fd))
		attack_say("pwrite", pwrite(fd, &one, sizeof(one), (off_t)flag()));
	let_it_act();
}

/* From a child: its own domain, and a pid that nobody wrote into a filter. */
static void write_mem_task_file(void)
{
	char path[64];
	int one = 1, fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/mem", outsider(), outsider());
	if (fork() == 0) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (attack_say("mem", fd))
			attack_say("pwrite", pwrite(fd, &one, sizeof(one), (off_t)flag()));
		let_it_act();
		_exit(0);
	}
	wait(NULL);
}

static socklen_t local_name(struct sockaddr_un *at, const char *name, bool abstract)
{
	*at = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(at->sun_path + abstract, sizeof(at->sun_path) - abstract, "%s/%s",
		 attack_setting("ATTACK_DIR"), name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract +
			   strlen(at->sun_path + abstract));
}

/* A socket of its own where the policy has them, else one of a pair. */
static int local_socket(int type)
{
	int fd = socket(AF_UNIX, type, 0), ends[2];

	if (fd >= 0 || socketpair(AF_UNIX, type, 0, ends) < 0)
		return fd;
	return ends[0];
}

static void ask_stream(const char *name, bool abstract, const char *wish)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char text[4];
	struct iovec part = {text, sizeof(text)};
	struct msghdr message = {NULL, 0, &part, 1, &control, sizeof(control), 0};
	struct sockaddr_un at;
	socklen_t size = local_name(&at, name, abstract);
	int fd = local_socket(SOCK_STREAM), got;

	if (!attack_say("connect", connect(fd, (void *)&at, size)))
		return;
	attack_say("wish", send(fd, wish, 1, MSG_NOSIGNAL));
	if (*wish == 'd' && attack_say("received", recvmsg(fd, &message, 0)) &&
	    message.msg_controllen) {
		memcpy(&got, CMSG_DATA(&control.header), sizeof(got));
		attack_say("send", send(got, "x", 1, 0));
	}
	let_it_act();
}

static void stream_by_path(void)
{
	ask_stream("stream", false, "x");
}

static void stream_abstract(void)
{
	ask_stream("stream", true, "x");
}

static void received_socket(void)
{
	ask_stream("stream", false, "d");
}

static void datagram(bool abstract)
{
	struct sockaddr_un at;
	socklen_t size = local_name(&at, "datagram", abstract);
	struct iovec part = {(char[]){"x"}, 1};
	struct mmsghdr batch = {.msg_hdr = {&at, size, &part, 1, NULL, 0, 0}};
	int fd = local_socket(SOCK_DGRAM);

	attack_say("sendto", sendto(fd, "x", 1, 0, (void *)&at, size));
	attack_say("sendmsg", sendmsg(fd, &batch.msg_hdr, 0));
	attack_say("sendmmsg", sendmmsg(fd, &batch, 1, 0));
	if (attack_say("connect", connect(fd, (void *)&at, size)))
		attack_say("send", send(fd, "x", 1, 0));
	let_it_act();
}

static void datagram_by_path(void)
{
	datagram(false);
}

static void datagram_abstract(void)
{
	datagram(true);
}

/* Where one path is allowed: another under its name. */
static void symlink_over(void)
{
	char target[256], link_path[256];

	snprintf(target, sizeof(target), "%s/stream", attack_setting("ATTACK_DIR"));
	snprintf(link_path, sizeof(link_path), "%s/allowed", attack_setting("ATTACK_DIR"));
	unlink(link_path);
	attack_say("symlink", symlink(target, link_path));
	ask_stream("allowed", false, "x");
	unlink(link_path);
}

static void path_with_dots(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = local_socket(SOCK_STREAM);

	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/root%s/allowed/../stream",
		 attack_setting("ATTACK_DIR"));
	if (attack_say("connect", connect(fd, (void *)&at, sizeof(at))))
		attack_say("wish", send(fd, "x", 1, MSG_NOSIGNAL));
	let_it_act();
	if (chdir(attack_setting("ATTACK_DIR")) < 0)
		return;
	fd = local_socket(SOCK_STREAM);
	strcpy(at.sun_path, "./stream"); /* NOLINT(clang-analyzer-security.insecureAPI.strcpy) */
	if (attack_say("connect", connect(fd, (void *)&at, sizeof(at))))
		attack_say("wish", send(fd, "x", 1, MSG_NOSIGNAL));
	let_it_act();
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"pidfd_getfd", take_descriptor},
	    {"proc_fd", open_descriptor},
	    {"ptrace_attach", attach},
	    {"ptrace_seize", seize},
	    {"process_vm_writev", write_memory},
	    {"proc_mem", write_mem_file},
	    {"proc_task_mem", write_mem_task_file},
	    {"stream", stream_by_path},
	    {"stream_abstract", stream_abstract},
	    {"received_socket", received_socket},
	    {"datagram", datagram_by_path},
	    {"datagram_abstract", datagram_abstract},
	    {"symlink", symlink_over},
	    {"dots", path_with_dots},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
