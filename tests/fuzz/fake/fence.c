/* SPDX-License-Identifier: Apache-2.0 */
#include "fence.h"

#include "kernel.h"
#include "policy/decide.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define OURS_MAX 4096

/* Of the program's sockets: shut for writing, so that nothing leaves whatever it is connected to. */
static bool shut[FAKE_SOCKETS];
static unsigned char kinds[OURS_MAX];
static enum fake_kind last;

static int base(void)
{
	static int file = -1;

	if (file < 0) {
		file = memfd_create("fake", MFD_CLOEXEC);
		fake_expect(file >= 0 && ftruncate(file, 65536) == 0);
	}
	return file;
}

void fake_reset(void)
{
	base();
	memset(shut, 0, sizeof(shut));
}

static int open_kind(enum fake_kind kind)
{
	int ours = fcntl(base(), F_DUPFD_CLOEXEC, 0);

	fake_expect(ours >= 0 && ours < OURS_MAX);
	kinds[ours] = (unsigned char)kind;
	last = kind;
	return ours;
}

int fence_open(int fd)
{
	return open_kind(fake_kind(fd));
}

static bool is_udp(enum fake_kind kind)
{
	return kind == FAKE_UDP4 || kind == FAKE_UDP6;
}

bool fence_last_is_udp(void)
{
	return is_udp(last);
}

static enum fake_kind kind_of(int ours)
{
	fake_expect(ours >= 0 && ours < OURS_MAX);
	return (enum fake_kind)kinds[ours];
}

static int domain_of(enum fake_kind kind)
{
	static const int domains[] = {AF_INET, AF_INET,    AF_INET6,  AF_INET6, AF_UNIX,
				      AF_UNIX, AF_NETLINK, AF_UNSPEC, AF_INET,  AF_INET};

	return domains[kind];
}

static int type_of(enum fake_kind kind)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_STREAM, SOCK_DGRAM,  SOCK_STREAM,
				    SOCK_DGRAM,  SOCK_RAW,   0,           SOCK_STREAM, SOCK_RAW};

	return types[kind];
}

static int protocol_of(enum fake_kind kind)
{
	static const int protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_TCP, IPPROTO_UDP, 0, 0,
					0,           0,           262,         IPPROTO_UDP};

	return protocols[kind];
}

/* --- what may leave --- */

/* By the kernel's rules: an IPv4 address in IPv6's clothes, and nothing as this host. */
static bool read_address(int domain, const void *bytes, socklen_t size, struct net_endpoint *to)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, nothing[16];

	*to = (struct net_endpoint){.port = 0};
	if (domain == AF_INET6 && size >= 24 &&
	    ((const struct sockaddr *)bytes)->sa_family == AF_INET6) {
		memset(&v6, 0, sizeof(v6));
		memcpy(&v6, bytes, size < sizeof(v6) ? size : sizeof(v6));
		to->port = ntohs(v6.sin6_port);
		to->addr.family = AF_INET6;
		memcpy(to->addr.bytes, &v6.sin6_addr, 16);
		to->addr.scope_id = v6.sin6_scope_id;
		if (memcmp(to->addr.bytes, mapped, 12) == 0)
			to->addr = net_addr_from_v4(v6.sin6_addr.s6_addr + 12);
		else if (memcmp(to->addr.bytes, nothing, 16) == 0)
			to->addr.bytes[15] = 1;
	} else if (size >= sizeof(v4)) {
		memcpy(&v4, bytes, sizeof(v4));
		if (v4.sin_family != AF_INET && v4.sin_family != AF_UNSPEC)
			return false;
		to->port = ntohs(v4.sin_port);
		to->addr = net_addr_from_v4((const uint8_t *)&v4.sin_addr);
	} else {
		return false;
	}
	if (to->addr.family == AF_INET && memcmp(to->addr.bytes, nothing, 4) == 0)
		to->addr = net_addr_from_v4((const uint8_t[]){127, 0, 0, 1});
	return true;
}

static bool is_allowed(enum fake_kind kind, const void *bytes, socklen_t size)
{
	struct net_endpoint to;

	if (!read_address(domain_of(kind), bytes, size, &to))
		return true; /* the kernel says EINVAL or EAFNOSUPPORT */
	return decide_destination(fake.plan, is_udp(kind) ? TRANSPORT_UDP : TRANSPORT_TCP, &to,
				  NULL)
		   .kind == VERDICT_ALLOW;
}

