# SPDX-License-Identifier: Apache-2.0
"""Sizes, deadlines, quotas, memory, counting."""
import re
import time

from world import BUILD, ECHO, NGINX, POLICY, TLS, expect, find

LARGE = 32 << 20


def test_an_answer_of_32_mb_streams_through(world):
    process = world.start("sh", "-c", "read go; curl -sS -o /dev/null -w '%{size_download} %{http_code}\\n' "
                          f"http://good.test:{NGINX}/small; read go; curl -sS -o /dev/null -w '%{{size_download}} "
                          f"%{{http_code}}\\n' http://good.test:{NGINX}/large; read go")

    def peak():
        with open(f"/proc/{find('gae-urlfetch')[0]}/status", encoding="ascii") as f:
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
    expect(code == 504 and "deadline" in body and 0.9 < time.monotonic() - begun < 3, f"default: {code} {body}")
    begun = time.monotonic()
    code, body, _ = world.curl("-H", "X-Urlfetch-Deadline: 50", f"http://good.test:{ECHO}/sleep-8",
                               options=("--urlfetch-deadline", "1,2"))
    expect(code == 504 and 1.9 < time.monotonic() - begun < 4, f"maximum: {code} {body}")
    code, body, _ = world.curl("-H", "X-Urlfetch-Deadline: 2", f"http://good.test:{ECHO}/sleep-1.3",
                               options=("--urlfetch-deadline", "1,2"))
    expect(code == 200, f"asked for: {code} {body}")
    code, body, _ = world.curl("-H", "X-Urlfetch-Deadline: x", f"http://good.test:{ECHO}/")
    expect(code == 400, f"no number: {code} {body}")


def test_one_slow_client_holds_up_nobody(world):
    out = world.python(f"""
slow = [connect() for i in range(20)]
for s in slow: s.sendall(b"GET http://good.test:{NGINX}/large HTTP/1.1\\r\\nHost: good.test:{NGINX}\\r\\n\\r\\n")
half = [connect() for i in range(20)]
for s in half: s.sendall(b"GET http://good")
begun = time.monotonic()
for i in range(50):
    assert urllib.request.urlopen("http://good.test:{NGINX}/small").read() == b"small\\n"
print(time.monotonic() - begun)
""")
    expect(float(out) < 3, f"50 requests took {out} s")


def used(err, to):
    found = re.search(r"gae-urlfetch +tcp +" + to + r" +(\d+) +(\d+) +(\S+) +(\S+)", err)
    expect(found, f"no row for {to}: {err}")
    return found.groups()


def test_egress_is_counted(world):
    _, _, err = world.curl("-o", "/dev/null", f"http://good.test:{NGINX}/large", options=("--report",))
    connects, denied, sent, received = used(err, "good.test:8080")
    expect((connects, denied) == ("1", "0") and received.startswith(("32", "33")), err)
    expect("127.0.0.1" not in err, f"the way to the gateway was counted: {err}")
    _, _, err = world.curl("-o", "/dev/null", f"https://good.test:{TLS}/large", options=("--report",))
    connects, denied, sent, received = used(err, "good.test:8443")
    expect(connects == "1" and received.startswith(("32", "33")), err)
    _, _, err = world.curl(f"http://inner.test:{NGINX}/", options=("--report",))
    expect(used(err, "inner.test:8080")[1] == "1", err)


def test_quotas_hold(world):
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
    expect(0.5 < float(out) < 8, f"after {out} s")
