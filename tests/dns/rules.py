# SPDX-License-Identifier: Apache-2.0
"""Names in rules: what they allow, when they are looked up, and what a bad name server can do."""
import json
import os
import struct
import subprocess
import time

from lab import CLIENTS, GMAIL, GOOGLE, HOSTILE, PORT, STEPS, answer, client_test, question
from world import BUILD, expect

ONE = f"allow tcp to one.test port {PORT}\n"
WILD = f"allow tcp to *.wild.test port {PORT}\n"


def same(got, wanted):
    expect(got == wanted, f"got {got}, expected {wanted}")


def looked_up_on_need(lab):
    lab.dnsmasq(records="192.0.2.1 one.test\n2001:db8::1 one.test\n192.0.2.2 two.test\n")
    rules = ONE + "allow tcp to two.test port 1\nallow tcp to 192.0.2.3\n"
    same(lab.steps(rules, "connect 192.0.2.3"), ["ok"])
    same(lab.steps(rules, "connect 192.0.2.1", "connect 2001:db8::1", "connect 192.0.2.2"), ["ok", "ok", "EACCES"])
    expect("two.test" not in lab.asked(), "two.test was looked up, although no connect had its port")


def nothing_is_asked_in_vain(lab):
    """Where the rules say the same either way, no name is looked up."""
    lab.dnsmasq(records="192.0.2.1 one.test\n")
    same(lab.steps(ONE + "allow tcp to 192.0.2.3\n", "connect 192.0.2.3"), ["ok"])
    same(lab.asked(), [])


def chain(lab):
    lab.dnsmasq("--cname=one.test,middle.test,end.test", "--host-record=end.test,192.0.2.9")
    same(lab.steps(ONE, "connect 192.0.2.9", "connect 192.0.2.8"), ["ok", "EACCES"])


def many_addresses(lab):
    lab.dnsmasq(records="".join(f"192.0.2.{i} one.test\n" for i in range(1, 51)))
    same(lab.steps(ONE, "connect 192.0.2.1", "connect 192.0.2.50", "connect 192.0.2.51"), ["ok", "ok", "EACCES"])


def hosts_file(lab):
    lab.dnsmasq()
    lab.write("hosts", "127.0.0.1 localhost\n192.0.2.4 one.test\n")
    same(lab.steps(ONE, "connect 192.0.2.4", "connect 192.0.2.5"), ["ok", "EACCES"])


def no_search_domains(lab):
    """A name in a rule is what it is: a search domain does not make another one of it."""
    lab.dnsmasq(records="192.0.2.6 one.test.corp\n")
    lab.resolv("nameserver 10.5.0.53\nsearch corp\n")
    same(lab.steps(ONE, "connect 192.0.2.6"), ["EACCES"])
    expect("one.test.corp" not in lab.asked(), f"asked for {lab.asked()}")


def records_change(lab):
    """Asked for again when their time (5 s at least) is over; what was allowed stays so for the grace period."""
    lab.dnsmasq(records="192.0.2.1 one.test\n")
    policy = lab.policy("gae-policy 1\n" + ONE + "allow tcp,udp to @resolvers port 53\nsockopt any any pass\n")
    process = lab.start(policy, "/usr/bin/python3", "-c", STEPS, "connect 192.0.2.1", "connect 192.0.2.2",
                        "sleep 5.2", "connect 192.0.2.2", "connect 192.0.2.1")
    same([process.line(), process.line()], ["ok", "EACCES"])
    lab.records("192.0.2.2 one.test\n")
    lab.reload()
    same([process.line(), process.line(), process.line()], ["slept", "ok", "ok"])
    process.wait(10)


def wildcard(lab):
    lab.dnsmasq(records="192.0.2.1 a.wild.test\n192.0.2.2 b.c.wild.test\n192.0.2.3 wild.test\n192.0.2.4 xwild.test\n")
    same(lab.steps(WILD, "connect 192.0.2.1", "ask a.wild.test", "connect 192.0.2.1", "ask b.c.wild.test",
                   "connect 192.0.2.2", "ask wild.test", "connect 192.0.2.3", "ask xwild.test", "connect 192.0.2.4"),
         ["EACCES", "192.0.2.1", "ok", "192.0.2.2", "ok", "192.0.2.3", "EACCES", "192.0.2.4", "EACCES"])


def wildcard_in_a_set(lab):
    lab.dnsmasq("--cname=a.wild.test,cdn.test", "--host-record=cdn.test,192.0.2.9")
    rules = f"set s {{ *.wild.test 192.0.2.7 }}\nallow tcp to {{ @s one.test }} port {PORT}\n"
    same(lab.steps(rules, "ask a.wild.test", "connect 192.0.2.9", "connect 192.0.2.7"), ["192.0.2.9", "ok", "ok"])


