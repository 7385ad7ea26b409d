# SPDX-License-Identifier: Apache-2.0
"""
What the policy forbids, the gateway does not do either; and nobody else may use it.  Each test shows as well
that what it tries is there to be had: under a policy that allows it, or by whom it is meant for.
"""
import os
import signal
import socket
import sys

from nameserver import answer
from processes import descendants, name_of, named_below
from world import BUILD, NGINX, OPEN, POLICY, PRIVATE, PUBLIC, TLS, expect, until

SMALL = f"http://good.test:{NGINX}/small"
FOLLOW = ("-H", "X-Urlfetch-Follow-Redirects: true")


def test_a_private_address_is_refused_whatever_its_name(world):
    for url in (f"http://inner.test:{NGINX}/small", f"http://{PRIVATE}:{NGINX}/small", f"http://167772161:{NGINX}/",
                f"http://[::ffff:a00:1]:{NGINX}/", f"http://localhost:{NGINX}/"):
        code, body, _ = world.curl("-g", url, policy=OPEN)
        expect((code, body) == (200, "inner\n"), f"{url} without the rule: {code} {body}")
        code, body, _ = world.curl("-g", url)
        expect(code == 403 and "refused by the policy: deny EACCES" in body, f"{url}: {code} {body}")
    code, body, _ = world.curl(f"http://inner.test:{NGINX}/small")
    expect("p.conf:2: deny tcp,udp to 10.0.0.0/8" in body, body)
    code, body, _ = world.curl("-k", f"https://inner.test:{TLS}/small", policy=OPEN)
    expect((code, body) == (200, "inner\n"), f"https without the rule: {code} {body}")
    code, _, err = world.curl("-k", f"https://inner.test:{TLS}/small")
    expect(code == 0 and "response 403" in err, err)


def test_a_redirect_to_a_forbidden_place_is_refused(world):
    code, body, _ = world.curl(*FOLLOW, f"http://good.test:{NGINX}/redirect-private", policy=OPEN)
    expect((code, body) == (200, "inner\n"), f"without the rule: {code} {body}")
    for path, text in (("redirect-private", "10.0.0.0/8"), ("redirect-port", "440-450")):
        code, body, _ = world.curl(*FOLLOW, f"http://good.test:{NGINX}/{path}")
        expect(code == 403 and text in body, f"{path}: {code} {body}")


def test_other_ports_are_refused(world):
    for port in (22, 25, 91, 451, 1023):
        with socket.create_server((PUBLIC, port)) as server:
            code, body, _ = world.curl(f"http://good.test:{port}/", policy=OPEN)
            expect(code == 403 and "80-90, 440-450 and 1024-65535" in body, f"{port}: {code} {body}")
            server.setblocking(False)
            try:
                server.accept()[0].close()
                expect(False, f"{port}: it connected")
            except BlockingIOError:
                pass
            # And somebody listens there.
            socket.create_connection((PUBLIC, port), 10).close()


# Each of these at one gateway, one after the other: what comes, or the refusal's number.
FETCHES = """
for url in %r:
    r = urllib.request.Request(url, headers={"X-Urlfetch-Follow-Redirects": "true"})
    try: print(urllib.request.urlopen(r).read().decode().strip())
    except urllib.error.HTTPError as e: print(e.code)
"""


def test_a_name_that_moves_is_judged_where_it_is(world):
    """Each address is judged where libcurl connects to it: a name that was good before, or for another look-up, gains nothing."""
    moving = "http://moving.test"
    by_name = POLICY.replace("allow tcp", f"allow tcp to moving.test port {NGINX},8082\nallow tcp", 1)
    # With the name in no rule, every look-up is the gateway's.
    rows = [  # addresses one look-up after the other, the last for ever; URLs; under OPEN; under POLICY
        (["203.0.113.1", "10.0.0.1"], [f"{moving}:8080/redirect-moving"], ["inner"], ["403"]),
        (["203.0.113.1", "127.0.0.1"], [f"{moving}:8080/redirect-moving"], ["inner"], ["403"]),
        (["10.0.0.1"], [f"http://good.test:{NGINX}/redirect-moving"], ["inner"], ["403"]),
        (["203.0.113.1", "10.0.0.1"], [f"{moving}:8080/small", f"{moving}:8082/small"], ["small", "inner"], ["small", "403"]),
        (["10.0.0.1", "203.0.113.1"], [f"{moving}:8080/small"], ["inner"], ["403"])]
    for said, urls, there, wanted in rows:
        for policy, expected in ((OPEN, there), (POLICY, wanted), (by_name, None)):
            left = list(said)

            def reply(packet, name, kind, left=left):
                if name != "moving.test" or kind != 1:
                    return answer(packet)
                return answer(packet, left.pop(0) if len(left) > 1 else left[0], ttl=0)
            server = world.name_server(reply)
            got = world.python(FETCHES % urls, policy=policy).split()
            world.closing.remove(server)
            server.close()
            what = f"{said}, {urls}: {got}"
            expect("moving.test" in server.names(), f"it was not looked up: {what}")
            if policy == OPEN:
                expect(got == expected, f"without the rule: {what}")
            elif policy == POLICY:
                expect(got == expected, what)
            else:
                expect("inner" not in got, f"by a rule on the name: {what}")


