# SPDX-License-Identifier: Apache-2.0
"""Signals reach a program that waits in a call, at once and with the usual results."""
import os
import re
import signal
import socket
import threading
import time

from processes import state
from world import SILENT, expect, program, until


def in_connect(pid):
    try:
        with open(f"/proc/{pid}/syscall", encoding="ascii") as f:
            return f.read().split()[0] == {"x86_64": "42", "aarch64": "203"}[os.uname().machine]
    except (OSError, IndexError):
        return False


def waiting(world):
    """A program in a connect that never ends, and its pid."""
    process = world.start(world.policy(), program("interrupted"), "wait", SILENT)
    expect(process.line() == "waiting", "the program starts")
    pid = world.below(process.supervisor())[0]
    until(lambda: in_connect(pid), 5, "the program calls connect")
    # Its SYN is out when the supervisor has it: then it waits in the loop.
    until(syn_sent, 5, "the connect begins")
    return process, pid


def syn_sent():
    """Does any IPv4 socket of this namespace stand in SYN_SENT (state 02 in /proc/net/tcp)?"""
    with open("/proc/self/net/tcp", encoding="ascii") as f:
        return any(line.split()[3] == "02" for line in f.readlines()[1:])


def ends_by(number, whom="program"):
    def test(world):
        process, pid = waiting(world)
        begun = time.monotonic()
        os.kill(pid if whom == "program" else process.pid, number)
        expect(process.wait(10) == 128 + number or process.returncode == -number, f"status {process.returncode}")
        took = time.monotonic() - begun
        # Not noticed, the call would go on for two minutes.
        expect(took < 10, f"took {took:.2f} s")
    return test


def stop_and_go_on(world):
    process, pid = waiting(world)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state(pid) == "T", 2, "the program stops")
    os.kill(pid, signal.SIGCONT)
    until(lambda: state(pid) != "T" and in_connect(pid), 2, "the program goes on and waits again")
    expect(process.poll() is None, "it does not end")
    os.kill(pid, signal.SIGTERM)
    process.wait(10)


class Acceptor(threading.Thread):
    """Takes every connection at once, so that no backlog fills up."""

    def __init__(self):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.server.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.start()

    def run(self):
        while True:
            try:
                self.server.accept()[0].close()
            except ConnectionError:
                continue
            except OSError:
                return

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.udp.close()


def storm(world, mode, target, n):
    out = world.fenced(world.policy(), program("interrupted"), mode, str(target), str(n))
    found = re.match(r"ok=(\d+) interrupted=(\d+) other=(\d+) handled=yes\n$", out.stdout)
    expect(found, f"{out.stdout}{out.stderr}")
    return [int(x) for x in found.groups()]


def acceptor(world):
    server = Acceptor()
    world.closing.append(server)
    return server.port


def alarms(world):
    """A millisecond timer without SA_RESTART: each connect succeeds or says EINTR."""
    most = 0
    for _ in range(3):  # how often one hits is the scheduler's choice as well
        ok, interrupted, other = storm(world, "alarms", acceptor(world), 2000)
        expect(other == 0 and ok + interrupted == 2000, f"{ok} {interrupted} {other}")
        most = max(most, ok)
        if most >= 1800:
            return
    expect(most >= 1800, f"at best {2000 - most} of 2000 interrupted")


def urges(world):
    """SIGURG at this thread, with SA_RESTART: nothing is ever interrupted."""
    ok, interrupted, other = storm(world, "urges", acceptor(world), 1000)
    expect((ok, interrupted, other) == (3000, 0, 0), f"{ok} {interrupted} {other}")


def urges_while_waiting(world):
    ok, interrupted, other = storm(world, "waits-urges", SILENT, 1)
    expect((ok, interrupted, other) == (1, 0, 0), f"ETIMEDOUT {ok}, EINTR {interrupted}, other {other}")


def tests():
    yield "signals: SIGINT ends a waiting program at once", ends_by(signal.SIGINT)
    yield "signals: SIGTERM ends a waiting program at once", ends_by(signal.SIGTERM)
    yield "signals: SIGKILL ends a waiting program at once", ends_by(signal.SIGKILL)
    yield "signals: SIGTERM at gae-run ends a waiting program at once", ends_by(signal.SIGTERM, "gae-run")
    yield "signals: SIGSTOP and SIGCONT", stop_and_go_on
    yield "signals: a timer of a millisecond", alarms
    yield "signals: SIGURG as Go sends it", urges
    yield "signals: SIGURG while a connect waits", urges_while_waiting
