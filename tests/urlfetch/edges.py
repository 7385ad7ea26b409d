# SPDX-License-Identifier: Apache-2.0
"""Answers that break off, requests between two methods, too few descriptors, a supervisor that is silent."""
import os
import socket
import sys
import threading
import time

from world import ECHO, NGINX, PUBLIC, expect, find


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


def ticks(pid):
    """Processor time that it has used, in hundredths of a second."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def go(process):
    process.stdin.write("go\n")
    process.stdin.flush()


def client(world, code, **keywords):
    """Python under gae-run that prints a line and waits; with its gateway."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "client.py"), encoding="ascii") as f:
        process = world.start(sys.executable, "-c", f.read() + code, **keywords)
    process.stdout.readline()
    return process, max(find("gae-urlfetch"))
