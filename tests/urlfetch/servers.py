# SPDX-License-Identifier: Apache-2.0
"""Servers that answer what no server should: whose bytes are whose, and what becomes of the connection."""
import hashlib
import os
import socket
import ssl
import sys
import threading

from world import PUBLIC, TLS, Failure, expect, until

SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"


def read_head(connection):
    """One request's head, b"" at the end."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        part = connection.recv(1)
        if not part:
            return b""
        data += part
    return data


class Server:
    """Each connection runs serve(connection, NUMBER), from 0; .heads has the heads that it read by self.read(), .ended the
    numbers of connections that the other side has ended before serve() did."""

    def __init__(self, serve, world=None):
        self.serve, self.heads, self.ended, self.failures = serve, [], [], []
        self.context = None
        if world:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(f"{world.d}/good.pem", f"{world.d}/good.key")
        self.listener = socket.create_server((PUBLIC, 0))
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.run, args=(connection, self.accepted), daemon=True).start()
            self.accepted += 1

    def run(self, connection, number):
        connection.settimeout(20)
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                self.serve(self, connection, number)
        except EOFError:
            pass
        except (ConnectionError, ssl.SSLError):
            self.ended.append(number)
        except Exception as e:  # told by __exit__()
            self.failures.append(repr(e))

    def read(self, connection, number):
        head = read_head(connection)
        if not head:
            self.ended.append(number)
            raise EOFError
        self.heads.append(head)
        return head

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if kind is None and self.failures:
            raise Failure(f"the server: {self.failures}")


# For the client: requests one after the other on one connection; status and body of each.
FETCH = """
def fetch(s, url, method="GET", fields="", body=b"", host=None):
    s.sendall((f"{method} {url} HTTP/1.1\\r\\nHost: {url.split('/')[2]}\\r\\n{fields}\\r\\n").encode() + body)
    h = head(s)
    m = re.search(rb"Content-Length: (\\d+)", h)
    n = int(m[1]) if m and method != "HEAD" and h[9:12] != b"304" else 0
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part: return int(h[9:12]), "broken"
        data += part
    if b"chunked" in h.lower():
        while not data.endswith(b"0\\r\\n\\r\\n"):
            part = s.recv(1000)
            if not part: return int(h[9:12]), "broken"
            data += part
        data = re.sub(rb"(^|\\r\\n)[0-9a-f]+\\r\\n", b"", data).rstrip()
    return int(h[9:12] or 0), data.decode("latin-1").strip()
"""


def fetches(world, server, n=2, scheme="http", pause="", **keywords):
    """The client's answers to @n requests."""
    words = ", ".join(f"{k}={v!r}" for k, v in keywords.items())
    out = world.python(FETCH + f"""
s = connect()
for i in range({n}):
    print(*fetch(s, "{scheme}://good.test:{server.port}/%d" % i{", " + words if words else ""}), flush=True)
    {pause}
""")
    return out.splitlines()


def answers(*first, then=SMALL):
    """To the first request @first, in pieces sent one after the other; to each further one @then."""
    def serve(server, connection, number):
        while True:
            server.read(connection, number)
            for part in (first if len(server.heads) == 1 else (then,)):
                connection.sendall(part)
    return serve


def expect_apart(world, *first, why, scheme="http", **keywords):
    """What is behind the first answer is not the second: that one comes by a connection of its own."""
    with Server(answers(*first), world if scheme == "https" else None) as server:
        got = fetches(world, server, scheme=scheme, **keywords)
        expect(len(got) == 2 and got[1].endswith(" good") and "EVIL" not in "".join(got), f"{why}: {got}")
        expect(server.accepted == 2, f"{why}: {server.accepted} connections")
        until(lambda: 0 in server.ended, 10, f"{why}: the first connection is closed")


