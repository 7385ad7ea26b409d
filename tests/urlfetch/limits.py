# SPDX-License-Identifier: Apache-2.0
"""Sizes, deadlines, quotas, memory, counting."""
import re
import sqlite3
import time

from processes import named_below
from world import BUILD, ECHO, NGINX, POLICY, TLS, expect, find, until

LARGE = 32 << 20


def test_an_answer_of_32_mb_streams_through(world):
    process = world.start("sh", "-c", "read go; curl -sS -o /dev/null -w '%{size_download} %{http_code}\\n' "
                          f"http://good.test:{NGINX}/small; read go; curl -sS -o /dev/null -w '%{{size_download}} "
                          f"%{{http_code}}\\n' http://good.test:{NGINX}/large; read go")

    def peak():
        [gateway] = named_below(process.pid, "gae-urlfetch")
        with open(f"/proc/{gateway}/status", encoding="ascii") as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])

    def go_on():
        process.stdin.write("go\n")
        process.stdin.flush()
        return process.stdout.readline()
    expect(go_on() == "6 200\n", "the small one")
    before = peak()
    got = go_on()
    expect(got == f"{LARGE} 200\n", got)
    grown = peak() - before
    # A sanitizer keeps what was freed for a while.
    expect(grown < (16384 if "asan" in BUILD else 2048), f"gae-urlfetch grew by {grown} KiB")
    process.stdin.close()
    process.wait(10)


def test_an_answer_beyond_32_mb_is_refused(world):
    code, body, _ = world.curl(f"http://good.test:{NGINX}/toolarge")
    expect(code == 502 and "larger than 32 MB" in body, f"{code} {body[:100]}")
    status, out, _ = world.run("curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}",
                               f"http://good.test:{ECHO}/chunked-{LARGE + 1}")
    expect(status != 0 and int(out) <= LARGE, f"of unknown length: {status} {out}")
    status, out, _ = world.run("curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}",
                               f"http://good.test:{ECHO}/chunked-{LARGE}")
    expect((status, out) == (0, str(LARGE)), f"of unknown length, not beyond: {status} {out}")


def test_a_body_beyond_10_mb_is_refused(world):
    with open(f"{world.d}/ten", "wb") as f:
        f.truncate(10 << 20)
    with open(f"{world.d}/more", "wb") as f:
        f.truncate((10 << 20) + 1)
    for extra in ((), ("-H", "Transfer-Encoding: chunked")):
        code, body, err = world.curl("-H", "Expect:", *extra, "--data-binary", f"@{world.d}/ten",
                                     f"http://good.test:{ECHO}/")
        expect(code == 200 and f'"size": {10 << 20}' in body, f"10 MB {extra}: {code} {body[:300]} {err}")
        code, body, _ = world.curl("-H", "Expect:", *extra, "--data-binary", f"@{world.d}/more",
                                   f"http://good.test:{ECHO}/")
        expect(code == 413, f"more {extra}: {code} {body[:300]}")


def test_deadlines(world):
    begun = time.monotonic()
    code, body, _ = world.curl(f"http://good.test:{ECHO}/sleep-8", options=("--urlfetch-deadline", "1,2"))
    expect(code == 504 and "deadline" in body and 0.9 < time.monotonic() - begun < 7, f"default: {code} {body}")
    begun = time.monotonic()
    code, body, _ = world.curl("-H", "X-Urlfetch-Deadline: 50", f"http://good.test:{ECHO}/sleep-8",
                               options=("--urlfetch-deadline", "1,2"))
    expect(code == 504 and 1.9 < time.monotonic() - begun < 7, f"maximum: {code} {body}")
    code, body, _ = world.curl("-H", "X-Urlfetch-Deadline: 20", f"http://good.test:{ECHO}/sleep-1.3",
                               options=("--urlfetch-deadline", "1,20"))
    expect(code == 200, f"asked for: {code} {body}")
    code, body, _ = world.curl("-H", "X-Urlfetch-Deadline: x", f"http://good.test:{ECHO}/")
    expect(code == 400, f"no number: {code} {body}")


