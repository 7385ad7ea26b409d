# SPDX-License-Identifier: Apache-2.0
"""UDP sockets live in a window of descriptor numbers: what a program sees of it, and ways out of it."""
import re
import sqlite3

from world import expect, program

# Every way to write to a connected UDP socket, and what arrives: the same natively and fenced.
WRITES = r"""
import errno, os, select, socket, sys, tempfile
there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
there.bind(("127.0.0.1", 0)); there.settimeout(5)
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
file = tempfile.TemporaryFile(); file.write(b"f" * 3000); file.flush()
def show(name, call, arrives=True):
    try: result = call()
    except OSError as e: print(name, errno.errorcode[e.errno]); return
    print(name, result, there.recv(70000)[:20] if arrives else "")
show("unconnected write", lambda: os.write(here.fileno(), b"x"))
here.connect(there.getsockname())
fd = here.fileno()
show("write", lambda: os.write(fd, b"write"))
show("empty write", lambda: os.write(fd, b""))
show("writev", lambda: os.writev(fd, [b"wri", b"", b"tev"]))
show("empty writev", lambda: os.writev(fd, [b"", b""]), False)
show("pwritev2", lambda: os.pwritev(fd, [b"pwrite", b"v2"], -1, os.RWF_SYNC))
show("pwritev2 at 0", lambda: os.pwritev(fd, [b"x"], 0, os.RWF_SYNC))
show("pwrite", lambda: os.pwrite(fd, b"x", 0))
show("send", lambda: here.send(b"send"))
show("sendmsg", lambda: here.sendmsg([b"send", b"msg"]))
show("sendto", lambda: here.sendto(b"sendto", there.getsockname()))
show("sendfile", lambda: os.sendfile(fd, file.fileno(), 10, 500))
os.lseek(file.fileno(), 2900, os.SEEK_SET)
show("sendfile to the end", lambda: os.sendfile(fd, file.fileno(), None, 500))
print("position", os.lseek(file.fileno(), 0, os.SEEK_CUR))
show("sendfile at the end", lambda: os.sendfile(fd, file.fileno(), None, 500), False)
show("too long", lambda: os.write(fd, b"x" * 70000))
print("select", len(select.select([], [here], [], 0)[1]), fd < 1024)
import struct
def from_address(level, kind, data, to):
    wild = socket.socket(to.family, socket.SOCK_DGRAM)
    return wild.sendmsg([b"x"], [(level, kind, data)], 0, to.getsockname()), to.recvfrom(10)[1][0]
there6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); there6.bind(("::1", 0)); there6.settimeout(5)
show("source", lambda: from_address(0, 8, struct.pack("=I4s4s", 0, socket.inet_aton("127.0.0.5"), b""), there), False)
show("source 6", lambda: from_address(41, 50, socket.inet_pton(socket.AF_INET6, "::1") + struct.pack("I", 0), there6), False)
show("interface 6", lambda: from_address(41, 50, bytes(16) + struct.pack("I", 1), there6), False)
show("foreign source", lambda: from_address(0, 8, struct.pack("=I4s4s", 0, socket.inet_aton("192.0.2.9"), b""), there), False)
copy = here.dup()
show("dup", lambda: copy.send(b"dup"))
print("nonblocking", socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK).getblocking())
print("cloexec", os.get_inheritable(fd), os.get_inheritable(os.dup(fd)))
pid = os.fork()
if pid == 0:
    os.write(fd, b"child"); os._exit(0)
os.waitpid(pid, 0)
print("child", there.recv(100))
here.shutdown(socket.SHUT_WR)
show("after shutdown", lambda: os.write(fd, b"x"))
here.close(); copy.close()
show("closed", lambda: os.write(fd, b"x"))
"""

