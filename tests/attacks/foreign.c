/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the other ABIs of x86-64: int 0x80 with its own numbers, and x32. */
#include "attack.h"

#include <sys/mman.h>

#if defined(__x86_64__)
/* Numbers of the 32-bit ABI (arch/x86/entry/syscalls/syscall_32.tbl). */
enum {
	SOCKETCALL = 102,
	SENDMMSG = 345,
	SOCKET = 359,
	CONNECT = 362,
	SETSOCKOPT = 366,
	SENDTO = 369,
	SENDMSG = 370
};
enum { CALL_SOCKET = 1, CALL_CONNECT = 3, CALL_SENDTO = 11 };

/* Addresses must lie below 4 GB: all of it is in @low. */
static struct low {
	struct sockaddr_in at;
	uint32_t args[6];
	char data[4];
	uint32_t part[2];
	uint32_t message[8];
	unsigned char route[8];
} * low;

static long call(long nr, long a, long b, long c, long d, long e)
{
	long rc;
	register long r5 __asm__("rdi") = e;

	__asm__ volatile("int $0x80"
			 : "=a"(rc)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "r"(r5)
			 : "memory", "r8", "r9", "r10", "r11");
	if ((int)rc < 0 && (int)rc > -4096) {
		errno = -(int)rc;
		return -1;
	}
	return (int)rc;
}

static uint32_t address(const void *where)
{
	return (uint32_t)(uintptr_t)where;
}

static void prepare(void)
{
	low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1,
		   0);
	low->at = attack_v4(FORBIDDEN);
	low->part[0] = address(low->data);
	low->part[1] = 1;
	low->message[0] = address(&low->at);
	low->message[1] = sizeof(low->at);
	low->message[2] = address(low->part);
	low->message[3] = 1;
}

static void direct(void)
{
	prepare();
	attack_say("connect", call(CONNECT, call(SOCKET, AF_INET, SOCK_STREAM, 0, 0, 0),
				   address(&low->at), 16, 0, 0));
	attack_say("connect of our socket",
		   call(CONNECT, attack_tcp(), address(&low->at), 16, 0, 0));
}

static void direct_sends(void)
{
	int fd = attack_udp();

	prepare();
	attack_say("sendmsg", call(SENDMSG, fd, address(low->message), 0, 0, 0));
	attack_say("sendmmsg", call(SENDMMSG, fd, address(low->message), 1, 0, 0));
}

static void socketcall(void)
{
	prepare();
	low->args[0] = (uint32_t)attack_tcp();
	low->args[1] = address(&low->at);
	low->args[2] = 16;
	attack_say("connect", call(SOCKETCALL, CALL_CONNECT, address(low->args), 0, 0, 0));
	low->args[0] = (uint32_t)attack_udp();
	low->args[1] = address(low->data);
	low->args[2] = 1;
	low->args[3] = 0;
	low->args[4] = address(&low->at);
	low->args[5] = 16;
	attack_say("sendto", call(SOCKETCALL, CALL_SENDTO, address(low->args), 0, 0, 0));
}

static void option(void)
{
	static const unsigned char route[] = {0x83, 7, 4, 127, 0, 0, 2, 0};
	int fd = attack_udp();

	prepare();
	memcpy(low->route, route, sizeof(route));
	attack_say("setsockopt",
		   call(SETSOCKOPT, fd, IPPROTO_IP, IP_OPTIONS, address(low->route), 8));
	attack_say("sendto", attack_sendto(fd, ALLOWED, 0));
}

static void x32(void)
{
	struct sockaddr_in to = attack_v4(FORBIDDEN);

	if (syscall(0x40000000 | SYS_getpid) < 0 && !attack_is_fenced())
		attack_skip("no x32 in this kernel");
	attack_say("connect", syscall(0x40000000 | SYS_connect, attack_tcp(), &to, sizeof(to)));
	attack_say("sendto",
		   syscall(0x40000000 | SYS_sendto, attack_udp(), "x", 1, 0, &to, sizeof(to)));
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"direct", direct},
	    {"direct_sends", direct_sends},
	    {"socketcall", socketcall},
	    {"option", option},
	    {"x32", x32},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
#else
static void none(void)
{
	attack_skip("there are no other ABIs on this architecture");
}

int main(int argc, char **argv)
{
	static const struct attack_mode modes[] = {
	    {"direct", none}, {"direct_sends", none}, {"socketcall", none},
	    {"option", none}, {"x32", none},
	};

	return attack_main(argc, argv, ATTACK_MODES(modes));
}
#endif