def test_one_slow_client_holds_up_nobody(world):
    out = world.python(f"""
slow = [connect() for i in range(20)]
for s in slow: s.sendall(b"GET http://good.test:{NGINX}/large HTTP/1.1\\r\\nHost: good.test:{NGINX}\\r\\n\\r\\n")
half = [connect() for i in range(20)]
for s in half: s.sendall(b"GET http://good")
for i in range(50):
    assert urllib.request.urlopen("http://good.test:{NGINX}/small").read() == b"small\\n"
# All that while they are in the middle of theirs.
for s in slow + half: s.setblocking(False)
def is_open(s):
    try: return s.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError: return True
print(all(map(is_open, slow + half)))
""")
    expect(out == "True\n", out)


def test_a_name_server_that_is_silent_holds_up_nobody(world):
    """Neither when the deadline of a fetch is over that waits for it, nor when its client leaves."""
    server = world.name_server(lambda *_: None)
    out = world.python(f"""
def ask(name, deadline):
    s = connect()
    s.sendall(b"GET http://%s:{NGINX}/ HTTP/1.1\\r\\nHost: %s:{NGINX}\\r\\nX-Urlfetch-Deadline: %d\\r\\n\\r\\n" % (name, name, deadline))
    return s
begun = time.monotonic()
late, leaves = ask(b"late.test", 1), ask(b"leaves.test", 60)
print(head(late)[9:12].decode(), time.monotonic() - begun < 2.5)
leaves.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
leaves.close()
time.sleep(0.2)
begun = time.monotonic()
print(urllib.request.urlopen("http://good.test:{NGINX}/small").read(), time.monotonic() - begun < 1.5)
""")
    expect({"late.test", "leaves.test"} <= set(server.names()), f"it was asked {server.names()}")
    expect(out == "504 True\nb'small\\n' True\n", out)


def used(err, to):
    found = re.search(r"gae-urlfetch +tcp +" + to + r" +(\d+) +(\d+) +(\S+) +(\S+)", err)
    expect(found, f"no row for {to}: {err}")
    return found.groups()


def test_egress_is_counted(world):
    """To the byte, as a relay on the way counts: what GET, POST and CONNECT send and get."""
    data = world.file("upload", "x" * 3000000)
    rows = [("GET", "http", 8090, NGINX, ("/large",)), ("POST", "http", 8091, ECHO, ("/", "--data-binary", f"@{data}")),
            ("CONNECT", "https", 8444, TLS, ("/large",))]
    for what, scheme, port, to, (path, *more) in rows:
        meter = world.meter(port, to)
        ledger = f"{world.d}/ledger-{port}"
        code, _, err = world.curl("-o", "/dev/null", *more, f"{scheme}://good.test:{port}{path}", options=("--ledger", ledger))
        expect(code == 200, f"{what}: {code} {err}")
        until(lambda: not find("gae-supervisor"), 20, "the supervisor has written the ledger")
        with sqlite3.connect(ledger) as db:
            got = db.execute("SELECT process, connects, bytes_sent, bytes_received FROM usage").fetchall()
        expect(got == [("gae-urlfetch", 1, meter.up, meter.down)], f"{what}: {got}, not {meter.up} and {meter.down}")
        expect(max(meter.up, meter.down) >= 3000000, f"{what}: the meter saw {meter.up} and {meter.down}")
    _, _, err = world.curl(f"http://inner.test:{NGINX}/", options=("--report",))
    expect(used(err, "inner.test:8080")[1] == "1", err)
    expect("127.0.0.1" not in err, f"the way to the gateway was counted: {err}")


def test_quotas_hold(world):
    code, body, _ = world.curl(f"http://good.test:{NGINX}/small", policy=POLICY + "quota connects 1/day\n")
    expect((code, body) == (200, "small\n"), f"within the quota: {code} {body}")
    code, body, _ = world.curl(f"http://good.test:{NGINX}/small", policy=POLICY + "quota connects 0/day\n")
    expect(code == 429 and "the quota of connects is used up" in body, f"{code} {body}")


def test_an_idle_tunnel_is_reclaimed(world):
    out = world.python(f"""
s = connect()
s.sendall(b"CONNECT good.test:{TLS} HTTP/1.1\\r\\nHost: good.test:{TLS}\\r\\n\\r\\n")
assert b" 200 " in head(s)
t = ssl.create_default_context(cafile={world.ca!r}).wrap_socket(s, server_hostname="good.test")
begun = time.monotonic()
try: t.recv(1)
except OSError: pass
print(time.monotonic() - begun)
""", policy=POLICY + "idle 1s\n")
    # Else after ten minutes, or never.
    expect(0.5 < float(out) < 20, f"after {out} s")
