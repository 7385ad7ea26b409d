# SPDX-License-Identifier: Apache-2.0
"""Questions to name servers as a way out: what is refused, how resolvers take it, and tricks around it."""
import resource
import subprocess

from lab import CLIENTS, DNSMASQ, HEAD, HOSTILE, PORT, TAIL, client_test
from nameserver import answer, name_bytes, question
from rules import ONE, WILD, same
from world import expect

LISTED = ONE + WILD + "dns listed-only\n"
LETTER = "secret.evil.example"
COOKIE = 40  # bytes of the longest cookie of EDNS (RFC 7873)


def client_fails_at_once(lab, command):
    """A listed name is found; another fails at once, not after the 5 s of a resolver that hears nothing; no server hears of it."""
    lab.dnsmasq(records=f"192.0.2.1 one.test\n192.0.2.2 a.wild.test\n192.0.2.66 {LETTER}\n")
    policy = lab.policy("gae-policy 1\nallow tcp,udp to @resolvers port 53\n" + LISTED +
                        "bind any\nnetlink route-read\nunix pair\nsockopt any any pass\n")
    native = lab.native(*command, LETTER)
    expect(native.stdout == f"{LETTER} 192.0.2.66\n", f"natively: {native.stdout} {native.stderr}")
    before = len(lab.asked())
    fenced = lab.fenced(policy, *command, "one.test", LETTER, "a.wild.test", "test", "wild.test", "x.one.test")
    expect(fenced.stdout == f"one.test 192.0.2.1\n{LETTER} error\na.wild.test 192.0.2.2\ntest error\nwild.test error\n"
           "x.one.test error\n", f"{fenced.stdout} {fenced.stderr}")
    expect(set(lab.asked()[before:]) <= {"one.test", "a.wild.test", "invalid"}, f"asked: {lab.asked()[before:]}")


def client_with_search_list(lab, command):
    """As in Kubernetes: the search list is gone through first, and a listed name is found all the same."""
    lab.dnsmasq(records="192.0.2.1 one.test\n")
    lab.resolv(f"nameserver {DNSMASQ}\nsearch ns.corp corp\noptions ndots:5\n")
    policy = lab.policy("gae-policy 1\nallow tcp,udp to @resolvers port 53\n" + LISTED +
                        "bind any\nnetlink route-read\nunix pair\nsockopt any any pass\n")
    fenced = lab.fenced(policy, *command, "one.test", LETTER)
    expect(fenced.stdout == f"one.test 192.0.2.1\n{LETTER} error\n", f"{fenced.stdout} {fenced.stderr}")
    expect(not [name for name in lab.asked() if "evil" in name], f"asked: {lab.asked()}")


# Sends each wire message that it finds in MESSAGES in many ways; prints the errors.
WAYS = r"""
import array, ctypes, errno, os, socket, struct, tempfile
to = (SERVER, 53)
def show(way, call):
    try: call(); print(way, "sent")
    except OSError as e: print(way, errno.errorcode[e.errno])
def udp(connected=True):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if connected: s.connect(to)
    return s
def file_of(data):
    f = tempfile.TemporaryFile(); f.write(data); f.flush(); return os.dup(f.fileno())
def six(data):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.connect(("::ffff:" + SERVER, 53)); s.send(data)
def option(data):
    s = udp(); s.setsockopt(17, 103, SEGMENT); s.send(data)
def more(data):
    s = udp(); s.send(data[:20], socket.MSG_MORE); s.send(data[20:])
for name, data in MESSAGES.items():
    show(name + " sendto", lambda: udp(False).sendto(data, to))
    show(name + " send", lambda: udp().send(data))
    show(name + " write", lambda: os.write(udp().detach(), data))
    show(name + " writev", lambda: os.writev(udp().detach(), [data[:7], data[7:]]))
    show(name + " sendmsg", lambda: udp(False).sendmsg([data[:1], data[1:]], [], 0, to))
    show(name + " sendmsg connected", lambda: udp().sendmsg([data]))
    show(name + " sendmsg segments", lambda: udp().sendmsg([data], [(17, 103, struct.pack("H", SEGMENT))]))
    show(name + " segment option", lambda: option(data))
    show(name + " sendfile", lambda: os.sendfile(udp().detach(), file_of(data), 0, len(data)))
    show(name + " v4-mapped", lambda: six(data))
    show(name + " more", lambda: more(data))
    show(name + " unconnected", lambda: udp(False).send(data))
print("end")
"""


