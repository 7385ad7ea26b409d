# SPDX-License-Identifier: Apache-2.0
"""
The attacks: a row each.  Its name is the command, a program of this directory or of
tests/programs with its mode; what it tries; and how natively it shows: by a packet to a
forbidden address, or by the word "hit" where the aim is another.

ELSEWHERE are those that need the servers of another ring: names, name servers, the gateway, tokens.
"""
from dataclasses import dataclass, field

PACKET, HIT = "packet", "hit"

# As open as a policy gets, but for the addresses: nothing but the fence itself keeps the attack from its aim.
OPEN = """gae-policy 1
deny  tcp,udp to {{ 127.0.0.2 fd00::2 203.0.113.1 }}
deny  tcp,udp to {{ 127.0.0.1 ::1 }} port {port}
allow tcp,udp to any
listen  allow
bind    any
unix    pair
netlink route-read
sockopt any any pass
"""
# Datagram sockets may ask for a source address where TCP is allowed.
TCP_ONLY = OPEN.replace("gae-policy 1\n", "gae-policy 1\nallow tcp to {{ 127.0.0.2 fd00::2 }}\n")
# "bind any" lets a program choose its local address, by bind(2) and by packet info.
EPHEMERAL = OPEN.replace("bind    any", "bind    ephemeral")
ONE_PATH = OPEN.replace("unix    pair", "unix    allow {dir}/allowed")
RACE = """gae-policy 1
allow tcp,udp to 127.0.0.1 port {port}
deny tcp,udp to any
sockopt any any pass
"""
GATEWAY = OPEN + "http urlfetch\n"
SHIPPED = None

ISOLATED = ("unshare", "-p", "-f", "--mount-proc", "--kill-child", "--")
IN_SHELL = (*ISOLATED, "sh", "-c", '"$@"; exit $?', "sh")


@dataclass
class Row:
    command: str
    tries: str
    shows: str = PACKET
    policy: str = OPEN
    outsider: bool = False   # an outsider runs beside it
    wrap: tuple = ()         # what runs the whole, natively and fenced
    launch: tuple = ()       # what runs it before the fence: "inherit KIND"
    ends: tuple = (0,)       # exit statuses under gae-run
    seconds: int = 20
    waits: float = 0         # for packets that the kernel sends a moment later
    terminal: bool = False   # run at a terminal where ^Z and ^\\ are typed when it says "ready"
    kills: str = ""          # part of the fence that is killed when it says "ready"
    skips: dict = field(default_factory=dict)  # native line -> why it cannot be tried here
    needs_root: str = ""
    copy: int = 0            # a copy of the program, with this mode
    options: tuple = ()      # of gae-run
    without: str = ""        # the fence without this: "landlock"
    own: bool = False        # here the port of 127.0.0.1 is allowed
    user: bool = False       # by an ordinary user, for root may change such files
    launch_is_heard: bool = False  # packets do not count: what runs before the fence sends some
    arguments: tuple = ()
    gateway: bool = False    # the victim is gae-urlfetch, beside the program


def rows(program, modes, **common):
    return [Row(f"{program} {mode}", tries, **common) for mode, tries in modes.items()]


