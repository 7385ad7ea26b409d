# SPDX-License-Identifier: Apache-2.0
"""Memory that never answers, crowds of waiting calls, programs killed in the middle: the supervisor goes on."""
import json
import os
import re
import signal
import socket

from signals import acceptor
from world import SILENT, Skip, expect, program, until

NO_PAGE = 77  # stall's status where it may not make a page behind userfaultfd


# What others may wait: a stall is noticed after 20 ms; the rest is for a busy machine.  Held up, they wait a second.
OTHERS_MS = 700


def numbers(name, text):
    found = re.search(rf"^{name} (\S+) ?(\d*)$", text, re.M)
    expect(found, f"no {name} in {text!r}")
    return found.groups()


def stalled(mode):
    def test(world):
        out = world.fenced(world.policy(), program("stall"), mode, str(acceptor(world)))
        if out.returncode == NO_PAGE:
            raise Skip(out.stderr.strip())
        expect(out.returncode == 0, f"status {out.returncode}: {out.stderr}")
        result, ms = numbers("stalled", out.stdout)
        expect(result == "EFAULT" and 900 <= int(ms) <= 8000, f"the call gave {result} after {ms} ms")
        worst, failed = numbers("others", out.stdout)
        expect(int(worst) < OTHERS_MS and failed == "0", f"others: {worst} ms at worst, {failed} failed")
    return test


def many_stalled(world):
    out = world.fenced(world.policy(), program("stall"), "many", str(acceptor(world)), "100")
    if out.returncode == NO_PAGE:
        raise Skip(out.stderr.strip())
    expect(out.returncode == 0, f"status {out.returncode}: {out.stderr}")
    expect("killed 9\n" in out.stdout, out.stdout)
    worst, failed = numbers("others", out.stdout)
    expect(int(worst) < OTHERS_MS and failed == "0", f"afterwards: {worst} ms at worst, {failed} failed")
    expect(re.search(r"was killed: reading its memory stalled [1-9]\d* times at once", out.stderr), out.stderr)


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def picture(world, pid):
    """What the supervisor tells gae-top."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(os.path.join(world.directory, "run", "gae-run", f"{pid}.status"))
        text = b""
        while True:
            more = s.recv(1 << 20)
            if not more:
                return json.loads(text)
            text += more


def settled(world, pid):
    """Bytes that the supervisor has allocated once the kernel has told of the end of all sockets."""
    def memory():
        now = picture(world, pid)
        # A sanitizer's allocator says nothing (0).
        return max(now["memory"], 1) if not now["sockets"] else 0
    return until(memory, 20, "the ended sockets are forgotten")


def crowd(world):
    """A thousand waiting connects hold up nobody; killed, they leave nothing behind."""
    script = f"echo $$; read line < {world.path('go')}; {program('stall')} crowd {SILENT} 1000 $0; " \
             f"read line < {world.path('end')}"
    os.mkfifo(world.path("go"))
    os.mkfifo(world.path("end"))
    process = world.start(world.policy(), "sh", "-c", script, str(acceptor(world)))
    shell = int(process.line())
    supervisor = process.supervisor()
    before = open_files(supervisor)
    with open(world.path("go"), "w", encoding="ascii") as f:
        f.write("\n")
    worst, failed = numbers("others", process.line())
    expect(process.line() == "ready", "the crowd is there")
    expect(int(worst) < OTHERS_MS and failed == "0", f"others: {worst} ms at worst, {failed} failed")
    expect(open_files(supervisor) >= before + 1000, "a thousand connects wait")
    os.kill(world.below(shell)[0], signal.SIGKILL)
    # A handle of each thread that called lately stays in the cache of its crew thread.
    until(lambda: open_files(supervisor) < before + 200, 5, "the descriptors are closed")
    with open(world.path("end"), "w", encoding="ascii") as f:
        f.write("\n")
    process.wait(10)


def steady(world):
    """Descriptors and memory of the supervisor do not grow with the number of calls."""
    script = ("import socket, sys\n"
              "def go(n):\n"
              "    for _ in range(n):\n"
              "        s = socket.socket()\n"
              "        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\\1\\0\\0\\0\\0\\0\\0\\0')\n"
              "        s.connect(('127.0.0.1', int(sys.argv[1])))\n"
              "        s.close()\n"
              "    print('done', flush=True)\n"
              "    open(sys.argv[2]).read()\n"
              "go(20000)\ngo(60000)\n")
    os.mkfifo(world.path("go"))
    process = world.start(world.policy(), "python3", "-c", script, str(acceptor(world)), world.path("go"))
    expect(process.line(60) == "done", "20,000 connects")
    supervisor = process.supervisor()
    before, memory = open_files(supervisor), settled(world, supervisor)
    with open(world.path("go"), "w", encoding="ascii"):
        pass
    expect(process.line(60) == "done", "60,000 more")
    after, more = open_files(supervisor), settled(world, supervisor)
    expect(after <= before + 4, f"descriptors: {before}, then {after}")
    # The tables of sockets keep the room that they once had: 16 bytes a socket, of the most there ever were.
    expect(more <= memory + (1 << 20), f"memory: {memory} bytes, then {more}")
    with open(world.path("go"), "w", encoding="ascii"):
        pass
    process.wait(10)


def tests():
    yield "hostile: an address that cannot be read", stalled("name")
    yield "hostile: data that cannot be read", stalled("part")
    yield "hostile: a socket held by a stalled write", stalled("locked")
    yield "hostile: many stalls end the process and nothing else", many_stalled
    yield "hostile: a thousand connects wait", crowd
    yield "hostile: 80,000 connects leave nothing behind", steady
