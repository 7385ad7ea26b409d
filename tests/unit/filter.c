/* SPDX-License-Identifier: Apache-2.0 */
#include "filter_fixture.h"
#include "policy/filter_make.h"
#include "policy/policy.h"
#include "shared/gae_sockets.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define ALLOW SECCOMP_RET_ALLOW
#define NOTIFY SECCOMP_RET_USER_NOTIF
#define ERR(e) (SECCOMP_RET_ERRNO | (e))
#define HIGH 0xdeadbeef00000000u /* garbage that a 32-bit test must not see */

struct row {
	int nr;
	uint64_t args[6];
	uint32_t answer;
};

/* The interpreter's answer must be the table's, and the spec's. */
static void expect_rows(struct fixture *f, const struct row *rows, size_t n)
{
	fixture_compile(f);
	for (size_t i = 0; i < n; i++) {
		struct seccomp_data call = {.nr = rows[i].nr, .arch = FILTER_ARCH};
		uint32_t answer = 0;

		for (int a = 0; a < 6; a++)
			call.args[a] = rows[i].args[a];
		cr_assert(zero(int, bpf_run(&f->program, &call, &answer)));
		cr_expect(eq(u32, answer, rows[i].answer), "row %zu, call %d", i, rows[i].nr);
		cr_expect(eq(u32, filter_answer(f->spec, &call), rows[i].answer), "row %zu", i);
	}
	cr_expect(gt(int, filter_verify(f->spec, &f->program, NULL), 0));
	fixture_fini(f);
}

#define EXPECT_ROWS(f, ...)                                                                        \
	expect_rows(f, (const struct row[]){__VA_ARGS__},                                          \
		    sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row))

Test(filter, only_tcp_and_udp_sockets_are_made)
{
	struct fixture f;

	fixture_init(&f);
	EXPECT_ROWS(&f, {__NR_socket, {AF_INET, SOCK_STREAM, 0}, ALLOW},
		    {__NR_socket, {HIGH | AF_INET, HIGH | SOCK_STREAM, HIGH | IPPROTO_TCP}, ALLOW},
		    {__NR_socket, {AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0}, NOTIFY},
		    {__NR_socket, {AF_INET6, SOCK_DGRAM, IPPROTO_UDP}, NOTIFY},
		    {__NR_socket, {AF_INET, SOCK_STREAM, IPPROTO_UDP}, ERR(EPROTONOSUPPORT)},
		    {__NR_socket, {AF_INET, SOCK_DGRAM, IPPROTO_ICMP}, ERR(EPROTONOSUPPORT)},
		    {__NR_socket, {AF_INET, SOCK_DGRAM, 136 /* UDP-Lite */}, ERR(EPROTONOSUPPORT)},
		    {__NR_socket, {AF_INET, SOCK_STREAM, 262 /* MPTCP */}, ERR(EPROTONOSUPPORT)},
		    {__NR_socket, {AF_INET6, SOCK_STREAM, 132 /* SCTP */}, ERR(EPROTONOSUPPORT)},
		    {__NR_socket, {AF_INET, SOCK_RAW, IPPROTO_TCP}, ERR(EPROTONOSUPPORT)},
		    {__NR_socket, {AF_INET, SOCK_SEQPACKET, 0}, ERR(EPROTONOSUPPORT)},
		    {__NR_socket, {AF_PACKET, SOCK_RAW, 0}, ERR(EAFNOSUPPORT)},
		    {__NR_socket, {AF_VSOCK, SOCK_STREAM, 0}, ERR(EAFNOSUPPORT)},
		    {__NR_socket, {AF_ALG, SOCK_SEQPACKET, 0}, ERR(EAFNOSUPPORT)},
		    {__NR_socket, {AF_UNIX, SOCK_STREAM, 0}, ERR(EAFNOSUPPORT)},
		    {__NR_socket, {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE}, ALLOW},
		    {__NR_socket, {AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG}, ERR(EPROTONOSUPPORT)},
		    {__NR_socketpair, {AF_UNIX, SOCK_STREAM, 0}, ALLOW},
		    {__NR_socketpair, {AF_INET, SOCK_STREAM, 0}, ERR(EAFNOSUPPORT)});
}