def messages():
    """What must not pass under `dns listed-only`."""
    listed, letter = question("one.test"), question(LETTER)

    def with_options(*options, opt=b"\0\0\x29\4\xd0\0\0\0\0"):
        data = b"".join(code.to_bytes(2, "big") + len(text).to_bytes(2, "big") + text for code, text in options)
        return question("one.test", counts=(1, 0, 0, 1), more=opt + len(data).to_bytes(2, "big") + data)

    hidden = with_options((10, letter.ljust(COOKIE, b"\0")))
    return {
        "another name": letter,
        "two questions": question("one.test", counts=(2, 0, 0, 0), more=letter[12:]),
        "left over": listed + letter,
        "an answer": answer(listed, "192.0.2.1"),
        "update": question("one.test", flags=0x2800),
        "a dot in a label": letter[:12] + b"\x0bevil.a.wild" + name_bytes("test") + letter[-4:],
        "pointer": letter[:12] + b"\6secret\xc0\x0c" + letter[-4:],
        "AXFR": question("one.test", kind=252),
        "ANY": question("one.test", kind=255),
        "CHAOS": question("one.test", group=3),
        "root": question("", kind=2),
        "empty": b"",
        "no DNS": b"secret " * 50,
        "long": letter * 300,
        "another option": with_options((65001, b"secret")),
        "a long cookie": with_options((10, b"s" * (COOKIE + 1))),
        "cookies": with_options((10, b"s" * 8), (10, b"s" * 8)),
        "padding": with_options((12, b"\0" * 100 + b"secret")),
        "half an option": with_options((10, b"s" * 8))[:-1],
        "another version": with_options(opt=b"\0\0\x29\4\xd0\0\1\0\0"),
        "bits of the header": question("one.test", flags=0x01CF),
        "a zero byte": listed[:12] + b"\4\0one" + listed[16:],
    }, hidden


def ways_out(lab):
    """Every kind of call and of message: nothing but what is listed reaches the server, nor leaves in pieces."""
    server = lab.hostile(lambda packet, *_: None)
    lab.resolv(f"nameserver {HOSTILE}\n")
    refused, _ = messages()
    code = f"SERVER = {HOSTILE!r}\nSEGMENT = 12\nMESSAGES = {refused!r}\n{WAYS}"
    native = lab.native("/usr/bin/python3", "-c", code)
    expect("secret.evil.example" in server.names(), f"natively: {native.stdout[-300:]} {native.stderr} {server.names()}")
    unsent = [line for line in native.stdout.splitlines() if line.startswith("another name") and not line.endswith(" sent")]
    same(unsent, ["another name unconnected EDESTADDRREQ"])
    del server.asked[:]
    lines = lab.script(LISTED, code)
    same(lines[-1], "end")
    sent = [line for line in lines if line.endswith("sent")]
    # Nothing to write is no datagram; sent with MSG_MORE is nothing either.
    same([line for line in sent if not line.startswith(("empty writev", "empty sendfile"))], [])
    heard = [a[4] for a in server.asked if b"invalid" not in a[4]]
    expect(not heard, f"the server heard {heard[:3]}")


def hidden_question(lab):
    """A listed question with another one in its OPT record leaves as one datagram, or not at all."""
    server = lab.hostile(lambda packet, *_: answer(packet, "192.0.2.1"))
    lab.resolv(f"nameserver {HOSTILE}\n")
    _, hidden = messages()
    at = len(hidden) - COOKIE
    code = f"SERVER = {HOSTILE!r}\nSEGMENT = {at}\nMESSAGES = {{'hidden': {hidden!r}}}\n{WAYS}"
    lab.native("/usr/bin/python3", "-c", code)
    expect(LETTER in server.names(), f"natively it is not cut out: {server.names()}")
    del server.asked[:]
    lab.script(LISTED, code)
    expect(LETTER not in server.names(), f"the server heard {server.names()}")
    expect("one.test" in server.names(), "nothing arrived")


def what_passes(lab):
    """Mixed case, EDNS, other types: what resolvers ask for a listed name."""
    server = lab.hostile(lambda packet, *_: answer(packet))
    lab.resolv(f"nameserver {HOSTILE}\n")
    opt = b"\0\0\x29\4\xd0\0\0\x80\0"
    options = b"\0\x0a\0\x18" + b"c" * 24 + b"\0\x0c\0\x40" + bytes(64)
    good = {"mixed": question("oNe.TeSt"), "edns": question("one.test", counts=(1, 0, 0, 1), more=opt + b"\0\0"),
            "cookie, padding": question("one.test", flags=0x0130, counts=(1, 0, 0, 1),
                                        more=opt + len(options).to_bytes(2, "big") + options),
            "https": question("one.test", kind=65), "mx": question("one.test", kind=15),
            "srv": question("_imaps._tcp.wild.test", kind=33)}
    code = f"""
import os, socket
for name, data in {good!r}.items():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(({HOSTILE!r}, 53)); s.settimeout(5)
    s.send(data); print(name, s.recv(512)[:2] == data[:2])
"""
    same(lab.script(LISTED, code), [f"{name} True" for name in good])
    expect("oNe.TeSt" in server.names(), f"its bytes are the program's: {server.names()}")


