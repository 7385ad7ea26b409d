# SPDX-License-Identifier: Apache-2.0
"""Every system call of the supervisor made to fail in turn, by every fitting error, while a program tries everything.

What is allowed may fail then, but with an answer; what is forbidden stays undone; when the fault is over the program
works again, or all of it has ended with status 125 and a word why.  Takes long: runs only when it is named.
"""
import os
import re
import select
import shutil
import signal
import subprocess
import time

from world import TOP, Failure, Skip, expect

POLICY = """gae-policy 1
deny  tcp,udp to 127.0.0.2
allow tcp,udp to any
unix pair
bind any
sockopt SOL_SOCKET SO_SNDBUF get mock 12345
sockopt any any pass
"""
PROGRAM = os.path.join(TOP, "tests/act/attempts.py")
# A round without a fault takes a fifth of a second; some of its calls end by a time-out of 300 ms.
ROUND_SECONDS = 8
ERRORS = ("EIO", "ENOMEM", "EINTR", "EPERM", "EAGAIN")
# What makes descriptors, finds files, finds processes.
MORE = {"EMFILE": "openat openat2 pidfd_getfd pidfd_open socket accept4 eventfd2 ioctl",
        "ENOENT": "openat openat2 newfstatat ioctl unlink", "ESRCH": "pidfd_open pidfd_getfd process_vm_readv kill tkill",
        "EFAULT": "process_vm_readv process_vm_writev", "ENOSPC": "epoll_ctl pwrite64 write fdatasync",
        "ENOBUFS": "sendmsg recvmsg getsockopt connect", "ENOSYS": "process_vm_readv process_vm_writev pidfd_open",
        "EINVAL": "fcntl epoll_ctl ioctl recvmsg"}
# These cannot fail, or are no calls that somebody answers.
NEVER = {"exit", "exit_group", "rt_sigreturn", "restart_syscall", "clock_gettime", "getpid", "gettid", "geteuid", "getuid",
         "getppid", "rseq", "set_robust_list", "clock_nanosleep", "nanosleep"}
# Without these nothing can go on: the C library ends a process whose locks fail, and no call is heard or answered.
ENDS = {"futex", "ioctl"}
# Of one thread in a round; the leader makes most of them.
IOCTLS = 80


def own_calls():
    with open(os.path.join(TOP, "supervisor/self_calls.def"), encoding="ascii") as f:
        return [name for name in re.findall(r"^CALL\((\w+)\)", f.read(), re.M) if name not in NEVER]


def faults_of(call):
    """Python repeats what gives EINTR, and the kernel waits where something gives EAGAIN: a few of these only."""
    errors = list(ERRORS) + [error for error, calls in MORE.items() if call in calls.split()]
    return [f"{call}:error={error}" + (":when=1..3" if error in ("EINTR", "EAGAIN") else "") for error in errors]


class Subject:
    """A fenced program that makes its attempts at a word, and the witness of what arrives."""

    def __init__(self, world):
        self.world = world
        self.witness = world.witness()
        self.fifo = world.path("go")
        self.process = self.go = None
        self.ends = 0

    def begin(self, options=()):
        if os.path.exists(self.fifo):
            os.unlink(self.fifo)
        os.mkfifo(self.fifo)
        with open(self.world.path("errors"), "w", encoding="utf-8") as errors:
            self.process = self.world.start(self.world.policy(POLICY), "python3", PROGRAM, str(self.witness.port),
                                            self.fifo, options=options, stderr=errors)
        self.go = open(self.fifo, "r+b", buffering=0)  # "r+": does not wait for a program that may never come
        expect(self.process.line() == "ready", f"the program starts: {self.errors()}")
        self.supervisor = self.process.supervisor()

    def round(self, seconds=ROUND_SECONDS):
        """Results of one round by name; None in place of the one that no answer came to."""
        results, text, end = {}, b"", time.monotonic() + seconds
        try:
            self.go.write(b"\n")
        except BrokenPipeError:
            return {"over": None}
        while not text.endswith(b"over\n"):
            left = end - time.monotonic()
            ready = select.select([self.process.stdout], [], [], max(left, 0))[0]
            more = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not more:
                results["over"] = None
                break
            text += more
        for line in text.decode().splitlines():
            if line != "over":
                name, _, error = line.partition(" ")
                results[name] = int(error) if error else None
        return results

    def ends_soon(self):
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            return False
        return True

    def errors(self):
        with open(self.world.path("errors"), encoding="utf-8") as f:
            return f.read()

    def check_ended(self):
        """The tree has ended, or is about to: with 125, a word why, and nothing left."""
        status = self.process.wait(10)
        expect(status == 125, f"the tree ended with status {status}: {self.errors()}")
        expect(self.errors().strip(), "the tree ended without a word")
        self.go.close()
        self.ends += 1

    def discard(self):
        self.process.kill_tree()
        self.go.close()