/* The numbers of a program with a soft limit of 1,024 and a hard one of 65,536. */
static const struct fd_window usual_window = {512, 1024, 57344, 65536};

Test(filter, what_writes_to_a_number_inside_the_window_is_asked_about)
{
	static const int calls[] = {__NR_write, __NR_writev, __NR_pwritev2, __NR_sendfile,
				    __NR_dup,   __NR_dup2,   __NR_dup3};
	static const struct {
		uint32_t fd;
		uint32_t answer;
	} rows[] = {{0, ALLOW},     {511, ALLOW},       {512, NOTIFY},   {1023, NOTIFY},
		    {1024, ALLOW},  {57343, ALLOW},     {57344, NOTIFY}, {65535, NOTIFY},
		    {65536, ALLOW}, {UINT32_MAX, ALLOW}};
	struct fixture f;

	for (size_t c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			fixture_init(&f);
			f.setup.window = usual_window;
			EXPECT_ROWS(&f, {calls[c], {HIGH | rows[i].fd}, rows[i].answer});
			cr_expect_eq(fd_window_has(&usual_window, rows[i].fd),
				     rows[i].answer == NOTIFY);
		}
	}
	fixture_init(&f);
	f.setup.window = usual_window;
	EXPECT_ROWS(&f, {__NR_splice, {1023, 0, 4}, ALLOW}, {__NR_splice, {4, 0, 1023}, NOTIFY},
		    {__NR_fcntl, {1023, F_DUPFD}, NOTIFY},
		    {__NR_fcntl, {600, F_DUPFD_CLOEXEC}, NOTIFY},
		    {__NR_fcntl, {1024, F_DUPFD_CLOEXEC}, ALLOW}, {__NR_fcntl, {3, F_DUPFD}, ALLOW},
		    {__NR_fcntl, {1023, F_GETFL}, ALLOW}, {__NR_sendto, {1023}, NOTIFY},
		    {__NR_sendto, {3}, ALLOW}, {__NR_sendto, {1024}, ALLOW},
		    {__NR_sendto, {1024, 0, 0, MSG_FASTOPEN}, NOTIFY},
		    {__NR_sendto, {1024, 0, 0, 0, 1}, NOTIFY}, {__NR_io_setup, {0}, ERR(ENOSYS)});
}

Test(filter, messages_pass_unseen_only_where_no_local_socket_can_carry_a_udp_socket_away)
{
	struct fixture f;

	fixture_init(&f);
	f.setup.window = usual_window;
	EXPECT_ROWS(&f, {__NR_sendmsg, {3}, NOTIFY}, {__NR_sendmmsg, {3}, NOTIFY});
	fixture_init(&f);
	f.setup.window = usual_window;
	f.plan.unix_sockets.word = UNIX_NONE;
	EXPECT_ROWS(&f, {__NR_sendmsg, {3}, ALLOW}, {__NR_sendmmsg, {3}, ALLOW},
		    {__NR_sendmsg, {1023}, NOTIFY}, {__NR_sendmsg, {3, 0, MSG_FASTOPEN}, NOTIFY},
		    {__NR_sendmmsg, {3, 0, 1, MSG_FASTOPEN}, NOTIFY},
		    {__NR_sendmmsg, {60000, 0, 1, 0}, NOTIFY});
	fixture_init(&f);
	f.setup.window = usual_window;
	f.setup.local_sockets = true;
	f.plan.unix_sockets.word = UNIX_NONE;
	EXPECT_ROWS(&f, {__NR_sendmsg, {3}, NOTIFY}, {__NR_sendmmsg, {3}, NOTIFY});
	/* Without a window nothing says that a descriptor is no UDP socket. */
	fixture_init(&f);
	f.plan.unix_sockets.word = UNIX_NONE;
	EXPECT_ROWS(&f, {__NR_sendmsg, {3}, NOTIFY});
}