AIMS = {
    "tcp_connect": "connect", "tcp_connect_nonblocking": "connect, non-blocking",
    "tcp_connect_long": "connect with 128 bytes of address", "tcp_connect_port": "a forbidden port of an allowed host",
    "tcp_connect_any": "connect to 0.0.0.0", "tcp_connect_any6": "connect to ::",
    "tcp_connect_after_disconnect": "an allowed connect, AF_UNSPEC, then the forbidden one",
    "tcp_connect_v6": "connect over IPv6", "tcp_connect_v6_24": "an IPv6 address of 24 bytes",
    "tcp_connect_mapped": "::ffff:a.b.c.d", "tcp_connect_mapped_any": "::ffff:0.0.0.0",
    "tcp_connect_compatible": "::a.b.c.d", "tcp_connect_nat64": "64:ff9b::a.b.c.d", "tcp_connect_6to4": "2002:aabb:ccdd::",
    "tcp_connect_teredo": "2001:0::, the address inverted at its end",
    "fast_open": "sendto with MSG_FASTOPEN", "fast_open_sendmsg": "sendmsg with MSG_FASTOPEN",
    "fast_open_sendmmsg": "sendmmsg with MSG_FASTOPEN", "fast_open_connect": "TCP_FASTOPEN_CONNECT",
    "fast_open_mapped": "MSG_FASTOPEN to ::ffff:a.b.c.d",
    "udp_connect": "connected UDP and send", "udp_connect_write": "connected UDP and write",
    "udp_sendto": "sendto", "udp_sendto_any": "sendto 0.0.0.0", "udp_sendto_long": "sendto with 128 bytes of address",
    "udp_sendto_unspec": "sendto with AF_UNSPEC, which UDP takes for IPv4",
    "udp_sendto_connected": "another name on a connected socket", "udp_sendmsg": "sendmsg",
    "udp_sendmmsg_first": "the first of a sendmmsg", "udp_sendmmsg_last": "the last of a sendmmsg",
    "udp_sendmmsg_middle": "one in the middle of a sendmmsg", "udp_v4_on_v6": "an IPv4 address on an IPv6 socket",
    "udp_v6": "sendto over IPv6", "udp_mapped": "sendto ::ffff:a.b.c.d", "udp_any6": "sendto ::",
    "udp_compatible": "sendto ::a.b.c.d", "udp_nat64": "sendto 64:ff9b::a.b.c.d", "udp_6to4": "sendto 2002:aabb:ccdd::",
    "udp_teredo": "sendto 2001:0::", "udp_source_route": "IP_RETOPTS by way of the forbidden host",
    "udp_routing_header": "IPV6_RTHDR of type 2 by way of the forbidden host",
}
NO_MIP6 = {"udp_routing_header: EINVAL": "no routing headers of type 2 in this kernel (CONFIG_IPV6_MIP6)"}

RACES = {
    "connect-address": "the address of a connect", "connect-family": "its family", "connect-udp": "the address of a UDP connect",
    "connect-probe": "send while a UDP socket asks for its source", "sendto-address": "the address of a sendto",
    "sendmsg-name": "the pointer to the name", "sendmsg-control": "the kind of control message",
    "sendmsg-descriptor": "the descriptor, by dup2", "sendmsg-mapping": "the page, by mprotect",
    "sendmmsg-name": "the names of a batch", "fast-open-address": "the address of a fast open",
    "sendto-kind": "TCP or UDP behind the descriptor", "sendmsg-parts": "the list of parts and the name beside it",
}
RACE_TRIES = {False: "20000", True: "8000"}

FAMILIES = {
    3: "AX.25", 4: "IPX", 5: "AppleTalk", 6: "NET/ROM", 8: "ATM", 9: "X.25", 11: "ROSE", 15: "IPsec keys", 17: "packets",
    19: "Econet", 20: "ATM, switched", 21: "RDS", 22: "SNA", 23: "IrDA", 24: "PPPoX, L2TP", 25: "Wanpipe", 26: "LLC",
    27: "InfiniBand", 28: "MPLS", 29: "CAN", 30: "TIPC", 31: "Bluetooth", 32: "IUCV", 33: "RxRPC", 34: "ISDN", 35: "Phonet",
    36: "IEEE 802.15.4", 37: "CAIF", 38: "AF_ALG, the kernel's ciphers", 39: "NFC", 40: "vsock, the host of this machine",
    41: "KCM", 42: "Qualcomm's router", 43: "SMC", 44: "XDP", 45: "MCTP",
}

