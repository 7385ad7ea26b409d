# SPDX-License-Identifier: Apache-2.0
"""Tokens that are forged, replayed, guessed and stolen; programs that speak to a supervisor's socket."""
import hashlib
import os
import socket
import struct
import subprocess

from faults import OFFER, REFUSED, claim_message, path_of, said, speak
from hand import POLICY, exchange, expect, time, until
from world import Skip


def forged(hands):
    """Any change of a token is seen where it is shown, and no other instance hears of it."""
    a, b = hands.pair()
    here = hands.connected(a)
    token = a.do("offer('s')")
    b.do(f"T = {token!r}")
    wrong = b.do("""def change(i):
    digit = '0' if T[i] != '0' else '1'
    try: claim('x', T[:i] + digit + T[i + 1:])
    except OSError as e: return errno.errorcode[e.errno]""")
    expect(wrong is None, f"the helper: {wrong}")
    answers = b.do("[change(i) for i in range(len(T))]")
    expect(set(answers) == {"EINVAL", "EACCES"}, f"{set(answers)}")
    # The tag of the app alone gives EACCES.
    at = token.index(".handover-") + len(".handover-")
    expect(answers.count("EACCES") == 16 and set(answers[at:at + 16]) == {"EACCES"}, f"{answers}")
    expect(b.do("claim('s', T)") is None, "after all that the right one fails")
    exchange(here, b)


def made_with_the_key(hands):
    """Who reads the key file can make tokens; without the 128 random bits they open nothing."""
    a, b = hands.pair()
    here = hands.connected(a)
    token = a.do("offer('s')")
    head, _ = token.rsplit("-", 1)
    name, tag, _ = head.rsplit("-", 2)
    app = hashlib.blake2s(b"demo", key=struct.pack("<I", os.geteuid())).digest()
    with open(f"{hands.directory()}/{tag}.key", "rb") as f:
        key = f.read()
    expect(len(key) == 32 and os.stat(f.name).st_mode & 0o777 == 0o600, "the key file")

    def make(identity):
        text = f"{name}-{tag}-{identity.hex()}"
        return f"{text}-{hashlib.blake2s(app + text.encode(), key=key, digest_size=16).hexdigest()}"
    expect(make(bytes.fromhex(head.rsplit("-", 1)[1])) == token, "the token is not what is documented")
    begun = time.monotonic()
    guesses = b.do(f"G = {[make(os.urandom(16)) for _ in range(1000)]!r}\n"
                   "def guess(t):\n    try: claim('x', t)\n    except OSError as e: return errno.errorcode[e.errno]")
    expect(guesses is None, f"the helper: {guesses}")
    answers = b.do("[guess(t) for t in G]", 60)
    expect(set(answers) <= {"EPIPE", "EAGAIN"} and "EAGAIN" in answers, f"guesses are not slowed down: {set(answers)}")
    expect(answers.count("EPIPE") <= 256 * (2 + time.monotonic() - begun), "more guesses than 256 in a second")
    # Nobody else is held up by that.
    other = hands.agent()
    expect(other.do(f"claim('s', {token!r})") is None, "another importer")
    exchange(here, other)


def replayed(hands):
    a, b, c = hands.agent(), hands.agent(), hands.agent()
    here = hands.connected(a)
    token = a.do("offer('s')")
    expect(b.do(f"claim('s', {token!r})") is None, "no claim")
    for agent in (a, b, c):
        expect(agent.do(f"claim('x', {token!r})") == "EPIPE", "a second claim")
    expect(b.do("offer('s')") != token, "the same token again")
    del here


