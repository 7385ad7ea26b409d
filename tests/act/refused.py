# SPDX-License-Identifier: Apache-2.0
"""Calls that would lead around the fence give exactly the errno that the documentation says."""
import os
import platform
import signal
import subprocess

from world import GAE_RUN, PRELOADABLE, Skip, expect, program, until

POLICY = """gae-policy 1
allow tcp,udp to any
bind ephemeral
unix pair
sockopt any any pass
"""
RESULTS = {
    "EPROTONOSUPPORT": ["raw", "raw udp", "raw v6", "ping", "packet, old", "sctp", "mptcp", "mptcp v6", "udp-lite",
                        "dccp"],
    "EAFNOSUPPORT": ["packet", "vsock", "alg", "unix", "netlink route", "netlink netfilter", "key"],
    "EACCES": ["bind a port", "bind an address", "listen", "accept", "accept4"],
    "EPERM": ["setns", "unshare", "clone", "pidfd_getfd", "bpf", "TIOCSTI", "TIOCSTI with high bits", "TIOCLINUX"],
    "ENOSYS": ["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"],
    "EBUSY": ["seccomp listener"],
    "done": ["seccomp filter", "PR_SET_DUMPABLE", "socket after that", "connect after that"],
}
FOREIGN = ["int 0x80 getpid", "int 0x80 socket", "int 0x80 connect", "int 0x80 socketcall", "x32 getpid",
           "x32 connect"]
AT_A_PROCESS = ["kill 0", "SIGCONT", "tkill", "tgkill", "sigqueue", "tgsigqueue", "pidfd", "ptrace", "writev",
                "prlimit", "setpriority", "sched_setaffinity", "sched_setscheduler", "sched_setparam"]
ABOVE = ["the parent", "the grandparent", "the one above"]  # supervisor, guard, front
# Kernels without these protocols, or without x32, refuse them natively just so; bpf needs real root.
MAY_LACK = {"bpf", "sctp", "dccp", "alg", "key", "vsock", "mptcp", "mptcp v6", "udp-lite", "int 0x80 getpid",
            "int 0x80 socket", "int 0x80 connect", "int 0x80 socketcall", "x32 getpid", "x32 connect"}


def results(text):
    return dict(line.split(": ", 1) for line in text.splitlines())


def exact_errnos(world):
    path = program("forbidden")
    # Natively with three shells above, so that there is somebody to aim at.
    native = results(world.native("sh", "-c", f"sh -c 'sh -c \"{path}; :\"; :'; :").stdout)
    fenced = results(world.fenced(world.policy(POLICY), path).stdout)
    expected = {name: result for result, names in RESULTS.items() for name in names}
    expected.update({f"{what} {who}": "EPERM" for what in AT_A_PROCESS for who in ABOVE})
    if platform.machine() == "x86_64":
        expected.update({name: "ENOSYS" for name in FOREIGN})
    wrong = [f"{name}: {fenced.get(name)}, not {result}" for name, result in expected.items()
             if fenced.get(name) != result]
    expect(not wrong, "; ".join(wrong))
    expect(set(fenced) == set(expected), f"not expected: {set(fenced) ^ set(expected)}")
    allowed = set(RESULTS["done"])
    same = [name for name in expected if native[name] == fenced[name] and name not in MAY_LACK | allowed]
    expect(not same, f"natively refused as well, so this shows nothing: {same}")


def stop_the_supervisor(world):
    """SIGSTOP and SIGKILL at everything above; then the fence still answers."""
    script = ("import os, signal, socket\n"
              "pid, refused = os.getppid(), 0\n"
              "for _ in range(3):\n"
              "    for number in (signal.SIGSTOP, signal.SIGKILL):\n"
              "        try: os.kill(pid, number)\n"
              "        except PermissionError: refused += 1\n"
              "    pid = int(open(f'/proc/{pid}/stat').read().rsplit(')')[1].split()[1])\n"
              "print(refused)\n"
              "try: socket.create_connection(('127.0.0.1', 9), timeout=5)\n"
              "except ConnectionRefusedError: print('answered')\n")
    fenced = world.fenced(world.policy(POLICY), "python3", "-c", script)
    expect(fenced.stdout == "6\nanswered\n", f"{fenced.stdout}{fenced.stderr}")


