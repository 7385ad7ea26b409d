# SPDX-License-Identifier: Apache-2.0
"""What a name server that lies, breaks or is flooded does to rules on names: it closes them, and opens nothing."""
import struct

from lab import HOSTILE, PORT
from nameserver import answer, question
from rules import ONE, WILD, same
from world import expect

GUARD = "deny tcp,udp to { 127.0.0.0/8 169.254.0.0/16 ::1 }\n"


def forbidden_addresses(lab):
    """An allowed name with a forbidden address: the rule before it refuses.  Without that rule they connect."""
    rules = f"allow tcp to {{ one.test *.wild.test }} port {PORT}\n"
    lab.hostile(lambda packet, name, kind: answer(packet, "127.0.0.1", "169.254.169.254", "192.0.2.1") if kind == 1
                else answer(packet, "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"))
    lab.resolv(f"nameserver {HOSTILE}\n")
    steps = ("connect 192.0.2.1", "connect 127.0.0.1", "connect 169.254.169.254", "connect ::1",
             "connect ::ffff:127.0.0.1", "ask a.wild.test", "connect 127.0.0.1")
    for guard, wanted in (("", "ok"), (GUARD, "EACCES")):
        got = lab.steps(guard + rules, *steps)
        del got[5]
        same(got, ["ok"] + [wanted] * 5)


def rebinding(lab):
    """A name that is good when it is first asked for, at once no longer (TTL 0), and then forbidden addresses."""
    rules = f"allow tcp to one.test port {PORT}\n"
    asked = [0]

    def flip(packet, name, kind):
        if kind != 1:
            return answer(packet)
        asked[0] += 1
        return answer(packet, "192.0.2.1" if asked[0] == 1 else "127.0.0.1", ttl=0)
    lab.hostile(flip)
    lab.resolv(f"nameserver {HOSTILE}\n")
    # Five seconds is how long an answer is good at least, whatever it says of itself.
    steps = ("connect 192.0.2.1", "connect 127.0.0.1", "sleep 5.2", "connect 127.0.0.1", "connect 192.0.2.1")
    for guard, wanted in (("", "ok"), (GUARD, "EACCES")):
        asked[0] = 0
        got = lab.steps(guard + rules, *steps)
        # Its first address stays good for the grace period.
        same(got, ["ok", "EACCES", "slept", wanted, "ok"])
        expect(asked[0] >= 2, f"asked {asked[0]} times: the second address was never said")


def denied_name_unknown(lab):
    """
    While no name server says which addresses a refused name has, the rule closes all that it may close, family by family;
    a server that says that it has none opens them.
    """
    rules = f"allow tcp to 192.0.2.3\ndeny tcp to one.test port {PORT} because \"closed\"\nallow tcp to any port {PORT}\n"
    replies = {  # to A, to AAAA; then what connects to 192.0.2.1, to 192.0.2.9 and by IPv6 get
        "silent": (None, None, "EACCES", "EACCES", "EACCES"),
        "SERVFAIL": ({"rcode": 2}, {"rcode": 2}, "EACCES", "EACCES", "EACCES"),
        "no AAAA": ({"is": "192.0.2.9"}, {"rcode": 2}, "ok", "EACCES", "EACCES"),
        "no A": ({"rcode": 2}, {}, "EACCES", "EACCES", "ok"),
        "NXDOMAIN": ({"rcode": 3}, {"rcode": 3}, "ok", "ok", "ok"),
        "answers": ({"is": "192.0.2.9"}, {}, "ok", "EACCES", "ok"),
    }
    lab.resolv(f"nameserver {HOSTILE}\n")
    for what, (a, aaaa, *wanted) in replies.items():
        def reply(packet, name, kind):
            said = a if kind == 1 else aaaa
            return None if said is None else answer(packet, *said.get("is", "").split(), rcode=said.get("rcode", 0))
        server = lab.hostile(reply)
        trace = lab.path(f"trace of {what}")
        got = lab.steps(rules, "connect 192.0.2.3", "connect 192.0.2.1", "connect 192.0.2.9", "connect 2001:db8::1",
                        options=["--trace", trace])
        expect(got == ["ok", *wanted], f"{what}: {got}")
        with open(trace, encoding="utf-8") as f:
            text = f.read()
        unsure = what not in ("NXDOMAIN", "answers")
        expect(("closed; one.test may have this address: " in text) == unsure, f"{what}: {text[-600:]}")
        lab.closing.remove(server)
        server.close()