def racing_connect(lab):
    """A thread connects the socket to the name server and away again while another one sends."""
    server = lab.hostile(lambda *_: None)
    lab.resolv(f"nameserver {HOSTILE}\n")
    code = f"""
import socket, threading, time
letter = {question(LETTER)!r}
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.monotonic() + SECONDS
def flip():
    while time.monotonic() < end:
        s.connect(("192.0.2.5", 9)); s.connect(({HOSTILE!r}, 53))
t = threading.Thread(target=flip); t.start()
sent = refused = 0
while time.monotonic() < end:
    try: s.send(letter); sent += 1
    except OSError: refused += 1
t.join()
print(sent > 0, refused > 0)
"""
    native = lab.native("/usr/bin/python3", "-c", "SECONDS = 0.3\n" + code)
    expect(LETTER in server.names(), f"natively the server hears nothing: {native.stderr}")
    del server.asked[:]
    same(lab.script("allow udp to 192.0.2.5\n" + LISTED, "SECONDS = 2\n" + code), ["True True"])
    expect(LETTER not in server.names(), f"the server heard {len(server.asked)} letters")


def changing_bytes(lab):
    """The bytes change while the call is carried out: what is judged is what leaves."""
    server = lab.hostile(lambda *_: None)
    lab.resolv(f"nameserver {HOSTILE}\n")
    good, letter = "a.long.name.below.wild.test", "secret.evil.example.of.mine"
    code = f"""
import mmap, os, socket, time
good, letter = {question(good)!r}, {question(letter)!r}
assert len(good) == len(letter)
wire = mmap.mmap(-1, len(good))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(({HOSTILE!r}, 53))
# A process, for threads of Python take turns.
parent, changer = os.getpid(), os.fork()
while changer == 0:
    if os.getppid() != parent: os._exit(0)
    for i in range(100): wire[:] = letter; wire[:] = good
begun, sent, refused = time.monotonic(), 0, 0
# As long as it takes to meet both, on a machine with much to do as well.
while time.monotonic() < begun + SECONDS or FENCED and not (sent and refused) and time.monotonic() < begun + 25:
    try: s.send(wire); sent += 1
    except OSError: refused += 1
os.kill(changer, 9)
print(sent > 0, refused > 0)
"""
    for _ in range(20):
        native = lab.native("/usr/bin/python3", "-c", "SECONDS, FENCED = 0.3, False\n" + code)
        if {good, letter} <= set(server.names()):
            break
    expect({good, letter} <= set(server.names()), f"natively both are heard: {set(server.names())} {native.stderr}")
    del server.asked[:]
    same(lab.script(LISTED, "SECONDS, FENCED = 2, True\n" + code), ["True True"])
    heard = set(server.names())
    expect(good in heard, f"nothing was sent: {heard}")
    expect(not [name for name in heard if "evil" in name], f"the server heard {heard}")


def tcp_refused(lab):
    """A connection to port 53 is refused, with the reason; to others it is not."""
    lab.dnsmasq(records="192.0.2.1 one.test\n")
    trace = lab.path("trace")
    for word in ("dns listed-only\n", "reverse-dns deny\n"):
        code = f"""
import errno, socket
for flags in 0, 1:
    s = socket.socket()
    try:
        if flags: s.sendto(b"x", socket.MSG_FASTOPEN, ("{DNSMASQ}", 53))
        else: s.connect(("{DNSMASQ}", 53))
        print("ok")
    except OSError as e: print(errno.errorcode[e.errno])
socket.create_connection(("192.0.2.3", {PORT})); print("ok")
"""
        same(lab.script("allow tcp to 192.0.2.3\n" + word, code, options=["--trace", trace]),
             ["ECONNREFUSED", "ECONNREFUSED", "ok"])
        with open(trace, encoding="utf-8") as f:
            expect("DNS over TCP is not seen, and questions are judged" in f.read(), "no reason in the trace")
    same(lab.script("allow tcp to 192.0.2.3\ndns any\n", code), ["ok"] * 3)


