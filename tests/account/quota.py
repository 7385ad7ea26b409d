# SPDX-License-Identifier: Apache-2.0
"""Quotas: over all instances of an app, by the minute and by the day."""
import glob
import struct
import time

from bank import SERVER, Answers, Datagrams, Wire
from tcp import HEAD, answer, sink
from udp import HEAD as UDP
from world import expect

POLICY = "gae-policy 1\nallow tcp,udp to any\nlisten allow\nbind any\nsockopt any any pass\n"
# quotas.c: a magic of 16 bytes, then for each quota the minute's word and the day's.
KINDS = ("creates", "binds", "connects", "sends", "receives", "bytes-sent", "bytes-received")
MINUTE_BITS, DAY_BITS = 38, 48
CONNECTS = """
codes = [socket.socket().connect_ex((host, port)) for _ in range(int(sys.argv[3]))]
print("".join("." if c == 0 else errno.errorcode[c] + " " for c in codes))
"""


def counters(world):
    files = glob.glob(world.path("quota-*"))
    expect(len(files) == 1, files)
    return files[0]


def change(world, kind, minutes=0, days=0, count=None):
    """Makes the windows of @kind begin so much earlier (or later)."""
    with open(counters(world), "r+b") as f:
        at = 16 + KINDS.index(kind) * 16
        f.seek(at)
        minute, day = struct.unpack("QQ", f.read(16))
        minute += minutes << MINUTE_BITS
        day += days << DAY_BITS
        if count is not None:
            minute = minute >> MINUTE_BITS << MINUTE_BITS | count
        f.seek(at)
        f.write(struct.pack("QQ", minute, day))


def within_a_minute(seconds=15):
    """The minute that counts begins no sooner than in so many seconds."""
    left = 60 - time.time() % 60
    if left < seconds:
        time.sleep(left + 0.1)


def connects(world, server, n, quota, **keywords):
    return world.python(HEAD + CONNECTS, SERVER, server.port, n, policy=POLICY + quota, **keywords).stdout.strip()


def sixth(world):
    within_a_minute()
    server, trace = world.server(sink), world.path("trace")
    said = connects(world, server, 6, "quota connects 5/min\n", options=("--trace", trace))
    expect(said == ".....EDQUOT", said)
    with open(trace, encoding="utf-8") as f:
        lines = [line for line in f if " connect(" in line and "EDQUOT" in line]
    expect(len(lines) == 1 and "test.conf:6" in lines[0] and "quota of connects" in lines[0], lines)
    world.expect_sums("1", "no denial by a rule", connects=5, denied=0)


def instances(world):
    """One after the other, and a new minute."""
    within_a_minute(20)
    server, quota = world.server(sink), "quota connects 5/min 12/day\n"
    for n, wanted, minutes in ((3, "...", 0), (4, "..EDQUOT EDQUOT", 0), (6, ".....EDQUOT", -1), (3, "..EDQUOT", -1),
                               (1, "EDQUOT", -1)):
        if minutes:
            change(world, "connects", minutes=minutes)
        said = connects(world, server, n, quota)
        expect(said == wanted, f"{said}, not {wanted}")
    change(world, "connects", minutes=-1, days=-1)
    said = connects(world, server, 6, quota)
    expect(said == ".....EDQUOT", f"on a new day: {said}")


def lifted(world):
    server = world.server(sink)
    said = connects(world, server, 3, "quota connects 2/day\n")
    expect(said == "..EDQUOT", said)
    said = connects(world, server, 3, "quota connects unlimited\n")
    expect(said == "...", f"lifted: {said}")


def at_once(world):
    """Four at once have together what one would have."""
    server = world.server(sink)
    running = [world.begin(HEAD + CONNECTS, SERVER, server.port, 400, policy=POLICY + "quota connects 1000/day\n",
                           text=True) for _ in range(4)]
    said = "".join(process.communicate(timeout=30)[0] for process in running)
    expect((said.count("."), said.count("EDQUOT")) == (1000, 600), f"{said.count('.')} connects, {said.count('EDQUOT')} refused: {said[-300:]}")
    world.expect_sums("1", "at once", connects=1000)