def stolen(hands):
    """Another app has got hold of a token, and of the key: it says who it is all the same."""
    a, b = hands.agent(), hands.agent(app="thief")
    here = hands.connected(a)
    token = a.do("offer('s')")
    hands.connected(b, "mine")
    own = b.do("offer('mine')")
    expect(b.do(f"claim('s', {token!r})") == "EACCES", "the token as it is")
    # Dressed up as one of its own: the thief's tag, and its key, which it can read.
    name, _, identity, _ = token.rsplit("-", 3)
    tag = own.rsplit("-", 3)[1]
    app = hashlib.blake2s(b"thief", key=struct.pack("<I", os.geteuid())).digest()
    with open(f"{hands.directory()}/{tag}.key", "rb") as f:
        key = f.read()
    text = f"{name}-{tag}-{identity}"
    dressed = f"{text}-{hashlib.blake2s(app + text.encode(), key=key, digest_size=16).hexdigest()}"
    expect(b.do(f"claim('s', {dressed!r})") == "EACCES", "the exporter does not ask which app it is")
    c = hands.agent()
    expect(c.do(f"claim('s', {token!r})") is None, "lost")
    exchange(here, c)


SPEAK = """
def speak(path, kind=socket.SOCK_SEQPACKET, how='write', size=256):
    s = socket.socket(socket.AF_UNIX, kind)
    s.settimeout(3)
    try:
        s.connect(path)
        if how == 'write': os.write(s.fileno(), M)
        else: s.sendmsg([M])
        data, fds, _, _ = socket.recv_fds(s, size, 4)
        return (data[:8], len(fds))
    except OSError as e: return errno.errorcode[e.errno] if e.errno else str(e)
"""


def opens_from_outside(hands, exporter, token):
    """What is said below from where it must not be works from where it may: the socket is given, and put back."""
    connection, descriptors, answer = speak(hands, token)
    expect(said(answer) == OFFER and len(descriptors) == 1, f"not even a supervisor gets it: {answer[:16]}")
    os.close(descriptors[0])
    connection.close()
    exporter.expect_trace("is on offer again")


def from_inside(hands):
    """A program that may use every local socket says to the exporter what a supervisor would say."""
    policy = hands.world.policy(POLICY.replace("unix pair", "unix allow /* @*"), "unix.conf")
    a, b = hands.agent(), hands.agent(policy=policy)
    here = hands.connected(a)
    token = a.do("offer('s')")
    path = path_of(hands, token)
    name = os.path.basename(path)
    opens_from_outside(hands, a, token)
    b.do(SPEAK)
    b.do(f"M = {claim_message(token)!r}")
    moved, linked = hands.world.path("moved"), hands.world.path("linked")
    for how in ("write", "sendmsg"):
        expect(b.do(f"speak({path!r}, how={how!r})") == "EACCES", f"{how}: by its path")
        expect(b.do(f"speak({path!r}.replace('/gae-run/', '/gae-run/../gae-run/'), how={how!r})") == "EACCES", f"{how}: by a path")
        expect(b.do(f"os.symlink({hands.directory()!r}, '{moved}-{how}')") is None, "no symbolic link")
        expect(b.do(f"speak('{moved}-{how}/{name}', how={how!r})") == "EACCES", f"{how}: by a symbolic link")
        b.do(f"os.link({path!r}, '{linked}-{how}')")
        expect(b.do(f"speak('{linked}-{how}', how={how!r})") == "EACCES", f"{how}: by a hard link")
        b.do(f"os.rename({path!r}, {moved!r})")
        expect(b.do(f"speak({moved!r}, how={how!r})") == "EACCES", f"{how}: moved elsewhere")
        b.do(f"os.rename({moved!r}, {path!r})")
    status = [n for n in os.listdir(hands.directory()) if n.endswith(".status")][0]
    expect(b.do(f"speak({hands.directory() + '/' + status!r}, socket.SOCK_STREAM)") == "EACCES", "a picture")
    c = hands.agent()
    expect(c.do(f"claim('s', {token!r})") is None, "lost")
    exchange(here, c)


