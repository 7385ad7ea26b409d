# SPDX-License-Identifier: Apache-2.0
"""Idle sockets are reclaimed; those that are used are not, and cost nothing."""
import os
import socket
import time

from bank import SERVER, Answers, Datagrams
from processes import ticks
from tcp import HEAD, answer, sink
from world import expect

IDLE = "gae-policy 1\nallow tcp,udp to any\nlisten allow\nbind any\nunix pair\nsockopt any any pass\nidle {}\n"
BROKEN = """
def gone(s):
    try: s.send(b"x"); return False
    except BrokenPipeError: return True
def wait(s, seconds=10):
    "Until the socket was shut for reading."
    p = select.poll(); p.register(s, select.POLLRDHUP | select.POLLHUP)
    assert p.poll(seconds * 1000), "never reclaimed"
"""


def traced(world, idle, handle, script, *arguments, options=(), **keywords):
    """Runs it; the lines of the trace that tell of reclaiming."""
    server = world.server(handle)
    trace = world.path("trace")
    world.python(HEAD + BROKEN + script, SERVER, server.port, *arguments, policy=IDLE.format(idle),
                 options=("--trace", trace, *options), **keywords)
    with open(trace, encoding="utf-8") as f:
        return server, [line for line in f if " reclaim(" in line]


def tcp_reclaimed(world):
    _, lines = traced(world, "300ms", sink, """
s = reach(); begun = time.monotonic()
wait(s)
took = time.monotonic() - begun; assert 0.25 < took < 10, took
assert s.recv(10) == b"" and gone(s)
""")
    expect(len(lines) == 1 and "EPIPE" in lines[0] and "idle for 300ms" in lines[0] and "test.conf:7" in lines[0], lines)


def udp_reclaimed(world):
    there = world.kept(Datagrams())
    _, lines = traced(world, "300ms", sink, """
port = int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect((host, port)); s.send(b"a")
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.sendto(b"b", (host, port))
wait(s); wait(u)
assert gone(s)
try: u.sendto(b"x", (host, port)); sys.exit("sent")
except BrokenPipeError: pass
n = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); n.sendto(b"new", (host, port))
""", there.port)
    expect(there.heard() == (5, 3), "the server heard something else")
    expect(len(lines) == 2 and all("EPIPE" in line and "udp" in line.lower() for line in lines), lines)
    world.expect_sums("transport='udp'", "nothing of it counted", seconds=3, bytes_sent=5, datagrams_sent=3)


def traffic_keeps(world):
    """A byte out, a byte in, a datagram out, one in, a call that moves nothing: each keeps its socket."""
    def trickle(connection, server):
        if server.receive(connection, 1) == b"t":
            while True:
                server.send(connection, b"t")
                time.sleep(0.1)
        sink(connection, server)
    there = world.kept(Answers())
    server, lines = traced(world, "3s", trickle, """
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect((host, int(sys.argv[3]))); s.send(b"u"); return s
sends, hears, asks, quiet = [reach() for _ in range(4)]
sends_udp, hears_udp, asks_udp, quiet_udp = [udp() for _ in range(4)]
helper = udp(); hears.send(b"t")
begun = time.monotonic()
while time.monotonic() - begun < 4.5:
    sends.send(b"x"); sends_udp.send(b"x")
    helper.send(b"!to:%d:3" % hears_udp.getsockname()[1]); assert hears_udp.recv(10) == b"aaa"
    # A connection that is there, and nothing to be received.
    e = asks.connect_ex((host, port)); assert e == errno.EISCONN, e
    try: asks_udp.recv(10, socket.MSG_DONTWAIT); sys.exit("something came")
    except BlockingIOError: pass
    time.sleep(0.1)
for s in sends, hears, asks, sends_udp, hears_udp, asks_udp:
    p = select.poll(); p.register(s, select.POLLRDHUP | select.POLLHUP); assert not p.poll(0), s
    s.send(b"y")
wait(quiet); wait(quiet_udp)
os._exit(0)
""", there.port)
    expect(len(lines) == 2, lines)
    expect(server.read > 12, server.read)


def blocked_read(world):
    """Of TCP, at the end of the stream; of UDP, which had traffic before, with EPIPE."""
    there = world.kept(Answers())
    _, lines = traced(world, "300ms", sink, """
s = reach(); begun = time.monotonic()
assert s.recv(10) == b"" and time.monotonic() - begun < 10
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect((host, int(sys.argv[3])))
u.send(b"!3"); assert u.recv(10) == b"aaa"
# An end of file would be an empty datagram.
begun = time.monotonic()
try: u.recv(10); sys.exit("received")
except BrokenPipeError: pass
assert 0.25 < time.monotonic() - begun < 10 and gone(u)
""", there.port)
    expect(len(lines) == 2, lines)