Test(filter, unix_and_netlink_follow_the_policy)
{
	struct fixture f;

	fixture_init(&f);
	f.plan.unix_sockets.word = UNIX_ALLOW;
	f.plan.netlink.word = NETLINK_NONE;
	EXPECT_ROWS(&f, {__NR_socket, {AF_UNIX, SOCK_STREAM, 0}, ALLOW},
		    {__NR_socketpair, {AF_UNIX, SOCK_STREAM, 0}, ALLOW},
		    {__NR_socket, {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE}, ERR(EAFNOSUPPORT)});
	fixture_init(&f);
	f.plan.unix_sockets.word = UNIX_NONE;
	EXPECT_ROWS(&f, {__NR_socket, {AF_UNIX, SOCK_STREAM, 0}, ERR(EAFNOSUPPORT)},
		    {__NR_socketpair, {AF_UNIX, SOCK_STREAM, 0}, ERR(EAFNOSUPPORT)});
}

Test(filter, whatever_carries_an_address_or_a_message_is_asked_about)
{
	struct fixture f;

	fixture_init(&f);
	EXPECT_ROWS(&f, {__NR_connect, {3}, NOTIFY}, {__NR_bind, {3}, NOTIFY},
		    {__NR_sendmsg, {3}, NOTIFY}, {__NR_sendmmsg, {3}, NOTIFY},
		    {__NR_sendto, {3, 1, 1, MSG_NOSIGNAL, 0, 16}, ALLOW},
		    {__NR_sendto, {3, 1, 1, HIGH | MSG_NOSIGNAL, 0, 16}, ALLOW},
		    {__NR_sendto, {3, 1, 1, MSG_FASTOPEN, 0, 0}, NOTIFY},
		    {__NR_sendto, {3, 1, 1, 0, 0x7fff0000, 16}, NOTIFY},
		    {__NR_sendto, {3, 1, 1, 0, 0x100000000, 16}, NOTIFY},
		    {__NR_write, {3, 1, 1}, ALLOW}, {__NR_close, {3}, ALLOW});
}

Test(filter, listening_and_epoll_follow_the_policy)
{
	struct fixture f;

	fixture_init(&f);
	EXPECT_ROWS(&f, {__NR_listen, {3}, ERR(EACCES)}, {__NR_accept, {3}, ERR(EACCES)},
		    {__NR_accept4, {3}, ERR(EACCES)}, {__NR_epoll_create1, {0}, ALLOW});
	fixture_init(&f);
	f.plan.listen.word = LISTEN_ALLOW;
	f.plan.async = (struct statement){ASYNC_DENY, ENOSYS, {0, 6, 1}};
	EXPECT_ROWS(&f, {__NR_listen, {3}, ALLOW}, {__NR_accept4, {3}, ALLOW},
		    {__NR_epoll_create1, {0}, ERR(ENOSYS)});
}

Test(filter, options_are_decided_by_level_and_option_together)
{
	struct fixture f;

	fixture_init(&f);
	EXPECT_ROWS(&f, {__NR_setsockopt, {3, SOL_SOCKET, SO_KEEPALIVE}, ERR(0)},
		    {__NR_getsockopt, {3, SOL_SOCKET, SO_KEEPALIVE}, NOTIFY},
		    {__NR_getsockopt, {3, HIGH | SOL_SOCKET, HIGH | SO_ERROR}, ALLOW},
		    {__NR_setsockopt, {3, SOL_SOCKET, SO_TYPE}, ERR(EACCES)},
		    {__NR_getsockopt, {3, SOL_SOCKET, SO_TYPE}, ALLOW},
		    {__NR_setsockopt, {3, SOL_SOCKET, SO_BROADCAST}, ERR(0)},
		    {__NR_getsockopt, {3, SOL_SOCKET, SO_BROADCAST}, ALLOW},
		    {__NR_setsockopt, {3, IPPROTO_TCP, TCP_NODELAY}, ALLOW},
		    {__NR_setsockopt, {3, IPPROTO_UDP, TCP_NODELAY}, ERR(EACCES)},
		    {__NR_setsockopt, {3, IPPROTO_TCP, SO_ERROR}, ERR(EACCES)},
		    {__NR_getsockopt, {3, IPPROTO_TCP, TCP_INFO}, ERR(EACCES)},
		    {__NR_setsockopt, {3, SOL_SOCKET, SO_MARK}, ERR(EACCES)});
}

