# SPDX-License-Identifier: Apache-2.0
"""What the tests of the account need: servers that count, a witness on the wire, the ledger read back."""
import ctypes
import json
import os
import socket
import sqlite3
import struct
import subprocess
import threading

from world import ALLOW_ALL, Failure, World, expect, until

from processes import named

SERVER, SERVER6, PORTS = "10.9.0.1", "fd09::1", 20000
CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE, SOL_PACKET, PACKET_STATISTICS = 33, 263, 6
SUMS = ("connects", "denied", "bytes_sent", "bytes_received", "datagrams_sent", "datagrams_received")
# The servers' side is a namespace of its own behind a veth pair, where packets can be lost and counted.
SETUP = """
ip link set lo up
ip link add c0 type veth peer name s0 netns /proc/{0}/ns/net
ip link set c0 up
ip addr add 10.9.0.2/24 dev c0
ip addr add fd09::2/64 dev c0 nodad
nsenter -t {0} --net sh -ec 'ip link set lo up; ip link set s0 up; ip addr add 10.9.0.1/24 dev s0
ip addr add fd09::1/64 dev s0 nodad; nft add table inet test
nft add chain inet test in "{{ type filter hook input priority 0; }}"'
"""
holder = None


def make_network():
    global holder
    holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE)
    holder.stdout.read(1)
    subprocess.run(["sh", "-ec", SETUP.format(holder.pid)], check=True)


def end_network():
    holder.kill()
    holder.wait()


def on_server(*command, check=True):
    """Return: did it succeed?"""
    return subprocess.run(["nsenter", "-t", str(holder.pid), "--net", *command], check=check,
                          stdout=subprocess.DEVNULL).returncode == 0


def server_process(*command, **keywords):
    return subprocess.Popen(["nsenter", "-t", str(holder.pid), "--net", *command], **keywords)


def server_side(make):
    """The value of make(), called on a thread that is in the servers' namespace."""
    result = []

    def inside():
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/proc/{holder.pid}/ns/net", encoding="ascii") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET) == 0:
                result.append(make())
    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    return result[0]


class Server:
    """TCP: every connection has a thread that runs handle(connection, self)."""

    def __init__(self, handle, local=False):
        def listen():
            return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
        self.listener = listen() if local else server_side(listen)
        self.port = self.listener.getsockname()[1]
        self.handle = handle
        self.lock = threading.Lock()
        self.accepted = self.ended = self.read = self.written = 0
        self.dead = False
        threading.Thread(target=self.accept_all, daemon=True).start()

    def accept_all(self):
        while not self.dead:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.accepted += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.handle(connection, self)
        except OSError:
            pass
        connection.close()
        with self.lock:
            self.ended += 1

    def receive(self, connection, size=1 << 16):
        data = connection.recv(size)
        with self.lock:
            self.read += len(data)
        return data

    def send(self, connection, data):
        connection.sendall(data)
        with self.lock:
            self.written += len(data)

    def close(self):
        self.dead = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Datagrams:
    """UDP: counts what it hears."""

    def __init__(self):
        self.sock = server_side(self.bind)
        self.port = self.sock.getsockname()[1]

    @staticmethod
    def bind():
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        sock.bind(("::", 0))
        return sock

    def heard(self):
        """Bytes and datagrams since the last call."""
        size = n = 0
        while True:
            try:
                size += len(self.sock.recv(1 << 16, socket.MSG_DONTWAIT))
                n += 1
            except BlockingIOError:
                return size, n

    def close(self):
        self.sock.close()


class Answers(Datagrams):
    """UDP: answers "!100 e5 to:9:7" by 100 bytes, by 5 from another port of its own, by 7 to another port there."""

    def __init__(self):
        super().__init__()
        self.elsewhere = server_side(self.bind)
        self.other_port = self.elsewhere.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while (asked := self.sock.recvfrom(1 << 16))[0] != b"end":
            if asked[0][:1] == b"!":
                for word in asked[0][1:].decode().split():
                    self.answer(word, asked[1])

    def answer(self, word, peer):
        if word.startswith("to:"):
            port, word = word.split(":")[1:]
            peer = (peer[0], int(port), *peer[2:])
        if word.startswith("e"):
            self.elsewhere.sendto(b"e" * int(word[1:]), peer)
        else:
            self.sock.sendto(b"a" * int(word), peer)

    def close(self):
        server_side(lambda: self.elsewhere.sendto(b"end", ("::1", self.port)))
        self.elsewhere.close()
        super().close()


class Counter:
    """What nftables counted of the packets that came in for a port: packets, and bytes with their headers."""
    IP, UDP, TCP, TIMES = 20, 8, 20, 12

    def __init__(self, transport, port):
        self.transport, self.comment = transport, f"{transport}-{port}"
        both = ["ip", "protocol", transport, transport, "dport", str(port)]
        syns = [["tcp", "flags", "syn"], ["tcp", "flags", "!=", "syn"]] if transport == "tcp" else [[]]
        for i, match in enumerate(syns):
            on_server("nft", "add", "rule", "inet", "test", "in", *both, *match, "counter", "comment", f"{self.comment}-{i}")

    def rules(self):
        text = server_process("nft", "-j", "list", "chain", "inet", "test", "in", stdout=subprocess.PIPE).communicate()[0]
        for rule in (x["rule"] for x in json.loads(text)["nftables"] if "rule" in x):
            if rule.get("comment", "").startswith(self.comment + "-"):
                counter = next(e["counter"] for e in rule["expr"] if "counter" in e)
                yield rule["comment"][-1], counter["packets"], counter["bytes"]

    def seen(self):
        """Packets, and payload: IPv4 without options; every TCP segment but the first with its time-stamps."""
        packets = payload = 0
        for kind, n, size in self.rules():
            header = self.IP + (self.UDP if self.transport == "udp" else self.TCP + (20 if kind == "0" else self.TIMES))
            packets += n
            payload += size - n * header
        return packets, payload

    def close(self):
        on_server("nft", "flush", "chain", "inet", "test", "in")