def wildcard_for_each_client(lab, command):
    """Whatever resolver asks: the trace has the name, and learn writes it."""
    lab.dnsmasq(records="192.0.2.1 a.wild.test\n")
    trace = lab.path("trace.json")
    code = ("import socket, subprocess, sys; print(subprocess.run(sys.argv[1:], capture_output=True, text=True).stdout);"
            f"socket.create_connection(('192.0.2.1', {PORT}), 10)")
    policy = lab.policy("gae-policy 1\nallow tcp,udp to @resolvers port 53\n" + WILD +
                        "bind any\nnetlink route-read\nunix pair\nsockopt any any pass\n")
    done = lab.fenced(policy, "/usr/bin/python3", "-c", code, *command, "a.wild.test",
                      options=["--trace", trace, "--trace-format", "json"])
    expect(done.returncode == 0 and "a.wild.test 192.0.2.1" in done.stdout, f"{done.stdout} {done.stderr}")
    with open(trace, encoding="utf-8") as f:
        hosts = [json.loads(line).get("attributes", {}).get("server.address") for line in f]
    expect("a.wild.test" in hosts, f"hosts in the trace: {hosts}")
    learnt = subprocess.run([os.path.join(BUILD, "gae-policy"), "learn", trace], capture_output=True, text=True)
    expect(f"allow tcp to a.wild.test port {PORT}" in learnt.stdout, learnt.stdout + learnt.stderr)


def explained(lab):
    lab.dnsmasq(records="192.0.2.1 a.wild.test\n192.0.2.3 wild.test\n")
    policy = lab.policy("gae-policy 1\n" + WILD)
    program = os.path.join(BUILD, "gae-policy")
    for host, wanted, status in (("A.wild.test", "(an address of *.wild.test)", 0), ("wild.test", "no rule matches", 1)):
        done = subprocess.run([program, "-p", policy, "explain", f"tcp://{host}:{PORT}"], capture_output=True, text=True)
        expect(wanted in done.stdout and done.returncode == status, f"{done.stdout} {done.stderr}")


def paced(lab):
    """The program's question leaves after our own was answered, with the bytes that it had when it was asked."""
    def slowly(packet, name, kind):
        time.sleep(0.15)
        return answer(packet, "192.0.2.1") if kind == 1 else answer(packet)
    server = lab.hostile(slowly)
    lab.resolv(f"nameserver {HOSTILE}\n")
    for rules in (ONE, ONE + "dns listed-only\n"):
        del server.asked[:]
        code = f"""
import ctypes, socket, threading, time
wire = ctypes.create_string_buffer({question("one.test")!r}, {len(question("one.test"))})
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("{HOSTILE}", 53)); s.settimeout(10)
def change():
    time.sleep(0.05)
    wire[13:16] = b"two"
t = threading.Thread(target=change); t.start()
s.send(wire); t.join(); s.recv(512)
"""
        lab.script(rules, code)
        ports = {}
        for name, kind, peer, when, _ in server.asked:
            ports.setdefault(peer[1], []).append((name, kind, when))
        same(server.names(), ["one.test"] * 3)
        last = server.asked[-1]
        expect(last[4] == question("one.test"), f"the last one is the program's: {last}")
        expect(last[3] - server.asked[0][3] >= 0.15, "it did not wait for our own")


def others_go_on(lab):
    """While one connect waits for a name that nobody answers for, others are quick."""
    lab.hostile(lambda *_: None)
    lab.resolv(f"nameserver {HOSTILE}\n")
    code = f"""
import errno, socket, threading, time
def slow():
    begun = time.monotonic()
    s = socket.socket()
    print("slow", errno.errorcode[s.connect_ex(("192.0.2.9", {PORT}))], 2 < time.monotonic() - begun < 11)
t = threading.Thread(target=slow); t.start(); time.sleep(0.2)
begun = time.monotonic()
for _ in range(100):
    socket.create_connection(("192.0.2.3", {PORT})).close()
print("quick", time.monotonic() - begun < 1); t.join()
"""
    trace = lab.path("trace")
    same(lab.script("allow tcp to 192.0.2.3\n" + ONE, code, options=["--trace", trace]), ["quick True", "slow EACCES True"])
    with open(trace, encoding="utf-8") as f:
        text = f.read()
    expect("no rule allows it; one.test: Timeout while contacting DNS servers" in text, text[-600:])


def side_by_side(lab):
    """A connect goes on as soon as one name has its address, and waits for many that are silent ten seconds at most."""
    lab.hostile(lambda packet, name, kind: answer(packet, *["192.0.2.1"] * (kind == 1)) if name == "one.test" else None)
    lab.resolv(f"nameserver {HOSTILE}\n")
    silent = "\n".join(f"s{i}.test" for i in range(300))
    trace = lab.path("trace")
    code = f"""
import errno, socket, time
for address in "192.0.2.1", "192.0.2.9":
    begun = time.monotonic()
    rc = socket.socket().connect_ex((address, {PORT}))
    took = time.monotonic() - begun
    print(errno.errorcode.get(rc, "ok"), took < 2, 9 < took < 12)
"""
    same(lab.script(f"set silent {{ one.test\n{silent} }}\nallow tcp to @silent\n", code, options=["--trace", trace]),
         ["ok True False", "EACCES False True"])
    with open(trace, encoding="utf-8") as f:
        text = f.read()
    expect("could not be looked up in time" in text, text[-600:])


