# SPDX-License-Identifier: Apache-2.0
"""Servers that a test needs: dnsmasq, a name server that lies, and something that answers on port 8080."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from nameserver import Hostile
from world import BUILD, Skip, World, expect, until

HERE = os.path.dirname(os.path.abspath(__file__))
DNSMASQ, HOSTILE = "10.5.0.53", "10.5.0.54"
GMAIL, GOOGLE = "142.250.0.108", "142.250.0.100"
ADDRESSES = [f"192.0.2.{i}/32" for i in range(1, 61)] + [
    f"{DNSMASQ}/32", f"{HOSTILE}/32", "169.254.169.254/32", f"{GMAIL}/32", f"{GOOGLE}/32",
    "2001:db8::1/128", "2001:db8::2/128"]
PORT = 8080
HEAD = "gae-policy 1\nallow tcp,udp to @resolvers port 53\n"
TAIL = "bind ephemeral\nnetlink route-read\nunix pair\nsockopt any any pass\n"

# connect ADDRESS [PORT], ask NAME, sleep SECONDS; one result a line.
STEPS = r"""
import errno, socket, sys, time
def do(verb, what, port=8080):
    if verb == "sleep":
        time.sleep(float(what)); return "slept"
    if verb == "ask":
        try: return ",".join(sorted({a[4][0] for a in socket.getaddrinfo(what, 80, type=socket.SOCK_STREAM)}))
        except OSError as e: return "error"
    s = socket.socket(socket.AF_INET6 if ":" in what else socket.AF_INET)
    try: s.connect((what, int(port)))
    except OSError as e: return errno.errorcode[e.errno]
    return "ok"
for step in sys.argv[1:]:
    print(do(*step.split()), flush=True)
"""


class Lab(World):
    build = BUILD

    def __init__(self, directory):
        self.etc = directory

    def __enter__(self):
        super().__enter__()
        self.resolv(f"nameserver {DNSMASQ}\n")
        self.write("hosts", "127.0.0.1 localhost\n")
        self.listen(PORT)
        return self

    def write(self, name, text):
        # In place: the file is mounted over the one in /etc.
        with open(os.path.join(self.etc, name), "r+", encoding="ascii") as f:
            f.truncate()
            f.write(text)

    def resolv(self, text):
        self.write("resolv.conf", text)

    def listen(self, port):
        """Connections queue up; nobody need accept them."""
        server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
        self.closing.append(server)

    def dnsmasq(self, *options, records=""):
        """@records: lines of a hosts file, which records() replaces."""
        self.log = self.path("dnsmasq.log")
        self.records(records)
        program = shutil.which("dnsmasq", path=os.environ["PATH"] + ":/usr/sbin")
        self.server = subprocess.Popen(
            [program, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
             "--bind-interfaces", f"--listen-address={DNSMASQ}", "--user=root", "--pid-file=", "--log-queries",
             f"--log-facility={self.log}", f"--addn-hosts={self.path('records')}", "--local-ttl=1",
             "--local=/test/", "--local=/invalid/", "--local=/example/", "--local=/arpa/", "--local=/corp/", *options],
            stdin=subprocess.DEVNULL)
        self.closing.append(self)
        until(self.answers, 10, "dnsmasq answers")

    @staticmethod
    def answers():
        with socket.socket() as s:
            return s.connect_ex((DNSMASQ, 53)) == 0

    def records(self, text):
        with open(self.path("records"), "w", encoding="ascii") as f:
            f.write(text)

    def reload(self):
        self.server.send_signal(signal.SIGHUP)
        until(lambda: "read " + self.path("records") in open(self.log, encoding="utf-8").read().split("exiting")[-1],
              5, "dnsmasq reads its records again")

    def asked(self):
        with open(self.log, encoding="utf-8") as f:
            return [line.split("] ", 1)[1].split()[0] for line in f if "query[" in line]

    def close(self):
        self.server.kill()
        self.server.wait()

    def hostile(self, reply, address=HOSTILE):
        server = Hostile(reply, address)
        self.closing.append(server)
        return server

    def steps(self, rules, *steps, options=(), timeout=40, policy=None):
        """What each step gave, under @rules."""
        policy = policy or self.policy(HEAD + rules + TAIL)
        done = self.fenced(policy, "/usr/bin/python3", "-c", STEPS, *steps, options=options, timeout=timeout)
        lines = done.stdout.splitlines()
        expect(len(lines) == len(steps), f"{lines} {done.stderr}")
        return lines

    def script(self, rules, code, options=(), timeout=40):
        done = self.fenced(self.policy(HEAD + rules + TAIL), "/usr/bin/python3", "-c", code, options=options,
                           timeout=timeout)
        expect(done.returncode == 0, f"{done.stdout} {done.stderr}")
        return done.stdout.split("\n")[:-1]

    def clients(self):
        """Each resolver there is: a name, and the command that looks up names."""
        yield "glibc", ["/usr/bin/python3", os.path.join(HERE, "clients/lookup.py")]
        if shutil.which("musl-gcc"):
            out = self.path("lookup-musl")
            subprocess.run(["musl-gcc", "-static", "-O1", "-o", out, os.path.join(HERE, "clients/lookup.c")], check=True)
            yield "musl", [out]
        if shutil.which("go"):
            out = os.path.join(self.etc, "lookup-go")
            if not os.path.exists(out):
                env = dict(os.environ, CGO_ENABLED="0", GO111MODULE="off", GOFLAGS="", GOTOOLCHAIN="local",
                           HOME=self.etc, GOCACHE=os.path.join(self.etc, "gocache"))
                subprocess.run(["go", "build", "-o", out, os.path.join(HERE, "clients/lookup.go")], check=True, env=env)
            yield "go", [out]
        if shutil.which("node"):
            yield "c-ares", ["node", os.path.join(HERE, "clients/lookup.js")]


def client_test(name, test):
    """A test for one resolver, skipped where it is not installed."""
    def run(lab):
        for found, command in lab.clients():
            if found == name:
                return test(lab, command)
        raise Skip(f"there is no {name}")
    return run


CLIENTS = ["glibc", "musl", "go", "c-ares"]
assert sys.version_info >= (3, 8)
