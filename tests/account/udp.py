# SPDX-License-Identifier: Apache-2.0
"""UDP, to the byte and to the datagram."""
from bank import SERVER, SERVER6, Answers, Counter, Datagrams, Wire
from world import expect

HEAD = """
import ctypes, errno, os, select, socket, struct, sys, tempfile, time
host, port = sys.argv[1], int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
def udp(family=socket.AF_INET): return socket.socket(family, socket.SOCK_DGRAM)
def connected():
    s = udp(); s.connect((host, port)); return s
class Iov(ctypes.Structure): _fields_ = [("base", ctypes.c_char_p), ("size", ctypes.c_size_t)]
class Header(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_size", ctypes.c_uint), ("iov", ctypes.POINTER(Iov)),
                ("n", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_size", ctypes.c_size_t),
                ("flags", ctypes.c_int)]
class Many(ctypes.Structure): _fields_ = [("header", Header), ("length", ctypes.c_uint)]
def sendmmsg(s, datas):
    many = (Many * len(datas))()
    for one, data in zip(many, datas):
        one.header.iov = ctypes.pointer(Iov(data, len(data))); one.header.n = 1
    return libc.sendmmsg(s.fileno(), many, len(datas), 0)
"""


def every_call(world):
    there, wire = world.kept(Datagrams()), world.kept(Wire())
    counter = world.kept(Counter("udp", there.port))
    world.python(HEAD + """
s = connected(); fd = s.fileno()
file = tempfile.TemporaryFile(); file.write(b"f" * 3000); file.flush()
for i in range(20):
    s.send(b"a" * 1); s.sendmsg([b"b" * 2, b"b" * 4]); os.write(fd, b"c" * 8); os.writev(fd, [b"d" * 16, b"d" * 32])
    assert os.sendfile(fd, file.fileno(), 0, 64) == 64
    assert sendmmsg(s, [b"e" * 128, b"e" * 256, b"e" * 512]) == 3
    s.sendto(b"g" * 1024, (host, port)); os.pwritev(fd, [b"h" * 1400], -1)
    s.send(b"")
u = udp()
for i in range(20): u.sendto(b"u" * 5, (host, port)); u.sendmsg([b"v" * 7], [], 0, (host, port))
if os.fork() == 0:
    s.send(b"child" * 20); os._exit(0)
os.wait()
os.dup(fd); os.write(os.dup(fd), b"dup")
""", SERVER, there.port)
    size, n = there.heard()
    expect((size, n) == (20 * 3447 + 20 * 12 + 103, 20 * 11 + 40 + 2), f"the server heard {n} of {size} bytes")
    expect(wire.seen("udp", there.port) == size, "the witness saw something else")
    expect(counter.seen() == (n, size), f"nftables counted {counter.seen()}, the server {(n, size)}")
    # The child is a process of its own; the unconnected socket has made no connect.
    world.expect_sums("1", "all calls", seconds=3, bytes_sent=size, datagrams_sent=n)
    world.expect_sums("1", "all calls", seconds=3, denied=0, connects=1)


def destinations(world):
    """Several from one socket, connected anew in between, IPv4, mapped and IPv6."""
    one, two = world.kept(Datagrams()), world.kept(Datagrams())
    world.python(HEAD + """
other = int(sys.argv[3])
s = udp(socket.AF_INET6)
for i in range(10):
    s.sendto(b"m" * 3, ("::ffff:" + host, port)); s.sendto(b"6" * 5, ("fd09::1", port)); s.sendto(b"o" * 7, ("fd09::1", other))
s.connect(("fd09::1", port)); s.send(b"c" * 11); s.sendto(b"d" * 13, ("fd09::1", other)); s.send(b"c" * 11)
s.connect(("fd09::1", other)); s.send(b"e" * 17)
assert libc.connect(s.fileno(), bytes(28), 28) == 0
try: s.send(b"x"); sys.exit("sent to nowhere")
except OSError as e: assert e.errno == errno.EDESTADDRREQ
s.sendto(b"m" * 19, ("::ffff:" + host, other))
""", SERVER, one.port, two.port)
    heard = [one.heard(), two.heard()]
    expect(heard == [(30 + 50 + 22, 22), (70 + 13 + 17 + 19, 13)], heard)
    for address, port, size, n, connects in ((SERVER, one.port, 30, 10, 0), (SERVER6, one.port, 72, 12, 1),
                                             (SERVER6, two.port, 100, 12, 1), (SERVER, two.port, 19, 1, 0)):
        world.expect_sums(f"address='{address}' AND port={port}", f"{address} {port}", seconds=3, bytes_sent=size,
                          datagrams_sent=n, connects=connects)