def test_connections_are_kept_where_the_answer_ends_exactly(world):
    rows = [SMALL, b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\ngood",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + SMALL]
    for scheme in ("http", "https"):
        for row in rows:
            with Server(answers(row, then=row), world if scheme == "https" else None) as server:
                got = fetches(world, server, n=5, scheme=scheme)
                status = "204" if b" 204 " in row else "200"
                expect(len(got) == 5 and all(line.startswith(status) for line in got), f"{scheme} {row}: {got}")
                expect(server.accepted == 1, f"{scheme} {row}: {server.accepted} connections")


def test_a_second_answer_is_nobodys(world):
    expect_apart(world, SMALL + EVIL, why="two answers at once")
    expect_apart(world, SMALL + b"\r\n", why="an empty line behind an answer")
    expect_apart(world, SMALL + b"x" * 100000, why="garbage behind an answer")
    expect_apart(world, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n" + EVIL, why="behind chunks")
    expect_apart(world, SMALL[:-2], SMALL[-2:] + EVIL, why="in pieces")
    for head in (b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 49\r\n\r\n"):
        expect_apart(world, head + EVIL, why=f"a body behind {head[9:12]}")


def test_a_body_behind_the_head_that_HEAD_gets_is_nobodys(world):
    with Server(answers(EVIL[:-4] + EVIL)) as server:
        out = world.python(FETCH + f"""
s = connect()
print(*fetch(s, "http://good.test:{server.port}/", "HEAD"))
print(*fetch(s, "http://good.test:{server.port}/"))
""")
        expect(out == "200 \n200 good\n" and server.accepted == 2, f"{out!r}, {server.accepted} connections")


def test_what_comes_on_an_idle_connection_ends_it(world):
    for scheme in ("http", "https"):
        for stray in (EVIL, b"x", b""):
            def serve(server, connection, number, stray=stray):
                server.read(connection, number)
                connection.sendall(SMALL)
                if number == 0 and stray:
                    connection.sendall(stray)
                elif number == 0:
                    connection.close()
                    return
                server.read(connection, number)
            with Server(serve, world if scheme == "https" else None) as server:
                # The client goes on when the server has seen its connection end, or has ended it.
                got = fetches(world, server, scheme=scheme, pause="time.sleep(0.3)")
                expect(got == ["200 good"] * 2 and server.accepted == 2, f"{scheme} {stray}: {got}, {server.accepted} connections")
                expect(len(server.heads) == 2, f"{scheme} {stray}: {server.heads}")


def test_behind_an_answer_to_half_a_request_there_is_no_other(world):
    """It is handed on at once, and the connection is closed, whatever the status."""
    for status in (b"200", b"413"):
        def serve(server, connection, number, status=status):
            server.read(connection, number)
            connection.sendall(SMALL.replace(b"200", status))
            if number == 0:
                while connection.recv(1000):
                    pass
                server.ended.append(0)
            else:
                server.read(connection, number)
        with Server(serve) as server:
            out = world.python(FETCH + f"""
s = connect()
print(*fetch(s, "http://good.test:{server.port}/", "POST", "Content-Length: 10\\r\\n", b"half"))
print(s.recv(1) == b"")
print(*fetch(connect(), "http://good.test:{server.port}/"))
""")
            expect(out == f"{status.decode()} good\nTrue\n200 good\n".replace("200", status.decode()), out)
            expect(server.accepted == 2, f"{server.accepted} connections")
            until(lambda: 0 in server.ended, 10, "the first connection is closed")


def closes_at(times, answer=SMALL):
    """Closes the connection when the request of these numbers, from 0, has come."""
    def serve(server, connection, number):
        while True:
            server.read(connection, number)
            if len(server.heads) - 1 in times:
                return
            connection.sendall(answer)
    return serve


def test_a_kept_connection_that_is_closed_is_made_anew_once(world):
    rows = [("kept", {1}, {}, ["200 good", "200 good"], 3), ("twice", {1, 2}, {}, ["200 good", "502"], 3),
            ("fresh", {0}, {}, ["502", "200 good"], 2),
            ("POST", {1}, {"method": "POST"}, ["200 good", "200 good"], 3),
            # Of a body that is gone there is no second copy, and what the server did with it nobody knows.
            ("a body", {1}, {"method": "POST", "fields": "Content-Length: 4\r\n", "body": b"data"}, ["200 good", "502"], 2)]
    for scheme in ("http", "https"):
        for what, times, keywords, wanted, heads in rows:
            if "body" in keywords:
                def serve(server, connection, number):
                    while True:
                        server.read(connection, number)
                        connection.recv(4)
                        if len(server.heads) == 2:
                            return
                        connection.sendall(SMALL)
            else:
                serve = closes_at(times)
            with Server(serve, world if scheme == "https" else None) as server:
                got = fetches(world, server, scheme=scheme, **keywords)
                expect([line[:len(w)] for line, w in zip(got, wanted)] == wanted and len(got) == len(wanted),
                       f"{scheme} {what}: {got}")
                expect(len(server.heads) == heads, f"{scheme} {what}: {len(server.heads)} requests")


def test_an_answer_that_can_be_read_in_two_ways_is_none(world):
    rows = [b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"Content-Length: 4\r\nContent-Length: 5\r\n\r\ngood",
            b"Transfer-Encoding: gzip, chunked\r\n\r\n", b"X: a\r\n b\r\n\r\n", b"X : a\r\n\r\n", b"X: a\rb\r\n\r\n", b"X: a\nb: c\r\n\r\n",
            b"X: a\0\r\n\r\n", b"Content-Length: 4x\r\n\r\ngood", b"X: " + b"y" * 40000 + b"\r\n\r\n", b"X: y\r\n" * 10000]
    for row in rows:
        with Server(answers(b"HTTP/1.1 200 OK\r\n" + row)) as server:
            got = fetches(world, server)
            expect(len(got) == 2 and got[0].startswith("502 ") and "no answer that HTTP knows" in got[0] and got[1] == "200 good",
                   f"{row[:50]}: {got}")
            expect(server.accepted == 2, f"{row[:50]}: {server.accepted} connections")
    for row in (b"zz\r\n", b"4\r\ngoodEVIL\r\n", b"0\r\n" + b"X: y\r\n" * 30000):
        with Server(answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + row)) as server:
            got = fetches(world, server, n=1)
            expect(got == ["200 broken"], f"{row[:50]}: {got}")


def endless(begin, piece):
    def serve(server, connection, number):
        server.read(connection, number)
        connection.sendall(begin)
        while True:
            connection.sendall(piece * 1000)
    return serve


def test_heads_without_end_are_given_up(world):
    ok = b"HTTP/1.1 200 OK\r\n"
    for begin, piece in ((b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (ok, b"X: y\r\n"), (ok + b"X: ", b"y"), (ok[:-2], b"K")):
        with Server(endless(begin, piece)) as server:
            out = world.python(FETCH + f"""
begun = time.monotonic()
print(*fetch(connect(), "http://good.test:{server.port}/"))
print(time.monotonic() - begun < 5)
""")
            expect(out.startswith("502 ") and "more than 32 KB" in out and out.endswith("\nTrue\n"), f"{piece}: {out}")


def test_a_large_body_ends_where_it_should(world):
    """Exactly, before its time, behind its end; by length and by the connection's end; taken fast and slowly."""
    size = 3 << 20
    data = bytes(range(256)) * (size // 256)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    rows = [("exactly", head + data, size, True), ("early", head + data[:-1], size - 1, False), ("behind", head + data + EVIL, size, True),
            ("by the end", b"HTTP/1.1 200 OK\r\n\r\n" + data, size, True)]
    for scheme in ("http", "https"):
        for what, answer, wanted, whole in rows:
            def serve(server, connection, number, answer=answer):
                server.read(connection, number)
                connection.sendall(answer)
            for pause in (0, 0.001):
                with Server(serve, world if scheme == "https" else None) as server:
                    out = world.python(f"""
import hashlib, http.client
c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
c.request("GET", "{scheme}://good.test:{server.port}/", headers={{"Host": "good.test:{server.port}"}})
r, n, sum = c.getresponse(), 0, hashlib.sha256()
try:
    while part := r.read(20000):
        n += len(part); sum.update(part); time.sleep({pause})
    print(n, r.length in (None, 0), sum.hexdigest())
except (http.client.IncompleteRead, ConnectionError) as e: print(n, False)
""")
                    ok = f"{size} True {hashlib.sha256(data).hexdigest()}\n"
                    if whole:
                        expect(out == ok, f"{scheme} {what} {pause}: {out}")
                    else:
                        expect(out != ok and " True" not in out, f"{scheme} {what} {pause}: {out}")


def start(world, code):
    """Python under gae-run, with what a hand-made client needs."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "client.py"), encoding="ascii") as f:
        return world.start(sys.executable, "-c", f.read() + code)


def test_a_client_that_leaves_ends_its_connection_to_the_server(world):
    """In the middle of a large answer, and before one begins."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n"
    for begin in (head, b""):
        def serve(server, connection, number, begin=begin):
            server.read(connection, number)
            connection.sendall(begin)
            while begin:
                connection.sendall(b"x" * 65536)
            server.read(connection, number)
        with Server(serve) as server:
            # It lives on, and so does its gateway.
            start(world, f"""
s = connect()
s.sendall(b"GET http://good.test:{server.port}/ HTTP/1.1\\r\\nHost: good.test:{server.port}\\r\\n\\r\\n")
if {bool(begin)}: s.recv(1000)
else: time.sleep(0.3)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
s.close()
sys.stdin.readline()
""")
            until(lambda: 0 in server.ended, 8, "the server sees the end")
            world.end_started()


def test_an_upload_goes_on_as_the_server_takes_it(world):
    """10 MB to a server that begins late, by length and by chunks; the client's sending end is closed."""
    size = 10 << 20
    for scheme in ("http", "https"):
        for chunked in (False, True):
            got = []

            def serve(server, connection, number):
                head = server.read(connection, number).lower()
                threading.Event().wait(0.3)
                body, n = hashlib.sha256(), 0
                with connection.makefile("rb") as f:
                    while b"chunked" in head and (k := int(f.readline(), 16)):
                        body.update(f.read(k))
                        n += k
                        f.readline()
                    if b"content-length" in head:
                        body.update(f.read(size))
                        n = size
                got.append((n, body.hexdigest()))
                connection.sendall(SMALL)
            with Server(serve, world if scheme == "https" else None) as server:
                out = world.python(f"""
data = bytes(range(256)) * ({size} // 256)
field = b"Transfer-Encoding: chunked" if {chunked} else b"Content-Length: %d" % len(data)
s = connect()
s.sendall(b"PUT {scheme}://good.test:{server.port}/ HTTP/1.1\\r\\nHost: good.test:{server.port}\\r\\n" + field + b"\\r\\n\\r\\n")
if {chunked}: data = b"".join(b"%x\\r\\n%s\\r\\n" % (len(p), p) for p in (data[i:i+70000] for i in range(0, len(data), 70000))) + b"0\\r\\n\\r\\n"
s.sendall(data)
s.shutdown(socket.SHUT_WR)
print(answer(s)[1][-4:])
""")
                wanted = hashlib.sha256(bytes(range(256)) * (size // 256)).hexdigest()
                expect(out == "b'good'\n" and got == [(size, wanted)], f"{scheme} {chunked}: {out} {got}")


def test_a_new_connection_resumes_the_tls_session_of_the_last(world):
    resumed = []

    def serve(server, connection, number):
        resumed.append(connection.session_reused)
        server.read(connection, number)
        connection.sendall(SMALL.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    with Server(serve, world) as server:
        out = world.python(FETCH + f"""
for _ in range(3): print(*fetch(connect(), "https://good.test:{server.port}/"))
""")
    expect(out.splitlines() == ["200 good"] * 3, out)
    expect(resumed == [False, True, True], f"{resumed}")


def test_what_is_wrong_with_tls_is_told(world):
    out = world.python(FETCH + f"""
print(*fetch(connect(), "https://good.test:{TLS}/small"))
print(*fetch(connect(), "https://other.test:{TLS}/small"))
""")
    lines = out.splitlines()
    expect(lines[0] == "200 small", out)
    expect(any(line.startswith("502 ") and "other.test: SSL" in line for line in lines), out)
