/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/sockopt_names.h"

#include <ctype.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* netinet/tcp.h and netinet/udp.h have these, but know fewer options and clash with linux/tcp.h. */
#ifndef SOL_TCP
#define SOL_TCP IPPROTO_TCP
#endif
#ifndef SOL_UDP
#define SOL_UDP IPPROTO_UDP
#endif

struct row {
	int number;
	const char *name;
};

#define ROW(name)                                                                                  \
	{                                                                                          \
		name, #name                                                                        \
	}
#define END                                                                                        \
	{                                                                                          \
		0, NULL                                                                            \
	}

/*
 * socket(7), ip(7), ipv6(7), tcp(7), udp(7), netlink(7).  Where two names share
 * a number the first is written, both are read.
 */
static const struct row socket_options[] = {
    ROW(SO_DEBUG),
    ROW(SO_REUSEADDR),
    ROW(SO_TYPE),
    ROW(SO_ERROR),
    ROW(SO_DONTROUTE),
    ROW(SO_BROADCAST),
    ROW(SO_SNDBUF),
    ROW(SO_RCVBUF),
    ROW(SO_KEEPALIVE),
    ROW(SO_OOBINLINE),
    ROW(SO_NO_CHECK),
    ROW(SO_PRIORITY),
    ROW(SO_LINGER),
    ROW(SO_BSDCOMPAT),
    ROW(SO_REUSEPORT),
    ROW(SO_PASSCRED),
    ROW(SO_PEERCRED),
    ROW(SO_RCVLOWAT),
    ROW(SO_SNDLOWAT),
    ROW(SO_RCVTIMEO),
    ROW(SO_RCVTIMEO_OLD),
    ROW(SO_SNDTIMEO),
    ROW(SO_SNDTIMEO_OLD),
    ROW(SO_SECURITY_AUTHENTICATION),
    ROW(SO_SECURITY_ENCRYPTION_TRANSPORT),
    ROW(SO_SECURITY_ENCRYPTION_NETWORK),
    ROW(SO_BINDTODEVICE),
    ROW(SO_ATTACH_FILTER),
    ROW(SO_DETACH_FILTER),
    ROW(SO_PEERNAME),
    ROW(SO_TIMESTAMP),
    ROW(SO_TIMESTAMP_OLD),
    ROW(SO_ACCEPTCONN),
    ROW(SO_PEERSEC),
    ROW(SO_SNDBUFFORCE),
    ROW(SO_RCVBUFFORCE),
    ROW(SO_PASSSEC),
    ROW(SO_TIMESTAMPNS),
    ROW(SO_TIMESTAMPNS_OLD),
    ROW(SO_MARK),
    ROW(SO_TIMESTAMPING),
    ROW(SO_TIMESTAMPING_OLD),
    ROW(SO_PROTOCOL),
    ROW(SO_DOMAIN),
    ROW(SO_RXQ_OVFL),
    ROW(SO_WIFI_STATUS),
    ROW(SO_PEEK_OFF),
    ROW(SO_NOFCS),
    ROW(SO_LOCK_FILTER),
    ROW(SO_SELECT_ERR_QUEUE),
    ROW(SO_BUSY_POLL),
    ROW(SO_MAX_PACING_RATE),
    ROW(SO_BPF_EXTENSIONS),
    ROW(SO_INCOMING_CPU),
    ROW(SO_ATTACH_BPF),
    ROW(SO_ATTACH_REUSEPORT_CBPF),
    ROW(SO_ATTACH_REUSEPORT_EBPF),
    ROW(SO_CNX_ADVICE),
    ROW(SO_MEMINFO),
    ROW(SO_INCOMING_NAPI_ID),
    ROW(SO_COOKIE),
    ROW(SO_PEERGROUPS),
    ROW(SO_ZEROCOPY),
    ROW(SO_TXTIME),
    ROW(SO_BINDTOIFINDEX),
    ROW(SO_TIMESTAMP_NEW),
    ROW(SO_TIMESTAMPNS_NEW),
    ROW(SO_TIMESTAMPING_NEW),
    ROW(SO_RCVTIMEO_NEW),
    ROW(SO_SNDTIMEO_NEW),
    ROW(SO_DETACH_REUSEPORT_BPF),
    ROW(SO_PREFER_BUSY_POLL),
    ROW(SO_BUSY_POLL_BUDGET),
    ROW(SO_NETNS_COOKIE),
    ROW(SO_BUF_LOCK),
    ROW(SO_RESERVE_MEM),
    ROW(SO_TXREHASH),
    ROW(SO_RCVMARK),
    END,
};

