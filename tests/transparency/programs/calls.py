#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Single calls whose answer could differ: calls.py NAME... runs those, calls.py - NAME... all others.

One line for each, NAME and what it gives; tests/act has more of the UDP window and of local sockets.
"""
import array
import errno
import fcntl
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time


def pair(family=socket.AF_INET):
    sockets = []
    for _ in range(2):
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        s.settimeout(3)
        sockets.append(s)
    return sockets


def blocking_pair():
    a, b = pair()
    a.setblocking(True)
    return a, b


def answer(call):
    try:
        return call()
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def credentials(control):
    """Is the process that they tell of this one?"""
    return struct.unpack("3i", control)[0] == os.getpid()


def in_child(call):
    pid = os.fork()
    if pid == 0:
        os._exit(call() or 0)
    return pid, lambda: os.waitpid(pid, 0)[1]


def send_flags():
    result = []
    for flag in (0x800, socket.MSG_DONTROUTE, socket.MSG_EOR, socket.MSG_OOB, socket.MSG_NOSIGNAL, 0x40000000, socket.MSG_FASTOPEN):
        a, b = pair()
        b.connect(a.getsockname())
        result.append(answer(lambda a=a, b=b, flag=flag: (b.send(b"abc", flag), a.recv(10))))
    return result


def cork():
    a, b = pair()
    b.connect(a.getsockname())
    b.send(b"one ", socket.MSG_MORE)
    b.send(b"two")
    first = a.recv(100)
    b.setsockopt(17, 1, 1)
    b.send(b"x")
    b.send(b"y")
    b.setsockopt(17, 1, 0)
    return first, a.recv(100)


def segments():
    a, b = pair()
    message = [b"x" * 3000], [(17, 103, struct.pack("H", 1000))], 0, a.getsockname()
    b.sendmsg(*message)
    sizes = [len(a.recv(4000)) for _ in range(3)]
    a.setsockopt(17, 104, 1)
    b.sendmsg(*message)
    data, control, flags, _ = a.recvmsg(4000, 200)
    return sizes, len(data), [(level, kind, len(value)) for level, kind, value in control], flags


def error_queue():
    a = pair()[0]
    a.setsockopt(0, 11, 1)
    a.connect(("127.0.0.1", 9))
    a.send(b"hello")
    poll = select.poll()
    poll.register(a, 0)
    events = [event for _, event in poll.poll(3000)]
    data, control, flags, name = a.recvmsg(100, 300, socket.MSG_ERRQUEUE)
    return events, data, [(level, kind, value[:8]) for level, kind, value in control], flags, name


def pending_error():
    a = pair()[0]
    a.connect(("127.0.0.1", 9))
    a.send(b"h")
    time.sleep(0.05)
    again = answer(lambda: a.send(b"h"))
    time.sleep(0.05)
    return again, a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def ioctls():
    a, b = pair()
    b.sendto(b"12345", a.getsockname())
    waiting = array.array("i", [0])
    fcntl.ioctl(a, 0x541B, waiting)
    return waiting[0], fcntl.ioctl(a, 0x8915, struct.pack("256s", b"lo"))[20:24], socket.if_nameindex()


def asynchronous():
    got = []
    signal.signal(signal.SIGIO, lambda *_: got.append(1))
    a, b = pair()
    fcntl.fcntl(a, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    b.sendto(b"x", a.getsockname())
    time.sleep(0.05)
    return got, a.recv(10)


def files_limit():
    def child():
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        sockets = []
        try:
            for _ in range(100):
                sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        except OSError as e:
            return e.errno if 20 < len(sockets) < 50 else 1
        return 2
    return in_child(child)[1]()


def shutdown_wakes():
    a, b = blocking_pair()
    a.connect(b.getsockname())
    threading.Timer(0.1, lambda: a.shutdown(socket.SHUT_RD)).start()
    return a.recv(10)


def many_wait():
    a, b = blocking_pair()
    out = []
    threads = [threading.Thread(target=lambda: out.append(a.recv(10))) for _ in range(20)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    for i in range(20):
        b.sendto(b"%d" % i, a.getsockname())
    for thread in threads:
        thread.join(5)
    return sorted(map(int, out)) == list(range(20))


def killed():
    a, _ = blocking_pair()
    pid, end = in_child(lambda: len(a.recv(10)))
    time.sleep(0.1)
    begun = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    return end(), time.monotonic() - begun < 0.3


def stopped():
    a, b = blocking_pair()
    pid, end = in_child(lambda: len(a.recv(10)))
    time.sleep(0.1)
    os.kill(pid, signal.SIGSTOP)
    was_stopped = os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.1)
    b.sendto(b"seven..", a.getsockname())
    return was_stopped, end()


def broken_pipe():
    def child():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        a, b = socket.socketpair()
        b.close()
        a.sendmsg([b"x"])
        return 1
    return in_child(child)[1]()


def passed_on():
    a, b = pair()
    b.sendto(b"to the child", a.getsockname())
    code = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); print(s.recv(20), s.type, s.family)"
    return subprocess.run([sys.executable, "-c", code, str(a.fileno())], pass_fds=[a.fileno()], capture_output=True, text=True,
                          check=False).stdout


def edge_triggered():
    a, b = pair()
    epoll = select.epoll()
    epoll.register(a, select.EPOLLIN | select.EPOLLET)
    events = []
    for wait in (3, 0.05, 3):
        if wait > 1:
            b.sendto(b"1", a.getsockname())
        events.append([event for _, event in epoll.poll(wait)])
    return events


def stream_extras():
    there = socket.create_server(("127.0.0.1", 0))
    here = socket.socket()
    sent = here.sendto(b"fast", socket.MSG_FASTOPEN, there.getsockname())
    peer, _ = there.accept()
    first = peer.recv(10)
    here.send(b"ab", socket.MSG_OOB)
    time.sleep(0.05)
    return sent, first, peer.recv(5), peer.recv(5, socket.MSG_OOB)


def splice_from():
    a, b = pair()
    b.sendto(b"out", a.getsockname())
    r, w = os.pipe()
    return os.splice(a.fileno(), w, 5), os.read(r, 10)


def splice_to():
    a, b = pair()
    b.connect(a.getsockname())
    r, w = os.pipe()
    os.write(w, b"piped")
    return os.splice(r, b.fileno(), 5), a.recv(10)


def peer_of_connect():
    there = socket.socket(socket.AF_UNIX)
    there.bind("\0gae-calls-peer")
    there.listen()
    here = socket.socket(socket.AF_UNIX)
    here.connect("\0gae-calls-peer")
    peer, _ = there.accept()
    return [credentials(s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)) for s in (here, peer)]


def sender_of_message():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    a.send(b"1")
    a.sendmsg([b"2"])
    return [credentials(b.recvmsg(10, 100)[1][0][2]) for _ in range(2)]


def own_credentials():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    mine = struct.pack("3i", os.getpid(), os.getuid(), os.getgid())
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, mine)])
    return credentials(b.recvmsg(10, 100)[1][0][2])


def move_down():
    a, _ = pair()
    return os.dup2(a.fileno(), 30)


CALLS = [send_flags, cork, segments, error_queue, pending_error, ioctls, asynchronous, files_limit, shutdown_wakes, many_wait, killed,
         stopped, broken_pipe, passed_on, edge_triggered, stream_extras, splice_from, splice_to, peer_of_connect, sender_of_message,
         own_credentials, move_down]

names = sys.argv[1:]
for call in CALLS:
    if (call.__name__ not in names[1:]) if names[0] == "-" else (call.__name__ in names):
        print(call.__name__, answer(call), flush=True)
