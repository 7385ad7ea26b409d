# SPDX-License-Identifier: Apache-2.0
"""Hand-made clients that send what no client should."""
from world import ECHO, NGINX, TLS, expect

HOST = f"Host: good.test:{NGINX}\\r\\n"
GET = f"GET http://good.test:{NGINX}/small HTTP/1.1\\r\\n"
POST = f"POST http://good.test:{ECHO}/ HTTP/1.1\\r\\nHost: good.test:{ECHO}\\r\\n"


def test_ambiguous_requests_are_refused(world):
    rows = [(400, POST + "Content-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n"),
            (400, POST + "Content-Length: 5\\r\\nContent-Length: 6\\r\\n\\r\\nhello"),
            (400, GET + HOST + "X: a\\r\\n b\\r\\n\\r\\n"), (400, GET.replace("\\r", "") + "Host: good.test\\n\\n"),
            (400, GET + "Host: inner.test\\r\\n\\r\\n"), (400, GET + HOST + HOST + "\\r\\n"),
            (400, GET + HOST + "X : y\\r\\n\\r\\n"), (400, GET + HOST + "X: \\x00\\r\\n\\r\\n"),
            (501, POST + "Transfer-Encoding: gzip, chunked\\r\\n\\r\\n"),
            (400, POST + "Transfer-Encoding: chunked\\r\\n\\r\\nzz\\r\\n"),
            (400, "GET /small HTTP/1.1\\r\\n" + HOST + "\\r\\n"), (505, "GET http://a/ HTTP/3.0\\r\\n\\r\\n"),
            (200, POST + "Content-Length: 5\\r\\n\\r\\nhello"), (200, GET + HOST + "X: a\\r\\n\\r\\n"),
            (200, POST + "Transfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nhello\\r\\n0\\r\\n\\r\\n"),
            (400, "\\x16\\x03\\x01\\x00\\x05\\r\\n\\r\\n"), (400, POST + "Content-Length: 50\\r\\n\\r\\nends early")]
    code = "".join(f"print(raw(\"{text}\")[0], {status})\n" for status, text in rows)
    out = world.python(code)
    for line, (status, text) in zip(out.splitlines(), rows):
        expect(line == f"{status} {status}", f"{text}: {line}")


def test_nothing_is_smuggled_behind_a_refused_request(world):
    out = world.python(f"""
text = "{POST}Content-Length: 4\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n{GET}{HOST}\\r\\n"
print(raw(text)[1].count(b"HTTP/1.1"))
s = connect()
s.sendall("{POST}Content-Length: 5\\r\\n\\r\\nhello{GET}{HOST}Connection: close\\r\\n\\r\\n".encode())
print(answer(s)[1].count(b"HTTP/1.1"))
""")
    expect(out == "1\n2\n", f"{out} answers: to what is refused, and to two that are not")


def test_header_bombs_are_refused(world):
    out = world.python(f"""
print(raw("{GET}{HOST}" + "X: y\\r\\n" * 50 + "\\r\\n")[0])
print(raw("{GET}{HOST}" + "X: y\\r\\n" * 5000 + "\\r\\n")[0])
print(raw("{GET}{HOST}X: " + "y" * 1000000 + "\\r\\n\\r\\n")[0])
print(raw("GET http://good.test/" + "y" * 1000000 + " HTTP/1.1\\r\\n\\r\\n")[0])
print(raw("\\r\\n" * 1000000 + "{GET}{HOST}Connection: close\\r\\n\\r\\n")[0])
""")
    expect(out == "200\n431\n431\n414\n200\n", out)


def test_half_closed_clients_get_their_answer(world):
    out = world.python(f"""
print(raw("GET http://good.test:{ECHO}/sleep-0.5 HTTP/1.1\\r\\nHost: good.test:{ECHO}\\r\\n\\r\\n")[0])
print(raw("{GET}")[1])
""")
    expect(out == "200\nb''\n", out)


def test_half_closed_clients_get_all_their_answers(world):
    """A request with a body, one behind it, and in the second round half a third; all in one piece, and then the end."""
    out = world.python(f"""
for behind in b"", b"GET http://good.te":
    s = connect()
    s.settimeout(5)
    s.sendall(b"{POST}Content-Length: 4\\r\\n\\r\\nbody{GET}{HOST}\\r\\n" + behind)
    s.shutdown(socket.SHUT_WR)
    data = b""
    while part := s.recv(65536): data += part
    print(data.count(b"HTTP/1.1 200"), data.endswith(b"\\r\\n\\r\\nsmall\\n"))
""")
    expect(out == "2 True\n2 True\n", out)


def test_clients_that_leave_are_forgotten(world):
    out = world.python(f"""
for i in range(2000):
    s = connect()
    s.sendall(b"GET http://good.test:{NGINX}/slow HTTP/1.1\\r\\n{HOST}\\r\\n"[:(i % 3) * 45 + 3])
    if i % 2: s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
    s.close()
assert urllib.request.urlopen("http://good.test:{NGINX}/small").read() == b"small\\n"
print("served")
""")
    expect(out == "served\n", out)


