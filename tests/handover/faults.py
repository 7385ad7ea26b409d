# SPDX-License-Identifier: Apache-2.0
"""When something breaks: no socket is lost without a word, no descriptor is left over."""
import hashlib
import os
import resource
import signal
import socket
import struct
import subprocess

from hand import POLICY, exchange, expect, supervisors, time, until
from processes import first_free, name_of, ticks
from world import Skip


def exporter_killed(hands):
    a, b = hands.pair()
    here = hands.connected(a)
    token = a.do("offer('s')")
    os.kill(a.supervisor(), signal.SIGKILL)
    a.process.wait(20)
    expect(here.recv(10) == b"", "its sockets live on")
    stale = [n for n in os.listdir(hands.directory()) if n.endswith(".handover")]
    expect(len(stale) == 1, f"no stale socket: {stale}")
    expect(b.do(f"claim('s', {token!r})") == "EPIPE", "not EPIPE")
    expect(not [n for n in os.listdir(hands.directory()) if n.endswith(".handover")], "the stale socket is left")
    expect(b.do(f"claim('s', {token!r})") == "EPIPE", "nor then")


def front_killed(hands):
    """Who ends gae-run ends what it has on offer, and the trace says so."""
    a, b = hands.pair()
    here = hands.connected(a)
    token = a.do("offer('s')")
    os.kill(a.process.pid, signal.SIGKILL)
    expect(here.recv(10) == b"", "its sockets live on")
    a.expect_trace("is lost: it was still on offer")
    expect(b.do(f"claim('s', {token!r})") == "EPIPE", "not EPIPE")


SIZE = 256
OFFER, REFUSED = 2, 3


def path_of(hands, token):
    """The exporter's socket."""
    return f"{hands.directory()}/{token[len('gae1-'):].split('.handover-')[0]}.handover"


def claim_message(token):
    """EXCHANGE_CLAIM, as gae-supervisor of the app "demo" says it."""
    app = hashlib.blake2s(b"demo", key=struct.pack("<I", os.geteuid())).digest()
    identity = token.split(".handover-")[1].split("-")[1]
    return (struct.pack("=IIII", 1, 1, 0, 0) + app + bytes.fromhex(identity)).ljust(SIZE, b"\0")


def said(answer):
    """The kind of a message of this version."""
    version, kind = struct.unpack("=II", answer[:8]) if len(answer) == SIZE else (0, 0)
    return kind if version == 1 else None