SIGNALS = {
    "plain": "kill", "group": "kill of the group", "thread": "tkill", "thread_of": "tgkill", "queued": "rt_sigqueueinfo",
    "queued_thread": "rt_tgsigqueueinfo", "pidfd": "a pidfd", "proc_pidfd": "/proc/PID as a pidfd",
    "owner": "F_SETOWN and F_SETSIG", "owner_group": "F_SETOWN of the group", "owner_thread": "F_SETOWN_EX",
    "socket_owner": "FIOSETOWN", "lease": "a lease that is broken", "notify": "dnotify"}

STARVE = {
    "limit": "RLIMIT_NOFILE by prlimit", "cpu_limit": "RLIMIT_CPU by prlimit", "nice_process": "nice 19",
    "nice_group": "nice 19 for the group", "nice_user": "nice for the user", "nice_joined": "nice for a group that it joins",
    "io": "ioprio_set", "processor": "one processor", "policy": "SCHED_IDLE", "attributes": "sched_setattr",
    "memory": "/proc/PID/mem", "vector": "process_vm_writev",
    "descriptor": "pidfd_getfd", "list": "/proc/PID/fd", "traced": "ptrace", "advice": "process_madvise",
    "robust_list": "get_robust_list", "counted": "perf_event_open"}

OUTSIDER = {
    "pidfd_getfd": "takes an outsider's socket", "ptrace_attach": "traces an outsider", "ptrace_seize": "by PTRACE_SEIZE",
    "process_vm_writev": "writes an outsider's memory", "proc_mem": "by /proc/PID/mem",
    "proc_task_mem": "by its task, from a child"}

