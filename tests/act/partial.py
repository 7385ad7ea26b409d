# SPDX-License-Identifier: Apache-2.0
"""Calls that end before all is done tell exactly what was done, as natively."""
from world import SILENT, expect

POLICY = "gae-policy 1\nallow tcp,udp to any\nbind any\nlisten allow\nunix pair\nsockopt any any pass\n"

TAKEN_BACK = f"""
import ctypes, errno, socket, threading, time
libc = ctypes.CDLL(None, use_errno=True)
for how in ("unspec", "shutdown"):
    s, result = socket.socket(), []
    def wait():
        result.append(errno.errorcode.get(s.connect_ex(("{SILENT}", 9)), "connected"))
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    time.sleep(0.3)
    if how == "shutdown":
        s.shutdown(socket.SHUT_RDWR)
    else:
        libc.connect(s.fileno(), bytes(16), 16)
    thread.join(5)
    print(how, *result)
    # The socket is as good as new.
    s.settimeout(0.05)
    print(errno.errorcode.get(s.connect_ex(("127.0.0.1", 9)), "connected"))
"""


def taken_back(world):
    """A connect that waits while another thread disconnects its socket ends; it does not begin anew."""
    native = world.native("python3", "-c", TAKEN_BACK)
    # For AF_UNSPEC Linux 6.7 says EPIPE where those before it and gae-run say ECONNRESET (sk_disconnects).
    ends = native.stdout.replace("EPIPE", "ECONNRESET")
    expect(ends.split() == ["unspec", "ECONNRESET", "ECONNREFUSED", "shutdown", "ECONNRESET", "ECONNREFUSED"], ends)
    fenced = world.fenced(world.policy(POLICY), "python3", "-c", TAKEN_BACK)
    expect(fenced.stdout == ends, f"{fenced.stdout}{fenced.stderr}, natively {ends}")


PARTS = """
import ctypes, itertools, os, signal, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("size", ctypes.c_size_t)]
class Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_size", ctypes.c_uint32), ("parts", ctypes.POINTER(Part)),
                ("count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_size", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("pad", ctypes.c_int), ("sent", ctypes.c_uint),
                ("pad2", ctypes.c_int)]
def pair(kind):
    if kind == "unix":
        a, b = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
            a = socket.create_connection(listener.getsockname())
            b, _ = listener.accept()
    a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
    return a, b
signal.signal(signal.SIGALRM, lambda *_: None)
for kind, waits, first in itertools.product(("unix", "tcp"), (False, True), (1000, 4000000)):
    a, b = pair(kind)
    a.setblocking(waits)
    texts = [b"".join(struct.pack("I", at) for at in range(begin, begin + size // 4))
             for begin, size in ((0, first), (10**6, 4000000), (2 * 10**6, 1000))]
    parts = [Part(text, len(text)) for text in texts]
    messages = (Message * 3)(*[Message(None, 0, ctypes.pointer(part), 1) for part in parts])
    if waits: signal.setitimer(signal.ITIMER_REAL, 0.3)
    n = libc.sendmmsg(a.fileno(), messages, 3, 0)
    a.shutdown(socket.SHUT_WR)
    got = b"".join(iter(lambda: b.recv(65536), b""))
    told = [message.sent for message in messages[:max(n, 0)]]
    print(kind, waits, first, n, "all" if told == [len(text) for text in texts[:len(told)]] else "part",
          got == b"".join(text[:size] for text, size in zip(texts, told)))
"""


def parts_of_messages(world):
    """sendmmsg(2) that stops within a message: each byte that it says has gone has gone once, and no other."""
    native = world.native("python3", "-c", PARTS)
    expect(all(line.endswith(("1 part True", "2 part True")) for line in native.stdout.splitlines()) and native.stdout,
           native.stdout + native.stderr)
    fenced = world.fenced(world.policy(POLICY), "python3", "-c", PARTS)
    expect(fenced.stdout == native.stdout, f"{fenced.stdout}{fenced.stderr}, natively {native.stdout}")


def tests():
    yield "partial: a connect that another thread takes back", taken_back
    yield "partial: sendmmsg that stops within a message", parts_of_messages
