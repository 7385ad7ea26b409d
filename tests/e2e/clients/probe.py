#!/usr/bin/python3
"""One system call a line: reads `NAME ACTION ARGUMENT...`, prints `NAME RESULT`.

RESULT is `ok`, `ok VALUE` or the name of an errno.  Addresses are literal.
"""
import errno
import os
import signal
import socket
import struct
import sys

TIMEOUT = 3


def endpoint(address, port):
    scope = 0
    if "%" in address:
        address, link = address.split("%")
        scope = socket.if_nametoindex(link)
    if ":" in address:
        return socket.AF_INET6, (address, int(port), 0, scope)
    return socket.AF_INET, (address, int(port))


def tcp(address, port):
    family, to = endpoint(address, port)
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        # A blocking connect: Python's own timeout would make it non-blocking.
        signal.alarm(TIMEOUT)
        try:
            sock.connect(to)
        finally:
            signal.alarm(0)
    return "ok"


def tcp_nonblocking(address, port):
    family, to = endpoint(address, port)
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect(to)
    return "ok"


def datagram(address, port):
    family, to = endpoint(address, port)
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if address in ("255.255.255.255", "10.77.0.255"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return sock, to


def udp(address, port):
    sock, to = datagram(address, port)
    with sock:
        sock.sendto(b"probe", to)
    return "ok"


def udp_message(address, port):
    sock, to = datagram(address, port)
    with sock:
        sock.sendmsg([b"pro", b"be"], [], 0, to)
    return "ok"


def udp_connected(address, port):
    sock, to = datagram(address, port)
    with sock:
        sock.connect(to)
        sock.send(b"probe")
    return "ok"


def create(family, kind, protocol):
    socket.socket(int(family), int(kind), int(protocol)).close()
    return "ok"


def pair():
    for sock in socket.socketpair():
        sock.close()
    return "ok"


def listen(address):
    family, to = endpoint(address, 0)
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.listen(1)
    return "ok"


def bind(address, port):
    family, to = endpoint(address, port)
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.bind(to)
    return "ok"


def set_option(level, option, value):
    with socket.socket() as sock:
        raw = struct.pack("ii", 1, int(value)) if option == "13" else struct.pack("i", int(value))
        sock.setsockopt(int(level), int(option), raw)
    return "ok"


def get_option(level, option):
    with socket.socket() as sock:
        raw = sock.getsockopt(int(level), int(option), 16)
    return "ok " + raw.hex()


def set_then_get(level, option, value):
    with socket.socket() as sock:
        raw = struct.pack("ii", 1, int(value)) if option == "13" else struct.pack("i", int(value))
        sock.setsockopt(int(level), int(option), raw)
        return "ok " + sock.getsockopt(int(level), int(option), 16).hex()


def fast_open(address, port):
    family, to = endpoint(address, port)
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.sendto(b"probe", socket.MSG_FASTOPEN, to)
    return "ok"


def alarmed(*_):
    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


def result(action, arguments):
    try:
        return action(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, repr(error))


def main():
    signal.signal(signal.SIGALRM, alarmed)
    actions = {
        "tcp": tcp, "tcp-nonblocking": tcp_nonblocking, "udp": udp, "udp-message": udp_message,
        "udp-connected": udp_connected, "create": create, "pair": pair, "listen": listen,
        "bind": bind, "set": set_option, "get": get_option, "set-get": set_then_get,
        "fast-open": fast_open,
    }
    for line in open(sys.argv[1], encoding="ascii"):
        name, action, *arguments = line.split()
        print(name, result(actions[action], arguments), flush=True)


main()