ROWS = [
    *(Row(f"aims {mode}", tries, skips=NO_MIP6) for mode, tries in AIMS.items()),
    Row("aims udp_packet_info", "IP_PKTINFO with a source of its own choice", policy=EPHEMERAL),
    Row("options packet_info6", "IPV6_PKTINFO with a source of its own choice", policy=EPHEMERAL),
    *rows("names", {
        "page_edge": "an address that ends with a page", "page_edge_v6": "the same, IPv6 in 24 bytes",
        "overlapping": "name, data and message in the same bytes", "scope_id": "a scope id",
        "flow_info": "flow information", "any_when_bound": "0.0.0.0 from a socket bound to the forbidden address",
        "any_packet_info": "0.0.0.0 with IP_PKTINFO naming the forbidden address", "port_zero": "port 0",
        "address_form": "IPV6_ADDRFORM makes it IPv4 meanwhile", "aimed_anew": "connect, AF_UNSPEC, connect, write",
        "zero_copy": "MSG_ZEROCOPY with a name", "off_the_wire": "MSG_DONTROUTE, to a host on the wire"}),
    *rows("options", {
        "source_route_tcp": "IP_OPTIONS with a source route, TCP", "source_route_udp": "the same, UDP",
        "source_route_mapped": "IP_OPTIONS on an IPv6 socket", "segments": "IPV6_RTHDR with segments (RFC 8754)",
        "transparent": "IP_TRANSPARENT: somebody else's source address", "repair": "TCP_REPAIR: connected without a handshake",
        "bound_device": "SO_BINDTODEVICE and IP_UNICAST_IF", "marked": "SO_MARK, for other routes",
        "retopts": "IP_RETOPTS as control data", "retopts_mapped": "the same on an IPv6 socket",
        "retopts_second": "the same behind a harmless one"}),
    *rows("options", {
        "multicast": "a datagram to a group", "broadcast": "datagrams to broadcast addresses"}, policy=SHIPPED),
    Row("options membership", "the report that the kernel sends when a group is joined", policy=SHIPPED, waits=0.5),
    *rows("families", {
        "raw": "raw IP", "raw_udp": "raw UDP", "raw_v6": "raw ICMPv6", "ping": "ICMP echo", "ping_v6": "ICMPv6 echo",
        "packet": "AF_PACKET", "packet_old": "SOCK_PACKET", "mptcp": "Multipath TCP", "mptcp_v6": "Multipath TCP over IPv6",
        "mptcp_fast_open": "Multipath TCP by fast open", "sctp": "SCTP", "sctp_dgram": "SCTP, one to many", "dccp": "DCCP",
        "udplite": "UDP-Lite", "udplite_v6": "UDP-Lite over IPv6", "smc": "SMC over TCP",
        "odd_registers": "a raw socket with bits above 32 in its registers"}),
    *(Row(f"family {number}", f"a socket of family {number}: {name}", shows=HIT) for number, name in FAMILIES.items()),
    *rows("probe", {
        "send": "send", "write": "write, writev, pwritev2", "message": "sendmsg and sendmmsg without a name",
        "sendfile": "sendfile", "splice": "vmsplice and splice", "aio": "Linux AIO", "corked": "UDP_CORK and MSG_MORE",
        "segmented": "UDP_SEGMENT", "shut_again": "shutdown, AF_UNSPEC and dup", "over_v6": "the same over IPv6"},
           policy=TCP_ONLY),
    *rows("uring", {
        "connect": "io_uring: connect", "poller": "io_uring: connect by the kernel's thread",
        "socket": "io_uring: socket and connect", "message": "io_uring: sendmsg", "send": "io_uring: send with an address",
        "message_zc": "io_uring: sendmsg, zero copy"}),
    *rows("foreign", {
        "direct": "int 0x80: socket and connect", "direct_sends": "int 0x80: sendmsg and sendmmsg",
        "socketcall": "int 0x80: socketcall", "option": "int 0x80: setsockopt with a source route", "x32": "x32 numbers"}),
    *(Row(f"race {mode}", f"a second thread changes {tries}", policy=RACE, own=True) for mode, tries in RACES.items()),
    *rows("tasks", {
        "clone_vm": "CLONE_VM without CLONE_THREAD", "clone_files": "CLONE_FILES without CLONE_THREAD",
        "clone_vm_files": "CLONE_VM and CLONE_FILES", "vfork": "vfork", "unshared_files": "a thread with its own descriptors",
        "same_number": "a number that is another socket in another table", "no_main_thread": "the main thread is gone",
        "sibling": "CLONE_PARENT: a child of the supervisor's", "daemon": "a daemon that outlives the program",
        "pid_namespace": "a process namespace of its own", "user_namespace": "a user namespace of its own",
        "another_user": "after setresuid", "not_dumpable": "PR_SET_DUMPABLE 0: its memory cannot be read",
        "flood": "among 25,000 calls of 64 threads", "signal_storm": "a signal every 100 us"}),
    Row("tasks unreadable", "a program whose memory nobody may read", copy=0o711, user=True, ends=(0, 125, 126)),
    Row("tasks clone3", "clone3, whose flags lie in memory", shows=HIT),
    *rows("fault", {
        "uffd": "an address behind userfaultfd, filled late", "uffd_late": "filled after the supervisor gave up",
        "fuse": "an address in a file of FUSE, filled late", "fuse_late": "filled after the supervisor gave up"},
          ends=(0, 137)),
    *rows("netlink", {
        "send": "a new address by send", "write": "by write", "sendto": "by sendto", "sendmsg": "by sendmsg",
        "behind_a_question": "behind a message that is allowed", "other_protocols": "other protocols of netlink",
        "raced": "a second thread changes the message"}, shows=HIT),
    *rows("filters", {
        "allow_all": "a filter of its own that allows all", "tracer": "a tracer changes the number of a call",
        "tracer_of_filter": "the same at the event of a filter", "user_dispatch": "PR_SET_SYSCALL_USER_DISPATCH",
        "personality": "another personality"}),
    *rows("filters", {
        "listener": "a listener of its own", "listener_high_bits": "the same with bits above 32",
        "suspended": "PTRACE_O_SUSPEND_SECCOMP"}, shows=HIT),
    Row("filters listener", "a listener of its own, after the supervisor's death", shows=HIT, kills="supervisor", ends=(125,)),
    *rows("namespaces", {
        "unshare": "another network", "unshare_user": "with a user namespace", "clone": "by clone",
        "clone_high_bits": "with bits above 32", "clone3": "by clone3"}, shows=HIT),
    *rows("namespaces", {"setns": "an outsider's network", "setns_pidfd": "by pidfd"}, shows=HIT, outsider=True),
    *rows("namespaces", {
        "root_inside": "rights over a user namespace of its own", "other_proc": "another /proc over the real one",
        "no_root_directory": "another root directory"}),
    *rows("outside", OUTSIDER, outsider=True),
    *rows("outside", OUTSIDER, outsider=True, user=True),
    *rows("outside", {
        "stream": "a daemon's socket by path", "stream_abstract": "an abstract one",
        "received_socket": "a daemon that gives its socket away", "datagram": "datagrams to a daemon's path",
        "datagram_abstract": "to an abstract name"}, outsider=True),
    Row("outside proc_fd", "looks at an outsider's descriptors", shows=HIT, outsider=True),
    *rows("outside", {
        "symlink": "a link to a daemon's socket under a name that is allowed", "dots": "odd paths to it",
        "stream_abstract": "an abstract one, where one path is allowed",
        "datagram": "datagrams, where one path is allowed"}, outsider=True, policy=ONE_PATH),
    *rows("signals", SIGNALS, shows=HIT),
    # Before 6.12 nothing but the filter stands between.
    # What the front gets of SIGIO it hands on, and the program ends by it.
    *rows("signals", SIGNALS, shows=HIT, without="landlock", ends=(0, -29)),
    Row("signals own_group", "kill of its own group", shows=HIT),
    Row("signals everybody", "kill of everybody", shows=HIT, wrap=IN_SHELL),
    *rows("starve", STARVE, shows=HIT),
    *rows("starve", STARVE, shows=HIT, without="landlock"),
    *rows("signals", {mode: SIGNALS[mode] for mode in ("plain", "pidfd", "proc_pidfd", "owner")}, shows=HIT, gateway=True,
          policy=GATEWAY),
    *rows("signals", SIGNALS, shows=HIT, without="landlock", gateway=True, policy=GATEWAY),
    *rows("starve", {mode: STARVE[mode] for mode in ("limit", "memory", "vector", "descriptor", "list", "traced")}, shows=HIT,
          gateway=True, policy=GATEWAY),
    *rows("starve", STARVE, shows=HIT, without="landlock", gateway=True, policy=GATEWAY),
    Row("starve limit", "RLIMIT_NOFILE by prlimit, while there is a trace", shows=HIT, options=("--trace", "{dir}/trace")),
    *rows("starve", {
        "oom_score_adj": "/proc/PID/oom_score_adj", "coredump_filter": "/proc/PID/coredump_filter"}, shows=HIT, user=True),
    *rows("terminal", {"push_key": "TIOCSTI", "push_key_high_bits": "TIOCSTI with bits above 32"}, shows=HIT),
    Row("terminal foreground", "makes the supervisor the terminal's foreground, for ^Z and ^\\", shows=HIT, terminal=True),
    *(Row(f"inherit use {kind}", f"a descriptor from before: {what}", launch=("inherit", kind), ends=(125,))
      for kind, what in {"packet": "a packet socket", "raw": "a raw socket", "tunnel": "a tunnel",
                         "udp": "UDP", "connected": "UDP, connected"}.items()),
    Row("inherit use tcp", "a descriptor from before: TCP, connected", launch=("inherit", "tcp"), ends=(125,), shows=HIT,
        launch_is_heard=True),
    *(Row(f"inherit use {kind}", f"a descriptor from before: {what}", launch=("inherit", kind), ends=(125,), shows=HIT)
      for kind, what in {"ring": "an io_uring", "listening": "a listening socket"}.items()),
    *rows("machine", {
        "module": "a kernel module", "bpf": "a socket map", "perf": "events of the whole machine",
        "key_helper": "a helper that the kernel starts outside", "ports": "I/O ports", "memory_device": "/dev/mem"}, shows=HIT),
    Row("machine tunnel", "a frame by a tap device that is there"),
    Row("machine set_user_id", "a set-user-id file", copy=0o4755, needs_root="root, to make such a file", shows=HIT),
    *(Row("spin", f"processes that fork without end, while the {who} is killed from outside", kills=who, wrap=ISOLATED,
          ends=ends) for who, ends in {"supervisor": (125,), "guard": (125, -9), "front": (-9, 137)}.items()),
    Row("bash", "/dev/tcp of bash", arguments=("bash", "-c", "echo x >/dev/tcp/127.0.0.2/$ATTACK_PORT"),
        ends=(0, 1)),
]