# Every way to receive: the same natively and fenced.
READS = r"""
import array, ctypes, errno, os, select, signal, socket, struct, threading, time
def udp(family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM); s.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0)); return s
there, here = udp(), udp()
here.connect(there.getsockname()); there.connect(here.getsockname())
fd = there.fileno()
def show(name, call):
    try: print(name, call())
    except OSError as e: print(name, errno.errorcode.get(e.errno, e))
def after(data, call):
    for d in data if isinstance(data, list) else [data]: here.send(d)
    return call()
show("recv", lambda: after(b"recv", lambda: there.recv(100)))
show("recvfrom", lambda: after(b"from", lambda: there.recvfrom(100)[1] == here.getsockname()))
show("read", lambda: after(b"read", lambda: os.read(fd, 100)))
show("read nothing", lambda: after(b"kept", lambda: os.read(fd, 0)))
show("recv nothing", lambda: (there.recv(0), there.setblocking(False)))
show("empty queue", lambda: there.recv(10))
there.setblocking(True)
show("dontwait", lambda: there.recv(10, socket.MSG_DONTWAIT))
show("peek", lambda: after(b"peek", lambda: (there.recv(2, socket.MSG_PEEK), there.recv(100))))
show("cut", lambda: after(b"a long one", lambda: there.recv(3)))
show("cut, told", lambda: after(b"a long one", lambda: there.recvmsg(3)[2] == socket.MSG_TRUNC))
a1, a2, a3 = bytearray(3), bytearray(2), bytearray(100)
show("readv", lambda: after(b"in three parts", lambda: os.readv(fd, [a1, a2, a3])))
print(bytes(a1), bytes(a2), bytes(a3[:9]))
show("preadv2", lambda: after(b"preadv2", lambda: os.preadv(fd, [bytearray(10)], -1, os.RWF_HIPRI)))
show("preadv2 at 0", lambda: os.preadv(fd, [bytearray(10)], 0, os.RWF_HIPRI))
show("preadv2, nowait", lambda: os.preadv(fd, [bytearray(10)], -1, os.RWF_NOWAIT))
show("pread", lambda: os.pread(fd, 10, 0))
show("empty datagram", lambda: after(b"", lambda: there.recvmsg(10)[0]))
show("large", lambda: after(b"x" * 65000, lambda: len(there.recv(70000))))
there.setsockopt(socket.IPPROTO_IP, 12, 1)
there.setsockopt(socket.SOL_SOCKET, 29, 1)
def ancillary():
    data, control, flags, name = there.recvmsg(100, 512)
    return data, sorted((l, t, len(d)) for l, t, d in control), flags, name == here.getsockname()
show("recvmsg", lambda: after(b"control", ancillary))
def control_cut():
    data, control, flags, name = there.recvmsg(100, 20)
    return data, [(l, t) for l, t, d in control], flags == socket.MSG_CTRUNC
show("control cut", lambda: after(b"cut", control_cut))
there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50000))
show("time-out", lambda: there.recv(10))
there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
def later(data, seconds=0.05):
    threading.Timer(seconds, lambda: here.send(data)).start()
show("waits", lambda: (later(b"at last"), there.recv(100))[1])
show("waits in read", lambda: (later(b"at last"), os.read(fd, 100))[1])
class Alarm(Exception): pass
def alarm(*_): raise Alarm()
signal.signal(signal.SIGALRM, alarm)
signal.setitimer(signal.ITIMER_REAL, 0.05)
try: there.recv(10); print("no alarm")
except Alarm: print("alarm")
signal.signal(signal.SIGALRM, lambda *_: later(b"restarted"))
signal.setitimer(signal.ITIMER_REAL, 0.05)
show("restarted", lambda: there.recv(100))
show("poll", lambda: after(b"poll", lambda: (len(select.select([there], [], [], 1)[0]), there.recv(10))))
libc = ctypes.CDLL(None, use_errno=True)
class Iovec(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
class Msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(Iovec)),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int)]
class Mmsghdr(ctypes.Structure): _fields_ = [("hdr", Msghdr), ("len", ctypes.c_uint)]
def recvmmsg(n, flags, timeout=None):
    buffers = [ctypes.create_string_buffer(100) for _ in range(n)]
    vector = (Mmsghdr * n)()
    iov = [Iovec(ctypes.addressof(b), 100) for b in buffers]
    for m, i in zip(vector, iov): m.hdr.iov = ctypes.pointer(i); m.hdr.iovlen = 1
    t = struct.pack("ll", *timeout) if timeout else None
    got = libc.recvmmsg(fd, vector, n, flags, t)
    if got < 0: raise OSError(ctypes.get_errno(), "")
    return got, [buffers[i].raw[:vector[i].len] for i in range(got)]
WAITFORONE = 0x10000
show("recvmmsg", lambda: after([b"1", b"22", b"333"], lambda: recvmmsg(3, 0)))
show("recvmmsg, one", lambda: after([b"1", b"22"], lambda: recvmmsg(5, WAITFORONE)))
show("recvmmsg, dontwait", lambda: after([b"1", b"22"], lambda: recvmmsg(5, socket.MSG_DONTWAIT)))
show("recvmmsg, none", lambda: recvmmsg(5, socket.MSG_DONTWAIT))
show("recvmmsg, waits", lambda: (later(b"second"), after(b"first", lambda: recvmmsg(2, 0)))[1])
show("recvmmsg, waits for one", lambda: (later(b"late"), recvmmsg(4, WAITFORONE))[1])
show("recvmmsg, time", lambda: (later(b"late", 0.1), after(b"first", lambda: recvmmsg(5, 0, (0, 50000000))))[1])
show("recvmmsg, bad time", lambda: recvmmsg(5, 0, (0, 2000000000)))
closed = udp(); port = closed.getsockname()[1]; closed.close()
lost = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
lost.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
lost.connect(("127.0.0.1", port)); lost.send(b"nobody")
show("refused", lambda: lost.recv(10))
show("error queue", lambda: (lambda m: (m[0], [(l, t) for l, t, d in m[1]], hex(m[2])))(lost.recvmsg(100, 512, socket.MSG_ERRQUEUE)))
show("no more errors", lambda: lost.recvmsg(100, 512, socket.MSG_ERRQUEUE))
threading.Timer(0.05, lambda: there.shutdown(socket.SHUT_RD)).start()
show("shut while it waits", lambda: there.recv(10))
six, six2 = udp(socket.AF_INET6), udp(socket.AF_INET6)
six.sendto(b"v6", six2.getsockname())
show("IPv6", lambda: six2.recvfrom(10)[1][:2] == six.getsockname()[:2])
show("no such memory", lambda: (six.sendto(b"v6", six2.getsockname()), libc.recv(six2.fileno(), ctypes.c_void_p(8), 10, 0), errno.errorcode[ctypes.get_errno()])[1:])
"""