static const struct row ip_options[] = {
    ROW(IP_TOS),
    ROW(IP_TTL),
    ROW(IP_HDRINCL),
    ROW(IP_OPTIONS),
    ROW(IP_ROUTER_ALERT),
    ROW(IP_RECVOPTS),
    ROW(IP_RETOPTS),
    ROW(IP_PKTINFO),
    ROW(IP_PKTOPTIONS),
    ROW(IP_MTU_DISCOVER),
    ROW(IP_RECVERR),
    ROW(IP_RECVTTL),
    ROW(IP_RECVTOS),
    ROW(IP_MTU),
    ROW(IP_FREEBIND),
    ROW(IP_IPSEC_POLICY),
    ROW(IP_XFRM_POLICY),
    ROW(IP_PASSSEC),
    ROW(IP_TRANSPARENT),
    ROW(IP_RECVORIGDSTADDR),
    ROW(IP_MINTTL),
    ROW(IP_NODEFRAG),
    ROW(IP_CHECKSUM),
    ROW(IP_BIND_ADDRESS_NO_PORT),
    ROW(IP_RECVFRAGSIZE),
    ROW(IP_RECVERR_RFC4884),
    ROW(IP_MULTICAST_IF),
    ROW(IP_MULTICAST_TTL),
    ROW(IP_MULTICAST_LOOP),
    ROW(IP_ADD_MEMBERSHIP),
    ROW(IP_DROP_MEMBERSHIP),
    ROW(IP_UNBLOCK_SOURCE),
    ROW(IP_BLOCK_SOURCE),
    ROW(IP_ADD_SOURCE_MEMBERSHIP),
    ROW(IP_DROP_SOURCE_MEMBERSHIP),
    ROW(IP_MSFILTER),
    ROW(MCAST_JOIN_GROUP),
    ROW(MCAST_BLOCK_SOURCE),
    ROW(MCAST_UNBLOCK_SOURCE),
    ROW(MCAST_LEAVE_GROUP),
    ROW(MCAST_JOIN_SOURCE_GROUP),
    ROW(MCAST_LEAVE_SOURCE_GROUP),
    ROW(MCAST_MSFILTER),
    ROW(IP_MULTICAST_ALL),
    ROW(IP_UNICAST_IF),
    END,
};

