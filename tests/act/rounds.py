# SPDX-License-Identifier: Apache-2.0
"""Runs fenced: what the programs of the matrix have in common.  At each line of a FIFO they try everything once."""
import socket
import threading


def attempt(name, call, *arguments):
    """A line "NAME ERRNO" (0: done)."""
    try:
        call(*arguments)
        error = 0
    except OSError as e:
        error = 11 if isinstance(e, socket.timeout) else e.errno
    print(name, error, flush=True)


def expect(condition):
    if not condition:
        raise OSError(10000, "a wrong result")


def serve(path, work):
    with open(path, encoding="ascii") as fifo:
        print("ready", flush=True)
        for _ in fifo:
            # In a thread that the supervisor has not met.
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            print("over", flush=True)
