# SPDX-License-Identifier: Apache-2.0
"""Where attacks happen: a namespace with a witness of every packet in it, and a process outside the fence."""
import ctypes
import ipaddress
import os
import select
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../act"))
from world import BUILD, World, expect  # noqa: E402 (the path comes first)

# 203.0.113.1 is silent; lo answers at the IPv6 addresses, so that natively something is there.
SETUP = """
ip link set lo up
ip link add near0 type veth peer name far0
ip link set near0 up
ip link set far0 up
ip addr add 203.0.113.2/24 dev near0
ip neigh add 203.0.113.1 lladdr 02:00:00:00:00:01 dev near0
for a in fd00::2 fd00::3 fd00::9 ::127.0.0.2 64:ff9b::127.0.0.2 2002:7f00:2::1 2001:0:cb00:7101::80ff:fffd; do
    ip addr add $a/128 dev lo nodad
done
echo 0 0 >/proc/sys/net/ipv4/ping_group_range
echo 0x707 >/proc/sys/net/ipv4/tcp_fastopen
echo 1 >/proc/sys/net/ipv6/conf/lo/seg6_enabled || true
ip tuntap add dev tap0 mode tap && ip link set tap0 up || true
"""
FORBIDDEN = {ipaddress.ip_address(text) for text in (
    "127.0.0.2", "203.0.113.1", "255.255.255.255", "203.0.113.255", "fd00::2", "::127.0.0.2", "64:ff9b::127.0.0.2",
    "2002:7f00:2::1", "2001:0:cb00:7101::80ff:fffd")}
# Forbidden at the port of the run only.
OWN = {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")}
# Sources that no program was given.
SPOOFED = {ipaddress.ip_address(text) for text in ("127.0.0.9", "203.0.113.77", "fd00::9")}
IGMP, TCP, UDP, UDPLITE = 2, 6, 17, 136
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86dd
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
SOL_PACKET, PACKET_STATISTICS, PACKET_HOST = 263, 6, 0
# linux/filter.h: of a packet's data, or about it.
LOAD, LOAD_ABOUT, EQUAL, RETURN = 0x20, 0xfffff000, 0x15, 0x06
ABOUT_PROTOCOL, ABOUT_KIND, ABOUT_DEVICE = 0, 4, 8


class Packet:
    def __init__(self, kind, data):
        if kind == ETH_P_IP:
            self.protocol, self.header = data[9], (data[0] & 15) * 4
            source, destination = data[12:16], data[16:20]
        else:
            self.protocol, self.header = data[6], 40
            source, destination = data[8:24], data[24:40]
        self.source, self.destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
        self.data = data
        self.port = None
        if self.protocol in (TCP, UDP, UDPLITE) and len(data) >= self.header + 4:
            self.port = struct.unpack_from("!H", data, self.header + 2)[0]

    def is_forbidden(self, port, group, own):
        """Of the run at this port?  What an earlier run sends again has another one."""
        if self.protocol == IGMP or self.destination.is_multicast:
            return group in (self.destination, *self.groups()) and self.port in (None, port)
        if self.port not in (None, 0, port):
            return False
        if self.destination in OWN:
            return own and self.port == port
        return self.destination in FORBIDDEN or self.source in SPOOFED

    def groups(self):
        """Of an IGMP report (RFC 3376), wherever in it."""
        body = self.data[self.header:]
        return [ipaddress.ip_address(body[i:i + 4]) for i in range(4, len(body) - 3, 4)] if self.protocol == IGMP else []

    def __str__(self):
        return f"{self.source} > {self.destination}, protocol {self.protocol}, port {self.port}"


class Witness:
    """
    Sees every packet of the namespace; answers TCP and UDP at its port, at every address.
    @own: whether that port is forbidden at 127.0.0.1 as well
    """

    def __init__(self, own):
        self.own = own
        self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.tap.setblocking(False)
        self.leave_out_the_crowd()
        try:
            self.tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        except PermissionError:
            pass
        self.tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        self.tcp.setblocking(False)
        self.port = self.tcp.getsockname()[1]
        self.group = ipaddress.ip_address(f"239.7.{self.port >> 8}.{self.port & 255}")
        self.udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.udp.bind(("::", self.port))

    def leave_out_the_crowd(self):
        """In the kernel: what lo brings back, and what an own port that is allowed gets; the queue holds so many."""
        loopback = int.from_bytes(socket.inet_aton("127.0.0.1"), "big")
        code = [(LOAD, 0, 0, LOAD_ABOUT + ABOUT_KIND), (EQUAL, 0, 2, PACKET_HOST),
                (LOAD, 0, 0, LOAD_ABOUT + ABOUT_DEVICE), (EQUAL, 5, 0, socket.if_nametoindex("lo")),
                (LOAD, 0, 0, LOAD_ABOUT + ABOUT_PROTOCOL), (EQUAL, 0, 2, 0 if self.own else ETH_P_IP),
                (LOAD, 0, 0, 16), (EQUAL, 1, 0, loopback), (RETURN, 0, 0, 0xffff), (RETURN, 0, 0, 0)]
        self.code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
        program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(self.code))
        self.tap.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def missed(self):
        """Packets that found the queue full."""
        return struct.unpack("II", self.tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]

    def heard(self):
        """Forbidden packets since the last call; each is here before the call that sent it returns."""
        found = []
        while True:
            try:
                data, about = self.tap.recvfrom(2048)
            except BlockingIOError:
                return found
            if about[1] not in (ETH_P_IP, ETH_P_IPV6) or len(data) < 20:
                continue
            packet = Packet(about[1], data)
            if packet.is_forbidden(self.port, self.group, self.own):
                found.append(str(packet))

    def waits(self, seconds):
        """heard(), for what the kernel sends a moment later."""
        end, found = time.monotonic() + seconds, []
        while not found and time.monotonic() < end:
            select.select([self.tap], [], [], end - time.monotonic())
            found = self.heard()
        return found

    def close(self):
        for s in (self.tap, self.tcp, self.udp):
            s.close()


class Field(World):
    """One run of one attack: environment, witness, outsider."""

    def __init__(self, own):
        self.own = own

    def __enter__(self):
        super().__enter__()
        self.witness_of_all = Witness(self.own)
        self.closing.append(self.witness_of_all)
        self.environment = dict(os.environ, ATTACK_PORT=str(self.witness_of_all.port), ATTACK_DIR=self.directory,
                                ATTACK_GROUP=str(self.witness_of_all.group))
        return self

    @property
    def port(self):
        return self.witness_of_all.port

    def start_outsider(self, *by):
        outsider = subprocess.Popen([*by, attack("outsider")], env=self.environment, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, text=True)
        self.closing.append(Ender(outsider))
        words = outsider.stdout.readline().split()
        expect(words[:1] == ["ready"], "the outsider does not start")
        self.environment.update(ATTACK_PID=words[1], ATTACK_FLAG=words[2])


class Ender:
    def __init__(self, process):
        self.process = process

    def close(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()


def attack(name):
    return os.path.join(BUILD, "tests/attacks", name)
