# SPDX-License-Identifier: Apache-2.0
"""Local sockets with a name: what `unix allow` lists is bound and reached as without a fence, and nothing else."""
from world import expect

# The same natively and fenced.
BINDS = r"""
import errno, os, socket, sys
top = sys.argv[1]
os.mkdir(top + "/d"); os.chdir(top + "/d"); os.mkdir("sub"); os.symlink("sub", "link"); os.symlink("nowhere", "broken")
def show(name, call):
    try: print(name, call())
    except OSError as e: print(name, errno.errorcode[e.errno])
def bind(path, umask=0o22, kind=socket.SOCK_STREAM):
    def go():
        os.umask(umask)
        s = socket.socket(socket.AF_UNIX, kind); s.bind(path)
        return str(s.getsockname()).replace(top, "TOP"), oct(os.stat(path).st_mode) if path[0] != "\0" else ""
    return go
show("relative", bind("a"))
show("again", bind("a"))
show("absolute", bind(top + "/d/b", 0o077))
show("crooked", bind("sub/../link//c", 0))
show("broken link", bind("broken"))
show("dot", bind("sub/."))
show("directory", bind("sub/"))
show("ends with a slash", bind("new/"))
show("no directory", bind("no/x"))
show("no directory but a socket", bind("a/x"))
show("datagram", bind("dg", 0o27, socket.SOCK_DGRAM))
show("107 bytes", bind("y" * 107))
show("abstract", bind("\0gae-act-local"))
show("abstract with a NUL", bind("\0gae-act-local\0x"))
def chosen():
    s = socket.socket(socket.AF_UNIX); s.bind(""); return len(s.getsockname())
show("chosen", chosen)
def twice():
    s = socket.socket(socket.AF_UNIX); s.bind("t1"); s.bind("t2")
show("twice", twice)
def serve():
    s = socket.socket(socket.AF_UNIX); s.bind("srv"); s.listen()
    c = socket.socket(socket.AF_UNIX); c.connect("srv"); a, _ = s.accept(); c.send(b"hi")
    return a.recv(5), c.getpeername()
show("served", serve)
def full():
    import struct, threading, time
    s = socket.socket(socket.AF_UNIX); s.bind("full"); s.listen(0)
    first = socket.socket(socket.AF_UNIX); first.connect("full")
    def more(timeout):
        c = socket.socket(socket.AF_UNIX); c.setblocking(timeout != 0)
        if timeout: c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", *divmod(timeout, 1000000)))
        begun = time.monotonic()
        try: c.connect("full"); return "connected", time.monotonic() - begun > 0.1
        except OSError as e: return errno.errorcode[e.errno], time.monotonic() - begun > 0.1
    now, late = more(0), more(150000)
    threading.Timer(0.2, lambda: (s.accept(), s.accept())).start()
    return now, late, more(3000000)
show("full queue", full)
# The length is an int: what the register has above it is nobody's, least of all when the call waits.
def upper_half():
    import ctypes, struct, threading
    s = socket.socket(socket.AF_UNIX); s.bind("half"); s.listen(0)
    first = socket.socket(socket.AF_UNIX); first.connect("half")
    name = struct.pack("=H", socket.AF_UNIX) + b"half"
    place = ctypes.create_string_buffer(name + b"A" * (8 << 20))
    number = {"x86_64": 42, "aarch64": 203}[os.uname().machine]
    c = socket.socket(socket.AF_UNIX)
    threading.Timer(0.2, lambda: (s.accept(), s.accept())).start()
    libc = ctypes.CDLL(None, use_errno=True)
    # The bytes behind the name are A's, so its length ends it.
    rc = libc.syscall(ctypes.c_long(number), ctypes.c_long(c.fileno()), place, ctypes.c_long(1 << 32 | len(name)))
    return rc, ctypes.get_errno(), c.getpeername()
show("upper half of the length", upper_half)
def datagrams():
    a = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); a.bind("da")
    b = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); b.bind("db")
    b.sendto(b"hi", "da"); return a.recvfrom(10)
show("datagrams", datagrams)
"""

# Descriptors in two control messages at once; a UDP socket is in the second of the last.
RIGHTS = r"""
import array, errno, os, socket
a, b = socket.socketpair()
def send(*sets):
    try: return a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds)) for fds in sets])
    except OSError as e: return errno.errorcode[e.errno]
def received():
    data, control, flags, _ = b.recvmsg(10, 4096)
    fds = array.array("i")
    for level, kind, blob in control: fds.frombytes(blob)
    return data, [os.fstat(fd).st_ino == os.fstat(own).st_ino for fd, own in zip(fds, (0, 1, 2))]
null = os.open("/dev/null", os.O_RDONLY)
print(send([0], [1, 2]), received())
print(send([0], [-1]), send([null] * 200, [null] * 53), len(b.recvmsg(10, 4096)[1]), send([null] * 200, [null] * 54))
udp = socket.socket(type=socket.SOCK_DGRAM)
print(send([0], [udp.fileno()]))
"""

# Only fenced.
REFUSED = r"""
import errno, os, socket, sys
top = sys.argv[1]
os.mkdir(top + "/allowed"); os.mkdir(top + "/other"); os.chdir(top + "/allowed"); os.symlink("../other", "out")
for path in (top + "/other/x", "../other/x", "out/x", "\0other", "", "fine"):
    s = socket.socket(socket.AF_UNIX)
    try: s.bind(path); print("bound")
    except OSError as e: print(errno.errorcode[e.errno])
print(os.listdir(top + "/other"))
"""

POLICY = "gae-policy 1\nsockopt any any pass\nlisten allow\nunix allow "


def same_binds(world):
    native_top, fenced_top = world.path("n"), world.path("f")
    policy = world.policy(f"{POLICY}{fenced_top}/* @*\n")
    native = world.native("sh", "-c", 'mkdir "$2" && exec python3 -c "$1" "$2"', "sh", BINDS, native_top)
    fenced = world.fenced(policy, "sh", "-c", 'mkdir "$2" && exec python3 -c "$1" "$2"', "sh", BINDS, fenced_top)
    expect(native.returncode == 0 and "datagrams (b'hi', 'db')" in native.stdout, native.stdout + native.stderr)
    expect(fenced.stdout == native.stdout, f"native:\n{native.stdout}\nfenced:\n{fenced.stdout}{fenced.stderr}")


def unlisted(world):
    top = world.path("u")
    out = world.fenced(world.policy(f"{POLICY}{top}/allowed/*\n"), "sh", "-c", 'mkdir "$2" && exec python3 -c "$1" "$2"', "sh",
                       REFUSED, top)
    expect(out.stdout == "EACCES\nEACCES\nEACCES\nEACCES\nEACCES\nbound\n[]\n", out.stdout + out.stderr)


def rights(world):
    native = world.native("python3", "-c", RIGHTS)
    fenced = world.fenced(world.policy(POLICY.replace("unix allow ", "unix pair\n")), "python3", "-c", RIGHTS)
    lines = native.stdout.splitlines()
    expect(len(lines) == 3 and lines[0] == "1 (b'x', [True, True, True])" and lines[2] == "1", native.stdout + native.stderr)
    expect(fenced.stdout.splitlines() == lines[:2] + ["EPERM"], f"native:\n{native.stdout}\nfenced:\n{fenced.stdout}{fenced.stderr}")


def tests():
    yield "local: names are bound as they are natively", same_binds
    yield "local: no name that is not listed is bound", unlisted
    yield "local: descriptors in several control messages", rights
