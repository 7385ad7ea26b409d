# SPDX-License-Identifier: Apache-2.0
"""Answers that break off, requests between two methods, too few descriptors, a supervisor that is silent."""
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

from processes import is_stopped, parent, ticks
from world import ECHO, NGINX, PUBLIC, TLS, expect, find, until


class Server:
    """Gives one answer, whatever it is asked, and closes; where it listens is .port."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server((PUBLIC, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(self.answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def request(method, port, *headers, path="/", version="1.1"):
    """A request's head, as it stands in the client's Python."""
    lines = [f"{method} http://good.test:{port}{path} HTTP/{version}", f"Host: good.test:{port}", *headers, "", ""]
    return "b\"" + "\\r\\n".join(lines) + "\""


def test_a_head_with_a_body_is_refused(world):
    inner = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nEVIL!"
    get = request("GET", NGINX, "Connection: close", path="/small")
    with Server(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner) as server:
        for port in (server.port, ECHO):
            for headers in (("Content-Length: 1",), ("Transfer-Encoding: chunked",)):
                head = request("HEAD", port, *headers)
                body = 'b"x"' if headers[0][0] == "C" else 'b"1\\r\\nx\\r\\n0\\r\\n\\r\\n"'
                out = world.python(f"begun = time.monotonic()\ns = connect()\ns.sendall({head} + {body} + {get})\n"
                                   "code, data = answer(s)\nprint(code, b'EVIL' in data, time.monotonic() - begun < 5)")
                expect(out == "400 False True\n", f"{port} {headers}: {out}")


def test_only_a_whole_answer_ends_in_end_of_file(world):
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    for answer, ends in ((whole, "end of file"), (whole[:-5], "ConnectionResetError")):
        with Server(answer) as server:
            out = world.python(f"""
s = connect()
s.sendall({request("GET", server.port, version="1.0")})
data = b""
try:
    while part := s.recv(1000): data += part
    print("end of file", data[-5:])
except ConnectionError as e: print(type(e).__name__)
""")
            expect(out.startswith(ends), f"{answer}: {out}")


def expect_idle(pid):
    before = ticks(pid)
    time.sleep(1)
    used = ticks(pid) - before
    expect(used < 10, f"gae-urlfetch used {used} hundredths of a second in one second")


def go(process):
    process.stdin.write("go\n")
    process.stdin.flush()


WAIT_AND_FETCH = f"""
print(flush=True); sys.stdin.readline()
s = connect()
s.sendall({request("GET", NGINX, "Connection: close", path="/small")})
print("sent", flush=True)
print(answer(s)[0], flush=True)
"""


def client(world, code, **keywords):
    """Python under gae-run that prints a line and waits; with its gateway."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "client.py"), encoding="ascii") as f:
        process = world.start(sys.executable, "-c", f.read() + code, **keywords)
    process.stdout.readline()
    return process, max(find("gae-urlfetch"))


def test_without_descriptors_it_waits_for_one(world):
    process, pid = client(world, WAIT_AND_FETCH)
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
    go(process)
    expect(process.stdout.readline() == "sent\n", "the client connects")
    time.sleep(0.2)
    expect_idle(pid)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    expect(process.stdout.readline() == "200\n", "it is served afterwards")


def test_more_clients_than_it_has_descriptors_for_take_turns(world):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "client.py"), encoding="ascii") as f:
        command = world.command(sys.executable, "-c", f.read() + f"""
ss = [connect() for i in range(200)]
for s in ss: s.sendall({request("CONNECT", TLS).replace("http://", "").replace("/ HTTP", " HTTP")})
print(flush=True); sys.stdin.readline()
for s in ss:
    assert b" 200 " in head(s)
    s.close()
print("served")
""")
    process = subprocess.Popen(["sh", "-c", 'ulimit -n 400; exec "$@"', "sh", *command], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=world.environment())
    world.started.append(process)
    process.stdout.readline()
    time.sleep(0.5)
    expect_idle(max(find("gae-urlfetch")))
    out, err = process.communicate("go\n", timeout=60)
    expect(out == "served\n", f"{out} {err}")


def test_a_supervisor_that_was_silent_is_heard_again(world):
    """One fetch fails when no answer comes in time; the late answer is nobody's, and the next fetch is as ever."""
    process, gateway = client(world, f"""
ss = [connect() for i in range(3)]
def fetch(s, port, path):
    s.sendall(b"GET http://good.test:%d%s HTTP/1.1\\r\\nHost: good.test:%d\\r\\nConnection: close\\r\\n\\r\\n" % (port, path, port))
    return answer(s)[0]
assert fetch(ss[0], {NGINX}, b"/small") == 200
print(flush=True)
sys.stdin.readline(); print(fetch(ss[1], {ECHO}, b"/"), flush=True)
sys.stdin.readline(); print(fetch(ss[2], {ECHO}, b"/"), flush=True)
print(urllib.request.urlopen("http://good.test:{NGINX}/small").read() == b"small\\n", flush=True)
""")
    supervisor = parent(gateway)
    os.kill(supervisor, signal.SIGSTOP)
    try:
        until(lambda: is_stopped(supervisor), 10, "the supervisor stops")
        go(process)
        got = process.stdout.readline()
        expect(got == "503\n", f"while it is silent: {got}")
    finally:
        os.kill(supervisor, signal.SIGCONT)
    go(process)
    out, err = process.communicate(timeout=20)
    expect(out == "200\nTrue\n", f"afterwards: {out} {err}")


def test_a_flood_of_connections_that_leave_holds_up_nobody(world):
    """They close, or reset, before they are accepted or announced; fetches go on all the while, and afterwards."""
    out = world.python(f"""
import threading
stop = time.monotonic() + 4
def flood(linger):
    while time.monotonic() < stop:
        ss = []
        try:
            for i in range(200):
                ss.append(socket.socket()); ss[-1].setblocking(False); ss[-1].connect_ex(("127.0.0.1", PORT))
        except OSError: pass
        for s in ss:
            if linger: s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
            s.close()
for i in range(3):
    if os.fork() == 0:
        flood(i % 2); os._exit(0)
for i in range(3): os.wait()
begun = time.monotonic()
for i in range(20):
    assert urllib.request.urlopen("http://good.test:{NGINX}/small", timeout=10).read() == b"small\\n"
print(time.monotonic() - begun)
""", timeout=60)
    expect(float(out) < 5, f"20 fetches took {out} s")


def test_a_dot_at_the_end_of_a_host_says_nothing(world):
    code, body, _ = world.curl(f"http://good.test.:{NGINX}/small")
    expect((code, body) == (200, "small\n"), f"{code} {body}")
    code, body, err = world.curl(f"https://good.test.:{TLS}/small")
    expect((code, body) == (200, "small\n"), f"{code} {body} {err}")
    code, body, _ = world.curl(f"http://inner.test.:{NGINX}/small")
    expect(code == 403 and "10.0.0.0/8" in body, f"{code} {body}")