def interrupted(lab):
    """A signal ends the waiting for a name, as it ends any connect."""
    lab.hostile(lambda *_: None)
    lab.resolv(f"nameserver {HOSTILE}\n")
    code = f"""
import signal, socket, time
class Alarm(Exception): pass
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring); signal.setitimer(signal.ITIMER_REAL, 0.3)
begun = time.monotonic()
try: socket.create_connection(("192.0.2.9", {PORT}))
except Alarm: print("alarm", time.monotonic() - begun < 1.5)
"""
    same(lab.script(ONE, code), ["alarm True"])


def lies(lab):
    """An allowed name with a forbidden address: the rule before it refuses."""
    rules = f"deny tcp,udp to {{ 127.0.0.0/8 169.254.0.0/16 ::1 }}\nallow tcp to {{ one.test *.wild.test }} port {PORT}\n"
    lab.hostile(lambda packet, name, kind: answer(packet, "127.0.0.1", "169.254.169.254", "192.0.2.1") if kind == 1
                else answer(packet, "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"))
    lab.resolv(f"nameserver {HOSTILE}\n")
    got = lab.steps(rules, "connect 192.0.2.1", "connect 127.0.0.1", "connect 169.254.169.254", "connect ::1",
                    "connect ::ffff:127.0.0.1", "ask a.wild.test", "connect 127.0.0.1")
    del got[5]
    same(got, ["ok"] + ["EACCES"] * 5)


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
             "empty": lambda *_: b"", "short": lambda p, *_: p[:7], "an echo": lambda p, *_: p}
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
    got[i] = errno.errorcode.get(rc, "connected") if time.monotonic() - begun < 11 else "late"
threads = [threading.Thread(target=one, args=(i,)) for i in range(len(got))]
for t in threads: t.start()
for t in threads: t.join()
for _ in range(10): socket.create_connection(("192.0.2.3", {PORT})).close()
print(*got)
"""
    got = lab.script(rules, code)[0].split()
    for (what, _), result in zip(kinds, got):
        # Natively that would be ECONNREFUSED: nobody listens there.
        expect(result == "EACCES", f"{what}: {result}")


def gmail(lab):
    """The shipped policy's exceptions from Google's addresses."""
    lab.dnsmasq("--local=/com/", records=f"{GMAIL} smtp.gmail.com\n{GOOGLE} www.google.com\n127.0.0.1 imap.gmail.com\n")
    for port in (443, 465, 587, 993):
        lab.listen(port)
    same(lab.steps("", f"connect {GMAIL} 465", f"connect {GMAIL} 587", f"connect {GMAIL} 443", f"connect {GMAIL} 993",
                   f"connect {GOOGLE} 465", "connect 127.0.0.1 993", policy="default"),
         ["ok", "ok", "EACCES", "EACCES", "EACCES", "EACCES"])


def flood(lab):
    """A hundred thousand questions below a wildcard: what is kept is bounded, and names of the policy have their turn."""
    lab.dnsmasq("--address=/wild.test/192.0.2.2", "--dns-forward-max=10000", records="192.0.2.1 one.test\n")
    code = f"""
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setblocking(False)
q = {question("nnnnnn.wild.test")!r}
for i in range(20000):
    try: s.sendto(q[:13] + b"%06d" % i + q[19:], ("10.5.0.53", 53))
    except BlockingIOError: pass
socket.create_connection(("192.0.2.1", {PORT}), 20)
print("connected", flush=True); sys.stdin.readline()
"""
    policy = lab.policy("gae-policy 1\nallow tcp,udp to @resolvers port 53\n" + ONE + WILD + "sockopt any any pass\n")
    process = lab.start(policy, "/usr/bin/python3", "-c", code)
    same(process.line(60), "connected")
    with open(f"/proc/{process.supervisor()}/smaps_rollup", encoding="ascii") as f:
        kib = sum(int(line.split()[1]) for line in f if line.startswith("Private_"))
    # AddressSanitizer keeps what was freed.
    expect(kib < 8192 or "asan" in BUILD, f"the supervisor has {kib} KiB")
    process.wait(10)


def tests():
    yield "names: looked up when a decision needs them", looked_up_on_need
    yield "names: nothing is asked in vain", nothing_is_asked_in_vain
    yield "names: CNAME chain", chain
    yield "names: fifty addresses", many_addresses
    yield "names: /etc/hosts", hosts_file
    yield "names: no search domains", no_search_domains
    yield "names: records that change", records_change
    yield "names: wildcard", wildcard
    yield "names: wildcard in a set, behind a CNAME", wildcard_in_a_set
    for name in CLIENTS:
        yield f"names: wildcard, trace and learn with {name}", client_test(name, wildcard_for_each_client)
    yield "names: explain", explained
    yield "names: the program's question waits for ours", paced
    yield "names: others go on, and a dead server is named", others_go_on
    yield "names: side by side, ten seconds at most", side_by_side
    yield "names: a signal ends the waiting", interrupted
    yield "names: lies", lies
    yield "names: bad answers", bad_answers
    yield "names: Gmail's exceptions in the shipped policy", gmail
    yield "names: a flood of questions", flood

