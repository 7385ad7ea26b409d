# SPDX-License-Identifier: Apache-2.0
"""TCP, to the byte."""
import json
import os
import signal
import socket
import struct
import subprocess
import time

from bank import SERVER, SERVER6, Counter, Wire, on_server, server_process, supervisors
from processes import name_of
from world import expect, until

HEAD = """
import errno, os, select, socket, struct, sys, threading, time
host, port = sys.argv[1], int(sys.argv[2])
def reach(): return socket.create_connection((host, port))
"""


def sink(connection, server):
    """Reads to the end, then closes."""
    while server.receive(connection):
        pass


def answer(connection, server):
    """A hundred bytes for each thing read; closes when the client has."""
    while server.receive(connection):
        server.send(connection, b"a" * 100)


def answer_and_close(connection, server):
    if server.receive(connection):
        server.send(connection, b"a" * 100)


def many_short(world):
    server, wire = world.server(sink), world.kept(Wire())
    counter = world.kept(Counter("tcp", server.port))
    world.python(HEAD + """
for i in range(2000):
    s = reach(); s.sendall(b"x" * (i % 100 + 1)); s.close()
""", SERVER, server.port)
    wanted = sum(i % 100 + 1 for i in range(2000))
    until(lambda: server.ended == 2000, 20, "the server has read all")
    expect(server.read == wanted, f"the server read {server.read}")
    expect(wire.seen("tcp", server.port) == wanted, f"the witness saw {wire.seen('tcp', server.port)}")
    expect(counter.seen()[1] == wanted, f"nftables counted {counter.seen()}")
    world.expect_sums(f"port={server.port}", "2,000 short ones", connects=2000, bytes_sent=wanted, bytes_received=0,
                      denied=0)
    expect(world.lost() == 0, "none lost")
    rows = world.query("SELECT app, process, address, transport FROM usage")
    expect(rows == [("test", "python3", SERVER, "tcp")], rows)


def long_one(world):
    server, wire = world.server(sink), world.kept(Wire())
    world.python(HEAD + """
s = reach()
for i in range(300): s.sendall(b"x" * 1000003)
""", SERVER, server.port)
    until(lambda: server.ended == 1, 20, "the server has read all")
    world.expect_sums("1", "300 MB", connects=1, bytes_sent=server.read, bytes_received=0)
    expect(server.read == 300 * 1000003, server.read)
    expect(wire.seen("tcp", server.port) >= server.read, "the witness saw less")


def received(world, handle, script, n, why):
    server = world.server(handle)
    world.python(HEAD + script, SERVER, server.port)
    until(lambda: server.ended == n, 10, "the server has read all")
    world.expect_sums("1", why, seconds=5, connects=n, bytes_sent=server.read, bytes_received=server.written)
    expect(server.written == 100 * n, server.written)


def client_first(world):
    received(world, answer, """
for i in range(300):
    s = reach(); s.sendall(b"q" * 10); assert len(s.recv(200)) == 100; s.close()
""", 300, "the client closes first")


def server_first(world):
    received(world, answer_and_close, """
for i in range(300):
    s = reach(); s.sendall(b"q" * 10)
    while s.recv(200): pass
    s.close()
""", 300, "the server closes first")


def server_first_unread(world):
    received(world, answer_and_close, """
for i in range(100):
    s = reach(); s.sendall(b"q" * 10); assert len(s.recv(100)) == 100
    p = select.poll(); p.register(s, select.POLLRDHUP); p.poll()
    s.close()
""", 100, "the server closes first, and nobody reads the end")


def half_closed(world):
    """Half-closed by the client; the answer comes after it."""
    def late(connection, server):
        while server.receive(connection):
            pass
        server.send(connection, b"a" * 100)
    received(world, late, """
for i in range(300):
    s = reach(); s.sendall(b"q" * 10); s.shutdown(socket.SHUT_WR)
    while s.recv(200): pass
    s.close()
""", 300, "half-closed")


def half_closed_by_server(world):
    def half(connection, server):
        server.send(connection, b"a" * 100)
        connection.shutdown(socket.SHUT_WR)
        while server.receive(connection):
            pass
    received(world, half, """
for i in range(100):
    s = reach()
    while s.recv(200): pass
    s.sendall(b"q" * 1000); s.close()
""", 100, "half-closed by the server")


