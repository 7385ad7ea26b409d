# SPDX-License-Identifier: Apache-2.0
"""Idle sockets are reclaimed; those that are used are not, and cost nothing."""
import os
import socket
import time

from bank import SERVER, Datagrams
from tcp import HEAD, answer, sink
from world import expect

IDLE = "gae-policy 1\nallow tcp,udp to any\nlisten allow\nbind any\nunix pair\nsockopt any any pass\nidle {}\n"
BROKEN = """
def gone(s):
    try: s.send(b"x"); return False
    except BrokenPipeError: return True
def wait(s, seconds=5):
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
took = time.monotonic() - begun; assert 0.25 < took < 2, took
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
    """A byte out, a byte in, a datagram: each keeps its socket."""
    def trickle(connection, server):
        for _ in range(12):
            server.send(connection, b"t")
            time.sleep(0.1)
        sink(connection, server)
    there = world.kept(Datagrams())
    server, lines = traced(world, "500ms", trickle, """
s = reach(); quiet = reach()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(12): u.sendto(b"u", (host, int(sys.argv[3]))); time.sleep(0.1)
u.close()
# They sent, we read nothing; then we send, they say nothing.
for i in range(12): s.send(b"x"); time.sleep(0.1)
wait(quiet); s.close()
""", there.port)
    expect(len(lines) == 1, lines)
    expect(server.read == 12 and there.heard() == (12, 12), server.read)


def blocked_read(world):
    traced(world, "300ms", sink, """
s = reach(); begun = time.monotonic()
assert s.recv(10) == b"" and time.monotonic() - begun < 3
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect((host, 9)); u.settimeout(5)
try: u.send(b"x"); time.sleep(0.05); u.send(b"y")
except OSError: u.send(b"y")
""")


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
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


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
    before = cpu_ms(supervisor)
    time.sleep(5)
    used = cpu_ms(supervisor) - before
    process.kill_tree()
    expect(used < 50, f"{used} ms of CPU in 5 s for 10,000 idle sockets")


def silent_listener(world):
    """The port of one that accepts nothing and has room for ten thousand."""
    with open("/proc/sys/net/core/somaxconn", "w", encoding="ascii") as f:
        f.write("20000")
    made = world.kept(socket.create_server(("127.0.0.1", 0), backlog=20000))
    return made.getsockname()[1]


def tests():
    return [(f"idle-{f.__name__.replace('_', '-')}", f) for f in (
        tcp_reclaimed, udp_reclaimed, traffic_keeps, blocked_read, shared, passed, in_flight, hundred, ten_thousand)]
