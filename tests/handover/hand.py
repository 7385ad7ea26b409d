# SPDX-License-Identifier: Apache-2.0
"""What the tests of handing over need: two instances that do as they are told, a server, a ledger."""
import ast
import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.append(os.path.join(TOP, "tests/act"))
from world import BUILD, GAE_RUN, Failure, World, expect, until

from processes import descendants, is_stopped, name_of, named_below

SOL_GAE, GAE_DESCRIPTOR = 0x47414500, 1
POLICY = """gae-policy 1
allow tcp,udp to any
bind any
unix pair
sockopt any any pass
descriptors handoff
idle 10m
"""


def supervisors(directory):
    """Every gae-supervisor that can be found in this runtime directory."""
    try:
        names = os.listdir(os.path.join(directory, "gae-run"))
    except FileNotFoundError:
        return []
    pids = {int(n.split(".")[0].split("-")[0]) for n in names if n.endswith((".status", ".handover"))}
    return [pid for pid in pids if name_of(pid) == "gae-supervisor"]


class Agent:
    """
    A program under gae-run that carries out lines of Python.
    @app: None: not said
    @launch: the command that starts gae-run
    """

    def __init__(self, hands, policy, app, options=(), preexec=None, env=None, launch=()):
        self.trace = hands.world.path(f"trace-{len(hands.agents)}")
        self.stderr = open(hands.world.path(f"stderr-{len(hands.agents)}"), "w+", encoding="utf-8")
        command = [*launch, GAE_RUN, "--policy", policy, *(("--app", app) if app else ()), "--trace", self.trace,
                   "--ledger", hands.world.path("ledger.db"), *options, "--", sys.executable, os.path.join(HERE, "agent.py"),
                   os.path.join(TOP, "supervisor/handover/python")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr,
                                        env=env or hands.environment, start_new_session=True, preexec_fn=preexec)
        self.below = None

    def send(self, code):
        self.process.stdin.write(json.dumps(code).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, seconds=20):
        ready = select.select([self.process.stdout], [], [], seconds)[0]
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.stderr.seek(0)
            raise Failure(f"no answer ({'ended' if ready else 'in time'}): {self.stderr.read()}")
        return ast.literal_eval(line.decode())

    def do(self, code, seconds=20):
        self.send(code)
        return self.answer(seconds)

    def supervisor(self):
        if not self.below:
            self.below = until(lambda: named_below(self.process.pid, "gae-supervisor"), 10, "the supervisor starts")[0]
        return self.below

    def descriptors(self):
        """Sockets of the supervisor's; of threads that it has seen it keeps handles for a while."""
        directory = f"/proc/{self.supervisor()}/fd"
        found = 0
        for name in os.listdir(directory):
            try:
                found += os.readlink(f"{directory}/{name}").startswith("socket:")
            except OSError:
                continue
        return found

    def stop_supervisor(self):
        pid = self.supervisor()
        os.kill(pid, signal.SIGSTOP)
        until(lambda: is_stopped(pid), 10, "the supervisor stops")

    def let_supervisor_go_on(self):
        os.kill(self.supervisor(), signal.SIGCONT)

    def finish(self, seconds=20):
        """Ends the program; the front's exit status."""
        self.process.stdin.close()
        return self.process.wait(seconds)

    def kill(self):
        for pid in descendants(self.process.pid) + [self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(20)

    def traced(self):
        with open(self.trace, encoding="utf-8") as f:
            return f.read()

    def expect_trace(self, text):
        until(lambda: text in self.traced(), 10, f"'{text}' in the trace:\n{self.traced()}")


class Hands:
    def __init__(self, world):
        self.world = world
        self.agents = []
        self.closing = []
        self.runtime = world.path("run")
        os.makedirs(self.runtime, 0o700, exist_ok=True)
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=self.runtime, XDG_STATE_HOME=world.path("state"))
        self.policy = world.policy(POLICY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for agent in self.agents:
            if agent.process.poll() is None:
                agent.kill()
            agent.process.stdin.close()
            agent.process.stdout.close()
            agent.stderr.close()
        for pid in supervisors(self.runtime) + [a.below for a in self.agents if a.below]:
            if name_of(pid) == "gae-supervisor":
                os.kill(pid, signal.SIGKILL)
        for thing in self.closing:
            thing.close()

    def agent(self, app="demo", policy=None, **keywords):
        agent = Agent(self, policy or self.policy, app, **keywords)
        self.agents.append(agent)
        return agent

    def pair(self, **keywords):
        return self.agent(**keywords), self.agent(**keywords)

    def server(self, family=socket.AF_INET):
        server = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family, backlog=2000)
        server.settimeout(10)
        self.closing.append(server)
        return server

    def connected(self, agent, name="s", family=socket.AF_INET):
        """A TCP connection of the agent's; this end of it."""
        server = self.server(family)
        host, port = server.getsockname()[:2]
        expect(agent.do(f"tcp('{name}', {port}, '{host}')") is None, "cannot connect")
        here, _ = server.accept()
        here.settimeout(10)
        self.closing.append(here)
        return here

    def udp(self, family=socket.AF_INET):
        here = socket.socket(family, socket.SOCK_DGRAM)
        here.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        here.settimeout(10)
        self.closing.append(here)
        return here

    def directory(self):
        return os.path.join(self.runtime, "gae-run")

    def nothing_left(self):
        until(lambda: not supervisors(self.runtime), 10, "every supervisor ends")
        left = [n for n in os.listdir(self.directory()) if n.endswith((".handover", ".status", ".new"))]
        expect(not left, f"left in the runtime directory: {left}")

    def ledger(self):
        """Sums over all instances: connects, bytes sent and received, datagrams sent."""
        with sqlite3.connect(self.world.path("ledger.db")) as db:
            return db.execute("SELECT sum(connects), sum(bytes_sent), sum(bytes_received), sum(datagrams_sent) "
                              "FROM usage").fetchone()


def exchange(here, agent, name="s"):
    """Both directions work."""
    here.sendall(b"ping")
    expect(agent.do(f"sockets['{name}'].recv(100)") == b"ping", "nothing arrives at the importer")
    agent.do(f"sockets['{name}'].sendall(b'pong')")
    expect(here.recv(100) == b"pong", "nothing arrives from the importer")


def wait_until(condition, seconds, why):
    return until(condition, seconds, why)


__all__ = ["Agent", "BUILD", "Failure", "GAE_DESCRIPTOR", "GAE_RUN", "HERE", "Hands", "POLICY", "SOL_GAE", "TOP", "World",
           "exchange", "expect", "supervisors", "time", "until"]