# Numbers: only fenced, for natively there is no window.
NUMBERS = r"""
import errno, fcntl, os, socket
def show(name, call):
    try: print(name, call())
    except OSError as e: print(name, errno.errorcode[e.errno])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("first", s.fileno())
second = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
print("second", second.fileno())
second.close()
show("dup", lambda: 512 <= os.dup(s.fileno()) < 1022)
show("dup2 outside", lambda: os.dup2(s.fileno(), 5))
show("dup2 itself", lambda: os.dup2(s.fileno(), s.fileno()))
show("dup2 inside", lambda: os.dup2(s.fileno(), 700))
show("dup3 inside", lambda: os.dup2(s.fileno(), 701, False))
show("from 600", lambda: 600 <= fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 600) < 1024)
show("from 1022", lambda: fcntl.fcntl(700, fcntl.F_DUPFD, 1022))
show("from -1", lambda: fcntl.fcntl(700, fcntl.F_DUPFD, -1))
show("from a million", lambda: fcntl.fcntl(700, fcntl.F_DUPFD, 1000000))
a, b = socket.socketpair()
show("passed", lambda: socket.send_fds(a, [b"x"], [s.fileno()]))
tcp = socket.socket()
show("tcp passed", lambda: socket.send_fds(a, [b"x"], [tcp.fileno()]))
read, write = os.pipe()
show("pipe inside", lambda: os.dup2(write, 900))
show("pipe written", lambda: (os.write(900, b"pipe"), os.read(read, 9)))
show("pipe duplicated", lambda: os.dup(900) < 100)
show("pipe from 20", lambda: fcntl.fcntl(900, fcntl.F_DUPFD, 20))
show("spent", lambda: os.dup2(s.fileno(), 900))
"""

# More than a thousand descriptors: ordinary files fill the window.
MANY = r"""
import errno, os, resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]) or hard, hard))
there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
there.bind(("127.0.0.1", 0)); there.settimeout(5)
files = [os.open("/dev/null", os.O_WRONLY) for _ in range(1500)]
for file in files:
    os.write(file, b"x")
try: here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
except OSError as e: print(errno.errorcode[e.errno]); sys.exit()
here.connect(there.getsockname())
print("high" if here.fileno() > 2000 else "low", here.send(b"hello"), there.recv(10))
"""

# A second thread changes what the number stands for while the first writes to it.
FLIP = r"""
import os, socket, threading
there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
there.bind(("127.0.0.1", 0)); there.setblocking(False)
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
here.connect(there.getsockname())
null = os.open("/dev/null", os.O_WRONLY)
stop, at, heard = False, 600, 0
def flip():
    while not stop:
        for new in (null, here.fileno()):
            try: os.dup2(new, at)
            except OSError: pass
def hear():
    global heard
    try:
        while True: heard += len(there.recv(100))
    except BlockingIOError: pass
thread = threading.Thread(target=flip); thread.start()
# A number that a file was written to by is never a UDP socket's again: each has its race.
for at in range(600, 900):
    for _ in range(20):
        try: os.write(at, b"x" * 7)
        except OSError: pass
    hear()
stop = True; thread.join(); hear()
print(heard)
"""

