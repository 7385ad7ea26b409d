# SPDX-License-Identifier: Apache-2.0
"""What goes from one instance to another, and as what it arrives."""
import socket
import ssl
import threading

import tls
from hand import HERE, POLICY, exchange, expect, supervisors


def unread_data(hands):
    a, b = hands.pair()
    here = hands.connected(a)
    here.sendall(b"unread")
    token = a.do("offer('s')")
    expect(a.do("sockets['s'].send(b'x')") == "EPIPE", "the exporter still sends")
    expect(a.do("sockets['s'].recv(10)") == b"", "the exporter still reads")
    expect(b.do(f"claim('s', {token!r})") is None, "no claim")
    expect(b.do("sockets['s'].recv(100)") == b"unread", "the data that waited are gone")
    expect(b.do("sockets['s'].getpeername()") == here.getsockname(), "another peer")
    exchange(here, b)
    expect(b.do("sockets['s'].close()") is None and here.recv(10) == b"", "its close is not the last one")


def ipv6(hands):
    a, b = hands.pair()
    here = hands.connected(a, family=socket.AF_INET6)
    token = a.do("offer('s')")
    expect(b.do(f"claim('s', {token!r})") == "EPROTOTYPE", "an IPv6 socket in the place of an IPv4 one")
    expect(b.do(f"claim('s', {token!r}, socket.AF_INET6)") is None, "still on offer")
    exchange(here, b)


def half_closed(hands):
    a, b = hands.pair()
    for how, there in (("SHUT_WR", "local"), (None, "remote")):
        here = hands.connected(a)
        if how:
            a.do(f"sockets['s'].shutdown(socket.{how})")
            expect(here.recv(10) == b"", "no end of file")
        else:
            here.sendall(b"last")
            here.shutdown(socket.SHUT_WR)
        token = a.do("offer('s')")
        expect(b.do(f"claim('s', {token!r})") is None, f"{there}: no claim")
        if how:
            here.sendall(b"more")
            expect(b.do("sockets['s'].recv(10)") == b"more", "nothing is read")
            expect(b.do("sockets['s'].send(b'x')") == "EPIPE", "it sends again")
        else:
            expect(b.do("sockets['s'].recv(10)") == b"last" and b.do("sockets['s'].recv(10)") == b"", "the end is lost")
            b.do("sockets['s'].sendall(b'answer')")
            expect(here.recv(10) == b"answer", "no answer")


def reset(hands):
    a, b = hands.pair()
    here = hands.connected(a)
    here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    token = a.do("offer('s')")
    here.close()
    expect(b.do(f"claim('s', {token!r})") is None, "a connection that was reset cannot be claimed")
    expect(b.do("sockets['s'].recv(10)") == "ECONNRESET", "the error is lost")


def udp(hands):
    a, b = hands.pair()
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        here = hands.udp(family)
        kind = f"socket.AF_INET{'6' if family == socket.AF_INET6 else ''}, socket.SOCK_DGRAM"
        a.do(f"sockets['u'] = socket.socket({kind})")
        a.do(f"sockets['u'].connect({here.getsockname()[:2]!r})")
        a.do("sockets['u'].send(b'one')")
        _, at = here.recvfrom(10)
        here.sendto(b"queued", at)
        token = a.do("offer('u')")
        expect(a.do("sockets['u'].send(b'x')") == "EPIPE", "the exporter still sends")
        expect(a.do("os.write(sockets['u'].fileno(), b'x')") == "EPIPE", "the exporter still writes")
        expect(b.do(f"claim('u', {token!r})") == "EPROTOTYPE", "UDP in the place of TCP")
        expect(b.do(f"claim('u', {token!r}, {kind})") is None, "no claim")
        expect(512 <= b.do("sockets['u'].fileno()") < 1024, "UDP outside the window")
        expect(b.do("sockets['u'].recv(10)") == b"queued", "the datagram that waited is gone")
        b.do("sockets['u'].send(b'two')")
        expect(here.recvfrom(10) == (b"two", at), "it comes from elsewhere")
        # Never connected.
        a.do(f"sockets['v'] = socket.socket({kind})")
        token = a.do("offer('v')")
        expect(b.do(f"claim('v', {token!r}, {kind})") is None, "unconnected: no claim")
        b.do(f"sockets['v'].sendto(b'three', {here.getsockname()[:2]!r})")
        expect(here.recv(10) == b"three", "unconnected: nothing arrives")