def segments(world):
    """UDP_SEGMENT: one message, many datagrams."""
    there = world.kept(Datagrams())
    world.python(HEAD + """
s = connected()
for i in range(10): s.sendmsg([b"s" * 1050], [(17, 103, struct.pack("H", 100))]) # SOL_UDP, UDP_SEGMENT
s.setsockopt(17, 103, 200)
for i in range(10): s.send(b"t" * 1000); os.write(s.fileno(), b"w" * 150)
""", SERVER, there.port)
    heard = there.heard()
    expect(heard == (10 * 1050 + 10 * 1150, 10 * 11 + 10 * 6), heard)
    world.expect_sums("1", "segments", seconds=3, bytes_sent=heard[0], datagrams_sent=heard[1])


def more(world):
    """MSG_MORE: many messages, one datagram."""
    there = world.kept(Datagrams())
    world.python(HEAD + """
s = connected()
for i in range(10):
    s.send(b"a" * 10, socket.MSG_MORE); s.send(b"b" * 20, socket.MSG_MORE); s.send(b"c" * 30)
""", SERVER, there.port)
    heard = there.heard()
    expect(heard == (600, 10), heard)
    world.expect_sums("1", "MSG_MORE", seconds=3, bytes_sent=600, datagrams_sent=10)


def refused(world):
    """A datagram that is refused for what became of the one before it was not sent."""
    wire = world.kept(Wire())
    world.python(HEAD + """
s = connected(); fine = failed = 0
while fine < 20 or failed < 5:
    try: s.send(b"x" * 100); fine += 1
    except ConnectionRefusedError: failed += 1
    time.sleep(0.002)
open(sys.argv[3], "w").write(str(fine))
""", SERVER, 7, world.path("fine"))
    with open(world.path("fine"), encoding="ascii") as f:
        fine = int(f.read())
    expect(wire.seen("udp", 7) == 100 * fine, "the witness saw something else")
    world.expect_sums("1", "refused", seconds=3, bytes_sent=100 * fine, datagrams_sent=fine, connects=1)


def errors(world):
    """What fails is not counted: too long, no buffer, shut, denied."""
    there = world.kept(Datagrams())
    world.python(HEAD + """
s = connected()
def fails(call, *names):
    try: call(); sys.exit("no error")
    except OSError as e: assert errno.errorcode[e.errno] in names, e
fails(lambda: s.send(b"x" * 70000), "EMSGSIZE")
fails(lambda: s.sendto(b"x", ("10.9.0.77", 5)), "EACCES")
fails(lambda: os.sendfile(s.fileno(), 0, 0, 10), "EINVAL")
assert libc.send(s.fileno(), ctypes.c_void_p(16), 10, 0) == -1 and ctypes.get_errno() == errno.EFAULT
s.send(b"ok"); s.shutdown(socket.SHUT_WR); fails(lambda: s.send(b"x"), "EPIPE")
""", SERVER, there.port, policy=f"gae-policy 1\nallow udp to {SERVER}\nbind any\nsockopt any any pass\n")
    expect(there.heard() == (2, 1), "the server heard something else")
    world.expect_sums(f"address='{SERVER}'", "errors", seconds=3, bytes_sent=2, datagrams_sent=1, connects=1, denied=0)
    world.expect_sums("address='10.9.0.77'", "denied", seconds=3, bytes_sent=0, datagrams_sent=0, denied=1)


def many_destinations(world):
    """More than one batch of the ledger's has room for; all of it is there in the end."""
    there = world.kept(Datagrams())
    world.python(HEAD + """
s = udp()
for p in range(20000, 23000): s.sendto(b"x" * 3, (host, p))
s.sendto(b"y", (host, port))
""", SERVER, there.port)
    world.expect_sums("1", "3,001 destinations", seconds=3, bytes_sent=9001, datagrams_sent=3001)
    expect(world.query("SELECT count(*) FROM usage") == [(3001,)], world.query("SELECT count(*) FROM usage"))