def speak(hands, token):
    """What an importer's supervisor says, up to where the socket is before it: (connection, descriptor, answer)."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(5)
    connection.connect(path_of(hands, token))
    connection.send(claim_message(token))
    answer, descriptors, _, _ = socket.recv_fds(connection, SIZE, 4)
    return connection, descriptors, answer


def importer_killed(hands):
    """It ends with the socket before it: on offer again.  Stopped there, it keeps others away."""
    a, b = hands.pair()
    here = hands.connected(a)
    token = a.do("offer('s')")
    for _ in range(3):
        connection, descriptors, answer = speak(hands, token)
        expect(said(answer) == OFFER and len(descriptors) == 1, f"no offer: {answer[:16]}")
        expect(b.do(f"claim('s', {token!r})") == "EPIPE", "two have it")
        os.close(descriptors[0])
        connection.close()
        a.expect_trace("is on offer again")
    until(lambda: b.do(f"claim('s', {token!r})") is None, 5, "a claim")
    exchange(here, b)


def connections_to(path):
    """Sockets of the name that it was bound by (runtime.c): the listening one, and this end of each connection to it."""
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as f:
        return sum(f"/.{os.path.basename(path)}." in line and line.rstrip("\n").endswith(".new") for line in f)


def program_killed(hands):
    """The program that claims is killed while the exporter is stopped: the claim is dropped, the socket stays."""
    a, b, c = hands.agent(), hands.agent(), hands.agent()
    here = hands.connected(a)
    token = a.do("offer('s')")
    a.stop_supervisor()
    b.supervisor()
    b.send(f"claim('s', {token!r})")
    # Its supervisor has connected, and nobody accepts it.
    until(lambda: connections_to(path_of(hands, token)) > 1, 10, "the claim waits")
    b.kill()
    a.let_supervisor_go_on()
    until(lambda: c.do(f"claim('s', {token!r})") is None, 5, "a claim")
    exchange(here, c)


def exporter_stopped(hands):
    a, b = hands.pair()
    here = hands.connected(a)
    other = hands.connected(b, "other")
    token = a.do("offer('s')")
    a.stop_supervisor()
    # By ctypes: Python's own setsockopt() lets no other thread run.
    b.do("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\ndone = []\ndef late():\n    f = socket.socket()\n"
         "    libc.setsockopt(f.fileno(), GAE, TOKEN, T.encode(), len(T))\n    done.append(errno.errorcode[ctypes.get_errno()])")
    b.do(f"T = {token!r}; begun = time.monotonic(); took = []; threads = [threading.Thread(target=late) for _ in range(20)]\n"
         "for t in threads: t.start()")
    # Other calls that the supervisor answers are done while the claims wait.
    waiting = b.do("[socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close() or not done for _ in range(50)]")
    expect(waiting[0], "the importer's other calls are held up until the claims have ended")
    b.do("for t in threads: t.join()\ntook = time.monotonic() - begun", 30)
    expect(b.do("set(done)") == {"ETIMEDOUT"}, f"not ETIMEDOUT: {b.do('done')}")
    expect(1.9 < b.do("took") < 15, f"after {b.do('took'):.1f} s")
    other.close()
    a.let_supervisor_go_on()
    until(lambda: b.do(f"claim('s', {token!r})") is None, 5, "a claim")
    exchange(here, b)


def directory_gone(hands):
    """Somebody cleans up: with the next offer all begins anew, with the same key."""
    import shutil
    a, b = hands.pair()
    here, there = hands.connected(a), hands.connected(a, "t")
    first = a.do("offer('s')")
    shutil.rmtree(hands.directory())
    second = a.do("offer('t')")
    expect(b.do(f"claim('t', {second!r})") is None, "no claim")
    exchange(there, b, "t")
    expect(b.do(f"claim('s', {first!r})") is None, "the first is lost")
    exchange(here, b)
    # Where another instance is quicker, it makes another key: what was on offer cannot be claimed.
    here = hands.connected(a)
    third = a.do("offer('s')")
    shutil.rmtree(hands.directory())
    expect(hands.agent().do(f"claim('s', {third!r})") == "EINVAL", "the key is gone, too")


def directory_unfit(hands):
    for spoil, mend in ((lambda: os.chmod(hands.directory(), 0o755), lambda: os.chmod(hands.directory(), 0o700)),
                        (lambda: (os.rename(hands.directory(), hands.directory() + "-"),
                                  os.symlink(hands.directory() + "-", hands.directory())), lambda: None)):
        a = hands.agent()
        here = hands.connected(a)
        until(lambda: os.path.isdir(hands.directory()), 5, "the directory")
        spoil()
        expect(a.do("offer('s')") == "EIO", "a directory that is open to others")
        exchange(here, a)
        mend()


def disk_full(hands):
    mount = hands.world.path("full")
    os.mkdir(mount)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700,size=64k,nr_inodes=20", "tmpfs", mount], check=False).returncode:
        raise Skip("no tmpfs can be mounted here")
    try:
        a = hands.agent(env=dict(hands.environment, XDG_RUNTIME_DIR=mount))
        here = hands.connected(a)
        until(lambda: os.path.isdir(mount + "/gae-run"), 5, "the directory")
        for i in range(30):
            try:
                open(f"{mount}/{i}", "x", encoding="ascii").close()
            except OSError:
                break
        expect(a.do("offer('s')") == "EIO", "a full disk")
        exchange(here, a)
        for i in range(30):
            if os.path.exists(f"{mount}/{i}"):
                os.unlink(f"{mount}/{i}")
        expect(a.do("offer('s')").startswith("gae1-"), "not when there is room again")
        a.kill()
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def thousand(hands):
    """1,024 at once and no more, all claimed, and no descriptor left over."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    a, b = hands.pair()
    server = hands.server()
    a.do("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))")
    b.do("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))")
    hands.connected(a, "w")
    token = a.do("offer('w')")
    expect(b.do(f"claim('w', {token!r})") is None, "no claim")
    # What the claim above has left behind is closed in a moment.
    before = min((a.descriptors(), b.descriptors()) for _ in range(100) if time.sleep(0.005) is None)
    a.do(f"for i in range(1025): tcp(i, {server.getsockname()[1]})", 60)
    tokens = a.do("[offer(i) for i in range(1024)]", 60)
    expect(len(set(tokens)) == 1024, "not 1,024 tokens")
    expect(a.do("offer(1024)") == "ENOBUFS", "one too many")
    expect(a.do("sockets[1024].send(b'x')") == 1, "and that one is lost")
    b.do(f"T = {tokens!r}")
    expect(b.do("[claim(i, T[i]) for i in range(1024)] and sum(sockets[i].send(b'x') for i in range(1024))", 60) == 1024,
           "not all claimed")
    expect(a.do("offer(1024)").startswith("gae1-"), "the places are not free again")
    token = a.do("offer('w')")
    until(lambda: (a.descriptors() - 1, b.descriptors()) == before, 5,
          f"as many descriptors as before: {before}, now {a.descriptors() - 1, b.descriptors()}")


