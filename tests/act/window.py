# SPDX-License-Identifier: Apache-2.0
"""UDP sockets live in a window of descriptor numbers: what a program sees of it, and ways out of it."""
import re

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
stop = False
def flip():
    while not stop:
        for new in (null, here.fileno()):
            try: os.dup2(new, 800)
            except OSError: pass
os.dup2(here.fileno(), 800)
thread = threading.Thread(target=flip); thread.start()
for _ in range(3000):
    try: os.write(800, b"x")
    except OSError: pass
stop = True; thread.join()
print("done")
"""

POLICY = "gae-policy 1\nallow tcp,udp to any\nbind any\nunix pair\nsockopt any any pass\n"


def same_writes(world):
    native = world.native("python3", "-c", WRITES)
    fenced = world.fenced(world.policy(POLICY), "python3", "-c", WRITES)
    expect(native.returncode == 0 and "sendfile to the end 100" in native.stdout, native.stdout + native.stderr)
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


def flips(world):
    out = world.fenced(world.policy(POLICY), "python3", "-c", FLIP)
    expect(out.stdout == "done\n", out.stdout + out.stderr)


def tests():
    strict = POLICY.replace("unix pair", "unix none")
    yield "window: every write gives what it gives natively", same_writes
    yield "window: no way to another number", numbers
    yield "window: 1,500 files and a high limit", many(POLICY, 0, "high 5 b'hello'\n")
    yield "window: 1,500 files and a limit below the high numbers", many(POLICY, 2000, "low 5 b'hello'\n")
    yield "window: 1,500 files where messages pass unseen", many(strict, 2000, "EMFILE\n")
    yield "window: a number that changes while it is written to", flips
