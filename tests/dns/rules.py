# SPDX-License-Identifier: Apache-2.0
"""Names in rules: what they allow, when they are looked up, and what a bad name server can do."""
import json
import os
import sqlite3
import subprocess
import threading
import time

from lab import CLIENTS, GMAIL, GOOGLE, HOSTILE, PORT, STEPS, client_test
from nameserver import answer, question
from world import BUILD, expect, until

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


def billed(lab):
    """The bill has the name that the rule has, or below its wildcard the one that was asked for; else the address alone."""
    lab.dnsmasq("--cname=one.test,cdn.test", "--host-record=cdn.test,192.0.2.1", records="192.0.2.2 a.wild.test\n")
    ledger = lab.path("ledger.db")
    same(lab.steps(ONE + WILD + "allow tcp to 192.0.2.3\n", "connect 192.0.2.1", "ask a.wild.test", "connect 192.0.2.2",
                   "connect 192.0.2.3", "connect 192.0.2.4", options=["--ledger", ledger]),
         ["ok", "192.0.2.2", "ok", "ok", "EACCES"])
    usage = [os.path.join(BUILD, "gae-usage"), "--ledger", ledger, "--by", "host", "--format", "json"]

    def sums():
        """Of the ledger; the supervisor may still linger for the last news."""
        with sqlite3.connect(ledger) as db:
            return sorted(db.execute("SELECT address, host, sum(connects), sum(denied) FROM usage WHERE port = ? GROUP BY 1, 2",
                                     (PORT,)).fetchall())
    wanted = [("192.0.2.1", "one.test", 1, 0), ("192.0.2.2", "a.wild.test", 1, 0), ("192.0.2.3", "", 1, 0), ("192.0.2.4", "", 0, 1)]
    until(lambda: sums() == wanted, 10, f"the ledger: {sums()}")
    shown = subprocess.run(usage, capture_output=True, text=True, check=True).stdout
    expect("one.test" in shown and "a.wild.test" in shown and "cdn.test" not in shown, shown)


def explained(lab):
    lab.dnsmasq(records="192.0.2.1 a.wild.test\n192.0.2.3 wild.test\n")
    policy = lab.policy("gae-policy 1\n" + WILD)
    program = os.path.join(BUILD, "gae-policy")
    for host, wanted, status in (("A.wild.test", "(an address of *.wild.test)", 0), ("wild.test", "no rule matches", 1)):
        done = subprocess.run([program, "-p", policy, "explain", f"tcp://{host}:{PORT}"], capture_output=True, text=True)
        expect(wanted in done.stdout and done.returncode == status, f"{done.stdout} {done.stderr}")


def paced_once(lab, rules):
    """Between our question and its answer the program's bytes change.  How long that took."""
    heard, changed = lab.path("heard"), lab.path("changed")
    took = []

    def late(packet, peer):
        begun = time.monotonic()
        open(heard, "w", encoding="ascii").close()
        until(lambda: os.path.exists(changed), 20, "the program changes its bytes")
        took.append(time.monotonic() - begun)
        answered.append(time.monotonic())
        server.socket.sendto(answer(packet, "192.0.2.1"), peer)

    def reply(packet, name, kind):
        if kind != 1:
            return answer(packet)
        if os.path.exists(heard):
            return answer(packet, "192.0.2.1")
        threading.Thread(target=late, args=(packet, server.asked[-1][2])).start()
        return None
    answered = []
    server = lab.hostile(reply)
    code = f"""
import ctypes, os, socket, threading, time
wire = ctypes.create_string_buffer({question("one.test")!r}, {len(question("one.test"))})
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("{HOSTILE}", 53)); s.settimeout(10)
def change():
    while not os.path.exists({heard!r}): time.sleep(0.002)
    wire[13:16] = b"two"
    open({changed!r}, "w").close()
t = threading.Thread(target=change); t.start()
s.send(wire); t.join(); s.recv(512)
"""
    lab.script(rules, code)
    lab.closing.remove(server)
    server.close()
    for path in (heard, changed):
        os.unlink(path)
    same(server.names(), ["one.test"] * 3)
    expect(server.asked[-1][4] == question("one.test"), f"the last one is the program's: {server.asked[-1]}")
    if took[0] < 0.8:
        expect(server.asked[-1][3] >= answered[0], "it did not wait for our own")
    return took[0]


