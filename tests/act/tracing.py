# SPDX-License-Identifier: Apache-2.0
"""The trace: never holds up the program, lets nothing of the program's through raw, says which rule."""
import json
import os

from world import expect

POLICY = """gae-policy 1
deny  tcp,udp to 127.0.0.2 because "not that one"
allow tcp,udp to any
unix pair
sockopt any any pass
"""
# 20,000 decisions: more than any buffer on the way holds.
MANY = ("import socket, sys\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for i in range(20000):\n"
        "    try: s.sendto(b'x', ('127.0.0.2', 9))\n"
        "    except PermissionError: continue\n"
        "    sys.exit('sent')\n")
NAMED = ("import ctypes, socket\n"
         "ctypes.CDLL(None).prctl(15, b'\\x1b]0;x\\x07\\n\"{\\xff', 0, 0, 0)\n"
         "s = socket.socket()\n"
         "try: s.connect(('127.0.0.2', 9))\n"
         "except PermissionError: print('denied')\n")


def goes_on(world, path, seconds=30):
    out = world.fenced(world.policy(POLICY), "python3", "-c", MANY, options=["--trace", path], timeout=seconds)
    expect(out.returncode == 0, f"status {out.returncode}: {out.stderr}")


def nobody_reads(world):
    """The reader has opened the FIFO and reads nothing."""
    os.mkfifo(world.path("trace"))
    reader = os.open(world.path("trace"), os.O_RDONLY | os.O_NONBLOCK)
    try:
        goes_on(world, world.path("trace"))
        expect(os.read(reader, 100), "something was written")
    finally:
        os.close(reader)


def reader_leaves(world):
    os.mkfifo(world.path("trace"))
    reader = os.open(world.path("trace"), os.O_RDONLY | os.O_NONBLOCK)
    process = world.start(world.policy(POLICY), "python3", "-c", f"print('ready', flush=True)\n{MANY}print('end')",
                          options=["--trace", world.path("trace")])
    expect(process.line() == "ready", "the program starts")
    os.close(reader)
    expect(process.line() == "end" and process.wait(10) == 0, f"status {process.returncode}")


def disk_is_full(world):
    goes_on(world, "/dev/full")


def lines_of(world, script, form):
    path = world.path("trace")
    # From a file: the arguments of the program are in the trace, too.
    with open(world.path("script"), "w", encoding="ascii") as f:
        f.write(script)
    out = world.fenced(world.policy(POLICY), "python3", world.path("script"),
                       options=["--trace", path, "--trace-format", form])
    expect(out.returncode == 0, f"status {out.returncode}: {out.stderr}")
    with open(path, "rb") as f:
        text = f.read()
    os.remove(path)
    return text


def hostile_name(world):
    """A thread's name is any 15 bytes; none of them may reach a terminal or break a line."""
    for form in ("text", "json"):
        text = lines_of(world, NAMED, form)
        # In JSON a byte that is no UTF-8 becomes U+FFFD; the rest is printable ASCII.
        strange = {c for c in text.decode() if c not in "\n\ufffd" and not " " <= c <= "~"}
        expect(not strange, f"{form}: characters {strange}")
        denials = [line for line in text.splitlines() if b"127.0.0.2" in line]
        expect(len(denials) == 1, f"{form}: {denials}")
        expect(b"1b" in denials[0].lower() or b"\\033" in denials[0] or b"\\e" in denials[0],
               f"{form}: the name is told: {denials}")


def json_lines(world):
    records = [json.loads(line) for line in lines_of(world, NAMED, "json").splitlines()]
    denials = [r for r in records if "127.0.0.2" in json.dumps(r)]
    expect(len(denials) == 1, f"{len(denials)} records of the denial")
    expect(denials[0]["attributes"].get("gae_run.rule.location") == "test.conf:2", denials)
    expect("not that one" in denials[0]["attributes"].get("gae_run.reason", ""), denials)
    expect(denials[0]["attributes"].get("thread.name") == "\x1b]0;x\x07\n\"{\ufffd", denials)


def tests():
    yield "trace: a reader that reads nothing holds up nobody", nobody_reads
    yield "trace: a reader that leaves", reader_leaves
    yield "trace: a full disk", disk_is_full
    yield "trace: a hostile name of a thread", hostile_name
    yield "trace: JSON lines name the rule", json_lines
