# SPDX-License-Identifier: Apache-2.0
"""What the policy forbids, the gateway does not do either; and nobody else may use it."""
import os
import re
import signal
import socket
import sys
import time

from world import NGINX, POLICY, PRIVATE, PUBLIC, TLS, expect, find, until

SMALL = f"http://good.test:{NGINX}/small"


def test_a_private_address_is_refused_whatever_its_name(world):
    for url in (f"http://inner.test:{NGINX}/small", f"http://{PRIVATE}:{NGINX}/small", f"http://167772161:{NGINX}/",
                f"http://[::ffff:a00:1]:{NGINX}/", f"http://localhost:{NGINX}/"):
        code, body, _ = world.curl("-g", url)
        expect(code == 403 and "refused by the policy: deny EACCES" in body, f"{url}: {code} {body}")
    code, body, _ = world.curl(f"http://inner.test:{NGINX}/small")
    expect("p.conf:2: deny tcp,udp to 10.0.0.0/8" in body, body)
    code, _, err = world.curl(f"https://inner.test:{TLS}/small")
    expect(code == 0 and "response 403" in err, err)


def test_a_redirect_to_a_forbidden_place_is_refused(world):
    for path, text in (("redirect-private", "10.0.0.0/8"), ("redirect-port", "440-450")):
        code, body, _ = world.curl("-H", "X-Urlfetch-Follow-Redirects: true", f"http://good.test:{NGINX}/{path}")
        expect(code == 403 and text in body, f"{path}: {code} {body}")


def test_other_ports_are_refused(world):
    for port in (22, 25, 91, 451, 1023):
        code, body, _ = world.curl(f"http://good.test:{port}/")
        expect(code == 403 and "80-90, 440-450 and 1024-65535" in body, f"{port}: {code} {body}")


def test_the_trace_has_the_rule(world):
    _, _, err = world.curl(f"http://inner.test:{NGINX}/small", options=("-v",))
    expect(re.search(r"gae-urlfetch\] fetch\(inner.test\[10.0.0.1\]:8080\) = -1 EACCES .*\n?.*p.conf:2 private network",
                     err), err)


def test_a_name_in_a_rule_is_waited_for(world):
    policy = "gae-policy 1\nallow tcp to good.test port 8080\nsockopt any any pass\n"
    code, body, err = world.curl(SMALL, policy=policy, options=("-v",))
    expect((code, body) == (200, "small\n"), f"{code} {body} {err}")
    code, body, _ = world.curl(f"http://{PUBLIC}:{TLS}/", policy=policy)
    expect(code == 403 and "no rule matches" in body, f"other port: {code} {body}")


def test_no_name_is_looked_up_that_the_program_could_not(world):
    policy = "gae-policy 1\nallow tcp to good.test port 8080\nsockopt any any pass\n"
    code, body, _ = world.curl(f"http://other.test:{NGINX}/small", policy=policy)
    expect(code == 403 and "no rule allows a name server" in body, f"{code} {body}")


def test_names_below_a_wildcard_and_no_others(world):
    for dns in ("", "dns listed-only\n"):
        policy = f"gae-policy 1\nallow tcp to *.test port 8080\nallow tcp,udp to 127.0.0.53\n{dns}sockopt any any pass\n"
        code, body, err = world.curl(SMALL, policy=policy, options=("-v",))
        expect((code, body) == (200, "small\n"), f"{dns}{code} {body} {err}")
        code, body, _ = world.curl(f"http://{PUBLIC}:{TLS}/", policy=policy)
        expect(code == 403 and "no rule matches" in body, f"{dns}other port: {code} {body}")
    code, body, _ = world.curl(f"http://secret.elsewhere:{NGINX}/small", policy=policy)
    expect(code == 403 and "listed-only" in body, f"{code} {body}")


def test_names_of_addresses_are_not_looked_up_where_the_policy_says_so(world):
    for host in ("1.113.0.203.in-addr.arpa", "1.0.8.b.d.0.1.0.0.2.ip6.arpa", "1.IN-ADDR.ARPA"):
        code, body, err = world.curl(f"http://{host}:{NGINX}/", policy=POLICY + "reverse-dns deny\n", options=("-v",))
        expect(code == 403 and "reverse-dns deny" in body and "reverse-dns deny" in err, f"{host}: {code} {body} {err}")
        code, body, _ = world.curl(f"http://{host}:{NGINX}/")
        expect(code == 502, f"{host} allowed: {code} {body}")