def reset_by_peer(world):
    def reset(connection, server):
        server.send(connection, b"a" * 100)
        while server.read < server.accepted * 1000:
            server.receive(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    received(world, reset, """
for i in range(100):
    s = reach(); s.sendall(b"q" * 1000)
    try:
        while s.recv(200): pass
        sys.exit("no reset")
    except ConnectionResetError: pass
    s.close()
""", 100, "reset by the peer")


def reset_by_us(world):
    """Data nobody has read: close(2) resets."""
    received(world, answer, """
for i in range(100):
    s = reach(); s.sendall(b"q" * 1000); select.select([s], [], []); s.close()
""", 100, "reset by us")


def killed_in_mid_send(world):
    """The server reads slowly: most of it is in the send queue when the program and gae-run have ended."""
    go = []

    def slow(connection, server):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        until(lambda: go, 20, "told to read")
        sink(connection, server)
    server = world.server(slow)
    process = world.begin(HEAD + """
s = reach(); s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20); s.setblocking(False)
n = 0
try:
    while True: n += s.send(b"x" * 65536)
except BlockingIOError: pass
print(n)
time.sleep(60)
""", SERVER, server.port)
    supervisor = process.supervisor()
    sent = int(process.line())
    expect(sent > 1 << 20, f"only {sent} bytes fit into the queue")
    program = [pid for pid in world.below(process.pid) if pid != supervisor]
    for pid in program:
        if name_of(pid).startswith("python3"):
            os.kill(pid, signal.SIGKILL)
    process.wait(10)
    expect(process.returncode == -signal.SIGKILL, f"status {process.returncode}")
    until(lambda: world.sums()["connects"] == 1, 10, "what there is by then is written down")
    expect(world.sums()["bytes_sent"] < sent, "all was out already: this tests nothing")
    expect(supervisor in supervisors(), "the supervisor has not waited")
    go.append(1)
    until(lambda: server.ended, 20, "the server has read all")
    expect(server.read == sent, f"the server read {server.read} of {sent}")
    world.expect_sums("1", "killed in mid-send", bytes_sent=sent, connects=1)
    until(lambda: supervisor not in supervisors(), 10, "the supervisor goes then")
    expect(world.lost() == 0, "none lost")


def inherited(world):
    """A daemon is left with its parent's connection, and sends on after gae-run has ended."""
    server = world.server(sink)
    world.python(HEAD + """
s = reach(); s.sendall(b"p" * 1000)
other = reach()
ready, tell = os.pipe()
if os.fork() == 0:
    os.setsid(); other.close()
    for fd in (0, 1, 2): os.close(fd)
    os.read(ready, 1)
    while not os.path.exists(sys.argv[3]): time.sleep(0.01)
    s.sendall(b"c" * 100000)
    new = reach(); new.sendall(b"n" * 10)
    os._exit(0)
other.sendall(b"o" * 5)
os.write(tell, b"x")
""", SERVER, server.port, world.path("go"))
    world.expect_sums("1", "by the parent", connects=2, bytes_sent=1005)
    with open(world.path("go"), "w", encoding="ascii"):
        pass
    until(lambda: server.ended == 3, 20, "the daemon's are read")
    world.expect_sums("1", "and by its child", connects=3, bytes_sent=101015)
    expect(server.read == 101015, server.read)
    expect(len(world.query("SELECT * FROM usage")) == 1, "one destination, one process name")


def never_closed(world):
    """Open until the kernel closes them; and one left behind by exec."""
    server = world.server(sink)
    world.python(HEAD + """
kept = [reach() for _ in range(50)]
for s in kept: s.sendall(b"x" * 77)
os.set_inheritable(kept[0].fileno(), True)
os.execvp("python3", ["python3", "-c", f"import os; os.write({kept[0].fileno()}, b'y' * 23); os._exit(0)"])
""", SERVER, server.port)
    world.expect_sums("1", "never closed", connects=50, bytes_sent=50 * 77 + 23)
    until(lambda: server.ended == 50, 10, "the server has read all")
    expect(server.read == 50 * 77 + 23, server.read)


def refused(world):
    server = world.server(sink)
    world.python(HEAD + """
def attempt(blocking):
    s = socket.socket(); s.setblocking(blocking)
    return s, s.connect_ex((host, 1))
for i in range(10):
    s, e = attempt(True); assert e == errno.ECONNREFUSED, e
# A second time on the same socket is a second connect.
assert s.connect_ex((host, 1)) == errno.ECONNREFUSED
for i in range(10):
    s, e = attempt(False); assert e == errno.EINPROGRESS, e
    select.select([], [s], [])
    if i % 2: assert s.connect_ex((host, 1)) == errno.ECONNREFUSED
    else: assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    if i % 4 == 0: assert s.connect_ex((host, 1)) == errno.ECONNABORTED
    if i % 4 == 3: assert s.connect_ex((host, 1)) == errno.EINPROGRESS
s = reach(); s.sendall(b"x")
""", SERVER, server.port)
    world.expect_sums("port=1", "refused", connects=10 + 1 + 10 + 2, bytes_sent=0)
    world.expect_sums(f"port={server.port}", "not refused", connects=1, bytes_sent=1)


def polled(world):
    """connect(2) called again and again until it is there counts once; and the quota is not asked for it."""
    server = world.server(sink)
    world.python(HEAD + """
for i in range(5):
    s = socket.socket(); s.setblocking(False); codes = set()
    while True:
        e = s.connect_ex((host, port)); codes.add(e)
        if e in (0, errno.EISCONN): break
        assert e in (errno.EINPROGRESS, errno.EALREADY), e
    for _ in range(10): e = s.connect_ex((host, port))
    assert e == errno.EISCONN, e
    s.send(b"x")
e = socket.socket().connect_ex((host, port)); assert e == errno.EDQUOT, e
""", SERVER, server.port, policy="gae-policy 1\nallow tcp to any\nsockopt any any pass\nquota connects 5/day\n")
    world.expect_sums("1", "polled", connects=5, bytes_sent=5, denied=0)


def anew(world):
    """connect(2) to AF_UNSPEC and again: the kernel's numbers begin at zero."""
    server = world.server(answer)
    world.python(HEAD + """
import ctypes
libc = ctypes.CDLL(None)
s = socket.socket()
for i in range(20):
    s.connect((host, port)); s.sendall(b"x" * 1000); assert s.recv(200)
    assert libc.connect(s.fileno(), bytes(16), 16) == 0
s.close()
""", SERVER, server.port)
    world.expect_sums("1", "anew", seconds=5, connects=20, bytes_sent=20000, bytes_received=2000)


def fast_open(world):
    with open("/proc/sys/net/ipv4/tcp_fastopen", "w", encoding="ascii") as f:
        f.write("3")
    on_server("sysctl", "-qw", "net.ipv4.tcp_fastopen=3")
    server = world.server(sink)
    server.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 100)
    world.python(HEAD + """
for i in range(20):
    s = socket.socket(); n = s.sendto(b"x" * 500, socket.MSG_FASTOPEN, (host, port)); assert n == 500
    s.sendall(b"y" * 10)
    if i % 2: time.sleep(0.01)
    s.close()
for i in range(20):
    s = socket.socket(); s.setsockopt(socket.IPPROTO_TCP, 30, 1) # TCP_FASTOPEN_CONNECT
    s.connect((host, port)); s.sendall(b"z" * 300); s.close()
""", SERVER, server.port)
    until(lambda: server.ended == 40, 10, "the server has read all")
    expect(server.read == 20 * 510 + 20 * 300, server.read)
    world.expect_sums("1", "fast open", connects=40, bytes_sent=server.read)