def burst(world):
    """Ten thousand sockets, each for one datagram."""
    there = world.kept(Datagrams())
    world.python(HEAD + """
for i in range(10000):
    s = udp(); s.sendto(b"x" * 10, (host, port)); s.close()
""", SERVER, there.port)
    heard = there.heard()
    expect(heard == (100000, 10000), heard)
    world.expect_sums("1", "10,000 sockets", seconds=3, bytes_sent=100000, datagrams_sent=10000)


RECEIVE = HEAD + """
s = connected(); fd = s.fileno()
def ask(what, sock=s): sock.send(b"!" + what.encode())
def got(data, size): assert len(data) == size, (len(data), size)
def recvmmsg(s, n, size):
    many = (Many * n)(); rooms = [ctypes.create_string_buffer(size) for _ in many]
    for one, room in zip(many, rooms):
        one.header.iov = ctypes.pointer(Iov(ctypes.cast(room, ctypes.c_char_p), size)); one.header.n = 1
    done = libc.recvmmsg(s.fileno(), many, n, 0, None); assert done == n, (done, ctypes.get_errno())
    return [one.length for one in many]
"""


def received(world):
    """Each way of receiving, to the byte; what is only looked at, and what nobody receives, is not counted."""
    there = world.kept(Answers())
    world.python(RECEIVE + """
ask("1 2 4"); got(s.recv(100), 1); got(s.recvfrom(100)[0], 2); got(s.recvmsg(100, 100)[0], 4)
ask("8 16 32"); assert recvmmsg(s, 3, 100) == [8, 16, 32]
ask("64 128 256"); got(os.read(fd, 1000), 64); assert os.readv(fd, [bytearray(100), bytearray(100)]) == 128
assert os.preadv(fd, [bytearray(1000)], -1, os.RWF_HIPRI) == 256
ask("512"); [got(s.recv(1000, socket.MSG_PEEK), 512) for _ in range(5)]; got(s.recv(1000), 512)
# Cut off, it came in all the same.
ask("1024 1200"); got(s.recv(10), 10); assert s.recv_into(bytearray(10), 10, socket.MSG_TRUNC) == 1200
ask("0 1400"); got(s.recv(10), 0); got(s.recv(5000), 1400)
for flags in 0, socket.MSG_PEEK:
    try: s.recv(10, flags | socket.MSG_DONTWAIT); sys.exit("something was there")
    except BlockingIOError: pass
# A connected socket hears nothing from elsewhere.
ask("e1300 3"); got(s.recv(5000), 3); ask("1100"); select.select([s], [], [], 5)
""", SERVER, there.port)
    world.expect_sums("1", "received", seconds=3, bytes_received=1023 + 1024 + 1200 + 1400 + 3, datagrams_received=10 + 2 + 2 + 1,
                      datagrams_sent=8, connects=1, denied=0)


def received_from(world):
    """Where it comes from decides whose it is; a socket that never sent anything receives, too, and a child."""
    there = world.kept(Answers())
    world.python(RECEIVE + """
u = udp(); u.sendto(b"!5 e7 e7", (host, port))
assert sorted(len(u.recv(100)) for _ in range(3)) == [5, 7, 7]
silent = udp(); silent.bind(("", 0)); ask("to:%d:11" % silent.getsockname()[1]); got(silent.recv(100), 11)
six = udp(socket.AF_INET6); six.connect(("fd09::1", port)); ask("13", six); got(six.recv(100), 13)
mapped = udp(socket.AF_INET6); mapped.sendto(b"!17", ("::ffff:" + host, port)); got(mapped.recv(100), 17)
if os.fork() == 0:
    ask("19"); got(s.recv(100), 19); os._exit(0)
assert os.wait()[1] == 0
""", SERVER, there.port)
    for where, size, n in ((f"port={there.port} AND address='{SERVER}'", 5 + 11 + 17 + 19, 4),
                           (f"port={there.port} AND address='{SERVER6}'", 13, 1), (f"port={there.other_port}", 14, 2),
                           ("1", 79, 7)):
        world.expect_sums(where, f"received, {where}", seconds=3, bytes_received=size, datagrams_received=n)


def tests():
    return [(f"udp-{f.__name__.replace('_', '-')}", f) for f in (
        every_call, destinations, segments, more, refused, errors, many_destinations, burst, received,
        received_from)]