Test(filter, handing_over_follows_its_own_statement_and_no_rule_for_options)
{
	struct sockopt_rule any = {.level = SOCKOPT_ANY,
				   .option = SOCKOPT_ANY,
				   .calls = SOCKOPT_GET | SOCKOPT_SET,
				   .action = SOCKOPT_PASS};
	struct fixture f;

	for (int word = DESCRIPTORS_HANDOFF; word <= DESCRIPTORS_SHARED; word++) {
		fixture_init(&f);
		f.plan.descriptors.word = word;
		f.plan.sockopts = &any;
		f.plan.n_sockopts = 1;
		EXPECT_ROWS(&f, {__NR_setsockopt, {3, SOL_GAE, GAE_DESCRIPTOR}, NOTIFY},
			    {__NR_getsockopt, {3, HIGH | SOL_GAE, HIGH | GAE_DESCRIPTOR}, NOTIFY},
			    {__NR_getsockopt, {3, SOL_GAE, GAE_DESCRIPTOR + 1}, ALLOW},
			    {__NR_setsockopt, {3, SOL_SOCKET, GAE_DESCRIPTOR}, ALLOW});
	}
	fixture_init(&f);
	f.plan.descriptors = (struct statement){DESCRIPTORS_DENY, EACCES, {0, 6, 1}};
	f.plan.sockopts = &any;
	f.plan.n_sockopts = 1;
	EXPECT_ROWS(&f, {__NR_setsockopt, {3, SOL_GAE, GAE_DESCRIPTOR}, ERR(EACCES)},
		    {__NR_getsockopt, {3, SOL_GAE, GAE_DESCRIPTOR}, ERR(EACCES)});
}

Test(filter, options_that_aim_a_socket_anew_are_refused_whatever_the_policy_says)
{
	static const int options[][2] = {
	    {IPPROTO_IP, IP_OPTIONS},
	    {IPPROTO_IP, IP_HDRINCL},
	    {IPPROTO_IP, IP_TRANSPARENT},
	    {IPPROTO_IPV6, IPV6_RTHDR},
	    {IPPROTO_IPV6, IPV6_HOPOPTS},
	    {IPPROTO_IPV6, IPV6_DSTOPTS},
	    {IPPROTO_IPV6, 55},
	    {IPPROTO_IPV6, 3},
	    {IPPROTO_IPV6, 4},
	    {IPPROTO_IPV6, 5},
	    {IPPROTO_IPV6, 6},
	    {IPPROTO_IPV6, 75},
	    {IPPROTO_TCP, TCP_REPAIR},
	};
	const size_t n = sizeof(options) / sizeof(options[0]);
	struct row rows[2 * sizeof(options) / sizeof(options[0])];
	struct fixture f;

	fixture_init(&f);
	f.plan.n_sockopts = 0;
	fixture_sockopt(&f, SOCKOPT_ANY, SOCKOPT_ANY, SOCKOPT_GET | SOCKOPT_SET, SOCKOPT_PASS);
	for (size_t i = 0; i < n; i++) {
		rows[i] = (struct row){__NR_setsockopt,
				       {3, (uint64_t)options[i][0], (uint64_t)options[i][1]},
				       ERR(EACCES)};
		/* The same number on another level is another option. */
		rows[n + i] =
		    (struct row){__NR_setsockopt, {3, 1000, (uint64_t)options[i][1]}, ALLOW};
	}
	expect_rows(&f, rows, 2 * n);
}