POLICY = "gae-policy 1\nallow tcp,udp to any\nbind any\nunix pair\nsockopt any any pass\n"


def same_writes(world):
    native = world.native("python3", "-c", WRITES)
    fenced = world.fenced(world.policy(POLICY), "python3", "-c", WRITES)
    expect(native.returncode == 0 and "sendfile to the end 100" in native.stdout, native.stdout + native.stderr)
    expect(fenced.stdout == native.stdout, f"native:\n{native.stdout}\nfenced:\n{fenced.stdout}{fenced.stderr}")


def same_reads(world):
    native = world.native("python3", "-c", READS)
    fenced = world.fenced(world.policy(POLICY), "python3", "-c", READS)
    expect(native.returncode == 0 and "no such memory (-1, 'EFAULT')" in native.stdout, native.stdout + native.stderr)
    expect(fenced.stdout == native.stdout, f"native:\n{native.stdout}\nfenced:\n{fenced.stdout}{fenced.stderr}")


def numbers(world):
    out = world.fenced(world.policy(POLICY), "python3", "-c", NUMBERS, options=["-v"])
    wanted = """first 1023
second 1022
dup True
dup2 outside EPERM
dup2 itself 1023
dup2 inside 700
dup3 inside 701
from 600 True
from 1022 1022
from -1 EINVAL
from a million EMFILE
passed EPERM
tcp passed 1
pipe inside 900
pipe written (4, b'pipe')
pipe duplicated True
pipe from 20 20
spent EBUSY
"""
    expect(out.stdout == wanted, out.stdout + out.stderr)
    expect(re.search(r"dup2\(1023<UDP>, 5\) = -1 EPERM .* stays in the window", out.stderr), f"no reason in the trace: {out.stderr}")


def many(policy, soft, wanted):
    def test(world):
        out = world.fenced(world.policy(policy), "python3", "-c", MANY, str(soft))
        expect(out.stdout == wanted, out.stdout + out.stderr)
    return test


# Nothing tells the program that its memory is free again: it must hear so.
ZERO_COPY = r"""
import errno, socket
there = socket.create_server(("127.0.0.1", 0)); here = socket.create_connection(there.getsockname()); peer, _ = there.accept()
def send(flags):
    try: return here.sendmsg([b"x" * 100], [], flags)
    except OSError as e: return errno.errorcode[e.errno]
print(send(0x4000000)); here.setsockopt(socket.SOL_SOCKET, 60, 1); print(send(0x4000000), send(0), len(peer.recv(1000)))
"""


def zero_copy(world):
    out = world.fenced(world.policy(POLICY + "listen allow\n"), "python3", "-c", ZERO_COPY)
    expect(out.stdout == "100\nENOBUFS 100 200\n", out.stdout + out.stderr)


def flips(world):
    """Every byte that arrived was billed, and none that went into a file."""
    ledger = world.path("ledger.db")
    out = world.fenced(world.policy(POLICY), "python3", "-c", FLIP, options=("--ledger", ledger))
    expect(out.returncode == 0, out.stdout + out.stderr)
    base = sqlite3.connect(ledger)
    billed = base.execute("SELECT sum(bytes_sent), sum(datagrams_sent), sum(bytes_received) FROM usage").fetchone()
    base.close()
    heard = int(out.stdout)
    print(f"# flips: {heard} bytes heard", flush=True)
    expect(heard >= 7 and billed == (heard, heard // 7, heard), f"{heard} bytes heard, in the ledger {billed}")


def tests():
    strict = POLICY.replace("unix pair", "unix none")
    yield "window: every write gives what it gives natively", same_writes
    yield "window: every receive gives what it gives natively", same_reads
    yield "window: a zero-copy message is refused, not left without its end", zero_copy
    yield "window: no way to another number", numbers
    yield "window: 1,500 files and a high limit", many(POLICY, 0, "high 5 b'hello'\n")
    yield "window: 1,500 files and a limit below the high numbers", many(POLICY, 2000, "low 5 b'hello'\n")
    yield "window: 1,500 files where messages pass unseen", many(strict, 2000, "EMFILE\n")
    yield "window: a number that changes while it is written to", flips