def bad_answers(lab):
    """Whatever a name server sends, the connect is refused in bounded time and everything goes on."""
    def other_question(packet, name, kind):
        return answer(packet[:2] + question("two.test")[2:], "192.0.2.9")

    def loop(packet, name, kind):
        end = packet.index(b"\0", 12) + 5
        header = packet[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0)
        at = end
        return header + packet[12:end] + struct.pack("!H", 0xc000 | at) + struct.pack("!2HIH", 1, 1, 60, 4) + b"\xc0\0\2\x09"

    def cname_loop(packet, name, kind):
        end = packet.index(b"\0", 12) + 5
        header = packet[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0)
        return header + packet[12:end] + b"\xc0\x0c" + struct.pack("!2HIH", 5, 1, 60, 2) + b"\xc0\x0c"

    def oversized(packet, name, kind):
        return answer(packet, *["192.0.2.9"] * 5)[:-3] + b"\xff" * 60000

    def cut(packet, name, kind):
        return answer(packet, "192.0.2.9")[:-2]

    def wrong_id(packet, name, kind):
        return [answer(bytes([packet[0] ^ i, packet[1]]) + packet[2:], "192.0.2.9") for i in (1, 2, 3)]

    kinds = {"another question": other_question, "compression loop": loop, "CNAME loop": cname_loop, "oversized": oversized,
             "cut off": cut, "another id": wrong_id, "SERVFAIL": lambda p, *_: answer(p, rcode=2),
             "empty": lambda *_: b"", "short": lambda p, *_: p[:7], "an echo": lambda p, *_: p,
             "a good answer": lambda p, name, kind: answer(p, *["192.0.2.9"] * (kind == 1))}
    kinds = list(kinds.items())
    lab.hostile(lambda packet, name, kind: kinds[int(name[1:name.index(".")])][1](packet, name, kind))
    lab.resolv(f"nameserver {HOSTILE}\n")
    rules = "allow tcp to 192.0.2.3\n" + "".join(f"allow tcp to k{i}.test port {9000 + i}\n" for i in range(len(kinds)))
    code = f"""
import errno, socket, threading, time
got = [None] * {len(kinds)}
def one(i):
    begun = time.monotonic()
    rc = socket.socket().connect_ex(("192.0.2.9", 9000 + i))
    got[i] = errno.errorcode.get(rc, "connected") if time.monotonic() - begun < 20 else "late"
threads = [threading.Thread(target=one, args=(i,)) for i in range(len(got) - 1)]
for t in threads: t.start()
for t in threads: t.join()
one(len(got) - 1)
for _ in range(10): socket.create_connection(("192.0.2.3", {PORT})).close()
print(*got)
"""
    got = lab.script(rules, code)[0].split()
    for (what, _), result in zip(kinds, got):
        # The good one comes last, and finds that nobody listens there.
        same((what, result), (what, "ECONNREFUSED" if what == "a good answer" else "EACCES"))


def flood(lab):
    """Twenty thousand questions below a wildcard: what is kept is bounded, and names of the policy have their turn."""
    lab.dnsmasq("--address=/wild.test/192.0.2.2", "--dns-forward-max=10000", records="192.0.2.1 one.test\n")
    go = lab.path("go")
    code = f"""
import os, socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setblocking(False)
q = {question("nnnnnn.wild.test")!r}
for i in range(20000):
    try: s.sendto(q[:13] + b"%06d" % i + q[19:], ("10.5.0.53", 53))
    except BlockingIOError: pass
socket.create_connection(("192.0.2.1", {PORT}), 20)
print("connected", flush=True)
while not os.path.exists({go!r}): time.sleep(0.02)
"""
    policy = lab.policy("gae-policy 1\nallow tcp,udp to @resolvers port 53\n" + ONE + WILD + "sockopt any any pass\n")
    process = lab.start(policy, "/usr/bin/python3", "-c", code)
    same(process.line(60), "connected")
    with open(f"/proc/{process.supervisor()}/smaps_rollup", encoding="ascii") as f:
        kib = sum(int(line.split()[1]) for line in f if line.startswith("Private_"))
    # AddressSanitizer keeps what was freed.
    expect(kib < 8192 or "asan" in lab.build, f"the supervisor has {kib} KiB")
    with open(go, "w", encoding="ascii"):
        process.wait(10)
    # More than the 1,024 names that are kept went by, or nothing was flooded.
    seen = len(set(lab.asked()))
    expect(seen > 1100, f"only {seen} names were asked for")


def tests():
    yield "lies: forbidden addresses", forbidden_addresses
    yield "lies: another address the second time", rebinding
    yield "lies: a refused name that nobody knows", denied_name_unknown
    yield "lies: bad answers", bad_answers
    yield "lies: a flood of questions", flood