def gateway_port(world, *command, **keywords):
    """Starts a program that waits; the port of its gateway."""
    process = world.start("sh", "-c", "echo $http_proxy; exec cat", **keywords)
    line = process.stdout.readline()
    return process, int(line.rpartition(":")[2])


def test_another_process_is_not_served(world):
    process, port = gateway_port(world)
    request = f"GET {SMALL} HTTP/1.1\r\nHost: good.test:{NGINX}\r\n\r\n".encode()
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.settimeout(10)
        s.sendall(request)
        try:
            expect(s.recv(100) == b"", "somebody else was served")
        except ConnectionResetError:
            pass
    expect(time.monotonic() - begun < 5, "it took long to be refused")
    # Another instance is somebody else, too.
    status, _, _ = world.run("curl", "-sS", "-m", "5", "--noproxy", "", "-x", f"http://127.0.0.1:{port}", SMALL)
    expect(status != 0, "another instance was served")
    process.stdin.close()
    expect(process.wait(10) == 0, "the program did not end well")


def test_the_gateway_is_not_the_programs_to_touch(world):
    out = world.python("""
import signal
pid = [int(p) for p in os.listdir("/proc") if p.isdigit() and open(f"/proc/{p}/comm").read() == "gae-urlfetch\\n"]
for p in pid:
    for f in (lambda: os.kill(p, signal.SIGTERM), lambda: open(f"/proc/{p}/mem", "rb"), lambda: os.pidfd_open(p) and os.listdir(f"/proc/{p}/fd")):
        try:
            f(); print("could")
        except PermissionError: print("refused")
""")
    # As root the files of /proc are open to it all the same: what is promised there is the signal.
    expect(out.startswith("refused"), out)
    if os.geteuid() != 0:
        expect("could" not in out, out)


def test_only_that_port_is_exempt(world):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        out = world.python(f"""
for p in ({port}, PORT):
    try:
        socket.create_connection(("127.0.0.1", p), 5); print("connected")
    except OSError as e: print(e.errno)
""")
        expect(out == "13\nconnected\n", out)


def test_when_the_gateway_dies_its_port_is_closed(world):
    process = world.start(sys.executable, "-c", """
import os, sys, socket, time
port = int(os.environ["http_proxy"].rpartition(":")[2])
print(port, flush=True); sys.stdin.readline()
for i in range(200):
    try: socket.create_connection(("127.0.0.1", port), 5).close(); time.sleep(0.02)
    except OSError as e: print(type(e).__name__, flush=True); break
""")
    process.stdout.readline()
    pids = find("gae-urlfetch")
    expect(len(pids) == 1, f"gateways: {pids}")
    os.kill(pids[0], signal.SIGKILL)
    process.stdin.write("\n")
    process.stdin.flush()
    out, err = process.communicate(timeout=20)
    expect(out == "PermissionError\n" and process.returncode == 0, f"{process.returncode} {out} {err}")
    expect("gae-urlfetch has ended" in err, err)


def test_it_ends_with_the_supervisor(world):
    process, _ = gateway_port(world)
    # One of an earlier test may linger for its last news.
    os.kill(max(find("gae-supervisor")), signal.SIGKILL)
    expect(process.wait(10) == 125, f"status {process.returncode}")
    until(lambda: not find("gae-urlfetch"), 5, "gae-urlfetch ends")


def test_daemons_keep_it(world):
    marker = f"{world.d}/daemon"
    status, _, err = world.run("sh", "-c", f"(sleep 0.5; curl -sS {SMALL} >{marker}.new; mv {marker}.new {marker}) "
                                           ">/dev/null 2>&1 </dev/null & exit 3")
    expect(status == 3, f"{status} {err}")
    until(lambda: os.path.exists(marker), 10, "the daemon fetches")
    with open(marker, encoding="ascii") as f:
        expect(f.read() == "small\n", "the daemon's answer")
    until(lambda: not find("gae-urlfetch") and not find("gae-supervisor"), 10, "all ends with the daemon")
    os.unlink(marker)
