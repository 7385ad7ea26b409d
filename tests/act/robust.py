# SPDX-License-Identifier: Apache-2.0
"""Crowds, storms and shortages: all results right, others go on, and afterwards nothing is left of it."""
import errno
import json
import os
import re
import resource
import socket
import time

from hostile import open_files, picture
from matrix import Fault, needs_strace
from processes import first_free, ticks
from signals import acceptor
from world import ALLOW_ALL, GAE_RUN, SILENT, Skip, expect, program, until

POLICY = ALLOW_ALL.replace("allow tcp", "deny tcp,udp to 127.0.0.2\nallow tcp", 1)
# A handle (pidfd) of each thread that called lately stays with each crew thread: 64 slots each.
HANDLES = 64
ROW = 192
# The tables of sockets keep the room that they once had: 16 bytes a socket, of the most there ever were.
ROOM = 1 << 20


def numbers(text):
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", text)}


def crew(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


class Run:
    """A shell under the fence that runs one command after the other at the test's word."""

    def __init__(self, world, options=(), **keywords):
        self.fifo = world.path("commands")
        os.mkfifo(self.fifo)
        self.world = world
        self.process = world.start(world.policy(POLICY), "sh", self.fifo, options=["--no-ledger", *options],
                                   **keywords)
        self.commands = open(self.fifo, "w", encoding="ascii", buffering=1)
        self.say("echo ready")
        expect(self.process.line() == "ready", "the shell starts")
        self.supervisor = self.process.supervisor()

    def say(self, command):
        self.commands.write(command + "\n")

    def crowd(self, *arguments, seconds=60):
        self.say(" ".join([program("crowds"), *map(str, arguments)]))
        return numbers(self.process.line(seconds))

    def quiet(self):
        """Descriptors and bytes of the supervisor, once the kernel has told of the end of all sockets.

        Not counted: a row for each process and place it called, 16,384 at most (flows.h)."""
        now = until(self.empty, 20, "the ended sockets are forgotten")
        return open_files(self.supervisor), now["memory"] - ROW * len(now["flows"])

    def empty(self):
        try:
            now = picture(self.world, self.supervisor)
        except json.JSONDecodeError:  # too many to be told in the time that a reader is given
            return None
        return now if not now["sockets"] else None

    def end(self):
        self.commands.close()
        expect(self.process.wait(15) == 0, f"the end: {self.process.returncode}")


def expect_right(counts, what):
    expect(counts["wrong"] == 0 and counts["right"] > 0, f"{what}: {counts}")


def leaves_nothing(run, before, after):
    files = HANDLES * crew(run.supervisor)
    expect(after[0] <= before[0] + files, f"descriptors: {before[0]}, then {after[0]}")
    expect(after[1] <= before[1] + ROOM, f"memory: {before[1]} bytes, then {after[1]}")


def flood(world):
    """64 threads call as fast as they can; a second program is served meanwhile."""
    run = Run(world)
    port = acceptor(world)
    expect_right(run.crowd("flood", port, 200), "first")
    before = run.quiet()
    other = world.start(world.policy(POLICY, "other.conf"), "sh", "-c", f"read line; {program('crowds')} soak {port} 500")
    run.say(f"{program('crowds')} flood {port} 3000 & {program('crowds')} soak {port} 200; wait")
    lines = [numbers(run.process.line(60)) for _ in range(2)]
    for counts in lines:
        expect_right(counts, "under the flood")
    expect(min(counts["right"] for counts in lines) >= 200 and max(counts["right"] for counts in lines) > 5000,
           f"too few calls: {lines}")
    other.kill_tree()
    leaves_nothing(run, before, run.quiet())
    run.end()


def numbers_of_threads(world):
    """Two threads that make a UDP socket at the same moment get two numbers."""
    out = world.fenced(world.policy(POLICY), program("crowds"), "numbers", str(acceptor(world)), "4000", timeout=30)
    counts = numbers(out.stdout)
    expect(counts["wrong"] == 0 and counts["others"] == 0 and counts["right"] > 5000, f"{counts} {out.stderr}")


def many_processes(world):
    n = int(os.environ.get("PROCESSES", "10000"))
    run = Run(world)
    port = acceptor(world)
    expect_right(run.crowd("processes", port, 200), "first")
    before = run.quiet()
    counts = run.crowd("processes", port, n, seconds=90)
    expect(counts["right"] == n and counts["wrong"] == 0, f"{counts}")
    leaves_nothing(run, before, run.quiet())
    run.end()


def fork_bomb(world):
    run = Run(world)
    port = acceptor(world)
    expect_right(run.crowd("bomb", port, 50), "first")
    before = run.quiet()
    counts = run.crowd("bomb", port, 600)
    expect(counts["right"] >= 500 and counts["wrong"] == 0, f"{counts}")
    expect_right(run.crowd("soak", port, 100), "afterwards")
    leaves_nothing(run, before, run.quiet())
    run.end()


def signal_storm(world):
    """A timer every 100 us: each of 10,000 connects succeeds or says EINTR, as natively."""
    port = acceptor(world)
    for _ in range(3):  # how often one hits is the scheduler's choice as well
        native = numbers(world.native(program("crowds"), "storm", str(port), "10000").stdout)
        fenced = numbers(world.fenced(world.policy(POLICY), program("crowds"), "storm", str(port), "10000").stdout)
        for counts in (native, fenced):
            expect(counts["wrong"] == 0 and counts["right"] + counts["others"] == 10000, f"native {native}, fenced {fenced}")
        if fenced["others"] <= native["others"] + 1500:
            break
    # The moment before the supervisor has the call: then a signal ends it (INTERNALS.md).
    expect(fenced["others"] <= native["others"] + 1500, f"interrupted natively {native['others']}, fenced {fenced['others']}")
    print(f"# storm: interrupted natively {native['others']}, fenced {fenced['others']} of 10000", flush=True)


def program_out_of_numbers(world):
    run = Run(world)
    port = acceptor(world)
    expect_right(run.crowd("files", port), "first")
    before = run.quiet()
    for _ in range(3):
        expect_right(run.crowd("files", port), "again")
    leaves_nothing(run, before, run.quiet())
    run.end()


def needs_limits():
    if os.geteuid() != 0:
        raise Skip("needs root, to set the supervisor's limits")


def needs_own_memory():
    if os.environ.get("BUILD", "").endswith("asan"):
        raise Skip("the sanitizer ends a process that lacks memory")


def supervisor_out_of(limit, value, wanted):
    """The supervisor at a limit of its own: clear errnos, nothing done, and then all is well again."""
    def test(world):
        needs_limits()
        if limit == resource.RLIMIT_DATA:
            needs_own_memory()
        run = Run(world)
        port = acceptor(world)
        expect_right(run.crowd("soak", port, 200), "first")
        before = run.quiet()
        os.mkfifo(world.path("rounds"))
        run.say(f"{program('crowds')} rounds {port} < {world.path('rounds')}")
        with open(world.path("rounds"), "w", encoding="ascii", buffering=1) as rounds:
            def result():
                rounds.write("\n")
                return numbers(run.process.line(10))
            well = {"tcp": 0, "udp": 0, "forbidden": errno.EACCES}
            expect(result() == well, "before")
            old = resource.prlimit(run.supervisor, limit)
            resource.prlimit(run.supervisor, limit, (value(run.supervisor), old[1]))
            short = [result() for _ in range(50)]
            resource.prlimit(run.supervisor, limit, old)
            for results in short:
                expect(all(error in wanted for error in results.values()), f"in need: {results}")
                expect(results["forbidden"] != 0, "the forbidden is done")
            expect(limit != resource.RLIMIT_NOFILE or short[-1] != well, f"there was no need: {short[-1]}")
            until(lambda: result() == well, 5, "all is well again")
        run.process.line()
        leaves_nothing(run, before, run.quiet())
        run.end()
    return test


WAITERS = f"""
import errno, socket, threading, time
errors = []
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 0))
def wait(by_tcp):
    try:
        if by_tcp: socket.socket().connect(("{SILENT}", 9))
        else: silent.recv(10)
    except OSError as e: errors.append(e.errno)
threading.stack_size(65536)
# First those whose socket the account knows already: what they lack memory for is the wait itself.
threads = [threading.Thread(target=wait, args=(i > 800,), daemon=True) for i in range(1000)]
print("ready", flush=True)
open("%s").readline()
for thread in threads: thread.start()
time.sleep(1.5)
print(len(errors), *sorted(set(errors)), flush=True)
open("%s").readline()
import os; os._exit(0)
"""


def nobody_spins(pid, meanwhile):
    """Out of descriptors, with a client that cannot be accepted."""
    needs_limits()
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # Not all of them: poll(2) takes no more than the limit either.
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(8, first_free(pid)), old[1]))
    try:
        meanwhile()
        time.sleep(0.1)
        before = ticks(pid)
        time.sleep(1)
        used = (ticks(pid) - before) * 1000 // os.sysconf("SC_CLK_TCK")
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, old)
    expect(used < 300, f"{used} ms of CPU in a second")