def flags(hands):
    a, b = hands.pair()
    for nonblocking in (False, True):
        for inheritable in (False, True):
            hands.connected(a)
            a.do(f"sockets['s'].setblocking({nonblocking})")
            token = a.do("offer('s')")
            b.do("f = socket.socket()")
            b.do(f"f.setblocking({not nonblocking}); f.set_inheritable({inheritable}); n = f.fileno()")
            expect(b.do(f"f.setsockopt(GAE, TOKEN, {token.encode()!r})") is None, "no claim")
            expect(b.do("f.fileno() == n and os.fstat(n) is not None"), "another number")
            expect(b.do("bool(fcntl.fcntl(n, fcntl.F_GETFL) & os.O_NONBLOCK)") == nonblocking, "O_NONBLOCK is not its own")
            expect(b.do("os.get_inheritable(n)") == inheritable, "close-on-exec is not its own")


def in_one_instance(hands):
    a = hands.agent()
    here = hands.connected(a)
    token = a.do("offer('s')")
    expect(a.do(f"claim('t', {token!r})") is None, "no claim")
    exchange(here, a, "t")
    expect(a.do(f"claim('u', {token!r})") == "EPIPE", "a second claim")
    token = a.do("offer('t')")
    expect(a.do(f"claim('u', {token!r})") is None, "not a second time")
    exchange(here, a, "u")


def there_and_back(hands):
    a, b = hands.pair()
    here = hands.connected(a)
    for _ in range(3):
        token = a.do("offer('s')")
        expect(b.do(f"claim('s', {token!r})") is None, "no claim")
        exchange(here, b)
        a, b = b, a


class Shouter(threading.Thread):
    """Python's own TLS server: says in capitals what it is told; .end is how it ended."""

    def __init__(self, here, paths):
        super().__init__(daemon=True)
        self.here, self.end = here, None
        self.context = tls.context(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*paths)
        self.start()

    def run(self):
        try:
            with self.context.wrap_socket(self.here, server_side=True) as s:
                while data := s.recv(100):
                    s.sendall(data.upper())
            self.end = "closed"
        except (OSError, ssl.SSLError) as e:
            self.end = e.reason if isinstance(e, ssl.SSLError) else str(e)


def tls_by_the_program(hands):
    """A program that has its TLS state to itself goes on with it in another process: keys and record numbers."""
    a, b = hands.pair()
    paths = tls.make_certificate(hands.world.directory)
    for agent in (a, b):
        expect(agent.do(f"sys.path.append({HERE!r}); import tls") is None, "no module")
    here = hands.connected(a)
    server = Shouter(here, paths)
    a.do(f"state = tls.shake_hands(sockets['s'], {paths[0]!r}, {hands.world.path('keys')!r})")
    for giver, taker in ((a, b), (b, a)):
        giver.do("tls.send(sockets['s'], state, b'before')")
        expect(giver.do("tls.receive(sockets['s'], state)") == b"BEFORE", f"no answer: {server.end}")
        state, token = giver.do("state"), giver.do("offer('s')")
        expect(taker.do(f"claim('s', {token!r}); state = {state!r}") is None, "no claim")
        taker.do("tls.send(sockets['s'], state, b'behind')")
        expect(taker.do("tls.receive(sockets['s'], state)") == b"BEHIND", f"no answer behind it: {server.end}")
    # It is TLS that is spoken here: a record with the wrong number ends it.
    a.do("state['sent'] += 1; tls.send(sockets['s'], state, b'x')")
    expect(a.do("tls.receive(sockets['s'], state)") is None, "any record is taken")
    server.join(10)
    expect("MAC" in str(server.end), f"the server ended with {server.end}")


def tls_by_a_library(hands):
    """A program whose TLS library does not see the socket (ssl.MemoryBIO) takes it back, and the connection goes on."""
    a = hands.agent()
    paths = tls.make_certificate(hands.world.directory)
    here = hands.connected(a)
    server = Shouter(here, paths)
    got = a.do(f"""
import ssl
sys.path.append({HERE!r}); import tls
context = tls.context(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations({paths[0]!r})
received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
library = context.wrap_bio(received, to_send, server_hostname='good.test')
def go(name, call, *arguments):
    while True:
        result = waits = None
        try: result = call(*arguments)
        except ssl.SSLWantReadError: waits = True
        sockets[name].sendall(to_send.read())
        if not waits: return result
        received.write(sockets[name].recv(65536))
go('s', library.do_handshake); go('s', library.write, b'one')
""")
    expect(got is None and a.do("go('s', library.read, 100)") == b"ONE", f"no answer: {got} {server.end}")
    token = a.do("offer('s')")
    expect(a.do(f"claim('t', {token!r})") is None, "no claim")
    a.do("go('t', library.write, b'two')")
    expect(a.do("go('t', library.read, 100)") == b"TWO", f"no answer behind it: {server.end}")


