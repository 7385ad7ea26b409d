# SPDX-License-Identifier: Apache-2.0
"""The Python module, the examples, and what they do without gae-run."""
import os
import socket
import subprocess
import sys
import threading

from hand import BUILD, GAE_RUN, TOP, exchange, expect, supervisors, until
from world import Skip

ARTICLES = 12


class News(threading.Thread):
    """As much of an NNTP server (RFC 3977) as the demo needs; counts its connections."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        self.said = []
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rwb") as file:
            self.say(file, "200 news")
            for line in file:
                words = line.decode().split()
                self.said.append(words[0])
                if words[0] == "CAPABILITIES":
                    self.say(file, "101 these\r\nVERSION 2\r\nOVER\r\nREADER\r\n.")
                elif words[0] == "GROUP":
                    self.say(file, f"211 {ARTICLES} 1 {ARTICLES} {words[1]}")
                elif words[0] in ("OVER", "XOVER"):
                    first, last = (int(x) for x in words[1].split("-"))
                    rows = [f"{i}\tabout {i}\tme@example.com\tnow\t<{i}@x>\t\t10\t3\r\n" for i in range(first, last + 1)]
                    self.say(file, "224 overview\r\n" + "".join(rows) + ".")
                elif words[0] == "LIST":
                    self.say(file, "503 no")
                elif words[0] == "ARTICLE":
                    self.say(file, f"220 {words[1]} <{words[1]}@x>\r\nSubject: about\r\n\r\nline one\r\n..dot\r\n.")
                elif words[0] == "QUIT":
                    self.say(file, "205 bye")
                    return
                else:
                    self.say(file, "500 what?")

    @staticmethod
    def say(file, text):
        file.write(text.encode() + b"\r\n")
        file.flush()


def run(hands, *command, fenced=True, **keywords):
    front = [GAE_RUN, "--policy", hands.policy, "--app", "news", "--no-ledger", "--"] if fenced else []
    environment = dict(hands.environment, PYTHONPATH=os.path.join(TOP, "supervisor/handover/python"), PYTHONDONTWRITEBYTECODE="1")
    return subprocess.run([*front, *command], check=False, capture_output=True, timeout=30, env=environment, **keywords)


def demo(hands):
    if sys.version_info >= (3, 13):
        raise Skip("this Python has no nntplib")
    news = News()
    hands.closing.append(news.listener)
    example = os.path.join(TOP, "supervisor/handover/examples/news_task.py")
    ask = run(hands, sys.executable, example, "ask", "127.0.0.1", str(news.listener.getsockname()[1]), "sci.physics")
    expect(ask.returncode == 0 and ask.stdout, ask.stderr.decode())
    work = run(hands, sys.executable, example, "work", input=ask.stdout)
    wanted = "".join(f"{i} about {i} 4\n" for i in range(3, ARTICLES + 1))
    expect(work.stdout.decode() == wanted, work.stdout.decode() + work.stderr.decode())
    expect(news.connections == 1, f"{news.connections} connections")
    again = run(hands, sys.executable, example, "work", input=ask.stdout)
    expect(again.returncode == 1 and b"BrokenPipeError" in again.stderr, again.stderr.decode())
    until(lambda: not supervisors(hands.runtime), 5, "nobody stays")


def files(hands):
    """What a file has buffered goes along, in both directions; file and socket stay one."""
    a, b = hands.pair()
    here = hands.connected(a)
    for agent in (a, b):
        agent.do("import gae_sockets, pickle; gae_sockets.install()")
    server = hands.server()
    a.do(f"s = socket.create_connection({server.getsockname()!r}); f = s.makefile('rwb')")
    there, _ = server.accept()
    there.settimeout(10)
    there.sendall(b"one\ntwo\nthr")
    expect(a.do("f.readline()") == b"one\n", "readline")
    a.do("f.write(b'buffered ')")
    text = a.do("pickle.dumps({'file': f, 'sock': s})")
    b.do(f"d = pickle.loads({text!r}); g = d['file']")
    expect(b.do("g._sock is d['sock']"), "two sockets of one")
    expect(b.do("g.readline()") == b"two\n", "what was read ahead is lost")
    there.sendall(b"ee\n")
    expect(b.do("g.readline()") == b"three\n", "half a line is lost")
    b.do("g.write(b'and more'); g.flush()")
    expect(there.recv(100) == b"buffered and more", "what was to be written is lost")
    there.sendall(b"0123456789")
    expect(b.do("g.read(4)") == b"0123" and b.do("g.readline(3)") == b"456" and b.do("g.read1()") == b"789", "reads")
    b.do("d['sock'].close(); g.close()")
    expect(there.recv(1) == b"", "closing both leaves it open")
    there.close()
    expect(a.do("s.gettimeout()") is None and a.do("s.send(b'x')") == "EPIPE", "what is left")
    # A closed one, a time-out, a text file, TLS.
    expect(b.do(f"pickle.loads({a.do('x = socket.socket()') or a.do('x.close()') or a.do('pickle.dumps(x)')!r}).fileno()") == -1,
           "a closed socket")
    a.do(f"s = socket.create_connection({server.getsockname()!r}); s.settimeout(7.5)")
    text = a.do("pickle.dumps(s)")
    expect(b.do(f"pickle.loads({text!r}).gettimeout()") == 7.5, "the time-out is lost")
    a.do(f"s = socket.create_connection({server.getsockname()!r})")
    expect(a.do("try: pickle.dumps(s.makefile('r'))\nexcept TypeError as e: no = str(e)") is None and "pickle" in a.do("no"), "text")
    a.do("import ssl\nno = ''\ntry: pickle.dumps(ssl.create_default_context().wrap_socket(s, server_hostname='x', "
         "do_handshake_on_connect=False))\nexcept TypeError as e: no = 'TLS ' + str(e)")
    expect("TLS" in a.do("no"), "TLS")
    exchange(here, a)


def example_in_c(hands):
    program = os.path.join(BUILD, "examples/handover")
    server = hands.server()
    out = run(hands, program, "offer", "127.0.0.1", str(server.getsockname()[1]))
    expect(out.returncode == 0 and out.stdout.startswith(b"gae1-"), out.stderr.decode())
    here, _ = server.accept()
    here.settimeout(10)
    here.sendall(b"from there\n")
    here.shutdown(socket.SHUT_WR)
    out = run(hands, program, "claim", out.stdout.strip().decode(), input=b"")
    expect(out.stdout == b"from there\n", out.stderr.decode())
    here.close()


def natively(hands):
    """Without gae-run all of it fails, and cleanly."""
    server = hands.server()
    port = str(server.getsockname()[1])
    out = run(hands, os.path.join(BUILD, "examples/handover"), "offer", "127.0.0.1", port, fenced=False)
    expect(out.returncode == 1 and b"not supported" in out.stderr, out.stderr.decode())
    out = run(hands, os.path.join(BUILD, "examples/handover"), "claim", "gae1-x", fenced=False)
    expect(out.returncode == 1 and b"Protocol not available" in out.stderr, out.stderr.decode())
    code = ("import errno, gae_sockets, socket, sys\n"
            "for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):\n"
            "    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
            "        for call in (lambda s: gae_sockets.offer(s), lambda s: s.setsockopt(gae_sockets.SOL_GAE, 1, b'x')):\n"
            "            try: call(socket.socket(family, kind)); print('done?')\n"
            "            except OSError as e: print(errno.errorcode[e.errno])\n")
    out = run(hands, sys.executable, "-c", code, fenced=False)
    expect(out.stdout.decode().split() == ["ENOTSUP", "ENOPROTOOPT"] * 2 + ["ENOPROTOOPT"] * 4, out.stdout.decode() + out.stderr.decode())


def tests():
    yield "pickles: App Engine's demo", demo
    yield "pickles: files with their buffers", files
    yield "pickles: the example in C", example_in_c
    yield "pickles: without gae-run", natively