def idle_cpu(hands):
    """A thousand on offer and a program that has ended: no CPU."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    a = hands.agent()
    server = hands.server()
    a.do("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))")
    a.do(f"for i in range(1000): tcp(i, {server.getsockname()[1]})", 60)
    a.do("[offer(i) for i in range(1000)] and None", 60)
    pid = a.supervisor()
    a.finish()
    time.sleep(0.5)
    before = ticks(pid)
    time.sleep(2)
    spent = ticks(pid) - before
    expect(spent <= 1, f"{spent} ticks in 2 s")
    os.kill(pid, signal.SIGKILL)


def out_of_descriptors(hands):
    """A supervisor with few descriptors keeps half of them for other calls than offers."""
    limit = 64

    def low():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    a = hands.agent(preexec=low)
    server = hands.server()
    a.do("n = 0\nwhile True:\n"
         f"    tcp(n, {server.getsockname()[1]})\n    r = attempt('offer(n)')\n"
         "    if not r.startswith('gae1-'): break\n    sockets[n].close()\n    n += 1")
    expect(a.do("r") == "ENOBUFS" and 5 < a.do("n") <= limit // 2, f"{a.do('r')} after {a.do('n')}")
    expect(a.do("sockets[n].send(b'x')") == 1, "it is lost")
    here = hands.connected(a, "another")
    exchange(here, a, "another")


def no_descriptor(hands):
    """A supervisor with none: the call fails, and the socket stays where it was."""
    a, b = hands.pair()
    here, there = hands.connected(a), hands.connected(b)
    token = b.do("offer('s')")
    # What is fresh and known needs no descriptor any more.
    pid = a.supervisor()
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (first_free(pid), before[1]))
    expect(a.do("offer('s')") == "ENOBUFS", "offered")
    expect(a.do("sockets['s'].send(b'x')") == 1 and here.recv(1) == b"x", "the socket is lost")
    expect(a.do(f"claim('t', {token!r})") == "ENOBUFS", "claimed")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    expect(a.do(f"claim('t', {token!r})") is None, "it is on offer no longer")
    exchange(there, a, "t")
    token = a.do("offer('s')")
    expect(b.do(f"claim('s', {token!r})") is None, "nor can it be offered afterwards")
    exchange(here, b)


def no_descriptor_for_a_claim(hands):
    """The exporter has no descriptor for who comes: it waits, without burning the processor, and serves the claim then."""
    a, b = hands.pair()
    here = hands.connected(a)
    token = a.do("offer('s')")
    pid = a.supervisor()
    limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limit[1]))
    b.send(f"claim('s', {token!r})")
    before = ticks(pid)
    time.sleep(1)
    spent = ticks(pid) - before
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
    expect((got := b.answer(20)) is None, f"no claim: {got}")
    exchange(here, b)
    expect(spent <= 10, f"{spent} ticks in a second")


def daemon(hands):
    """What a daemon of the program's has put on offer, after all."""
    a, b = hands.pair()
    here = hands.connected(a)
    path = hands.world.path("token")
    a.do(f"if os.fork() == 0:\n    os.setsid()\n    while os.getppid() != 1 and not os.path.exists({path + '.go'!r}): time.sleep(0.01)\n"
         f"    open({path + '.new'!r}, 'w').write(offer('s'))\n    os.rename({path + '.new'!r}, {path!r})\n    os._exit(0)\nsockets['s'].close()")
    expect(a.finish() == 0, "the front waits")
    open(path + ".go", "w", encoding="ascii").close()
    until(lambda: os.path.exists(path), 10, "the daemon's token")
    with open(path, encoding="ascii") as f:
        expect(b.do(f"claim('s', {f.read()!r})") is None, "no claim")
    exchange(here, b)
    b.finish()
    hands.nothing_left()


def tests():
    yield "faults: exporter killed", exporter_killed
    yield "faults: gae-run of the exporter killed", front_killed
    yield "faults: importer ended in mid-claim", importer_killed
    yield "faults: claiming program killed", program_killed
    yield "faults: exporter stopped", exporter_stopped
    yield "faults: runtime directory removed", directory_gone
    yield "faults: runtime directory open to others", directory_unfit
    yield "faults: disk full", disk_full
    yield "faults: a thousand tokens at once", thousand
    yield "faults: a thousand on offer cost no CPU", idle_cpu
    yield "faults: few descriptors", out_of_descriptors
    yield "faults: no descriptor left", no_descriptor
    yield "faults: no descriptor for a claim", no_descriptor_for_a_claim
    yield "faults: a daemon's offer", daemon