Test(filter, ways_around_the_filter_are_closed)
{
	struct fixture f;

	fixture_init(&f);
	f.setup.signal_scope = true;
	EXPECT_ROWS(
	    &f, {__NR_io_uring_setup, {0}, ERR(ENOSYS)}, {__NR_io_uring_enter, {0}, ERR(ENOSYS)},
	    {__NR_io_uring_register, {0}, ERR(ENOSYS)}, {__NR_clone3, {0}, ERR(ENOSYS)},
	    {__NR_seccomp, {SECCOMP_SET_MODE_FILTER, 8 | 1}, ERR(EBUSY)},
	    {__NR_seccomp, {HIGH | SECCOMP_SET_MODE_FILTER, HIGH | 8}, ERR(EBUSY)},
	    {__NR_seccomp, {SECCOMP_SET_MODE_FILTER, HIGH | 1}, ALLOW},
	    {__NR_seccomp, {SECCOMP_SET_MODE_STRICT, 8}, ALLOW},
	    {__NR_prctl, {PR_SET_DUMPABLE, 0}, ERR(0)}, {__NR_prctl, {PR_SET_DUMPABLE, 1}, ALLOW},
	    {__NR_prctl, {PR_SET_DUMPABLE, 0x100000000}, ALLOW},
	    {__NR_prctl, {PR_SET_NAME, 0}, ALLOW}, {__NR_pidfd_getfd, {3}, ERR(EPERM)},
	    {__NR_clone, {CLONE_NEWNET | SIGCHLD}, ERR(EPERM)},
	    {__NR_clone, {CLONE_VM | SIGCHLD}, ALLOW}, {__NR_unshare, {CLONE_NEWNET}, ERR(EPERM)},
	    {__NR_unshare, {CLONE_FS}, ALLOW}, {__NR_setns, {3}, ERR(EPERM)},
	    {__NR_bpf, {0}, ERR(EPERM)}, {__NR_ioctl, {0, TIOCSTI}, ERR(EPERM)},
	    {__NR_ioctl, {0, HIGH | TIOCLINUX}, ERR(EPERM)}, {__NR_ioctl, {0, TIOCGWINSZ}, ALLOW},
	    {__NR_ioctl, {3, HIGH | TUNSETIFF}, ERR(EPERM)}, {__NR_request_key, {1, 1, 0}, ALLOW},
	    {__NR_request_key, {1, 1, 1}, ERR(EPERM)}, {__NR_request_key, {1, 1, HIGH}, ERR(EPERM)},
	    {__NR_ptrace, {PTRACE_ATTACH}, ALLOW}, {__NR_process_vm_writev, {1}, ALLOW},
	    {__NR_kill, {4321, SIGKILL}, ALLOW}, {__NR_pidfd_open, {4321}, ALLOW},
	    {__NR_pidfd_send_signal, {3, 9}, ALLOW}, {__NR_fcntl, {3, F_SETSIG, 9}, ALLOW});
}

Test(filter, without_landlock_the_supervisor_is_fenced_off_by_pid)
{
	struct fixture f;

	fixture_init(&f);
	EXPECT_ROWS(
	    &f, {__NR_kill, {4321, SIGKILL}, ERR(EPERM)},
	    {__NR_kill, {HIGH | 4322, SIGKILL}, ERR(EPERM)},
	    {__NR_kill, {(uint64_t)-4321, SIGKILL}, ERR(EPERM)},
	    {__NR_kill, {(uint64_t)-1, SIGKILL}, ERR(EPERM)}, {__NR_kill, {4323, 9}, ALLOW},
	    {__NR_kill, {0, 9}, ALLOW}, {__NR_tkill, {4322, 9}, ERR(EPERM)},
	    {__NR_tkill, {5, 9}, ALLOW}, {__NR_tgkill, {4321, 5, 9}, ERR(EPERM)},
	    {__NR_tgkill, {5, 4321, 9}, ERR(EPERM)}, {__NR_tgkill, {5, 5, 4321}, ALLOW},
	    {__NR_rt_sigqueueinfo, {4321}, ERR(EPERM)},
	    {__NR_rt_tgsigqueueinfo, {1, 4321}, ERR(EPERM)}, {__NR_pidfd_open, {4321}, ERR(EPERM)},
	    {__NR_pidfd_open, {5}, ALLOW}, {__NR_ptrace, {PTRACE_ATTACH}, ERR(EPERM)},
	    {__NR_ptrace, {PTRACE_SEIZE}, ERR(EPERM)}, {__NR_ptrace, {PTRACE_TRACEME}, ALLOW},
	    {__NR_process_vm_writev, {1}, ERR(EPERM)},
	    {__NR_pidfd_send_signal, {3, 9}, ERR(ENOSYS)},
	    {__NR_fcntl, {3, HIGH | F_SETSIG, 9}, ERR(EPERM)}, {__NR_fcntl, {3, F_GETFL}, ALLOW});
}

