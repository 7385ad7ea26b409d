# SPDX-License-Identifier: Apache-2.0
"""Runs under gae-run: carries out lines of Python from standard input, and answers each with what it gives."""
import errno
import sys
import time

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import fcntl
import json
import os
import signal
import socket
import threading

GAE, TOKEN, MAX = 0x47414500, 1, 128
sockets = {}


def tcp(name, port, host="127.0.0.1"):
    sockets[name] = socket.create_connection((host, port))


def offer(name):
    return sockets[name].getsockopt(GAE, TOKEN, MAX).decode()


def claim(name, token, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    fresh = socket.socket(family, kind)
    fresh.setsockopt(GAE, TOKEN, token.encode() if isinstance(token, str) else token)
    sockets[name] = fresh


def attempt(code):
    try:
        return eval(code, globals())
    except SyntaxError:
        try:
            exec(code, globals())
            return None
        except OSError as e:
            return errno.errorcode[e.errno]
    except OSError as e:
        return errno.errorcode[e.errno]


for line in sys.stdin:
    print(repr(attempt(json.loads(line))), flush=True)