static const struct row ipv6_options[] = {
    ROW(IPV6_ADDRFORM),
    ROW(IPV6_2292PKTINFO),
    ROW(IPV6_2292HOPOPTS),
    ROW(IPV6_2292DSTOPTS),
    ROW(IPV6_2292RTHDR),
    ROW(IPV6_2292PKTOPTIONS),
    ROW(IPV6_CHECKSUM),
    ROW(IPV6_2292HOPLIMIT),
    ROW(IPV6_NEXTHOP),
    ROW(IPV6_AUTHHDR),
    ROW(IPV6_UNICAST_HOPS),
    ROW(IPV6_MULTICAST_IF),
    ROW(IPV6_MULTICAST_HOPS),
    ROW(IPV6_MULTICAST_LOOP),
    ROW(IPV6_ADD_MEMBERSHIP),
    ROW(IPV6_DROP_MEMBERSHIP),
    ROW(IPV6_ROUTER_ALERT),
    ROW(IPV6_MTU_DISCOVER),
    ROW(IPV6_MTU),
    ROW(IPV6_RECVERR),
    ROW(IPV6_V6ONLY),
    ROW(IPV6_JOIN_ANYCAST),
    ROW(IPV6_LEAVE_ANYCAST),
    ROW(IPV6_MULTICAST_ALL),
    ROW(IPV6_ROUTER_ALERT_ISOLATE),
    ROW(IPV6_RECVERR_RFC4884),
    ROW(IPV6_IPSEC_POLICY),
    ROW(IPV6_XFRM_POLICY),
    ROW(IPV6_HDRINCL),
    ROW(IPV6_RECVPKTINFO),
    ROW(IPV6_PKTINFO),
    ROW(IPV6_RECVHOPLIMIT),
    ROW(IPV6_HOPLIMIT),
    ROW(IPV6_RECVHOPOPTS),
    ROW(IPV6_HOPOPTS),
    ROW(IPV6_RTHDRDSTOPTS),
    ROW(IPV6_RECVRTHDR),
    ROW(IPV6_RTHDR),
    ROW(IPV6_RECVDSTOPTS),
    ROW(IPV6_DSTOPTS),
    ROW(IPV6_RECVPATHMTU),
    ROW(IPV6_PATHMTU),
    ROW(IPV6_DONTFRAG),
    ROW(IPV6_RECVTCLASS),
    ROW(IPV6_TCLASS),
    ROW(IPV6_AUTOFLOWLABEL),
    ROW(IPV6_ADDR_PREFERENCES),
    ROW(IPV6_MINHOPCOUNT),
    ROW(IPV6_RECVORIGDSTADDR),
    ROW(IPV6_TRANSPARENT),
    ROW(IPV6_UNICAST_IF),
    ROW(IPV6_RECVFRAGSIZE),
    ROW(IPV6_FREEBIND),
    ROW(IPV6_JOIN_GROUP),
    ROW(IPV6_LEAVE_GROUP),
    END,
};

static const struct row tcp_options[] = {
    ROW(TCP_NODELAY),
    ROW(TCP_MAXSEG),
    ROW(TCP_CORK),
    ROW(TCP_KEEPIDLE),
    ROW(TCP_KEEPINTVL),
    ROW(TCP_KEEPCNT),
    ROW(TCP_SYNCNT),
    ROW(TCP_LINGER2),
    ROW(TCP_DEFER_ACCEPT),
    ROW(TCP_WINDOW_CLAMP),
    ROW(TCP_INFO),
    ROW(TCP_QUICKACK),
    ROW(TCP_CONGESTION),
    ROW(TCP_MD5SIG),
    ROW(TCP_THIN_LINEAR_TIMEOUTS),
    ROW(TCP_THIN_DUPACK),
    ROW(TCP_USER_TIMEOUT),
    ROW(TCP_REPAIR),
    ROW(TCP_REPAIR_QUEUE),
    ROW(TCP_QUEUE_SEQ),
    ROW(TCP_FASTOPEN),
    ROW(TCP_TIMESTAMP),
    ROW(TCP_NOTSENT_LOWAT),
    ROW(TCP_CC_INFO),
    ROW(TCP_SAVE_SYN),
    ROW(TCP_SAVED_SYN),
    ROW(TCP_REPAIR_WINDOW),
    ROW(TCP_FASTOPEN_CONNECT),
    ROW(TCP_ULP),
    ROW(TCP_MD5SIG_EXT),
    ROW(TCP_FASTOPEN_KEY),
    ROW(TCP_FASTOPEN_NO_COOKIE),
    ROW(TCP_ZEROCOPY_RECEIVE),
    ROW(TCP_INQ),
    ROW(TCP_TX_DELAY),
    END,
};

static const struct row udp_options[] = {
    ROW(UDP_CORK),
    ROW(UDP_ENCAP),
    ROW(UDP_NO_CHECK6_TX),
    ROW(UDP_NO_CHECK6_RX),
    ROW(UDP_SEGMENT),
    ROW(UDP_GRO),
    END,
};

