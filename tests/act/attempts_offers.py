# SPDX-License-Identifier: Apache-2.0
"""Runs fenced, as attempts.py: a connection is put on offer for a partner, and two of the partner's are claimed.

  python3 attempts_offers.py PORT TO FROM FIFO     tries, at each line of FIFO
  python3 attempts_offers.py PORT TO FROM          is the partner, for as long as lines come
"""
import errno
import itertools
import select
import socket
import sys

sys.dont_write_bytecode = True
from rounds import attempt, expect, serve

PORT = int(sys.argv[1])
FORBIDDEN, ALLOWED = "127.0.0.2", "127.0.0.3"
SOL_GAE, GAE_DESCRIPTOR = 0x47414500, 1
# Opened both ways: neither end of it is ever missing.
TO, FROM = open(sys.argv[2], "r+b", buffering=0), open(sys.argv[3], "r+b", buffering=0)
numbers = itertools.count(1)


def offer(host):
    with socket.create_connection((host, PORT)) as s:
        return s.getsockopt(SOL_GAE, GAE_DESCRIPTOR, 128).decode()


def claim(token):
    with socket.socket() as s:
        s.setsockopt(SOL_GAE, GAE_DESCRIPTOR, token.encode())
        s.send(b"x")


def error_of(call, *arguments):
    try:
        return 0, call(*arguments)
    except OSError as e:
        return e.errno, "-"


def exchange(token):
    """The partner's errno for our token, and two tokens of its own: to an allowed and to a forbidden place."""
    number = next(numbers)
    TO.write(f"{number} {token}\n".encode())
    while select.select([FROM], [], [], 4)[0]:
        words = FROM.readline().decode().split()
        if words[0] == str(number):
            return int(words[1]), words[2], words[3]
    return errno.ETIMEDOUT, "-", "-"


def give(token, error):
    expect(token != "-")
    if error:
        raise OSError(error, "")


def work():
    failed, token = error_of(offer, ALLOWED)
    error, allowed, forbidden = exchange(token)
    attempt("own-offer", lambda: give(token, failed))
    attempt("own-claimed", lambda: give(token, error))
    attempt("own-claim", claim, allowed)
    attempt("own-claim-again", claim, allowed)
    attempt("forbidden-claim", claim, forbidden)
    attempt("forbidden-offer", offer, FORBIDDEN)


def partner():
    print("ready", flush=True)
    while True:
        number, token = FROM.readline().decode().split()
        error = error_of(claim, token)[0]
        TO.write(f"{number} {error} {error_of(offer, ALLOWED)[1]} {error_of(offer, FORBIDDEN)[1]}\n".encode())


if len(sys.argv) > 4:
    serve(sys.argv[4], work)
else:
    partner()