class Wire:
    """Payload that arrived on the servers' side, by transport and port, whoever read it; what TCP sent again, once."""

    def __init__(self):
        def watch():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
            sock.bind(("s0", 3))
            return sock
        self.sock = server_side(watch)
        self.bytes = {}
        self.packets = {}
        self.came = {}  # of each TCP connection: ranges of its numbers, [from, to] in order, that came
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            try:
                packet, origin = self.sock.recvfrom(128)
            except OSError:
                return
            if origin[2] == socket.PACKET_OUTGOING:
                continue
            if packet[:4] == b"stop":
                return
            self.add(packet)

    def add(self, packet):
        if packet[0] >> 4 == 4:
            length, at, kind = struct.unpack_from("!H", packet, 2)[0], (packet[0] & 15) * 4, packet[9]
        else:
            length, at, kind = struct.unpack_from("!H", packet, 4)[0] + 40, 40, packet[6]
        if kind not in (6, 17):
            return
        header = 8 if kind == 17 else (packet[at + 12] >> 4) * 4
        place = ("udp" if kind == 17 else "tcp", struct.unpack_from("!H", packet, at + 2)[0])
        size = length - at - header
        if kind == 6:
            size = self.new_bytes(packet, at, size)
        self.bytes[place] = self.bytes.get(place, 0) + size
        self.packets[place] = self.packets.get(place, 0) + 1

    def new_bytes(self, packet, at, size):
        """Of a segment, those that came for the first time (RFC 9293: SYN has a number, too)."""
        connection = packet[at - 32 if packet[0] >> 4 == 6 else 12:at + 4]
        first, flags = struct.unpack_from("!I", packet, at + 4)[0], packet[at + 13]
        if flags & 2:
            self.came[connection] = [[first, first + 1]]
            first += 1
        if not size:
            return 0
        came = self.came.setdefault(connection, [[first, first]])
        # The numbers go round after 4 GiB; here they go on.
        first = came[-1][1] + ((first - came[-1][1] + (1 << 31) & 0xffffffff) - (1 << 31))
        before = sum(end - begin for begin, end in came)
        merged = []
        for begin, end in sorted([*came, [first, first + size]]):
            if merged and begin <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([begin, end])
        self.came[connection] = merged
        return sum(end - begin for begin, end in merged) - before

    def seen(self, transport, port):
        """All that has arrived by now; a datagram to itself marks the end of what was in the queue."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mark:
            before = self.bytes.get(("udp", 9), 0)
            mark.sendto(b"mark", (SERVER, 9))
        until(lambda: self.bytes.get(("udp", 9), 0) > before, 10, "the witness sees the mark")
        packets, drops = struct.unpack("II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        expect(drops == 0, f"the witness missed {drops} of {packets} packets")
        return self.bytes.get((transport, port), 0)

    def close(self):
        self.sock.close()


class Bank(World):
    """A world with a ledger, and servers on the other side of a wire."""

    def __enter__(self):
        super().__enter__()
        self.ledger = self.path("ledger.db")
        self.written = None
        return self

    def server(self, handle, local=False):
        return self.kept(Server(handle, local))

    def kept(self, thing):
        self.closing.append(thing)
        return thing

    def policy(self, text=ALLOW_ALL, name="test.conf"):
        # One that is just being read stays as it is.
        if not os.path.exists(self.path(name)) or text != self.written:
            self.written = text
            super().policy(text, name)
        return self.path(name)

    def run(self, *command, policy=ALLOW_ALL, options=(), timeout=60, **keywords):
        """A program to its end; its process, with .stdout and .stderr."""
        return self.fenced(self.policy(policy), *command, options=("--ledger", self.ledger, "--app", "test", *options),
                           timeout=timeout, **keywords)

    def python(self, script, *arguments, **keywords):
        done = self.run("python3", "-c", script, *map(str, arguments), **keywords)
        expect(done.returncode == 0, f"the program ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def begin(self, script, *arguments, policy=ALLOW_ALL, options=(), **keywords):
        """The same, left running."""
        return self.start(self.policy(policy), "python3", "-uc", script, *map(str, arguments),
                          options=("--ledger", self.ledger, "--app", "test", *options), **keywords)

    def query(self, sql, ledger=None):
        path = ledger or self.ledger
        if not os.path.exists(path):
            return []
        base = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return base.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []  # made a moment ago
        finally:
            base.close()

    def sums(self, where="1", ledger=None):
        found = self.query(f"SELECT {','.join(f'sum({s})' for s in SUMS)} FROM usage WHERE {where}", ledger)
        return dict(zip(SUMS, (x or 0 for x in found[0]) if found else [0] * len(SUMS)))

    def lost(self):
        return (self.query("SELECT sum(sockets) FROM lost") or [(0,)])[0][0] or 0

    def expect_sums(self, where, why, seconds=20, **wanted):
        """The ledger comes to say this, at the latest when the supervisor has stopped lingering."""
        def right():
            found = self.sums(where)
            return all(found[k] == v for k, v in wanted.items())
        try:
            until(right, seconds, why)
        except Failure:
            found = self.sums(where)
            raise Failure(f"{why}: wanted {wanted}, the ledger has { {k: found[k] for k in wanted} }") from None


def supervisors():
    """Their process ids, in this namespace's processes."""
    return named("gae-supervisor")