def descriptors(world):
    """Nothing of the fence's is left open in the program: no listener, no socket to the supervisor."""
    fenced = world.fenced(world.policy(POLICY), "sh", "-c", "ls -l /proc/self/fd")
    expect("seccomp" not in fenced.stdout and "memfd" not in fenced.stdout and "socket:" not in fenced.stdout,
           fenced.stdout)
    numbers = {line.split()[8] for line in fenced.stdout.splitlines()[1:]}
    expect({"0", "1", "2"} <= numbers and len(numbers) == 4, f"descriptors {sorted(numbers)}")


def supervisor_dies(world):
    """When the supervisor is killed no call gets through any more: the tree dies, gae-run says 125."""
    witness = world.witness()
    script = ("import os, socket, sys, time\n"
              "if os.fork() == 0: os.setsid()\n"
              "os.write(1, b'ready\\n')\n"  # in one piece: two processes write it
              "while True:\n"
              f"    try: socket.create_connection(('127.0.0.1', {witness.port}), timeout=5).close()\n"
              "    except OSError as e: print(e.errno, flush=True); break\n"
              "    time.sleep(0.001)\n"
              "time.sleep(60)\n")
    process = world.start(world.policy(POLICY), "python3", "-c", script)
    lines = [process.line(), process.line()]
    expect(lines == ["ready", "ready"], f"the program starts: {lines}")
    until(witness.heard, 10, "the witness hears it")
    supervisor = process.supervisor()
    tree = [pid for pid in world.below(supervisor)]
    expect(len(tree) >= 2, "the program and its daemon are below the supervisor")
    os.kill(supervisor, signal.SIGKILL)
    expect(process.wait(10) == 125, f"status {process.returncode}")
    for pid in tree:
        until(lambda: not os.path.exists(f"/proc/{pid}"), 5, f"process {pid} ends")
    witness.heard()
    expect(not witness.heard(), "connects go on")


PIDFD_GETFD, PROCESS_VM_READV = 438, {"x86_64": 310}.get(platform.machine(), 270)


def without(world, call, *command):
    return world.native(program("without"), str(call), GAE_RUN, "--policy", world.policy(POLICY), *command)


def without_getfd(world):
    """Where sockets cannot be taken, the program is not started, and one line says what to do."""
    result = without(world, PIDFD_GETFD, "echo", "started")
    expect(result.returncode == 125, f"status {result.returncode}")
    expect("started" not in result.stdout, "the program ran")
    expect("pidfd_getfd (EPERM)" in result.stderr and "--cap-add SYS_PTRACE" in result.stderr, result.stderr)
    expect(len(result.stderr.splitlines()) == 1, result.stderr)


# What a container's profile may refuse of what --check tries: on x86-64, where alone gae-run runs.
TRIED = {"seccomp": 317, "prctl": 157, "pidfd_open": 434, "pidfd_getfd": 438, "process_vm_readv": 310,
         "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446,
         "io_uring_setup": 425, "unshare": 272, "memfd_create": 319}


def check_agrees(world):
    """--check says that gae-run works exactly where it starts a program, whatever call is refused."""
    for name, number in TRIED.items():
        told = world.native(program("without"), str(number), GAE_RUN, "--check")
        done = without(world, number, "true")
        expect(told.returncode == done.returncode,
               f"without {name}: --check {told.returncode}, a run {done.returncode}\n{told.stdout}{done.stderr}")
        word = "works" if told.returncode == 0 else "cannot work"
        expect(told.stdout.endswith(f"gae-run {word} here\n"), told.stdout)


def unread_descriptors(world):
    """Where the inherited descriptors cannot be listed, nothing is started."""
    result = world.native("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=getdents64",
                          "-e", "inject=getdents64:error=EIO:when=1", GAE_RUN, "--policy", world.policy(POLICY),
                          "echo", "started")
    expect(result.returncode == 125 and "started" not in result.stdout, f"{result.returncode} {result.stdout}")
    expect(result.stderr == "gae-run: /proc/self/fd cannot be read: Input/output error\n", result.stderr)


# Its strdup fails for one word.
FORGETFUL = """#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
char *strdup(const char *s)
{
	char *(*real)(const char *) = (char *(*)(const char *))dlsym(RTLD_NEXT, "strdup");
	return strcmp(s, "--policy") ? real(s) : NULL;
}
"""


def forgotten_policy(world):
    """Where memory ends while the supervisor's arguments are made, it is not started without the policy."""
    if "asan" in GAE_RUN:
        raise Skip("the sanitizer has malloc's family itself")
    library = world.path("forgetful.so")
    with open(world.path("forgetful.c"), "w", encoding="ascii") as f:
        f.write(FORGETFUL)
    made = world.native("cc", "-shared", "-fPIC", "-o", library, world.path("forgetful.c"))
    expect(made.returncode == 0, made.stderr)
    result = world.native("env", f"LD_PRELOAD={library}", PRELOADABLE, "--policy", world.policy(POLICY), "echo", "started")
    expect(result.returncode == 125 and "started" not in result.stdout, f"{result.returncode} {result.stdout}")
    expect("Cannot allocate memory" in result.stderr, result.stderr)