def families(world):
    server = world.server(answer)
    world.python(HEAD + """
for family, address in ((socket.AF_INET, host), (socket.AF_INET6, "fd09::1"), (socket.AF_INET6, "::ffff:" + host)):
    for i in range(5):
        s = socket.socket(family); s.connect((address, port)); s.sendall(b"x" * 11); assert s.recv(200); s.close()
held = socket.socket(socket.AF_INET6); held.connect(("::ffff:" + host, port)); held.sendall(b"x" * 3); held.recv(200)
""", SERVER, server.port)
    world.expect_sums(f"address='{SERVER}'", "IPv4, mapped or not", connects=11, bytes_sent=113,
                      bytes_received=1100)
    world.expect_sums(f"address='{SERVER6}'", "IPv6", connects=5, bytes_sent=55, bytes_received=500)


def retransmissions(world):
    """One packet in twenty is lost on the way: sent twice, billed once."""
    server = world.server(answer)
    on_server("nft", "add", "rule", "inet", "test", "in", "tcp", "dport", str(server.port), "numgen", "random", "mod",
              "100", "<", "5", "drop")
    try:
        world.python(HEAD + """
again = 0
for i in range(8):
    s = reach(); n = 0
    for _ in range(100): s.sendall(b"x" * 7000)
    s.shutdown(socket.SHUT_WR)
    while s.recv(1 << 16): pass
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    again += struct.unpack_from("I", info, 100)[0]
    s.close()
assert again > 0, "nothing was sent twice"
""", SERVER, server.port)
    finally:
        on_server("nft", "flush", "chain", "inet", "test", "in")
    until(lambda: server.ended == 8, 20, "the server has read all")
    expect(server.read == 8 * 700000, server.read)
    world.expect_sums("1", "retransmissions", connects=8, bytes_sent=server.read, bytes_received=server.written)