def out_of_descriptors_for_gae_top(world):
    """A client that cannot be accepted waits, and the thread that would serve it does so, too."""
    run = Run(world)
    until(lambda: picture(world, run.supervisor), 5, "it answers")
    with socket.socket(socket.AF_UNIX) as client:
        path = os.path.join(world.directory, "run", "gae-run", f"{run.supervisor}.status")
        nobody_spins(run.supervisor, lambda: client.connect(path))
        client.settimeout(5)
        expect(client.recv(1 << 20).startswith(b"{"), "no answer when there are some again")
    run.end()


def out_of_memory_in_the_loop(world):
    """Waiting calls that find no memory are refused; the others wait on, and the supervisor lives."""
    needs_limits()
    needs_own_memory()
    for name in ("go", "over"):
        os.mkfifo(world.path(name))
    process = world.start(world.policy(POLICY), "python3", "-c", WAITERS % (world.path("go"), world.path("over")))
    expect(process.line() == "ready", "the program starts")
    supervisor = process.supervisor()
    old = resource.prlimit(supervisor, resource.RLIMIT_DATA)
    resource.prlimit(supervisor, resource.RLIMIT_DATA, (1 << 20, old[1]))
    with open(world.path("go"), "w", encoding="ascii"):
        pass
    refused, *errors = map(int, process.line(30).split())
    expect(refused > 0 and set(errors) <= {errno.ENOMEM, errno.ENOBUFS}, f"{refused} refused by {errors}")
    resource.prlimit(supervisor, resource.RLIMIT_DATA, old)
    expect(process.poll() is None, "the supervisor lives")
    expect(picture(world, supervisor)["supervisor"] == supervisor, "it answers")
    with open(world.path("over"), "w", encoding="ascii"):
        pass
    expect(process.wait(10) == 0, "the program ends")