def shared(world):
    """By fork, its first user dead; and duplicated, its first number closed."""
    _, lines = traced(world, "400ms", sink, """
s = reach(); d = reach(); copy = os.dup(d.fileno()); d.close()
r, w = os.pipe()
if os.fork() == 0:
    mine = reach(); mine.send(b"m")
    if os.fork() == 0:
        wait(mine); assert mine.recv(1) == b"" and gone(mine); os.write(w, b"x"); os._exit(0)
    os._exit(0)
os.close(w); os.wait()
wait(s); assert gone(s)
copy = socket.socket(fileno=copy); wait(copy); assert gone(copy)
assert os.read(r, 1) == b"x", "the grandchild saw no end"
""")
    expect(len(lines) == 3, lines)


def passed(world):
    """By SCM_RIGHTS to another process, its sender closed; and one in flight, in nobody's hands."""
    begun = time.monotonic()
    _, lines = traced(world, "400ms", sink, """
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
if os.fork() == 0:
    a.close(); _, fds, _, _ = socket.recv_fds(b, 1, 1); s = socket.socket(fileno=fds[0])
    wait(s); assert gone(s); os._exit(7)
s = reach(); socket.send_fds(a, [b"x"], [s.fileno()]); s.close()
assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
c, d = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
s = reach(); socket.send_fds(c, [b"x"], [s.fileno()]); s.close()
time.sleep(1.2)
_, fds, _, _ = socket.recv_fds(d, 1, 1); s = socket.socket(fileno=fds[0])
wait(s); assert gone(s)
""")
    expect(len(lines) == 2, f"{time.monotonic() - begun:.1f} s: {lines}")


def cpu_ms(pid):
    return ticks(pid) * 1000 / os.sysconf("SC_CLK_TCK")


def in_flight(world):
    """What cannot be found to be shut is not looked for all the time, and is not shut when used by then."""
    server = world.server(answer)
    process = world.begin(HEAD + BROKEN + """
c, d = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
s = reach(); socket.send_fds(c, [b"x"], [s.fileno()]); s.close()
print("flying")
time.sleep(2.2)
""", SERVER, server.port, policy=IDLE.format("200ms"))
    supervisor = process.supervisor()
    expect(process.line() == "flying", "no start")
    time.sleep(0.3)
    before = cpu_ms(supervisor)
    time.sleep(1.5)
    used = cpu_ms(supervisor) - before
    process.wait(10)
    expect(used <= 150, f"{used} ms of CPU while one socket was in flight")


def hundred(world):
    """Held by a hundred processes, its maker gone."""
    _, lines = traced(world, "500ms", sink, """
r, w = os.pipe()
if os.fork() == 0:
    s = reach(); os.close(r)
    for i in range(100):
        if os.fork() == 0:
            wait(s, 10); os.write(w, b"x"); os._exit(0)
    os._exit(0)
os.close(w); n = 0
while (d := os.read(r, 100)): n += len(d)
assert n == 100, n
""")
    expect(len(lines) == 1, lines)


def ten_thousand(world):
    """Open for ten minutes they cost nothing."""
    process = world.begin(HEAD + """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
kept = []
for i in range(10000):
    s = socket.socket(); s.connect((host, port)); kept.append(s)
print("open")
time.sleep(100)
""", "127.0.0.1", silent_listener(world), policy=IDLE.format("10m"))
    supervisor = process.supervisor()
    expect(process.line(60) == "open", process.stderr.read() if process.poll() is not None else "not open")
    time.sleep(0.5)
    # The least of six: they are looked at 5, 15 and 35 seconds after they were made, and a tick that somebody else's work
    # has made longer is no cost of ours.
    used = []
    while len(used) < 6 and (not used or min(used) >= 50):
        before = cpu_ms(supervisor)
        time.sleep(5)
        used.append(cpu_ms(supervisor) - before)
    process.kill_tree()
    expect(min(used) < 50, f"{used} ms of CPU in 5 s for 10,000 idle sockets")


def silent_listener(world):
    """The port of one that accepts nothing and has room for ten thousand."""
    with open("/proc/sys/net/core/somaxconn", "w", encoding="ascii") as f:
        f.write("20000")
    made = world.kept(socket.create_server(("127.0.0.1", 0), backlog=20000))
    return made.getsockname()[1]


def tests():
    return [(f"idle-{f.__name__.replace('_', '-')}", f) for f in (
        tcp_reclaimed, udp_reclaimed, traffic_keeps, blocked_read, shared, passed, in_flight, hundred, ten_thousand)]
