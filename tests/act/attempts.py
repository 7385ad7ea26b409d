# SPDX-License-Identifier: Apache-2.0
"""Runs fenced: at each line of the FIFO it tries every kind of call, allowed and forbidden, and tells how each went.

  python3 attempts.py PORT FIFO      per attempt a line "NAME ERRNO" (0: done), then "over"
"""
import array
import ctypes
import fcntl
import os
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True
from rounds import attempt, expect, serve

PORT = int(sys.argv[1])
FORBIDDEN, ALLOWED, SILENT = "127.0.0.2", "127.0.0.3", "203.0.113.1"
SO_MOCKED = socket.SO_SNDBUF


def udp():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def tcp_connect(host):
    """By hand: Python takes EINTR for a connect that goes on, and in the end for one that is done."""
    address = struct.pack("!BBH4s8x", 0, 0, PORT, socket.inet_aton(host))
    s = socket.socket()
    CONNECT(s.fileno(), struct.pack("H", socket.AF_INET) + address[2:], 16)


def tcp_begin(host):
    s = socket.socket()
    s.setblocking(False)
    error = s.connect_ex((host, PORT))
    if error not in (0, 115):
        raise OSError(error, "")


def fast_open(host):
    socket.socket().sendto(b"x", socket.MSG_FASTOPEN, (host, PORT))


def sendto(host):
    OLD.sendto(b"x", (host, PORT))


def sendmsg(host):
    OLD.sendmsg([b"x"], [], 0, (host, PORT))


def sendmsg_tos(host):
    OLD.sendmsg([b"x"], [(socket.IPPROTO_IP, socket.IP_TOS, struct.pack("i", 8))], 0, (host, PORT))


def large(host):
    OLD.sendto(b"x" * 60000, (host, PORT))


def connected(host):
    s = udp()
    s.connect((host, PORT))
    s.send(b"x")


def written(host):
    s = udp()
    s.connect((host, PORT))
    os.writev(s.fileno(), [b"x", b"y"])


def sent_file(host):
    s = udp()
    s.connect((host, PORT))
    with open(__file__, "rb") as f:
        os.sendfile(s.fileno(), f.fileno(), 0, 100)


def copied(host):
    s = udp()
    s.connect((host, PORT))
    os.write(os.dup(s.fileno()), b"x")


def renumbered(host):
    s, other = udp(), udp()
    s.connect((host, PORT))
    os.dup2(s.fileno(), other.fileno())
    os.write(other.fileno(), b"x")


def controlled(host):
    s = udp()
    s.connect((host, PORT))
    os.write(fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 0), b"x")


def received():
    here, there = udp(), udp()
    for s in here, there:
        s.bind(("0.0.0.0", 0))
        s.settimeout(0.3)
    here.sendto(b"hello", ("127.0.0.1", there.getsockname()[1]))
    expect(there.recvfrom(100)[0] == b"hello")
    here.sendto(b"hello", ("127.0.0.1", there.getsockname()[1]))
    expect(there.recvmsg([100][0], 100)[0] == b"hello")


def received_late():
    """It waits in the supervisor until a datagram comes."""
    here, there = udp(), udp()
    there.bind(("127.0.0.1", 0))
    there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 300000))
    threading.Timer(0.01, here.sendto, (b"late", there.getsockname())).start()
    expect(there.recv(100) == b"late")


def receive_nothing():
    s = udp()
    s.bind(("127.0.0.1", 0))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20000))
    s.recv(100)


def bound():
    socket.socket().bind(("0.0.0.0", 0))


def mocked():
    expect(socket.socket().getsockopt(socket.SOL_SOCKET, SO_MOCKED) == 12345)


def passed():
    """A descriptor and data over a local pair; the supervisor carries both."""
    a, b = socket.socketpair()
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
    b.settimeout(0.3)
    expect(b.recvmsg(10, 100)[0] == b"x")


def file_in_window():
    """An ordinary file among the UDP sockets: the kernel's to write, by CONTINUE."""
    fd = fcntl.fcntl(0, fcntl.F_DUPFD, 700)
    os.write(os.open("/dev/null", os.O_WRONLY), b"x")
    os.read(fd, 1)
    os.close(fd)


def waiting():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 20000))
    s.connect((SILENT, 9))


def from_where_it_stands():
    """The file's own position moves: the supervisor sets it."""
    s = udp()
    s.connect((ALLOWED, PORT))
    with open(__file__, "rb", buffering=0) as f:
        os.sendfile(s.fileno(), f.fileno(), None, 100)
        expect(f.tell() == 100)


def broken_pipe():
    """Its end is told by a signal as well, which Python ignores."""
    s = socket.create_connection((ALLOWED, PORT))
    s.shutdown(socket.SHUT_WR)
    s.sendmsg([b"x"])


def disconnected():
    s = udp()
    s.connect((ALLOWED, PORT))
    CONNECT(s.fileno(), b"\0" * 16, 16)


def connect_raw():
    libc = ctypes.CDLL(None, use_errno=True)

    def call(fd, data, size):
        if libc.connect(fd, data, size) < 0:
            raise OSError(ctypes.get_errno(), "")
    return call


BOTH = [tcp_connect, tcp_begin, fast_open, sendto, sendmsg, sendmsg_tos, large, connected, written, sent_file, copied,
        renumbered, controlled]
OWN = [received, received_late, receive_nothing, bound, mocked, passed, file_in_window, from_where_it_stands, broken_pipe,
       disconnected, waiting]


def work():
    for call in BOTH:
        attempt("forbidden-" + call.__name__, call, FORBIDDEN)
        attempt("allowed-" + call.__name__, call, ALLOWED)
    for call in OWN:
        attempt("own-" + call.__name__, call)


CONNECT = connect_raw()
OLD = udp()
serve(sys.argv[2], work)