Test(filter, the_supervisor_cannot_be_starved)
{
	struct fixture f;

	fixture_init(&f);
	f.setup.signal_scope = true;
	EXPECT_ROWS(&f, {__NR_prlimit64, {4321}, ERR(EPERM)}, {__NR_prlimit64, {0}, ALLOW},
		    {__NR_setpriority, {PRIO_PROCESS, 4321}, ERR(EPERM)},
		    {__NR_setpriority, {PRIO_PGRP, 4322}, ERR(EPERM)},
		    {__NR_setpriority, {PRIO_PROCESS, 5}, ALLOW},
		    {__NR_setpriority, {PRIO_USER, 0}, ERR(EPERM)},
		    {__NR_ioprio_set, {1, 4321}, ERR(EPERM)}, {__NR_ioprio_set, {1, 0}, ALLOW},
		    {__NR_ioprio_set, {3, 0}, ERR(EPERM)}, {__NR_setpgid, {0, 4321}, ALLOW},
		    {__NR_setpgid, {0, 4322}, ERR(EPERM)}, {__NR_setpgid, {0, 0}, ALLOW},
		    {__NR_sched_setaffinity, {4322}, ERR(EPERM)},
		    {__NR_sched_setscheduler, {4322}, ERR(EPERM)},
		    {__NR_sched_setparam, {4322}, ERR(EPERM)},
		    {__NR_sched_setattr, {4322}, ERR(EPERM)}, {__NR_sched_setattr, {0}, ALLOW});
}

Test(filter, tracing_sends_every_refusal_to_the_supervisor_and_nothing_else)
{
	struct fixture f;

	fixture_init(&f);
	f.setup.trace = true;
	EXPECT_ROWS(&f, {__NR_socket, {AF_INET, SOCK_STREAM, 0}, ALLOW},
		    {__NR_socket, {AF_PACKET, SOCK_RAW, 0}, NOTIFY}, {__NR_listen, {3}, NOTIFY},
		    {__NR_setsockopt, {3, SOL_SOCKET, SO_KEEPALIVE}, NOTIFY},
		    {__NR_getsockopt, {3, SOL_SOCKET, SO_ERROR}, ALLOW}, {__NR_write, {3}, ALLOW});
}

Test(filter, other_architectures_and_x32_are_asked_about)
{
	static const uint32_t arches[] = {SCMP_ARCH_X86, SCMP_ARCH_ARM, 0, UINT32_MAX};
	struct fixture f;
	struct seccomp_data call = {.nr = __NR_write};
	uint32_t answer;

	fixture_init(&f);
	fixture_compile(&f);
	for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++) {
		call.arch = arches[i];
		cr_assert(zero(int, bpf_run(&f.program, &call, &answer)));
		cr_expect(eq(u32, answer, NOTIFY));
	}
#ifdef FILTER_X32_BIT
	call.arch = FILTER_ARCH;
	call.nr = (int)(FILTER_X32_BIT | __NR_write);
	cr_assert(zero(int, bpf_run(&f.program, &call, &answer)));
	cr_expect(eq(u32, answer, NOTIFY));
	call.nr = -1;
	cr_assert(zero(int, bpf_run(&f.program, &call, &answer)));
	cr_expect(eq(u32, answer, NOTIFY));
#endif
	fixture_fini(&f);
}

Test(filter, names_and_numbers_are_those_that_libseccomp_knows)
{
	size_t n;
	const struct filter_call *calls = filter_calls(&n);

	cr_assert(gt(sz, n, 30));
	for (size_t i = 0; i < n; i++)
		if (calls[i].nr >= 0)
			cr_expect(eq(int, calls[i].nr,
				     seccomp_syscall_resolve_name_arch(FILTER_ARCH, calls[i].name)),
				  "%s", calls[i].name);
}