static const struct row netlink_options[] = {
    ROW(NETLINK_ADD_MEMBERSHIP),
    ROW(NETLINK_DROP_MEMBERSHIP),
    ROW(NETLINK_PKTINFO),
    ROW(NETLINK_BROADCAST_ERROR),
    ROW(NETLINK_NO_ENOBUFS),
    ROW(NETLINK_LISTEN_ALL_NSID),
    ROW(NETLINK_LIST_MEMBERSHIPS),
    ROW(NETLINK_CAP_ACK),
    ROW(NETLINK_EXT_ACK),
    ROW(NETLINK_GET_STRICT_CHK),
    END,
};

static const struct row tls_options[] = {
    ROW(TLS_TX),
    ROW(TLS_RX),
    END,
};

static const struct {
	struct row level, alias;
	const struct row *options;
} levels[] = {
    {ROW(SOL_SOCKET), END, socket_options},
    {ROW(SOL_IP), ROW(IPPROTO_IP), ip_options},
    {ROW(SOL_IPV6), ROW(IPPROTO_IPV6), ipv6_options},
    {ROW(SOL_TCP), ROW(IPPROTO_TCP), tcp_options},
    {ROW(SOL_UDP), ROW(IPPROTO_UDP), udp_options},
    {ROW(SOL_NETLINK), END, netlink_options},
    {ROW(SOL_TLS), END, tls_options},
};
#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))

static const struct row *options_of(int level)
{
	static const struct row none[] = {END};

	for (size_t i = 0; i < N_LEVELS; i++)
		if (levels[i].level.number == level)
			return levels[i].options;
	return none;
}

bool sockopt_level_parse(const char *name, int *level)
{
	for (size_t i = 0; i < N_LEVELS; i++) {
		if (strcmp(levels[i].level.name, name) != 0 &&
		    (!levels[i].alias.name || strcmp(levels[i].alias.name, name) != 0))
			continue;
		*level = levels[i].level.number;
		return true;
	}
	return false;
}

bool sockopt_option_parse(int level, const char *name, int *option)
{
	for (const struct row *row = options_of(level); row->name; row++) {
		if (strcmp(row->name, name) != 0)
			continue;
		*option = row->number;
		return true;
	}
	return false;
}

const char *sockopt_level_name(int level)
{
	for (size_t i = 0; i < N_LEVELS; i++)
		if (levels[i].level.number == level)
			return levels[i].level.name;
	return NULL;
}

const char *sockopt_option_name(int level, int option)
{
	for (const struct row *row = options_of(level); row->name; row++)
		if (row->number == option)
			return row->name;
	return NULL;
}

const char *sockopt_level_all(size_t index)
{
	return index < N_LEVELS ? levels[index].level.name : NULL;
}

const char *sockopt_option_all(int level, size_t index)
{
	const struct row *row = options_of(level);

	while (index && row->name) {
		row++;
		index--;
	}
	return row->name;
}

char *sockopt_format(int level, int option, char *out, size_t room)
{
	const char *level_name = sockopt_level_name(level);
	const char *option_name = sockopt_option_name(level, option);
	char level_number[16], option_number[16];

	snprintf(level_number, sizeof(level_number), "%d", level);
	snprintf(option_number, sizeof(option_number), "%d", option);
	snprintf(out, room, "%s, %s", level_name ? level_name : level_number,
		 option_name ? option_name : option_number);
	return out;
}

bool sockopt_number_parse(const char *text, long long low, long long high, long long *value)
{
	char *end;
	long long number;

	if (!isdigit((unsigned char)text[0]) && text[0] != '-')
		return false;
	errno = 0;
	number = strtoll(text, &end, !strncmp(text, "0x", 2) ? 16 : 10);
	if (end == text || *end || errno || number < low || number > high)
		return false;
	*value = number;
	return true;
}