def soak(world):
    """SOAK connects (make soak: a million) leave nothing."""
    n = int(os.environ.get("SOAK", "40000"))
    run = Run(world)
    port = acceptor(world)
    expect_right(run.crowd("soak", port, 20000), "first")
    before, begun = run.quiet(), time.monotonic()
    counts = run.crowd("soak", port, n, seconds=60 + n // 2000)
    expect_right(counts, "the soak")
    took, after = time.monotonic() - begun, run.quiet()
    print(f"# soak: {n} connects in {took:.1f} s; descriptors {before[0]}, then {after[0]}; "
          f"bytes {before[1]}, then {after[1]}; sockets 0", flush=True)
    expect(after[0] <= before[0] + 4, f"descriptors: {before[0]}, then {after[0]}")
    expect(after[1] <= before[1] + ROOM, f"memory: {before[1]} bytes, then {after[1]}")
    run.end()


def news_lost_unseen(world):
    """The kernel says once that news was lost, and loses more until all was fetched: none of it is waited for."""
    needs_strace()
    # Room for some thirty messages, which are fetched slowly.
    run = Run(world, env={**os.environ, "GAE_RUN_TEST_NEWS_ROOM": "30000"})
    port = acceptor(world)
    fault = Fault(world, run.supervisor, "recvfrom:delay_enter=20000")
    try:
        expect_right(run.crowd("soak", port, 2000), "while news is lost")
    finally:
        fault.end()
    run.quiet()
    expect(picture(world, run.supervisor)["lost"] > 0, "something was lost")
    run.end()


def own_filter(world):
    """A call that no note in the supervisor's code names is none there: ENOSYS."""
    if os.geteuid() != 0 or os.uname().machine != "x86_64":
        raise Skip("needs root and x86-64, to have the supervisor make a call")
    if os.environ.get("BUILD", "").endswith("asan"):
        raise Skip("a sanitizer makes calls of its own: no filter there")
    environment = {name: value for name, value in os.environ.items() if name != "GAE_RUN_TEST_SELF"}
    process = world.start(world.policy(), "sleep", "60", env=environment)
    supervisor = process.supervisor()
    until(lambda: "Seccomp:\t2" in open(f"/proc/{supervisor}/status", encoding="ascii").read(), 5, "it is confined")
    time.sleep(0.1)
    # getpid is on the list; getpgrp, execve, ptrace, pivot_root, bpf are not.
    out = world.native(program("foreign_call"), str(supervisor), "39", "111", "59", "101", "155", "321")
    expect(out.returncode == 0, f"foreign_call: {out.returncode}")
    expect(out.stdout.split() == [str(supervisor)] + 5 * [str(-errno.ENOSYS)], out.stdout)
    expect(process.poll() is None, "the supervisor lives")


def preloaded_library(world):
    """What LD_PRELOAD names is loaded into the program alone, where gae-run and its supervisor are linked whole."""
    with open(GAE_RUN, "rb") as f:
        if b"/lib64/ld-linux" in f.read():
            raise Skip("built with shared libraries")
    out = world.fenced(world.policy(), "sh", "-c", "echo runs", env={**os.environ, "LD_PRELOAD": "/no/such/library"})
    expect(out.stdout == "runs\n", out.stdout + out.stderr)
    expect(out.stderr.count("/no/such/library") == 1, out.stderr)


def tests():
    yield "robust: a flood from 64 threads", flood
    yield "robust: numbers for 64 threads", numbers_of_threads
    yield "robust: ten thousand processes", many_processes
    yield "robust: a fork bomb", fork_bomb
    yield "robust: a timer of 100 us", signal_storm
    yield "robust: a program without free numbers", program_out_of_numbers
    yield "robust: a supervisor without free descriptors", supervisor_out_of(
        resource.RLIMIT_NOFILE, first_free, {0, errno.ENOBUFS, errno.EACCES})
    yield "robust: a supervisor without memory", supervisor_out_of(
        resource.RLIMIT_DATA, lambda pid: 4096, {0, errno.ENOBUFS, errno.ENOMEM, errno.EACCES})
    yield "robust: gae-top and a supervisor without free descriptors", out_of_descriptors_for_gae_top
    yield "robust: waiting calls without memory", out_of_memory_in_the_loop
    yield "robust: a soak", soak
    yield "robust: news lost unseen", news_lost_unseen
    yield "robust: the supervisor's own filter", own_filter
    yield "robust: a library to be preloaded", preloaded_library
