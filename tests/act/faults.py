# SPDX-License-Identifier: Apache-2.0
"""System calls of the supervisor that fail: the program's call fails then, and nothing forbidden gets out."""
import json
import os
import select
import shutil
import subprocess

from world import Skip, expect

POLICY = """gae-policy 1
deny  tcp,udp to 127.0.0.2
allow tcp,udp to any
unix pair
sockopt any any pass
"""
# Waits for the word, tries, and tells what came of it.
PROGRAM = """
import json, socket, struct, sys, threading
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("ready", flush=True)
open(sys.argv[2]).read()
results = {}
def attempt(name, call):
    try: call(); results[name] = 0
    except OSError as e: results[name] = e.errno
def tcp(host): socket.socket().connect((host, int(sys.argv[1])))
def sendto(host): udp.sendto(b"x", (host, int(sys.argv[1])))
def sendmsg(host): udp.sendmsg([b"x"], [], 0, (host, int(sys.argv[1])))
def connected(host):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect((host, int(sys.argv[1]))); s.send(b"x")
def silent(host):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 300000))
    s.connect(("203.0.113.1", 9))
def work():
    for call in (tcp, sendto, sendmsg, connected):
        attempt("forbidden " + call.__name__, lambda: call("127.0.0.2"))
        attempt("allowed " + call.__name__, lambda: call("127.0.0.3"))
    attempt("waiting", lambda: silent(None))
# In a thread that the supervisor has not met.
thread = threading.Thread(target=work); thread.start(); thread.join()
print(json.dumps(results), flush=True)
"""


def inject(what, answered=True):
    """answered: the fault leaves the supervisor able to answer at all."""
    def test(world):
        if not shutil.which("strace") or os.geteuid() != 0:
            raise Skip("needs strace and root, to make calls of the supervisor fail")
        witness = world.witness()
        go, log = world.path("go"), world.path("strace")
        os.mkfifo(go)
        process = world.start(world.policy(POLICY), "python3", "-c", PROGRAM, str(witness.port), go)
        expect(process.line() == "ready", "the program starts")
        tracer = subprocess.Popen(["strace", "-f", "-o", log, "-e", f"inject={what}",
                                   "-p", str(process.supervisor())], stderr=subprocess.PIPE, text=True)
        try:
            expect("attached" in tracer.stderr.readline(), "strace attaches")
            # Its other threads are attached by the same call.
            with open(go, "w", encoding="ascii"):
                pass
            ready = select.select([process.stdout], [], [], 10 if answered else 3)[0]
            if answered or ready:
                expect(ready, "the program waits for an answer for ever")
                results = json.loads(process.line())
                reached = [name for name, errno in results.items() if name.startswith("forbidden") and not errno]
                expect(not reached, f"done: {reached}")
                # A connect that could not be made non-blocking is not made.
                expect(results["waiting"] == 22 or not what.startswith("fcntl"), f"waiting: {results['waiting']}")
            with open(log, encoding="utf-8", errors="replace") as f:
                expect("(INJECTED)" in f.read(), "the fault happened")
            heard = [place for place in witness.heard() if "127.0.0.2" in place]
            expect(not heard, f"the witness heard {heard}")
        finally:
            tracer.kill()
            tracer.wait(10)
            tracer.stderr.close()
    return test


def without_fault(world):
    """The same program without a fault: what is allowed arrives, the rest is refused."""
    witness = world.witness()
    os.mkfifo(world.path("go"))
    process = world.start(world.policy(POLICY), "python3", "-c", PROGRAM, str(witness.port), world.path("go"))
    expect(process.line() == "ready", "the program starts")
    with open(world.path("go"), "w", encoding="ascii"):
        pass
    results = json.loads(process.line())
    for name, errno in results.items():
        wanted = {"forbidden": 13, "allowed": 0, "waiting": 115}[name.split()[0]]
        expect(errno == wanted, f"{name}: {errno}, not {wanted}")
    expect(len(witness.heard()) == 4, "the witness hears four")


def tests():
    yield "faults: none", without_fault
    for call, error in (("process_vm_readv", "EPERM"), ("process_vm_readv", "EFAULT"), ("pidfd_open", "ENFILE"),
                        ("pidfd_getfd", "EPERM"), ("pidfd_getfd", "EMFILE"), ("getsockopt", "ENOBUFS"),
                        ("connect", "ENOBUFS"), ("sendto", "ENOBUFS"), ("fcntl", "EINVAL"), ("epoll_ctl", "ENOSPC"),
                        ("openat", "EMFILE"), ("read", "EIO")):
        yield f"faults: {call} gives {error}", inject(f"{call}:error={error}", answered=call != "read")
    for number in range(1, 7):
        yield f"faults: ioctl number {number} gives ENOENT", inject(f"ioctl:error=ENOENT:when={number}")