static int outcome(void)
{
	static const int errors[] = {0,      EINPROGRESS, EALREADY, EISCONN, ECONNREFUSED,
				     EAGAIN, EPIPE,       ENOBUFS,  EINTR,   ENETUNREACH};
	uint8_t word = fake_script();

	errno = errors[word % (sizeof(errors) / sizeof(errors[0]))];
	return errno ? -1 : 0;
}

/* Neither raw nor MPTCP sockets are ever acted on. */
static void expect_known(enum fake_kind kind)
{
	fake_expect(kind != FAKE_RAW && kind != FAKE_MPTCP && kind != FAKE_FILE);
}

static void expect_kernel(const void *bytes, size_t size)
{
	struct sockaddr_nl to;

	fake_expect(size >= sizeof(to));
	memcpy(&to, bytes, sizeof(to));
	fake_expect(to.nl_family == AF_NETLINK && to.nl_pid == 0 && to.nl_groups == 0);
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the names that the linker asks for. */
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	enum fake_kind kind = kind_of(fd);

	expect_known(kind);
	if (kind == FAKE_NETLINK) {
		expect_kernel(address, size);
		return outcome();
	}
	/* The plan lists no local socket. */
	fake_expect(kind != FAKE_UNIX_STREAM && kind != FAKE_UNIX_DATAGRAM);
	if (address->sa_family == AF_UNSPEC)
		return outcome();
	/* A probe for the source address, which nothing can follow. */
	if (!is_udp(kind) || !shut[kind])
		fake_expect(is_allowed(kind, address, size));
	return outcome();
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
	static const uint8_t nothing[16];
	enum fake_kind kind = kind_of(fd);

	expect_known(kind);
	fake_expect(kind != FAKE_UNIX_STREAM && kind != FAKE_UNIX_DATAGRAM);
	if (kind == FAKE_NETLINK)
		return outcome();
	/* `bind ephemeral`: port 0 and no address, which are zero in any family but for their place. */
	fake_expect(size >= 16 &&
		    ((const struct sockaddr_in *)(const void *)address)->sin_port == 0);
	if (address->sa_family == AF_INET)
		fake_expect(memcmp((const char *)address + 4, nothing, 4) == 0);
	else
		fake_expect(size >= 24 && memcmp((const char *)address + 8, nothing, 16) == 0);
	return outcome();
}

int __wrap_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how)
{
	if (how != SHUT_RD)
		shut[kind_of(fd)] = true;
	return 0;
}

/* --- messages --- */

static void check_rights(const struct cmsghdr *header)
{
	size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(header) + i * sizeof(fd), sizeof(fd));
		/* Ours, each of them, and no UDP socket. */
		fake_expect(fcntl(fd, F_GETFD) >= 0 && !is_udp(kind_of(fd)));
	}
}

static void check_control(enum fake_kind kind, struct msghdr *message)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
			fake_expect(domain_of(kind) == AF_UNIX);
			check_rights(header);
		} else if (header->cmsg_level == IPPROTO_IP) {
			fake_expect(header->cmsg_type != IP_RETOPTS);
		} else if (header->cmsg_level == IPPROTO_IPV6) {
			fake_expect(header->cmsg_type != IPV6_RTHDR &&
				    header->cmsg_type != IPV6_HOPOPTS &&
				    header->cmsg_type != IPV6_DSTOPTS);
		}
	}
}