Test(filter, a_row_that_allows_everything_is_left_out_and_rows_end_unconditionally)
{
	struct fixture f;

	fixture_init(&f);
	f.setup.signal_scope = true;
	fixture_compile(&f);
	cr_expect(filter_row_find(f.spec, __NR_kill) == NULL);
	cr_expect(filter_row_find(f.spec, __NR_epoll_create1) == NULL);
	for (size_t i = 0; i < f.spec->n_rows; i++) {
		const struct filter_row *row = &f.spec->rows[i];

		for (size_t c = 0; c < row->n_clauses; c++)
			cr_expect(eq(int, row->clauses[c].n_conds == 0, c + 1 == row->n_clauses),
				  "%s", row->name);
	}
	fixture_fini(&f);
}

Test(filter, a_clause_knows_the_statement_that_it_comes_from)
{
	const uint64_t refused[6] = {AF_UNIX}, unknown[6] = {3, 77, 77};
	struct fixture f;
	const struct filter_clause *clause;

	fixture_init(&f);
	fixture_compile(&f);
	clause = filter_clause_find(filter_row_find(f.spec, __NR_socket), refused);
	cr_expect(eq(u32, clause->loc.line, 4));
	clause = filter_clause_find(filter_row_find(f.spec, __NR_setsockopt), unknown);
	cr_expect(eq(int, clause->loc.file, PLAN_BUILTIN));
	cr_expect(clause->why != NULL);
	fixture_fini(&f);
}

Test(filter, the_listing_names_calls_answers_and_every_instruction)
{
	struct fixture f;
	char *text = NULL;
	size_t size, lines = 0;
	FILE *out = open_memstream(&text, &size);

	fixture_init(&f);
	fixture_compile(&f);
	cr_assert(not(zero(ptr, out)));
	filter_print(f.spec, &f.program, out);
	fclose(out);
	for (const char *p = text; *p; p = strchr(p, '\n') + 1)
		lines += *p != ';';
	cr_expect(eq(sz, lines, f.program.len));
	cr_expect(not(zero(ptr, strstr(text, "; setsockopt\n"))));
	cr_expect(not(zero(ptr, strstr(text, "ret   ERRNO EPROTONOSUPPORT\n"))));
	cr_expect(not(zero(ptr, strstr(text, "ret   USER_NOTIF\n"))));
	free(text);
	fixture_fini(&f);
}

Test(filter, too_long_a_policy_is_told_by_its_last_option)
{
	struct sockopt_rule *many = calloc(2500, sizeof(*many));
	struct plan_file file = {.path = "a.conf", .base = "a.conf"};
	struct policy_error error;
	struct fixture f;

	cr_assert(not(zero(ptr, many)));
	fixture_init(&f);
	for (int i = 0; i < 2500; i++)
		many[i] = (struct sockopt_rule){.level = SOL_SOCKET,
						.option = i,
						.calls = SOCKOPT_GET | SOCKOPT_SET,
						.action = SOCKOPT_PASS,
						.loc = {0, (uint32_t)i + 2, 1}};
	f.plan.files = &file;
	f.plan.n_files = 1;
	f.plan.sockopts = many;
	f.plan.n_sockopts = 2500;
	cr_expect(eq(int, filter_make(&f.plan, &f.setup, &f.spec, &f.program, &error), -E2BIG));
	cr_expect(zero(ptr, f.spec));
	cr_expect(eq(str, error.file, "a.conf"));
	cr_expect(eq(u32, error.line, 2501));
	cr_expect(eq(str, error.text,
		     "more than 4,096 instructions: 2500 sockopt statements; "
		     "join them with 'any'"));
	f.plan.n_sockopts = 500;
	cr_expect(zero(int, filter_make(&f.plan, &f.setup, &f.spec, &f.program, &error)));
	cr_expect(gt(int, filter_verify(f.spec, &f.program, NULL), 0));
	fixture_fini(&f);
	free(many);
}