def shared(hands):
    policy = hands.world.policy(POLICY.replace("handoff", "shared"), "shared.conf")
    a, b = hands.pair(policy=policy)
    here = hands.connected(a)
    expect(a.do("t = sockets['s'].dup()") is None, "dup")
    token = a.do("offer('s')")
    expect(b.do(f"claim('s', {token!r})") is None, "no claim")
    exchange(here, a)
    exchange(here, b)
    expect(b.do(f"claim('s', {token!r})") == "EPIPE", "one token, two claims")
    # Again, from both.
    for agent in (a, b):
        token = agent.do("offer('s')")
        expect(b.do(f"claim('t', {token!r})") is None, f"not again: {token}")
        exchange(here, b, "t")
    b.do("sockets['s'].close(); sockets['t'].close()")
    exchange(here, a)


def its_output(hands):
    """Who reads what the program prints is not held up by the supervisor that stays."""
    import subprocess
    import sys
    from hand import GAE_RUN
    server = hands.server()
    code = (f"import socket; s = socket.create_connection({server.getsockname()!r}); "
            "print(s.getsockopt(0x47414500, 1, 128).decode())")
    for trace in ([], ["--trace", hands.world.path("t")]):
        out = subprocess.run([GAE_RUN, "--policy", hands.policy, "--app", "demo", "--no-ledger", *trace, "--", sys.executable, "-c",
                              code], check=False, capture_output=True, text=True, timeout=20, env=hands.environment)
        expect(out.stdout.startswith("gae1-"), f"no token: {out}")
        expect(supervisors(hands.runtime), "its output ended only with the supervisor")
    b = hands.agent()
    expect(b.do(f"claim('s', {out.stdout.strip()!r})") is None, "no claim")


def other_copies(hands):
    a = hands.agent()
    here = hands.connected(a)
    a.do("t = sockets['s'].dup()")
    expect(a.do("offer('s')") == "EBUSY", "there is a copy in the same process")
    a.do("t.close()")
    a.do("r, w = os.pipe()")
    child = a.do("os.fork() or (os.close(w), os.read(r, 1), os._exit(0))")
    expect(a.do("offer('s')") == "EBUSY", "a child has it, too")
    a.do(f"os.close(w), os.waitpid({child}, 0)")
    exchange(here, a)
    expect(a.do("offer('s')").startswith("gae1-"), "no copy is left")


def after_its_end(hands):
    a, b = hands.pair()
    here = hands.connected(a)
    token = a.do("offer('s')")
    # Nobody claims it before that.
    expect(a.finish() == 0, "the front waits for the claim")
    a.expect_trace("the program has ended; 1 socket is on offer")
    expect(len(supervisors(hands.runtime)) == 2, "nobody stays")
    expect(b.do(f"claim('s', {token!r})") is None, "no claim")
    exchange(here, b)
    a.expect_trace("nothing is on offer any more")
    b.finish()
    hands.nothing_left()


def tests():
    yield "moves: TCP with data that wait", unread_data
    yield "moves: TCP over IPv6, and into another family", ipv6
    yield "moves: TCP half-closed, from here and from there", half_closed
    yield "moves: TCP that was reset meanwhile", reset
    yield "moves: UDP, connected and not, IPv4 and IPv6", udp
    yield "moves: O_NONBLOCK and close-on-exec are the fresh socket's", flags
    yield "moves: into the same instance", in_one_instance
    yield "moves: there and back again", there_and_back
    yield "moves: TLS whose state is the program's own", tls_by_the_program
    yield "moves: TLS by a library apart from the socket", tls_by_a_library
    yield "moves: shared", shared
    yield "moves: not while another descriptor has it", other_copies
    yield "moves: after the exporter's program has ended", after_its_end
    yield "moves: the exporter's output ends with its program", its_output