def abortive(world):
    """
    SO_LINGER 0: the kernel sets its numbers to zero before anybody hears them.  What was sent before the option
    is counted; that something might have been sent after it is said.
    """
    server = world.server(sink)
    done = world.python(HEAD + """
for i in range(10):
    s = reach(); s.sendall(b"x" * 1000)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); s.close()
""", SERVER, server.port, options=("--report",))
    until(lambda: server.ended == 10, 10, "the server has read all")
    sums = world.sums()
    expect(sums["connects"] == 10 and sums["bytes_sent"] == 10000, sums)
    expect(world.lost() == 10 and "10 sockets ended unseen" in done.stderr, f"lost {world.lost()}: {done.stderr}")


def burst(world):
    """As many sockets a second as a program can open and close."""
    server = world.server(sink, local=True)
    begun = time.monotonic()
    world.python(HEAD + """
begun = time.monotonic()
for i in range(10000):
    s = socket.socket(); s.connect((host, port)); s.close()
print(10000 / (time.monotonic() - begun))
""", "127.0.0.1", server.port)
    world.expect_sums("1", f"10,000 in {time.monotonic() - begun:.1f} s", connects=10000, bytes_sent=0)
    expect(world.lost() == 0, "none lost")


def news_lost(world):
    """A netlink buffer as small as it gets, and sockets that end while the supervisor does not listen."""
    server = world.server(sink)
    metrics, go = world.path("gae.prom"), world.path("go")
    process = world.begin(HEAD + """
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect((host, 9)); u.send(b"z" * 10)
kept = [reach() for _ in range(500)]
for s in kept: s.sendall(b"x" * 100)
print("open")
while not os.path.exists(sys.argv[3]): time.sleep(0.01)
for s in kept[100:]: s.close()
print("closed")
again = reach(); again.sendall(b"y" * 10); again.close()
for s in kept[:100]: s.sendall(b"z" * 50); s.close()
try: u.send(b"z" * 10)
except ConnectionRefusedError: u.send(b"z" * 10)
time.sleep(2.5)
""", SERVER, server.port, go, options=("--report", "--metrics-file", metrics), text=True,
                          env={**os.environ, "GAE_RUN_TEST_NEWS_ROOM": "1"})
    supervisor = process.supervisor()
    expect(process.line() == "open", "the program connects")
    os.kill(supervisor, signal.SIGSTOP)
    with open(go, "w", encoding="ascii"):
        pass
    expect(process.line() == "closed", "the program closes")
    until(lambda: server.ended == 400, 10, "they have ended")
    os.kill(supervisor, signal.SIGCONT)
    process.wait(20)
    err = process.stderr.read()
    until(lambda: server.ended == 501, 10, "the server has read all")
    lost = world.lost()
    expect(300 < lost <= 500, f"{lost} lost")
    # What was counted at a look is counted once, and of those that ended unseen the rest is missing.
    sums = world.sums("transport='tcp'")
    expect(sums["connects"] == 501, sums)
    expect(server.read - 150 * lost <= sums["bytes_sent"] <= server.read, f"{sums}, lost {lost}, {server.read} read")
    expect(f"{lost} sockets ended unseen" in err, err)
    with open(metrics, encoding="utf-8") as f:
        text = f.read()
    expect(any("accounting_lost_total{" in line and line.endswith(f" {lost}") for line in text.splitlines()), text)
    world.expect_sums("transport='udp'", "UDP", seconds=3, bytes_sent=20, datagrams_sent=2, connects=1)