def test_no_name_is_looked_up_that_the_program_could_not(world):
    closed = "gae-policy 1\nallow tcp to good.test port 8080\nsockopt any any pass\n"
    server = world.name_server(lambda packet, *_: answer(packet, rcode=3))
    code, body, _ = world.curl(f"http://secret.elsewhere:{NGINX}/small")
    expect(code == 502 and "secret.elsewhere" in server.names(), f"where a name server is allowed: {code} {body} {server.names()}")
    del server.asked[:]
    for name in ("secret.elsewhere", "other.test"):
        code, body, _ = world.curl(f"http://{name}:{NGINX}/small", policy=closed)
        expect(code == 403 and "no rule allows a name server" in body, f"{code} {body}")
    expect(not server.names(), f"the name server heard {server.names()}")


def test_whether_a_name_server_is_allowed_may_depend_on_a_name(world):
    """The first request waits until that name is looked up; when nobody knows it, nothing is looked up for the program."""
    policy = "gae-policy 1\ndeny tcp,udp to bad.test\nallow tcp,udp to any\nsockopt any any pass\n"
    for bad, code_wanted, text in (({}, 200, "small"), ({"rcode": 2}, 403, "no rule allows a name server")):
        def reply(packet, name, kind, bad=bad):
            return answer(packet, **bad) if name == "bad.test" else answer(packet, *[PUBLIC] * (kind == 1))
        server = world.name_server(reply)
        code, body, _ = world.curl(f"http://moving.test:{NGINX}/small", policy=policy)
        world.closing.remove(server)
        server.close()
        expect(code == code_wanted and text in body, f"{bad}: {code} {body}")
        expect(("moving.test" in server.names()) == (code == 200), f"{bad}: {server.names()}")


def test_names_below_a_wildcard_and_no_others(world):
    server = world.name_server(lambda packet, *_: answer(packet, rcode=3))
    for dns in ("", "dns listed-only\n"):
        policy = f"gae-policy 1\nallow tcp to *.test port 8080\nallow tcp,udp to 127.0.0.53\n{dns}sockopt any any pass\n"
        code, body, err = world.curl(SMALL, policy=policy, options=("-v",))
        expect((code, body) == (200, "small\n"), f"{dns}{code} {body} {err}")
        code, body, _ = world.curl(f"http://{PUBLIC}:{TLS}/", policy=policy)
        expect(code == 403 and "no rule matches" in body, f"{dns}other port: {code} {body}")
        del server.asked[:]
        code, body, _ = world.curl(f"http://secret.elsewhere:{NGINX}/small", policy=policy)
        heard = "secret.elsewhere" in server.names()
        if dns:
            expect(code == 403 and "listed-only" in body and not heard, f"{code} {body} {server.names()}")
        else:
            expect(heard, f"without \"listed-only\": {code} {body}")


def test_names_of_addresses_are_not_looked_up_where_the_policy_says_so(world):
    for host in ("1.113.0.203.in-addr.arpa", "1.0.8.b.d.0.1.0.0.2.ip6.arpa", "1.IN-ADDR.ARPA"):
        code, body, err = world.curl(f"http://{host}:{NGINX}/", policy=POLICY + "reverse-dns deny\n", options=("-v",))
        expect(code == 403 and "reverse-dns deny" in body and "reverse-dns deny" in err, f"{host}: {code} {body} {err}")
        code, body, _ = world.curl(f"http://{host}:{NGINX}/")
        expect(code == 502, f"{host} allowed: {code} {body}")


def gateway_port(world, **keywords):
    """Starts a program that waits, and fetches on a word; the port of its gateway."""
    process = world.start("sh", "-c", f"echo $http_proxy; read word; curl -sS {SMALL}; exec cat", **keywords)
    line = process.stdout.readline()
    return process, int(line.rpartition(":")[2])