def full_output(world):
    """What cannot be printed is a failure."""
    for option in ("--version", "--help", "--check"):
        with open("/dev/full", "w", encoding="ascii") as full:
            result = subprocess.run([GAE_RUN, option], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                                    text=True, timeout=60)
        expect(result.returncode == 125, f"{option}: status {result.returncode}")
        expect(result.stderr == "gae-run: standard output: No space left on device\n", result.stderr)


def without_readv(world):
    """Where process_vm_readv is refused, /proc/PID/mem is read instead: the decisions stay."""
    script = ("import socket\n"
              "udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
              "for host in ('127.0.0.1', '127.0.0.2'):\n"
              "    for call in (lambda: udp.sendto(b'x', (host, 9)), lambda: udp.sendmsg([b'x'], [], 0, (host, 9)),\n"
              "                 lambda: udp.connect((host, 9))):\n"
              "        try: call(); print(host, 'done')\n"
              "        except OSError as e: print(host, e.errno)\n")
    policy = world.policy("gae-policy 1\nallow udp to 127.0.0.1\nsockopt any any pass\n", "mem.conf")
    result = world.native(program("without"), str(PROCESS_VM_READV), GAE_RUN, "--policy", policy, "python3", "-c",
                          script)
    expected = ["127.0.0.1 done"] * 3 + ["127.0.0.2 13"] * 3
    expect(result.stdout.split("\n")[:-1] == expected, result.stdout + result.stderr)


def borrowed_credentials(world):
    """A program of root's that became somebody else does not speak with root's credentials through the supervisor."""
    if os.geteuid() != 0:
        raise Skip("needs root, to become somebody else")
    script = ("import os, socket, struct\n"
              "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
              "b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)\n"
              "forged = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack('3i', 1, 0, 0))]\n"
              "def attempt(name, control):\n"
              "    try: a.sendmsg([b'x'], control)\n"
              "    except OSError as e: print(name, e.errno); return\n"
              "    print(name, struct.unpack('3i', b.recvmsg(1, 100)[1][0][2])[1])\n"
              "attempt('forged', forged)\n"
              "os.setuid(65534)\n"
              "attempt('plain', [])\n")
    native = world.native("python3", "-c", script)
    expect(native.stdout.split() == ["forged", "0", "plain", "65534"], native.stdout + native.stderr)
    fenced = world.fenced(world.policy(POLICY), "python3", "-c", script)
    expect(fenced.stdout.split() == ["forged", "13", "plain", "1"], fenced.stdout + fenced.stderr)


def borrowed_port(world):
    """Nor does it get a port below 1024 that is root's to bind."""
    if os.geteuid() != 0:
        raise Skip("needs root, to become somebody else")
    script = ("import os, socket\n"
              "def attempt(port):\n"
              "    try: socket.socket().bind(('127.0.0.1', port)); print('bound')\n"
              "    except OSError as e: print(e.errno)\n"
              "attempt(81)\nos.setuid(65534)\nattempt(82)\nattempt(8082)\n")
    native = world.native("python3", "-c", script)
    if native.stdout.split() != ["bound", "13", "bound"]:
        raise Skip(f"natively ports below 1024 are free here: {native.stdout.split()}")
    fenced = world.fenced(world.policy(), "python3", "-c", script)
    expect(fenced.stdout == native.stdout, fenced.stdout + fenced.stderr)


def tests():
    yield "refused: a port that is root's to bind", borrowed_port
    yield "refused: the supervisor's credentials on a local socket", borrowed_credentials
    yield "refused: no start where sockets cannot be taken", without_getfd
    yield "refused: --check knows where gae-run does not start", check_agrees
    yield "refused: no start where inherited descriptors cannot be listed", unread_descriptors
    yield "refused: no start where an argument of the supervisor's has no memory", forgotten_policy
    yield "refused: standard output is full", full_output
    yield "refused: memory is read by /proc where process_vm_readv is not allowed", without_readv
    yield "refused: exact errnos", exact_errnos
    yield "refused: signals at supervisor, guard and front", stop_the_supervisor
    yield "refused: the program has no descriptor of the fence's", descriptors
    yield "supervisor: its death ends the whole tree with 125", supervisor_dies