NGINX = """daemon off; master_process off; pid {0}/pid; error_log {0}/error; events {{}}
http {{
    log_format bytes '$request_length $bytes_sent'; access_log off; client_max_body_size 100m;
    client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u;
    scgi_temp_path {0}/s;
    server {{
        listen 127.0.0.1:18080;
        location /up {{ access_log {0}/log bytes; proxy_pass http://127.0.0.1:18080/down; }}
        location /down {{ return 200 '{1}'; }}
    }}
}}
"""


def real_curl(world):
    """curl against nginx: the body that went up, and what came down."""
    with open(world.path("nginx.conf"), "w", encoding="ascii") as f:
        f.write(NGINX.format(world.directory, "d" * 1000))
    with open(world.path("body"), "wb") as f:
        f.write(b"b" * 3000000)
    nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", world.path("nginx.conf"), "-p", world.directory],
                             stderr=subprocess.DEVNULL)

    def listens():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", 18080)) == 0

    def logged():
        with open(world.path("log"), encoding="ascii") as f:
            return [tuple(map(int, line.split())) for line in f]
    try:
        until(listens, 10, "nginx listens")
        done = world.run("curl", "-sS", "--http1.1", "-H", "Expect:", "--data-binary", "@" + world.path("body"),
                         *["http://127.0.0.1:18080/up", "-o", "/dev/null"] * 3)
        expect(done.returncode == 0, done.stderr)
        until(lambda: len(logged()) == 3, 10, "nginx logs")
        world.expect_sums("process='curl'", "curl", seconds=5, connects=1, bytes_sent=sum(r[0] for r in logged()),
                          bytes_received=sum(r[1] for r in logged()))
        expect(world.sums()["bytes_sent"] > 9000000, world.sums())
    finally:
        nginx.terminate()
        nginx.wait(10)


def iperf(world, *options):
    """What iperf3's server saw of it; its two connections, or one and a UDP flow, are all there is."""
    server = server_process("iperf3", "-s", "-1", "-p", "18081", "-J", stdout=subprocess.PIPE, text=True)
    try:
        until(lambda: on_server("sh", "-c", "ss -Hltn sport = :18081 | grep -q .", check=False), 10, "iperf3 listens")
        done = world.run("iperf3", "-c", SERVER, "-p", "18081", *options)
        expect(done.returncode == 0, done.stdout + done.stderr)
        return json.loads(server.communicate(timeout=20)[0])
    finally:
        server.kill()
        server.wait()


def real_iperf(world):
    wire = world.kept(Wire())
    report = iperf(world, "-n", "20M")
    seen = wire.seen("tcp", 18081)
    expect(seen > 1 << 20 and report["end"]["sum_received"]["bytes"] > 1 << 20, f"the witness saw {seen}")
    world.expect_sums("1", "iperf3, TCP", connects=2, bytes_sent=seen)


def real_iperf_udp(world):
    wire = world.kept(Wire())
    stream = iperf(world, "-u", "-b", "100M", "-l", "1000", "-n", "5M")["end"]["streams"][0]["udp"]
    world.expect_sums("transport='tcp'", "iperf3's control connection", connects=1, bytes_sent=wire.seen("tcp", 18081))
    world.expect_sums("transport='udp'", "iperf3, UDP", seconds=3, bytes_sent=wire.seen("udp", 18081))
    packets = world.sums()["datagrams_sent"]
    expect(packets == wire.packets["udp", 18081], f"{packets} billed, {wire.packets['udp', 18081]} on the wire")
    # The server's count ends with the client's word that it is over, begins after the greeting, and knows none that it dropped.
    expect(0 < stream["packets"] <= packets, f"{packets} billed, {stream['packets']} heard")


def tests():
    return [(f"tcp-{f.__name__.replace('_', '-')}", f) for f in (
        many_short, long_one, client_first, server_first, server_first_unread, half_closed, half_closed_by_server,
        reset_by_peer, reset_by_us, killed_in_mid_send, inherited, never_closed, refused, polled, anew, fast_open,
        families, retransmissions, abortive, burst, news_lost, real_curl, real_iperf, real_iperf_udp)]