class Fault:
    """strace on all threads of the supervisor, which makes calls fail."""

    def __init__(self, world, pid, what):
        """what: as strace's inject=; None: it only looks."""
        self.log = world.path("strace")
        options = ["-e", f"trace={what.split(':')[0]}", "-e", f"inject={what}"] if what else []
        self.tracer = subprocess.Popen(["strace", "-f", "-o", self.log, *options, "-p", str(pid)],
                                       stderr=subprocess.PIPE, text=True)
        expect("attached" in self.tracer.stderr.readline(), "strace attaches")

    def end(self):
        """Return: what strace has seen."""
        self.tracer.send_signal(signal.SIGINT)
        try:
            self.tracer.wait(5)
        except subprocess.TimeoutExpired:
            self.tracer.kill()
            self.tracer.wait(5)
        self.tracer.stderr.close()
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()


def check_round(subject, results, fault):
    done = [name for name, error in results.items() if name.startswith("forbidden") and error == 0]
    expect(not done, f"{fault}: done: {done}")
    heard = {place for place in subject.witness.heard() if "127.0.0.2" in place}
    expect(not heard, f"{fault}: the witness heard {heard}")


def one_fault(subject, clean, what):
    """Return: "" or a word of what came of it."""
    fault = Fault(subject.world, subject.supervisor, what)
    results = subject.round()
    injected = "(INJECTED" in fault.end()
    check_round(subject, results, what)
    # Afterwards everything is as before; what the fault left half done may take one more round.
    for _ in range(2):
        if "over" in results:
            break
        results = subject.round()
        check_round(subject, results, what + ", then none")
        if results == clean:
            return "" if injected else "did not happen"
    odd = {name: error for name, error in results.items() if clean.get(name) != error}
    expect(subject.ends_soon(), f"{what}: afterwards {odd}, after {list(results)[-2:-1]} no answer")
    expect(what.split(":")[0] in ENDS, f"{what}: everything ended: {subject.errors()}")
    subject.check_ended()
    subject.begin()
    subject.round()
    return "ended"


def needs_strace():
    if not shutil.which("strace") or os.geteuid() != 0:
        raise Skip("needs strace and root, to make calls of the supervisor fail")


def prepared(world):
    needs_strace()
    subject = Subject(world)
    subject.begin()
    subject.round()
    return subject


def happening(subject, what):
    """Names of the supervisor's calls in the meantime."""
    fault = Fault(subject.world, subject.supervisor, None)
    what()
    return set(re.findall(r"^\d+ +(\w+)\(", fault.end(), re.M))


def try_all(subject, whats, may_miss=0):
    """@may_miss: so many of @whats may not happen."""
    clean, failures, unhappened = subject.round(), [], []
    for what in whats:
        # What it was once refused it does another way for good.
        if what.startswith("process_vm"):
            subject.discard()
            subject.begin()
            subject.round()
        try:
            if one_fault(subject, clean, what) == "did not happen":
                unhappened.append(what)
        except Failure as failure:
            failures.append(str(failure))
            subject.discard()
            subject.begin()
            subject.round()
    expect(not failures, "\n    ".join(failures))
    expect(len(unhappened) <= may_miss, f"did not happen: {unhappened}")


def in_a_round(world):
    subject = prepared(world)
    calls = happening(subject, subject.round)
    expect(len(calls) > 20, f"too few calls in a round: {calls}")
    try_all(subject, [fault for call in own_calls() if call in calls for fault in faults_of(call)])


def ioctl_by_number(world):
    """RECV, ID_VALID, SEND and ADDFD, one at a time.  How many a thread makes is never quite the same."""
    errors = ("ENOENT", "EPERM", "EINVAL")
    try_all(prepared(world), [f"ioctl:error={errors[i % 3]}:when={i}" for i in range(1, IOCTLS, 2)], IOCTLS // 4)


def end(subject, what):
    """The program ends while the fault is on: so does all of it, and in time."""
    fault = Fault(subject.world, subject.supervisor, what)
    subject.go.close()
    try:
        status = subject.process.wait(15)
    except subprocess.TimeoutExpired:
        raise Failure(f"{what}: the end takes longer than 15 s") from None
    finally:
        seen = fault.end()
    expect(status == 0 or (status == 125 and subject.errors().strip()), f"{what}: {status}: {subject.errors()}")
    return seen


def at_the_end(world):
    subject = prepared(world)
    options = ["--metrics-file", world.path("x.prom"), "--trace", world.path("trace"), "--trace-format", "json"]
    failures = []
    calls = set(re.findall(r"^\d+ +(\w+)\(", end(subject, None), re.M))
    expect({"fdatasync", "wait4"} <= calls, f"too few calls at the end: {calls}")
    for call in own_calls():
        for error in ("EIO", "EINTR:when=1..3") if call in calls else ():
            subject.begin(options)
            subject.round()
            try:
                end(subject, f"{call}:error={error}")
            except Failure as failure:
                failures.append(str(failure))
                subject.discard()
    expect(not failures, "\n    ".join(failures))


def tests():
    yield "matrix: every call of a round fails", in_a_round
    yield "matrix: one ioctl after the other fails", ioctl_by_number
    yield "matrix: every call at the end of the program fails", at_the_end