def paced(lab):
    """The program's question leaves after our own was answered, with the bytes that it had when it was asked."""
    lab.resolv(f"nameserver {HOSTILE}\n")
    for rules in (ONE, ONE + "dns listed-only\n"):
        # It is held for a second at most: what the machine itself held up longer shows nothing.
        expect(any(paced_once(lab, rules) < 0.8 for _ in range(10)), "this machine is too slow to tell")


def others_go_on(lab):
    """While one connect waits for a name that nobody answers for, a hundred others are done."""
    heard = lab.path("heard")
    lab.hostile(lambda *_: open(heard, "w", encoding="ascii").close())
    lab.resolv(f"nameserver {HOSTILE}\n")
    code = f"""
import errno, os, socket, threading, time
got = []
def slow():
    begun = time.monotonic()
    s = socket.socket()
    got.append(errno.errorcode[s.connect_ex(("192.0.2.9", {PORT}))])
    got.append(2 < time.monotonic() - begun < 15)
t = threading.Thread(target=slow); t.start()
while not os.path.exists({heard!r}): time.sleep(0.002)
for _ in range(100):
    socket.create_connection(("192.0.2.3", {PORT})).close()
waits = t.is_alive() and not got
t.join()
print(waits, *got)
"""
    trace = lab.path("trace")
    same(lab.script("allow tcp to 192.0.2.3\n" + ONE, code, options=["--trace", trace]), ["True EACCES True"])
    with open(trace, encoding="utf-8") as f:
        text = f.read()
    expect("no rule allows it; one.test: Timeout while contacting DNS servers" in text, text[-600:])


def side_by_side(lab):
    """
    A connect goes on as soon as one name has its address, and waits for many that are silent ten seconds at most.
    One silent name takes 3.75 s, and three hundred, 64 at a time, 18.75 s.
    """
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
    print(errno.errorcode.get(rc, "ok"), took < 3.5, 9 < took < 17)
"""
    same(lab.script(f"set silent {{ one.test\n{silent} }}\nallow tcp to @silent\n", code, options=["--trace", trace]),
         ["ok True False", "EACCES False True"])
    with open(trace, encoding="utf-8") as f:
        text = f.read()
    expect("could not be looked up in time" in text, text[-600:])


def interrupted(lab):
    """A signal ends the waiting for a name, which else takes 3.75 s, as it ends any connect."""
    lab.hostile(lambda *_: None)
    lab.resolv(f"nameserver {HOSTILE}\n")
    code = f"""
import signal, socket, time
class Alarm(Exception): pass
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring); signal.setitimer(signal.ITIMER_REAL, 0.3)
begun = time.monotonic()
try: socket.create_connection(("192.0.2.9", {PORT}))
except Alarm: print("alarm", time.monotonic() - begun < 3.5)
"""
    same(lab.script(ONE, code), ["alarm True"])


def gmail(lab):
    """The shipped policy's exceptions from Google's addresses."""
    lab.dnsmasq("--local=/com/", records=f"{GMAIL} smtp.gmail.com\n{GOOGLE} www.google.com\n127.0.0.1 imap.gmail.com\n")
    for port in (443, 465, 587, 993):
        lab.listen(port)
    same(lab.steps("", f"connect {GMAIL} 465", f"connect {GMAIL} 587", f"connect {GMAIL} 443", f"connect {GMAIL} 993",
                   f"connect {GOOGLE} 465", "connect 127.0.0.1 993", policy="default"),
         ["ok", "ok", "EACCES", "EACCES", "EACCES", "EACCES"])


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
    yield "names: in the bill", billed
    yield "names: explain", explained
    yield "names: the program's question waits for ours", paced
    yield "names: others go on, and a dead server is named", others_go_on
    yield "names: side by side, ten seconds at most", side_by_side
    yield "names: a signal ends the waiting", interrupted
    yield "names: Gmail's exceptions in the shipped policy", gmail