def other_servers(lab):
    """A server that is none of this system's is reached by the ordinary rules, and hears nothing but listed names either."""
    elsewhere = "192.0.2.50"
    server = lab.hostile(lambda packet, *_: answer(packet, "192.0.2.1"), elsewhere)
    code = f"""
import errno, socket
for data in {question(LETTER)!r}, {question("one.test")!r}:
    for connected in False, True:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10)
        try:
            if connected: s.connect(({elsewhere!r}, 53)); s.send(data)
            else: s.sendto(data, ({elsewhere!r}, 53))
            s.recv(512); print("answered")
        except OSError as e: print(errno.errorcode[e.errno])
"""
    same(lab.native("/usr/bin/python3", "-c", code).stdout.split(), ["answered"] * 4)
    del server.asked[:]
    # The look-up of the rule's name is the system's own resolver's.
    lab.dnsmasq(records="192.0.2.1 one.test\n")
    same(lab.script("allow udp to any\n" + LISTED, code), ["ECONNREFUSED"] * 2 + ["answered"] * 2)
    # And what musl takes for an answer: INTERNALS.md, "Questions as a way out".
    same(sorted(server.names()), ["invalid", "one.test", "one.test"])
    del server.asked[:]
    same(lab.script(LISTED, code), ["EACCES"] * 4)
    same(server.names(), [])


def port_853(lab):
    """DNS over TLS is a port as any other."""
    lab.listen(853)
    lab.dnsmasq(records="192.0.2.1 one.test\n")
    for word in ("dns any\n", "dns listed-only\n"):
        same(lab.steps(ONE + word, f"connect {DNSMASQ} 853"), ["EACCES"])
        same(lab.steps(ONE + word + f"allow tcp to {DNSMASQ} port 853\n", f"connect {DNSMASQ} 853"), ["ok"])


def reverse(lab):
    """Names of addresses fail as App Engine's do that are not implemented: at once, and not as "there is none"."""
    lab.dnsmasq(records="192.0.2.1 one.test\n2001:db8::1 one.test\n")
    code = """
import socket, time
names = {getattr(socket, n): n for n in ("EAI_AGAIN", "EAI_NONAME", "EAI_FAIL", "EAI_NODATA")}
def look(call, *arguments):
    begun = time.monotonic()
    try: r = call(*arguments)[0]
    except socket.herror as e: r = {1: "HOST_NOT_FOUND", 2: "TRY_AGAIN", 3: "NO_RECOVERY"}[e.errno]
    except socket.gaierror as e: r = names[e.errno]
    print(r, *["slow"] * (time.monotonic() - begun > 4))
look(socket.gethostbyaddr, "192.0.2.1")
look(socket.gethostbyaddr, "2001:db8::1")
look(socket.getnameinfo, ("192.0.2.1", 80), socket.NI_NAMEREQD)
look(socket.gethostbyname_ex, "one.test")
look(socket.gethostbyname_ex, "other.test")
"""
    same(lab.script("reverse-dns allow\n", code), ["one.test"] * 4 + ["EAI_NONAME"])
    before = len(lab.asked())
    refused = ["TRY_AGAIN"] * 2 + ["EAI_AGAIN"]
    same(lab.script("reverse-dns deny\n", code), refused + ["one.test", "EAI_NONAME"])
    expect(not [name for name in lab.asked()[before:] if "arpa" in name], "the server was asked")
    same(lab.script("reverse-dns deny\nallow udp to any\n", code)[:3], refused)


def window_stays(lab):
    """A UDP socket cannot leave the window of descriptor numbers, outside of which write(2) is not looked at."""
    server = lab.hostile(lambda *_: None)
    lab.resolv(f"nameserver {HOSTILE}\n")
    code = f"""
import errno, os, socket
s = []
try:
    while len(s) < 900: s.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
except OSError as e: print(errno.errorcode[e.errno])
for one in s:
    one.connect(({HOSTILE!r}, 53))
    try: os.write(one.fileno(), {question(LETTER)!r}); print("sent")
    except OSError as e: pass
try: os.dup2(s[0].fileno(), 100); print("moved")
except OSError as e: print(errno.errorcode[e.errno])
"""
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    native = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, preexec_fn=few)
    same(native.stdout.split(), ["sent"] * 900 + ["moved"])
    expect(LETTER in server.names(), "natively the server hears nothing")
    del server.asked[:]
    done = lab.fenced(lab.policy(HEAD + LISTED + TAIL), "/usr/bin/python3", "-c", code, preexec_fn=few)
    same(done.stdout.split(), ["EMFILE", "EPERM"])
    expect(LETTER not in server.names(), "the server heard a letter")


def tests():
    for name in CLIENTS:
        yield f"resolvers: {name} fails at once", client_test(name, client_fails_at_once)
        yield f"resolvers: {name} with a search list", client_test(name, client_with_search_list)
    yield "resolvers: what passes", what_passes
    yield "exits: ways out", ways_out
    yield "exits: a question inside a question", hidden_question
    yield "exits: a racing connect", racing_connect
    yield "exits: changing bytes", changing_bytes
    yield "exits: DNS over TCP", tcp_refused
    yield "exits: other name servers", other_servers
    yield "exits: DNS over TLS", port_853
    yield "exits: reverse look-ups", reverse
    yield "exits: out of the window", window_stays

