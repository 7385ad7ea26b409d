# SPDX-License-Identifier: Apache-2.0
"""Every system call of the supervisor made to fail in turn, by every fitting error, while a program tries everything.

What is allowed may fail then, but with an answer; what is forbidden stays undone; when the fault is over the program
works again, or all of it has ended with status 125 and a word why.  Takes long: runs only when it is named.
"""
import os
import re
import shutil
import signal
import subprocess

from subjects import Beginning, Fetches, Limits, Offers, Subject
from world import TOP, Failure, Skip, World, expect, until

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
# So many calls that happened in a round may not happen in three others.
MAY_MISS = 3
# Of these a Subject makes none fail, because:
LEFT_OUT = {
    **dict.fromkeys(("access", "dup2", "dup3", "epoll_pwait", "faccessat", "fchmodat", "fstat", "mkdirat", "ppoll", "readv",
                     "rename", "renameat", "sendmmsg", "statx", "waitid"),
                    "another C library, architecture or c-ares calls it in place of one that is made here"),
    **dict.fromkeys(("fsync", "fstatfs", "getcwd", "rmdir", "uname", "utimensat"),
                    "SQLite's and c-ares's own, for files and systems that are not here"),
    **dict.fromkeys(("membarrier", "sched_getaffinity", "sched_yield", "sigaltstack"), "a sanitizer's, or the C library's when it is crowded"),
    **dict.fromkeys(("mremap", "munmap"), "the C library's allocator calls them when it likes"),
    **dict.fromkeys(("tgkill", "writev"), "to say why it ends, when it is over"),
}
# Made or not, as it comes.
SOMETIMES = {"madvise", "mprotect", "mremap", "munmap", "sched_yield", "membarrier", "fsync", "uname"}
# The tests run side by side; where they say which calls they have made to fail.
MADE = "GAE_ACT_MADE"


def make(calls, name):
    if MADE in os.environ:
        with open(os.environ[MADE], "a", encoding="ascii") as f:
            f.write("".join(f"{call} {name}\n" for call in sorted(calls)))


def own_calls():
    with open(os.path.join(TOP, "supervisor/self_calls.def"), encoding="ascii") as f:
        return [name for name in re.findall(r"^CALL\((\w+)\)", f.read(), re.M) if name not in NEVER]


def faults_of(call):
    """Python repeats what gives EINTR, and the kernel waits where something gives EAGAIN: a few of these only."""
    errors = list(ERRORS) + [error for error, calls in MORE.items() if call in calls.split()]
    return [f"{call}:error={error}" + (":when=1..3" if error in ("EINTR", "EAGAIN") else "") for error in errors]


class Fault:
    """strace on all threads of the supervisor, which makes calls fail."""

    def __init__(self, world, pid, what):
        """what: as strace's inject=; None: it only looks."""
        self.log = world.path("strace")
        options = ["-e", f"trace={what.split(':')[0]}", "-e", f"inject={what}"] if what else []
        for _ in range(3):
            self.tracer = subprocess.Popen(["strace", "-f", "-o", self.log, *options, "-p", str(pid)],
                                           stderr=subprocess.PIPE, text=True)
            said = self.tracer.stderr.readline()
            if "attached" in said:
                return
            # It stumbled over a thread that ended just then.
            self.tracer.kill()
            self.tracer.wait(5)
        raise Failure(f"strace does not attach, for {what}: {said}")

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


def one_fault(subject, clean, what):
    """Return: "" or a word of what came of it."""
    if subject.is_over():
        # The fault before has ended it, a moment later.
        expect(subject.before in ENDS, f"after {subject.before} failed everything ended: {subject.errors()}")
        subject.check_ended()
        subject.begin()
        subject.round()
    subject.before = what.split(":")[0]
    fault = Fault(subject.world, subject.supervisor, what)
    results = subject.round()
    injected = "(INJECTED" in fault.end()
    subject.check(results, what)
    # Afterwards everything is as before; what the fault left half done may take one more round.
    for _ in range(2):
        if "over" in results:
            break
        results = subject.round()
        subject.check(results, what + ", then none")
        if results == clean:
            return "" if injected else "did not happen"
    odd = {name: error for name, error in results.items() if clean.get(name) != error}
    if subject.gives_up and subject.gives_up in subject.errors():
        subject.discard()
        subject.begin()
        subject.round()
        return "gave up"
    expect(subject.ends_soon(), f"{what}: afterwards {odd}, after {list(results)[-2:-1]} no answer")
    expect(what.split(":")[0] in ENDS, f"{what}: everything ended: {subject.errors()}")
    subject.check_ended()
    subject.begin()
    subject.round()
    return "ended"


def needs_strace():
    if not shutil.which("strace") or os.geteuid() != 0:
        raise Skip("needs strace and root, to make calls of the supervisor fail")


def prepared(world, kind=Subject):
    needs_strace()
    subject = kind(world)
    subject.begin()
    subject.round()
    return subject


def happening(subject, what):
    """Names of the supervisor's calls in the meantime."""
    fault = Fault(subject.world, subject.supervisor, None)
    what()
    return set(re.findall(r"^\d+ +(\w+)\(", fault.end(), re.M))


def try_all(subject, whats, may_miss=0):
    """@may_miss: so many of @whats may not happen.  Return: calls of those."""
    clean, failures, unhappened = subject.round(), [], []
    for what in whats:
        # What it was once refused it does another way for good.
        if what.startswith("process_vm"):
            subject.discard()
            subject.begin()
            subject.round()
        try:
            # A call that one round made the next may not: whether somebody must wait is a matter of microseconds.
            if all(one_fault(subject, clean, what) == "did not happen" for _ in range(3)):
                unhappened.append(what)
        except Failure as failure:
            failures.append(str(failure))
            subject.discard()
            subject.begin()
            subject.round()
    expect(not failures, "\n    ".join(failures))
    unhappened = [what for what in unhappened if what.split(":")[0] not in SOMETIMES]
    expect(len(unhappened) <= may_miss, f"did not happen: {unhappened}")
    return {what.split(":")[0] for what in unhappened}