def in_between(hands):
    """The claim is written in the moment between connect(2) and its refusal: the exporter asks who has written."""
    policy = hands.world.policy(POLICY.replace("unix pair", "unix allow /* @*"), "unix.conf")
    a, b = hands.agent(), hands.agent(policy=policy)
    here = hands.connected(a)
    token = a.do("offer('s')")
    opens_from_outside(hands, a, token)
    b.do(f"M = {claim_message(token)!r}; os.link({path_of(hands, token)!r}, {hands.world.path('l')!r})")
    won = b.do(f"""
import ctypes
libc = ctypes.CDLL(None)
stop, written, got = False, 0, []
address = b'\\1\\0' + {hands.world.path('l')!r}.encode() + b'\\0'
def writer():
    global written
    while not stop:
        if libc.write(s.fileno(), M, len(M)) > 0: written += 1
for i in range(300):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stop = False
    t = threading.Thread(target=writer); t.start()
    libc.connect(s.fileno(), address, len(address))
    s.settimeout(0.002)
    try:
        data, fds, _, _ = socket.recv_fds(s, 256, 4)
        if fds: got.append(i)
    except OSError: pass
    stop = True; t.join(); s.close()
""", 60)
    expect(won is None, f"the helper: {won}")
    expect(b.do("written") > 0, "no message was written in between: nothing was tried")
    expect(b.do("got") == [], f"descriptors got past the policy: {b.do('got')}")
    until(lambda: b.do(f"claim('s', {token!r})") is None, 5, "the claim of who may")
    exchange(here, b)


def strangers(hands):
    """Anything said to the exporter's socket from outside, and by many: it goes on serving."""
    a, b = hands.pair()
    here = hands.connected(a)
    token = a.do("offer('s')")
    path = path_of(hands, token)
    opens_from_outside(hands, a, token)
    silent = []
    for _ in range(60):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(path)
        silent.append(s)
    for data in (b"x", bytes(255), bytes(256), bytes(257), b"\1\0\0\0\2" + bytes(251), os.urandom(256), os.urandom(5000)):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(path)
        s.settimeout(5)
        socket.send_fds(s, [data], [0, 1, 2])
        try:
            expect(s.recv(256) == b"", f"an answer to {data[:8]}")
        except ConnectionResetError:
            pass
        s.close()
    expect(b.do(f"claim('s', {token!r})") is None, "held up by others")
    exchange(here, b)
    for s in silent:
        s.settimeout(5)
        expect(s.recv(1) == b"", "who says nothing is not dropped")
        s.close()


# Connects as another user, hears, then says argv[2], hears again: what, and how many descriptors.
AS_ANOTHER = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(10)
s.connect(sys.argv[1])
heard = []
try:
    heard.append(socket.recv_fds(s, 256, 4))
    s.send(bytes.fromhex(sys.argv[2]))
    heard.append(socket.recv_fds(s, 256, 4))
except (BrokenPipeError, ConnectionResetError): heard.append((b'', []))
print([(h[0][:12].hex(), len(h[1])) for h in heard])
"""


def another_users_supervisor(hands):
    """A directory that was opened to all meanwhile: who connects is asked of the kernel, and dropped before it says anything."""
    if os.geteuid() != 0 or os.environ.get("GAE_HANDOVER_USERNS"):
        raise Skip("needs root, to be another user")
    a, b = hands.pair()
    here = hands.connected(a)
    token = a.do("offer('s')")
    opens_from_outside(hands, a, token)
    path = path_of(hands, token)
    for directory in (hands.world.directory, hands.runtime, hands.directory()):
        os.chmod(directory, 0o711)
    os.chmod(path, 0o666)
    out = subprocess.run(["/usr/bin/python3", "-c", AS_ANOTHER, path, claim_message(token).hex()], check=False,
                         capture_output=True, text=True, timeout=30)
    refusal = struct.pack("=III", 1, REFUSED, 13).hex()
    expect(out.stdout == f"{[(refusal, 0), ('', 0)]}\n", out.stdout + out.stderr)
    for directory in (hands.directory(), hands.runtime):
        os.chmod(directory, 0o700)
    expect(b.do(f"claim('s', {token!r})") is None, "lost")
    exchange(here, b)


def tests():
    yield "attacks: forged, in every place", forged
    yield "attacks: guessed, with the key", made_with_the_key
    yield "attacks: replayed", replayed
    yield "attacks: stolen, by another app", stolen
    yield "attacks: a program speaks to the exporter", from_inside
    yield "attacks: a program speaks before it is stopped", in_between
    yield "attacks: another user speaks to the exporter", another_users_supervisor
    yield "attacks: strangers speak to the exporter", strangers