def test_another_process_is_not_served(world):
    process, port = gateway_port(world)
    request = f"GET {SMALL} HTTP/1.1\r\nHost: good.test:{NGINX}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port)) as s:
        # It is told apart after a second; of an answer it would get the first bytes at once.
        s.settimeout(20)
        s.sendall(request)
        try:
            expect(s.recv(100) == b"", "somebody else was served")
        except ConnectionResetError:
            pass
    # Another instance is somebody else, too.
    status, _, _ = world.run("curl", "-sS", "-m", "5", "--noproxy", "", "-x", f"http://127.0.0.1:{port}", SMALL)
    expect(status != 0, "another instance was served")
    process.stdin.write("go\n")
    process.stdin.flush()
    expect(process.stdout.readline() == "small\n", "nor is the program itself")
    process.stdin.close()
    expect(process.wait(10) == 0, "the program did not end well")


def test_the_gateway_is_not_the_programs_to_touch(world):
    """tests/attacks has more of it, with a process natively for which each works."""
    out = world.python("""
import signal
def stat(p):
    try: name, rest = open(f"/proc/{p}/stat").read().split("(", 1)[1].rsplit(")", 1)
    except OSError: return "", 0
    return name, int(rest.split()[1])
above = [os.getpid()]
while above[-1] > 1: above.append(stat(above[-1])[1])
# Others of this machine may come and go.
pid = [int(p) for p in os.listdir("/proc") if p.isdigit() and stat(p)[0] == "gae-urlfetch" and stat(p)[1] in above]
def shows(call):
    try: call(); return "could"
    except PermissionError: return "refused"
for p in pid:
    print(shows(lambda: os.kill(p, signal.SIGTERM)), shows(lambda: open(f"/proc/{p}/mem", "rb")),
          shows(lambda: os.readlink(f"/proc/{p}/fd/0")), shows(lambda: os.readlink(f"/proc/{p}/exe")))
""")
    lines = out.splitlines()
    expect(lines == ["refused refused refused refused"], out)


def test_the_gateway_has_no_capabilities(world):
    """Root's least of all: it reads what strangers send.  And a filter, whose rows are in tests/live/urlfetch_confine.c."""
    process, _ = gateway_port(world)
    [gateway] = named_below(process.pid, "gae-urlfetch")

    def status(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            lines = dict(line.split(":", 1) for line in f.read().splitlines())
        return {name: int(lines[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Seccomp")}
    expect(status("self")["CapEff"] != 0, "who starts it has none to give")
    got = status(gateway)
    filtered = {"Seccomp": 2} if "asan" not in BUILD else {"Seccomp": 0}
    expect(got == {"CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapAmb": 0, "NoNewPrivs": 1, **filtered}, f"{got}")


def test_only_that_port_is_exempt(world):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code = f"""
for p in ({port}, PORT):
    try:
        socket.create_connection(("127.0.0.1", p), 5); print("connected")
    except OSError as e: print(e.errno)
"""
        expect(world.python(code, policy=OPEN) == "connected\nconnected\n", "nobody listens there")
        out = world.python(code)
        expect(out == "13\nconnected\n", out)


def test_when_the_gateway_dies_its_port_is_closed(world):
    process = world.start(sys.executable, "-c", """
import os, sys, socket, time
port = int(os.environ["http_proxy"].rpartition(":")[2])
socket.create_connection(("127.0.0.1", port), 5).close()
print(port, flush=True); sys.stdin.readline()
for i in range(500):
    try: socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionError: pass  # nobody has told the supervisor yet
    except OSError as e: print(type(e).__name__, flush=True); break
    time.sleep(0.02)
""")
    expect(process.stdout.readline().strip().isdigit(), "its port is closed from the first")
    pids = named_below(process.pid, "gae-urlfetch")
    expect(len(pids) == 1, f"gateways: {pids}")
    os.kill(pids[0], signal.SIGKILL)
    process.stdin.write("\n")
    process.stdin.flush()
    out, err = process.communicate(timeout=20)
    expect(out == "PermissionError\n" and process.returncode == 0, f"{process.returncode} {out} {err}")
    expect("gae-urlfetch has ended" in err, err)


def test_it_ends_with_the_supervisor(world):
    process, _ = gateway_port(world)
    below = {name_of(pid): pid for pid in descendants(process.pid)}
    os.kill(below["gae-supervisor"], signal.SIGKILL)
    expect(process.wait(10) == 125, f"status {process.returncode}")
    until(lambda: name_of(below["gae-urlfetch"]) != "gae-urlfetch", 5, "gae-urlfetch ends")