def in_a_round(world):
    subject = prepared(world)
    calls = happening(subject, subject.round)
    expect(len(calls) > 20, f"too few calls in a round: {calls}")
    try_all(subject, [fault for call in own_calls() if call in calls for fault in faults_of(call)])
    make(calls, "calls")


def again(kind, own):
    """Of another Subject's calls, each fails in one way; in all ways those that are its own."""
    def test(world):
        subject = prepared(world, kind)
        calls = happening(subject, subject.round)
        expect(own <= calls, f"missing in a round: {own - calls}")
        whats = []
        for call in own_calls():
            if call in calls:
                whats += faults_of(call) if call in own else [f"{call}:error=EIO"]
        make(calls - try_all(subject, whats, MAY_MISS), kind.name)
    return test


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
    make(calls, "end")
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


FIRST = "epoll_create1"


def counts_before(log, mark):
    """How often the first process of @log made each call before @mark, and which it made later."""
    before, after, main, there = {}, set(), log.split()[0], False
    for process, call in re.findall(r"^(\d+) +(\w+)\(", log, re.M):
        there = there or call == mark
        if there:
            after.add(call)
        elif process == main:
            before[call] = before.get(call, 0) + 1
    return before, after


def one_life(subject, what):
    """Return: what strace has seen."""
    pid = subject.launch_halted()
    fault = Fault(subject.world, pid, what)
    os.kill(pid, signal.SIGCONT)
    results = subject.round()
    subject.check(results, f"at the start, {what}")
    subject.go.close()
    try:
        status = subject.process.wait(15)
    except subprocess.TimeoutExpired:
        raise Failure(f"at the start, {what}: the end takes longer than 15 s") from None
    finally:
        seen = fault.end()
    said = subject.errors()
    if status == 125:
        expect(said.strip() or what.startswith("write"), f"at the start, {what}: 125 without a word")
    else:
        expect(status == 0 and "over" not in results, f"at the start, {what}: {status}, {results}: {said}")
    return seen


def at_the_start(world):
    """What it does once in its life; the loader's calls, before its own, are not counted."""
    needs_strace()
    subject, failures = Beginning(world), []
    before, calls = counts_before(one_life(subject, None), FIRST)
    expect({"fallocate", "memfd_create"} <= calls, f"too few calls at the start: {calls}")
    for call in own_calls():
        if call not in calls:
            continue
        try:
            one_life(subject, f"{call}:error=EIO:when={before.get(call, 0) + 1}+")
        except Failure as failure:
            failures.append(str(failure))
            subject.discard()
    expect(not failures, "\n    ".join(failures))
    make(calls, "beginning")


def first_offer(_):
    """What is done once in a runtime directory: a key of the app's is made."""
    needs_strace()
    for what in faults_of("linkat"):
        with World() as world:
            subject = Offers(world)
            subject.begin()
            fault = Fault(world, subject.supervisor, what)
            results = subject.round()
            seen = fault.end()
            subject.check(results, what)
            expect("(INJECTED" in seen and "over" not in results, f"{what}: {results}")
            results = subject.round()
            expect(results["own-claimed"] == results["own-claim"] == 0, f"{what}, then none: {results}")
            subject.discard()
    make({"linkat"}, "first")


def front_killed(world):
    """The supervisor cannot end the program: the guard does."""
    subject = prepared(world)
    tree = world.below(subject.process.pid)
    fault = Fault(world, subject.supervisor, "kill:error=EPERM")
    os.kill(subject.process.pid, signal.SIGKILL)
    for pid in tree:
        until(lambda: not os.path.exists(f"/proc/{pid}"), 15, f"process {pid} ends")
    expect("(INJECTED" in fault.end(), "kill did not fail")
    subject.process.wait(10)
    subject.go.close()
    make({"kill"}, "front")


def nothing_left_out(world):
    """Every call that the supervisor's own filter allows has failed, or there is a reason."""
    made = {}
    if MADE in os.environ:
        with open(os.environ[MADE], encoding="ascii") as f:
            made = dict(line.split() for line in f)
    if len(made) < 50:
        raise Skip("only where all others have run")
    missing = [call for call in own_calls() if call not in made and call not in LEFT_OUT]
    expect(not missing, f"never made: {missing}")
    late = set(LEFT_OUT) & set(made) - SOMETIMES
    expect(not late, f"made, although there is a reason why not: {late}")


def tests():
    # The longest first: as many as there is room for run side by side, the last one when all have ended.
    yield "matrix: every call of a round fails", in_a_round
    yield "matrix: every call from the supervisor's first on fails", at_the_start
    yield "matrix: names, idle sockets and paths", again(Limits, {"capset", "clone", "fchdir", "openat2", "umask", "wait4"})
    yield "matrix: every call at the end of the program fails", at_the_end
    yield "matrix: one ioctl after the other fails", ioctl_by_number
    yield "matrix: offers and claims", again(Offers, {"accept4", "getdents64", "readlinkat"})
    yield "matrix: the first offer", first_offer
    yield "matrix: the front is killed and nobody can be killed", front_killed
    yield "matrix: URL Fetch", again(Fetches, set())
    yield "matrix: no call is left out", nothing_left_out