def test_slow_requests_and_silent_connections_are_given_up(world):
    """All at the same time: a head byte by byte, one in three parts, and more connections than are served at once."""
    out = world.python(f"""
import threading
got = {{}}
def slowly(name, parts, pause):
    s = connect()
    begun = time.monotonic()
    s.settimeout(pause)
    data = b""
    for part in parts:
        try:
            s.sendall(part.encode())
            data = s.recv(1000)
            break
        except socket.timeout: pass
        except ConnectionError: break
    if not data:
        s.settimeout(20)
        data = s.recv(1000)
    got[name] = data[9:12].decode(), time.monotonic() - begun
head = "{GET}{HOST}"
threads = [threading.Thread(target=slowly, args=("bytes", head + "X: " + "y" * 1000, 0.5)),
           threading.Thread(target=slowly, args=("parts", [head[:20], head[20:], "\\r\\n"], 0.5))]
for t in threads: t.start()
while "parts" not in got: time.sleep(0.05)
silent = [connect() for i in range(600)]
begun = time.monotonic()
r = urllib.request.urlopen("http://good.test:{NGINX}/small", timeout=60).read()
print(r, time.monotonic() - begun < 40)
for t in threads: t.join()
print(got["bytes"][0], 9 < got["bytes"][1] < 30, got["parts"][0])
print(len(silent))
""", timeout=90)
    expect(out == "b'small\\n' True\n408 True 200\n600\n", out)


def test_a_slow_body_ends_with_the_deadline(world):
    """A body that comes byte by byte; the deadline is a second.  The same in two parts comes in time."""
    out = world.python(f"""
def slowly(parts, pause):
    s = connect()
    s.settimeout(pause)
    s.sendall(b"POST http://good.test:{ECHO}/ HTTP/1.1\\r\\nHost: good.test:{ECHO}\\r\\nContent-Length: 1000\\r\\n\\r\\n")
    for n, part in enumerate(parts):
        try:
            s.sendall(part)
            return s.recv(1000)[9:12].decode(), n
        except socket.timeout: pass
        except ConnectionError: break
    s.settimeout(20)
    return s.recv(1000)[9:12].decode(), n
code, sent = slowly([b"x"] * 1000, 0.1)
print(code, 5 < sent < 300, *slowly([b"x" * 500, b"x" * 500], 0.1)[:1])
""", options=("--urlfetch-deadline", "1,2"))
    expect(out == "504 True 200\n", out)


def test_an_answer_that_is_no_http_is_told_so(world):
    code, body, _ = world.curl(f"http://good.test:{ECHO}/even")
    expect(code == 200, f"its HTTP: {code} {body}")
    code, body, _ = world.curl(f"http://good.test:{ECHO}/odd")
    expect(code == 502 and "no answer that HTTP knows" in body, f"{code} {body}")


CONNECT = f"CONNECT good.test:{TLS} HTTP/1.1\\r\\nHost: good.test:{TLS}\\r\\n\\r\\n"


def test_tls_must_name_the_host_that_connect_names(world):
    out = world.python(f"""
def through(connect_to, name):
    s = connect()
    s.sendall(f"CONNECT {{connect_to}}:{TLS} HTTP/1.1\\r\\nHost: {{connect_to}}:{TLS}\\r\\n\\r\\n".encode())
    assert b" 200 " in head(s)
    c = ssl._create_unverified_context()
    try:
        t = c.wrap_socket(s, server_hostname=name)
        t.sendall(b"GET /small HTTP/1.0\\r\\n\\r\\n")
        return answer(t)[0]
    except ssl.SSLError as e: return e.reason
print(through("good.test", "good.test"), through("good.test", "GOOD.test"), through("203.0.113.1", None))
print(through("good.test", "inner.test"), through("good.test", None), through("203.0.113.1", "inner.test"))
""")
    expect(out == "200 200 200\n" + "TLSV1_UNRECOGNIZED_NAME TLSV1_UNRECOGNIZED_NAME TLSV1_UNRECOGNIZED_NAME\n", out)


def test_only_tls_goes_through_connect(world):
    out = world.python(f"""
for text in (b"GET / HTTP/1.1\\r\\n\\r\\n", b"SSH-2.0-x\\r\\n", b"\\x16\\x03\\x01\\x40\\x00" + b"\\1\\0\\xff\\xff" + b"x" * 9000, b""):
    s = connect()
    s.sendall(b"{CONNECT}" + text)
    if not text: s.shutdown(socket.SHUT_WR)
    h = head(s)
    print(answer(s)[1].hex())
s = connect()
s.sendall(b"{CONNECT}")
h = head(s)
t = ssl.create_default_context(cafile={world.ca!r}).wrap_socket(s, server_hostname="good.test")
t.sendall(b"GET /small HTTP/1.0\\r\\n\\r\\n")
print(answer(t)[0])
print(raw("CONNECT good.test:22 HTTP/1.1\\r\\nHost: good.test:22\\r\\n\\r\\n")[0])
print(raw("CONNECT good.test HTTP/1.1\\r\\nHost: good.test\\r\\n\\r\\n")[0])
""")
    expect(out == "15030100020270\n" * 4 + "200\n403\n400\n", out)
