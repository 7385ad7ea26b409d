# SPDX-License-Identifier: Apache-2.0
"""The fenced programs of the matrix, each with its policy and with who sees what it does."""
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

from processes import named_below, state
from world import BUILD, GAE_RUN, TOP, Fenced, expect, until


class Subject:
    """A fenced program that makes its attempts at a word, and the witness of what arrives."""
    name = "calls"
    program = "attempts.py"
    policy = """gae-policy 1
deny  tcp,udp to 127.0.0.2
allow tcp,udp to any
unix pair
bind any
sockopt SOL_SOCKET SO_SNDBUF get mock 12345
sockopt any any pass
"""
    forbidden = ("127.0.0.2",)
    # What of it may be over for good when a fault has come, with these words.
    gives_up = None
    # A round without a fault takes a fifth of a second; some of its calls end by a time-out of 300 ms.
    seconds = 8

    def __init__(self, world):
        self.world = world
        self.fifo = world.path("go")
        self.process = self.go = None
        self.ends = 0
        self.set_up()

    def set_up(self):
        self.witness = self.world.witness()

    def arguments(self):
        return [str(self.witness.port)]

    def policy_text(self):
        return self.policy

    def command(self, gae_run, options):
        return [gae_run, "--policy", self.world.policy(self.policy_text()), "--app", "demo", *options, "--",
                "python3", os.path.join(TOP, "tests/act", self.program), *self.arguments(), self.fifo]

    def begin(self, options=(), gae_run=GAE_RUN):
        self.launch(options, gae_run)
        expect(self.process.line() == "ready", f"the program starts: {self.errors()}")
        self.supervisor = self.process.supervisor()

    def launch(self, options=(), gae_run=GAE_RUN):
        if os.path.exists(self.fifo):
            os.unlink(self.fifo)
        os.mkfifo(self.fifo)
        with open(self.world.path("errors"), "w", encoding="utf-8") as errors:
            self.process = Fenced(self.command(gae_run, options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=errors, start_new_session=True)
        self.world.started.append(self.process)
        self.go = open(self.fifo, "r+b", buffering=0)  # "r+": does not wait for a program that may never come

    def round(self):
        """Results of one round by name; None in place of the one that no answer came to."""
        results, text, end = {}, b"", time.monotonic() + self.seconds
        try:
            self.go.write(b"\n")
        except BrokenPipeError:
            return {"over": None}
        while not text.endswith(b"over\n"):
            left = end - time.monotonic()
            ready = select.select([self.process.stdout], [], [], max(left, 0))[0]
            more = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not more:
                results["over"] = None
                break
            text += more
        for line in text.decode().splitlines():
            if line not in ("over", "ready"):
                name, _, error = line.partition(" ")
                results[name] = int(error) if error else None
        return results

    def check(self, results, when):
        done = [name for name, error in results.items() if name.startswith("forbidden") and error == 0]
        expect(not done, f"{when}: done: {done}")
        heard = {place for place in self.heard() if place.split()[1].split(":")[-1] in self.forbidden}
        expect(not heard, f"{when}: the witness heard {heard}")

    def heard(self):
        return self.witness.heard()

    def is_over(self):
        """The supervisor is gone, or about to be."""
        return state(self.supervisor) in ("", "Z", "X")

    def ends_soon(self):
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            return False
        return True

    def errors(self):
        with open(self.world.path("errors"), encoding="utf-8") as f:
            return f.read()

    def check_ended(self):
        """The tree has ended, or is about to: with 125, a word why, and nothing left."""
        status = self.process.wait(10)
        expect(status == 125, f"the tree ended with status {status}: {self.errors()}")
        expect(self.errors().strip(), "the tree ended without a word")
        self.go.close()
        self.ends += 1

    def discard(self):
        self.process.kill_tree()
        self.go.close()


class NameServer:
    """Answers a-127-0-0-3.ANY.test with the address 127.0.0.3, good for five seconds, and knows no IPv6."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            packet, peer = self.socket.recvfrom(2048)
            if packet == b"end":
                return
            end = packet.index(b"\0", 12) + 5
            name = re.match(rb"a-(\d+)-(\d+)-(\d+)-(\d+)$", packet[13:13 + packet[12]])
            good = bool(name) and packet[end - 4:end - 2] == b"\0\1"
            record = b"\xc0\x0c" + struct.pack("!2HIH", 1, 1, 5, 4) + bytes(map(int, name.groups())) if good else b""
            self.socket.sendto(packet[:2] + struct.pack("!5H", 0x8180, 1, good, 0, 0) + packet[12:end] + record, peer)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"end", self.socket.getsockname())


class Limits(Subject):
    """Names, idle sockets, quotas, local sockets with a path."""
    name = "limits"
    program = "attempts_limits.py"
    policy = """gae-policy 1
deny  tcp,udp to 127.0.0.2
allow udp to 127.0.0.53 port 53
allow tcp to *.allowed.test
allow tcp to 127.0.0.3
unix  allow {0}/in/*
bind  any
idle  100ms
quota creates    1000000000/day
quota bytes-sent 1000GB/day
sockopt any any pass
"""
    forbidden = ("127.0.0.2", "127.2.0.1")
    # Without an answer two look-ups take 3.75 s each.
    seconds = 16

    def set_up(self):
        super().set_up()
        self.world.closing.append(NameServer("127.0.0.53"))
        for name in "in", "out":
            os.mkdir(self.world.path(name))
        self.private = socket.socket(socket.AF_UNIX)
        self.private.bind(self.world.path("out/private"))
        self.private.listen(100)
        self.world.closing.append(self.private)
        with open(self.world.path("resolv.conf"), "w", encoding="ascii") as f:
            f.write("nameserver 127.0.0.53\n")

    def policy_text(self):
        return self.policy.format(self.world.directory)

    def arguments(self):
        return [str(self.witness.port), self.world.directory]

    def command(self, gae_run, options):
        mount = 'mount --bind "$0" "$(realpath /etc/resolv.conf)" && exec "$@"'
        return ["unshare", "-m", "sh", "-c", mount, self.world.path("resolv.conf"), *super().command(gae_run, options)]


class Offers(Subject):
    """Sockets handed over to a partner and taken from it; the partner, another instance, has no faults."""
    name = "offers"
    program = "attempts_offers.py"
    policy = Subject.policy + "descriptors handoff\n"

    def set_up(self):
        super().set_up()
        for name in "to", "from":
            os.mkfifo(self.world.path(name))
        # It may go where the subject may not.
        policy = self.world.policy(self.policy.replace("deny ", "allow"), "partner.conf")
        partner = self.world.start(policy, "python3", os.path.join(TOP, "tests/act", self.program), str(self.witness.port),
                                   self.world.path("from"), self.world.path("to"), options=("--app", "demo"))
        expect(partner.line() == "ready", "the partner starts")

    def arguments(self):
        return [str(self.witness.port), self.world.path("to"), self.world.path("from")]

    def heard(self):
        """The partner's connections to the forbidden place are no fault."""
        self.witness.heard()
        return []


class Site:
    """HTTP on every address, which says which one was asked."""

    def __init__(self):
        self.listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
        self.port = self.listener.getsockname()[1]
        self.places = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.places.append("tcp " + connection.getsockname()[0])
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    @staticmethod
    def serve(connection):
        with connection:
            connection.settimeout(5)
            try:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            except OSError:
                pass

    def heard(self):
        heard, self.places = self.places, []
        return heard

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Fetches(Subject):
    """HTTP through URL Fetch: the supervisor's side of it."""
    name = "fetches"
    program = "attempts_http.py"
    policy = Subject.policy + "http urlfetch\n"
    gives_up = "HTTP through it is refused from now on"

    def set_up(self):
        self.witness = Site()
        self.world.closing.append(self.witness)


# In front of the supervisor: it stops, so that somebody can lay a hand on it from its first moment on.
HALTED = """#!/bin/sh
kill -STOP $$
exec "{0}/gae-supervisor" "$@"
"""


class Beginning(Limits):
    """The whole life of a supervisor, from its first call on."""
    name = "beginning"

    def set_up(self):
        super().set_up()
        self.gae_run = self.world.path("gae-run")
        os.link(GAE_RUN, self.gae_run) if os.stat(GAE_RUN).st_dev == os.stat(self.world.directory).st_dev else \
            subprocess.run(["cp", GAE_RUN, self.gae_run], check=True)
        with open(self.world.path("gae-supervisor"), "w", encoding="utf-8") as f:
            f.write(HALTED.format(BUILD))
        os.chmod(f.name, 0o755)

    def launch_halted(self):
        """Return: the process id of the supervisor-to-be, which is stopped."""
        self.launch(gae_run=self.gae_run)

        def halted():
            return [pid for pid in named_below(self.process.pid, "gae-supervisor") if state(pid) == "T"]
        return until(halted, 10, "the supervisor stops before its first call")[0]