def binds_and_creates(world):
    done = world.python(HEAD + """
def attempt(call):
    try: call(); return "."
    except OSError as e: return errno.errorcode[e.errno] + " "
def bind(kind): return socket.socket(socket.AF_INET, kind).bind(("127.0.0.1", 0))
print("".join(attempt(lambda: bind(k)) for k in (socket.SOCK_STREAM, socket.SOCK_DGRAM) * 2))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("".join(attempt(lambda: s.sendto(b"x", ("127.0.0.1", 9))) for _ in range(3)))
print(attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))))
""", SERVER, 0, policy=POLICY + "quota binds 3/day\nquota creates 5/day\n")
    expect(done.stdout.split("\n")[:3] == ["...EDQUOT ", "...", "EDQUOT "], done.stdout)


def datagrams(world):
    """UDP to the byte: what would be too much is not sent at all."""
    there, wire = world.kept(Datagrams()), world.kept(Wire())
    done = world.python(UDP + """
def attempt(call):
    try: call(); return "."
    except OSError as e: return errno.errorcode[e.errno] + " "
s = connected()
print("".join(attempt(lambda: s.send(b"x" * 300)) for _ in range(5)), attempt(lambda: s.send(b"y" * 100)), end="")
print(attempt(lambda: os.write(s.fileno(), b"z")))
""", SERVER, there.port, policy=POLICY + "quota bytes-sent 1000B/day\n")
    expect(done.stdout.strip() == "...EDQUOT EDQUOT  .EDQUOT", done.stdout)
    expect(there.heard() == (1000, 4) and wire.seen("udp", there.port) == 1000, "the server heard something else")
    world.expect_sums("1", "to the byte", seconds=3, bytes_sent=1000, datagrams_sent=4)


def sends(world):
    there = world.kept(Datagrams())
    world.python(UDP + """
s = connected(); fine = 0
for i in range(10):
    try: s.send(b"x"); fine += 1
    except OSError as e: assert e.errno == errno.EDQUOT, e
assert fine == 7, fine
""", SERVER, there.port, policy=POLICY + "quota sends 7/day\n")
    expect(there.heard() == (7, 7), "the server heard something else")


def receives(world):
    """UDP: the datagram that is one too many stays where it is."""
    there = world.kept(Answers())
    done = world.python(UDP + """
def attempt(call):
    try: return len(call())
    except OSError as e: return errno.errorcode[e.errno]
s = connected(); s.send(b"!1 2 3 4 5"); s.settimeout(5)
print([attempt(lambda: s.recv(10)) for _ in range(5)], attempt(lambda: s.recv(10, socket.MSG_PEEK)), s.send(b"x"))
""", SERVER, there.port, policy=POLICY + "quota receives 3/day\n")
    expect(done.stdout.strip() == "[1, 2, 3, 'EDQUOT', 'EDQUOT'] EDQUOT 1", done.stdout)
    world.expect_sums("1", "what was received", seconds=3, bytes_received=6, datagrams_received=3, datagrams_sent=2)


def bytes_received(world):
    """How long a datagram is shows when it is there: the last one may go beyond."""
    there = world.kept(Answers())
    done = world.python(UDP + """
def attempt(call):
    try: return len(call())
    except OSError as e: return errno.errorcode[e.errno]
s = connected(); s.send(b"!300 300 300 300 300"); s.settimeout(5)
print([attempt(lambda: s.recv(500)) for _ in range(5)])
""", SERVER, there.port, policy=POLICY + "quota bytes-received 1000B/day\n")
    expect(done.stdout.strip() == "[300, 300, 300, 300, 'EDQUOT']", done.stdout)
    world.expect_sums("1", "what was received", seconds=3, bytes_received=1200, datagrams_received=4)


def flood(connection, server):
    """Sends for as long as somebody takes it."""
    while True:
        server.send(connection, b"f" * 10000)
        time.sleep(0.005)