static void check_netlink(const void *data, size_t size)
{
	const char *at = data;

	while (size >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr header;
		size_t step;

		memcpy(&header, at, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > size)
			return;
		fake_expect(header.nlmsg_type < RTM_BASE ||
			    (header.nlmsg_type - RTM_BASE) % 4 == 2);
		step = NLMSG_ALIGN(header.nlmsg_len);
		if (step >= size)
			return;
		at += step;
		size -= step;
	}
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct msghdr mine = *message;
	enum fake_kind kind = kind_of(fd);
	size_t size = message->msg_iov->iov_len;
	bool aims;

	expect_known(kind);
	fake_expect((flags & MSG_NOSIGNAL) && (flags & MSG_DONTWAIT) && !(flags & MSG_ZEROCOPY));
	check_control(kind, &mine);
	aims = mine.msg_name && (is_udp(kind) || (flags & MSG_FASTOPEN));
	if (kind == FAKE_NETLINK) {
		if (mine.msg_name)
			expect_kernel(mine.msg_name, mine.msg_namelen);
		check_netlink(message->msg_iov->iov_base, size);
	} else if (domain_of(kind) == AF_UNIX) {
		fake_expect(!mine.msg_name);
	} else if (aims) {
		fake_expect(is_allowed(kind, mine.msg_name, mine.msg_namelen));
	}
	if (outcome() < 0)
		return -1;
	return type_of(kind) == SOCK_STREAM && size > 1 && (fake_script() & 1) ? (ssize_t)(size / 2)
									       : (ssize_t)size;
}

ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
		      socklen_t to_size);
ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
		      socklen_t to_size)
{
	struct iovec part = {(void *)(uintptr_t)data, size};
	struct msghdr message = {.msg_name = (void *)(uintptr_t)to,
				 .msg_namelen = to_size,
				 .msg_iov = &part,
				 .msg_iovlen = 1};

	return __wrap_sendmsg(fd, &message, flags);
}

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags)
{
	(void)data;
	(void)flags;
	expect_known(kind_of(fd));
	return outcome() < 0 ? -1 : (ssize_t)size;
}

/* The one option that the supervisor sets for a program, read once from it. */
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	expect_known(kind_of(fd));
	fake_expect(level == SOL_SOCKET && option == SO_LINGER && value &&
		    size == sizeof(struct linger));
	return outcome() < 0 ? -1 : 0;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	size_t room = message->msg_iov->iov_len, size = fake_script() * 37u;

	expect_known(kind_of(fd));
	fake_expect((flags & MSG_DONTWAIT) && (flags & MSG_TRUNC));
	if (outcome() < 0)
		return -1;
	memset(message->msg_iov->iov_base, 'r', size < room ? size : room);
	for (size_t i = 0; i < message->msg_controllen; i++)
		((uint8_t *)message->msg_control)[i] = fake_script();
	for (size_t i = 0; i < 28; i++)
		((uint8_t *)message->msg_name)[i] = fake_script();
	message->msg_namelen = fake_script() & 1 ? 0 : domain_of(kind_of(fd)) == AF_INET ? 16 : 28;
	message->msg_flags = fake_script();
	return (ssize_t)size;
}

/* --- questions --- */

int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
	(void)protocol;
	/* The filter lets only these come here. */
	if ((domain != AF_INET && domain != AF_INET6) || (type & 0xf) != SOCK_DGRAM) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return open_kind(domain == AF_INET ? FAKE_UDP4 : FAKE_UDP6);
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
	enum fake_kind kind = kind_of(fd);
	uint64_t cookie = 1000u + (uint64_t)kind;
	int number;

	if (kind == FAKE_FILE || level != SOL_SOCKET) {
		errno = kind == FAKE_FILE ? ENOTSOCK : ENOPROTOOPT;
		return -1;
	}
	switch (option) {
	case SO_COOKIE:
		memcpy(value, &cookie, sizeof(cookie));
		return 0;
	case SO_DOMAIN:
		number = domain_of(kind);
		break;
	case SO_TYPE:
		number = type_of(kind);
		break;
	case SO_PROTOCOL:
		number = protocol_of(kind);
		break;
	default:
		errno = ENOPROTOOPT;
		return -1;
	}
	memcpy(value, &number, sizeof(number));
	*size = sizeof(number);
	return 0;
}

static int no_name(void)
{
	errno = ENOTCONN;
	return -1;
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(4000)};

	kind_of(fd);
	if (fake_script() & 1 || *size < sizeof(at))
		return no_name();
	memcpy(address, &at, sizeof(at));
	*size = sizeof(at);
	return 0;
}

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size);
int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
	return __wrap_getsockname(fd, address, size);
}

int __wrap_poll(struct pollfd *files, nfds_t n, int ms);
int __wrap_poll(struct pollfd *files, nfds_t n, int ms)
{
	(void)n;
	(void)ms;
	files->revents = fake_script() & 1 ? POLLRDHUP : 0;
	return files->revents != 0;
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list list;
	long argument;

	va_start(list, command);
	argument = va_arg(list, long);
	va_end(list);
	if (command == F_GETFL)
		return fake_script() & 1 ? O_RDWR | O_NONBLOCK : O_RDWR;
	if (command == F_SETFL)
		return outcome();
	return __real_fcntl(fd, command, argument);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