@dataclass
class Elsewhere:
    """A test of the ring tests/RING."""
    ring: str
    test: str
    tries: str
    control: str             # in the same test: what shows that it would get through without the fence


# Of these rings every test whose name begins so is an attack, and has a row.
ATTACKS_OF = {"handover": ("attacks: ",), "dns": ("lies: ", "exits: "), "urlfetch": ("fence: ", "hostile: ")}


def elsewhere(ring, tests):
    return [Elsewhere(ring, test, *texts) for test, texts in tests.items()]


ELSEWHERE = [
    *elsewhere("handover", {
        "attacks: forged, in every place": ("a token with any one character changed", "unchanged it is claimed"),
        "attacks: guessed, with the key": (
            "a thousand tokens made with the key that the program can read", "made with the right number it is the token"),
        "attacks: replayed": ("a token a second time, by three instances", "the first time it is claimed"),
        "attacks: stolen, by another app": (
            "a token that another app has got hold of, also dressed up as its own", "its own app claims it"),
        "attacks: a program speaks to the exporter": (
            "a program says what a supervisor would, by paths, links and moves", "the same bytes from outside get the socket"),
        "attacks: a program speaks before it is stopped": (
            "the same between connect(2) and its refusal", "from outside it works, and inside it was written"),
        "attacks: another user speaks to the exporter": (
            "another user connects to the exporter's socket", "the same bytes of the same user get the socket"),
        "attacks: strangers speak to the exporter": (
            "sixty who are silent, and messages of any size and kind", "the right one gets the socket"),
        "rules: another app": ("another app shows a token", "the same app claims it"),
        "rules: another user": ("another user shows a token", "the same user claims it"),
        "rules: another network": ("an instance in another network shows a token", "one in the same network claims it"),
        "rules: the receiver's policy decides": ("a socket to where the receiver may not go", "one that may claims it")}),
    *elsewhere("dns", {
        "lies: forbidden addresses": ("an allowed name with forbidden addresses", "without the deny rule they connect"),
        "lies: another address the second time": (
            "an allowed name whose address is another one at the next look-up", "without the deny rule it connects"),
        "lies: a refused name that nobody knows": (
            "a name server that is silent about a refused name", "where it answers that name alone is refused"),
        "lies: bad answers": ("answers to other questions, loops, cut off, oversized", "a good answer opens its rule"),
        "lies: a flood of questions": ("20,000 names below a wildcard", "more than are kept reach the server"),
        "exits: ways out": (
            "a question for a name in no rule, by each call and form", "natively the server hears it"),
        "exits: a question inside a question": (
            "one inside the data of another, cut out by UDP_SEGMENT", "natively the server hears it"),
        "exits: a racing connect": (
            "a thread connects the socket to the server between look and send", "natively the server hears it"),
        "exits: changing bytes": (
            "a process changes the question between look and send", "natively the server hears both"),
        "exits: DNS over TCP": ("a connection to port 53, also by fast open", "with \"dns any\" it connects"),
        "exits: other name servers": (
            "the same to a server that is none of the system's", "natively it hears it, and a listed name under it"),
        "exits: DNS over TLS": ("a connection to port 853", "with a rule that allows it it connects"),
        "exits: reverse look-ups": ("questions for names of addresses", "with \"reverse-dns allow\" there are answers"),
        "exits: out of the window": (
            "UDP sockets beyond the numbers where writes are looked at", "natively the server hears what they write")}),
    *elsewhere("urlfetch", {
        "fence: a private address is refused whatever its name": (
            "http and https to a private address, in six forms", "without the rule it answers"),
        "fence: a redirect to a forbidden place is refused": (
            "a redirect to a private address, and to a port", "without the rule it answers"),
        "fence: other ports are refused": ("ports that App Engine did not fetch from", "somebody listens there"),
        "fence: a name that moves is judged where it is": (
            "a name with another address after look-up, redirect and first request", "without the rule it answers"),
        "fence: no name is looked up that the program could not": (
            "a name as a message to its name server", "where a name server is allowed, it hears it"),
        "fence: whether a name server is allowed may depend on a name": (
            "a look-up while nobody knows whether the program may ask name servers", "where it is known the gateway looks it up"),
        "fence: names below a wildcard and no others": (
            "the same under \"dns listed-only\"", "without that word the server hears it"),
        "fence: names of addresses are not looked up where the policy says so": (
            "names below in-addr.arpa and ip6.arpa, under reverse-dns deny", "without the word the gateway looks them up"),
        "fence: another process is not served": ("a process outside, and another instance", "the program is served"),
        "fence: the gateway is not the programs to touch": (
            "signal, memory, descriptors of the gateway", "the rows on signals and starving, natively"),
        "fence: the gateway has no capabilities": (
            "what a gateway that was taken over could do as root", "who starts it has them"),
        "fence: only that port is exempt": ("another port of the loopback", "without the rule it connects"),
        "fence: when the gateway dies its port is closed": (
            "the port of a gateway that was killed", "it connects before"),
        "fence: it ends with the supervisor": ("the supervisor is killed, the gateway left", "it is there before"),
        "hostile: ambiguous requests are refused": (
            "requests whose end can be read in two ways", "the same with one end are answered"),
        "hostile: nothing is smuggled behind a refused request": (
            "a request behind one that is refused", "behind one that is not it is answered"),
        "hostile: header bombs are refused": ("5,000 header lines, a megabyte of one, of a URL", "fifty lines are taken"),
        "hostile: half closed clients get their answer": ("clients that shut one direction", "their request is answered"),
        "hostile: half closed clients get all their answers": (
            "half a request behind two whole ones, and then the end", "the two are answered"),
        "hostile: clients that leave are forgotten": ("2,000 that leave in the middle of a request", "the next is served"),
        "hostile: slow requests and silent connections are given up": (
            "a head byte by byte, 600 connections held open", "a head in three parts is answered"),
        "hostile: a slow body ends with the deadline": ("a body byte by byte", "a body in two parts is answered"),
        "hostile: an answer that is no http is told so": ("a server that speaks no HTTP", "the same server's HTTP passes"),
        "hostile: tls must name the host that connect names": (
            "CONNECT to one host, TLS to another", "TLS to the same gets through"),
        "hostile: only tls goes through connect": ("CONNECT, and then no TLS", "TLS gets through"),
        "servers: a second answer is nobodys": ("a server that sends two answers to one request", "one is handed on"),
        "servers: a body behind the head that HEAD gets is nobodys": (
            "a server that sends a body to HEAD", "the head is handed on, and the next request answered"),
        "servers: what comes on an idle connection ends it": (
            "an answer on a connection that nobody asks anything", "without it the connection is used again"),
        "servers: behind an answer to half a request there is no other": (
            "an answer before the request was sent", "after it the connection is used again"),
        "servers: an answer that can be read in two ways is none": (
            "answers whose end can be read in two ways", "those with one end are handed on"),
        "servers: heads without end are given up": ("heads of 32 KB and more, and of 100 without end", "shorter ones are handed on"),
        "limits: a body beyond 10 mb is refused": ("a byte more than may be sent", "10 MB are sent"),
        "limits: one slow client holds up nobody": ("20 clients that take nothing, 20 that say half", "50 requests beside them"),
        "limits: quotas hold": ("a connect beyond the quota", "within it, it connects")}),
]
