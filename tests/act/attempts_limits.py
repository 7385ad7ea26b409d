# SPDX-License-Identifier: Apache-2.0
"""Runs fenced, as attempts.py: names, idle sockets, local sockets with a path.

  python3 attempts_limits.py PORT DIRECTORY FIFO     DIRECTORY/in may be used for local sockets, DIRECTORY/out not
"""
import itertools
import os
import select
import socket
import struct
import sys

sys.dont_write_bytecode = True
from rounds import attempt, expect, serve

PORT, DIRECTORY = int(sys.argv[1]), sys.argv[2]
RESOLVER, ALLOWED = "127.0.0.53", "127.0.0.3"
numbers = itertools.count(1)


def ask(name):
    """The address that the name server gives."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
        s.sendto(struct.pack("!6H", 77, 0x100, 1, 0, 0, 0) + labels + struct.pack("!B2H", 0, 1, 1), (RESOLVER, 53))
        return socket.inet_ntoa(s.recv(512)[-4:])


def reach(host):
    with socket.socket() as s:
        s.settimeout(2)
        s.connect((host, PORT))
        s.getpeername()  # Python takes EINTR for a connect that goes on, and in the end for one that is done


def by_name():
    """A name that nobody has asked for before, and so an address that nobody was allowed."""
    n = next(numbers)
    host = f"127.1.{n >> 8}.{n & 255}"
    expect(ask(f"a-{host.replace('.', '-')}.allowed.test") == host)
    reach(host)


def by_forbidden_name():
    ask("a-127-0-0-2.allowed.test")
    reach("127.0.0.2")


def by_other_name():
    ask("a-127-2-0-1.other.test")
    reach("127.2.0.1")


def bind_path():
    path = f"{DIRECTORY}/in/{next(numbers)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as here, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        try:
            here.bind(path)
            expect(os.stat(path).st_mode & 0o777 == 0o700)
            here.settimeout(0.5)
            there.sendto(b"x", path)
            expect(here.recv(10) == b"x")
        finally:
            if os.path.exists(path):
                os.unlink(path)


def bind_outside():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(f"{DIRECTORY}/out/{next(numbers)}")


def connect_outside():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.connect(f"{DIRECTORY}/out/private")
        s.getpeername()


def reclaimed():
    """Found under another number than the one that it was connected by."""
    s = socket.create_connection((ALLOWED, PORT))
    with socket.socket(fileno=os.dup(s.fileno())) as copy:
        s.close()
        ends = select.poll()
        ends.register(copy, select.POLLRDHUP | select.POLLHUP)
        expect(ends.poll(1200))


def work():
    for call in by_forbidden_name, by_other_name, bind_outside, connect_outside:
        attempt("forbidden-" + call.__name__, call)
    for call in by_name, bind_path, reclaimed:
        attempt("own-" + call.__name__, call)


os.umask(0o077)
serve(sys.argv[3], work)
