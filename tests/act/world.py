# SPDX-License-Identifier: Apache-2.0
"""What every test needs: policies, programs native and fenced, a witness, deadlines."""
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from checks import Failure, Skip, expect, remove_tree, until
from processes import descendants, named_below

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
GAE_RUN = os.environ.get("GAE_RUN", os.path.join(BUILD, "gae-run"))
PRELOADABLE = os.path.join(BUILD, "tests/shared/gae-run")  # the same with shared libraries: LD_PRELOAD reaches it
SILENT = "203.0.113.1"

ALLOW_ALL = """gae-policy 1
allow tcp,udp to any
listen  allow
bind    any
unix    pair
netlink route-read
sockopt any any pass
"""


def program(name):
    return os.path.join(BUILD, "tests/programs", name)


class Fenced(subprocess.Popen):
    """A program under gae-run that goes on while the test looks at it."""

    def supervisor(self):
        return until(lambda: named_below(self.pid, "gae-supervisor"), 10, "the supervisor starts")[0]

    def kill_tree(self):
        for pid in [self.pid] + descendants(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.wait(10)

    def line(self, seconds=20):
        """Next line of its standard output, without the newline."""
        text = b""
        end = time.monotonic() + seconds
        while not text.endswith(b"\n"):
            left = end - time.monotonic()
            expect(left > 0 and select.select([self.stdout], [], [], left)[0],
                   f"no line from the program within {seconds} s")
            byte = os.read(self.stdout.fileno(), 1)
            if not byte:
                break
            text += byte
        return text.decode().rstrip("\n")


class Witness:
    """Listens for TCP and UDP on every address at one port, IPv4 and IPv6."""

    def __init__(self):
        self.tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        self.udp.bind(("::", self.port))
        self.tcp.setblocking(False)
        self.udp.setblocking(False)

    def heard(self):
        """Local addresses at which something came in since the last call: the loopback delivers at once."""
        places = []
        while True:
            try:
                connection, _ = self.tcp.accept()
            except BlockingIOError:
                break
            places.append("tcp " + connection.getsockname()[0])
            connection.close()
        while True:
            try:
                _, extra, _, _ = self.udp.recvmsg(2048, 256)
            except BlockingIOError:
                break
            for level, kind, data in extra:
                if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                    places.append("udp " + socket.inet_ntop(socket.AF_INET6, data[:16]))
        return places

    def close(self):
        self.tcp.close()
        self.udp.close()


class World:
    gae_run = GAE_RUN

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="gae-act-")
        # The fence's own files in the test's place; a call of the supervisor's that no note names ends it.
        os.mkdir(os.path.join(self.directory, "run"), 0o700)
        os.environ.update(XDG_STATE_HOME=os.path.join(self.directory, "state"), GAE_RUN_TEST_SELF="1",
                          XDG_RUNTIME_DIR=os.path.join(self.directory, "run"))
        self.started = []
        self.closing = []
        return self

    def __exit__(self, *_):
        for process in self.started:
            if process.poll() is None:
                process.kill_tree()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        for thing in self.closing:
            thing.close()
        remove_tree(self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def policy(self, text=ALLOW_ALL, name="test.conf"):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write(text)
        return self.path(name)

    def witness(self):
        witness = Witness()
        self.closing.append(witness)
        return witness

    @staticmethod
    def below(pid):
        return descendants(pid)

    def native(self, *command, timeout=60):
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)

    def fenced(self, policy, *command, options=(), timeout=60, **keywords):
        """Runs a program to its end under gae-run."""
        process = self.start(policy, *command, options=options, text=True, **keywords)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"{' '.join(command)}: still running after {timeout} s") from None
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def start(self, policy, *command, options=(), stderr=subprocess.PIPE, **keywords):
        process = Fenced([self.gae_run, "--policy", policy, *options, "--", *command], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=stderr, start_new_session=True, **keywords)
        self.started.append(process)
        return process