def stream_received(world):
    """What a peer sends too much of is not taken for ever: the connection is shut both ways, and no new one begun."""
    server, trace = world.server(flood), world.path("trace")
    done = world.python(HEAD + """
s = reach(); n = 0; begun = time.monotonic()
try:
    while (m := len(s.recv(1 << 16))): n += m; assert time.monotonic() - begun < 30, "it goes on"
except ConnectionResetError: pass
try: s.send(b"x"); sys.exit("sent")
except (BrokenPipeError, ConnectionResetError): pass
new = socket.socket().connect_ex((host, port)); assert new == errno.EDQUOT, new
print(n)
""", SERVER, server.port, policy=POLICY + "quota bytes-received 300KB/day\n", options=("--trace", trace))
    with open(trace, encoding="utf-8") as f:
        lines = [line for line in f if " quota(" in line]
    expect(len(lines) == 1 and "test.conf:6" in lines[0] and "EPIPE" in lines[0], lines)
    received = int(done.stdout)
    print(f"# 300kB from TCP at 2 MB/s: {received / 1e3:.0f} kB were read", flush=True)
    expect(300000 <= received <= 3000000, received)
    sums = world.sums()
    expect(received <= sums["bytes_received"] <= server.written, f"{received} read, {sums}, {server.written} written")


def segments(kind, handle):
    """TCP by segments, as the kernel counts them: shut when they are used up."""
    def test(world):
        server = world.server(handle)
        done = world.python(HEAD + """
s = reach(); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); n = 0; begun = time.monotonic()
try:
    while time.monotonic() - begun < 30:
        s.send(b"x"); n += 1
        if not s.recv(1000): raise BrokenPipeError()
    sys.exit("not shut")
except (BrokenPipeError, ConnectionResetError): pass
new = socket.socket().connect_ex((host, port)); assert new == errno.EDQUOT, new
print(n)
""", SERVER, server.port, policy=POLICY + f"quota {kind} 500/day\n")
        n = int(done.stdout)
        print(f"# {kind} 500: {n}", flush=True)
        # There and back each is a segment, and the first look comes 20 ms after the first.
        expect(n >= 500, n)
    test.__name__ = f"segments_{kind}"
    return test


OVERRUN = 160 << 20


def stream(world):
    """TCP runs over by what a look is late, is shut for writing then, and nothing new is begun."""
    server, trace = world.server(sink), world.path("trace")
    done = world.python(HEAD + """
s, other = reach(), reach(); other.send(b"o"); n = 0
try:
    while True: n += s.send(b"x" * 65536)
except BrokenPipeError: pass
new = socket.socket().connect_ex((host, port)); assert new == errno.EDQUOT, new
p = select.poll(); p.register(other, select.POLLOUT)
for i in range(100):
    try: other.send(b"o"); time.sleep(0.01)
    except BrokenPipeError: break
else: sys.exit("the other connection was not shut")
print(n)
""", SERVER, server.port, policy=POLICY + "quota bytes-sent 1MB/day\n", options=("--trace", trace))
    sent = int(done.stdout)
    with open(trace, encoding="utf-8") as f:
        lines = [line for line in f if " quota(" in line]
    expect(len(lines) == 2 and all("test.conf:6" in line and "EPIPE" in line for line in lines), lines)
    print(f"# 1MB over TCP, unthrottled: {sent / 1e6:.1f} MB were sent", flush=True)
    expect(1000000 <= sent <= OVERRUN, f"{sent} bytes were sent")
    world.expect_sums("1", "what was sent is billed", connects=2, bytes_sent=server.read)


def slow_stream(world):
    """A connection of which the end of the quota can be foreseen overruns it by little."""
    server = world.server(answer)
    done = world.python(HEAD + """
s = reach(); n = 0
try:
    while True: n += s.send(b"x" * 10000); s.recv(1000); time.sleep(0.01)
except BrokenPipeError: pass
print(n)
""", SERVER, server.port, policy=POLICY + "quota bytes-sent 300KB/day\n")
    sent = int(done.stdout)
    print(f"# 300kB over TCP at 1 MB/s: {sent / 1e3:.0f} kB were sent", flush=True)
    expect(300000 <= sent <= 450000, f"{sent} bytes were sent")


def tests():
    return [(f"quota-{f.__name__.replace('_', '-')}", f) for f in (
        sixth, instances, lifted, at_once, binds_and_creates, datagrams, sends, receives, bytes_received,
        stream_received, segments("sends", answer), segments("receives", answer), stream, slow_stream)]
