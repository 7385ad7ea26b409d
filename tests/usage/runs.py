# SPDX-License-Identifier: Apache-2.0
"""What gae-run itself leaves in the ledger at its end, also while somebody else holds it."""
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

from processes import named_below
from world import BUILD, expect, expect_equal

GAE_RUN = os.path.join(BUILD, "gae-run")
POLICY = "gae-policy 1\nallow tcp to 127.0.0.1\nsockopt any any pass\n"
SEND = ("import socket, sys\n"
        "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
        "s.sendall(b'x' * 100); s.close(); print('sent', flush=True)\n"
        "if sys.argv[2:]: sys.stdin.read()\n")
SENT = "SELECT sum(connects), sum(bytes_sent) FROM usage"
MARKS = "SELECT count(*) FROM writer"


class Listener(socket.socket):
    """The kernel accepts and reads for it."""

    def __init__(self):
        super().__init__()
        self.bind(("127.0.0.1", 0))
        self.listen(64)

    def port(self):
        return str(self.getsockname()[1])


def start(w, *command, options=(), **variables):
    with open(w.path("runs.conf"), "w", encoding="ascii") as f:
        f.write(POLICY)
    env = {k: v for k, v in os.environ.items() if not k.startswith("GAE_RUN_")}
    # The leak checker traces its own process, which the supervisor refuses to all.
    env.update(GAE_RUN_TEST_SELF="1", XDG_STATE_HOME=w.path("state"), XDG_RUNTIME_DIR=w.directory,
               ASAN_OPTIONS="detect_leaks=0", **variables)
    process = subprocess.Popen([GAE_RUN, "--policy", w.path("runs.conf"), "--ledger", w.ledger, *options, "--", *command],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    w.writers.append(process)
    return process


def send(w, listener, *more, **keywords):
    return start(w, sys.executable, "-c", SEND, listener.port(), *more, **keywords)


def run(w, listener, **keywords):
    process = send(w, listener, **keywords)
    out, err = process.communicate(timeout=30)
    expect_equal((process.returncode, out), (0, "sent\n"), f"a run: {err}")
    return err


def hold(w):
    """The write lock."""
    db = sqlite3.connect(w.ledger, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    return db


def test_a_ledger_in_use_at_the_end_is_waited_for(w):
    with Listener() as listener:
        run(w, listener)
        db = hold(w)
        process = send(w, listener)
        expect_equal(process.stdout.readline(), "sent\n", "output")
        time.sleep(1.5)  # how long it is held is what is tried: more than one try takes
        db.close()
        err = process.communicate(timeout=30)[1]
    expect_equal((process.returncode, err), (0, ""), "status and standard error")
    expect_equal(w.ask(SENT), (2, 200), "what both runs used")


def test_a_ledger_in_use_for_too_long_is_said_once(w):
    with Listener() as listener:
        run(w, listener)
        db = hold(w)
        begun = time.monotonic()
        err = run(w, listener)
        expect(time.monotonic() - begun < 4, "it holds up the end")
        db.close()
        expect_equal(err.count("\n"), 1, f"lines of {err!r}")
        expect("warning: " in err and "in use by others" in err and "100 B sent" in err, err)
        expect_equal(w.ask(SENT), (1, 100), "what is there")


def test_a_run_leaves_no_mark(w):
    with Listener() as listener:
        expect_equal(run(w, listener), "", "standard error")
        expect_equal(w.ask(MARKS), (0,), "after one write")
        process = send(w, listener, "wait", GAE_RUN_TEST_FLUSH_MS="20")
        expect_equal(process.stdout.readline(), "sent\n", "output")
        wait_for_mark(w)
        process.stdin.close()
        expect_equal(process.wait(20), 0, "status")
        expect_equal(w.ask(MARKS), (0,), "after more than one")
    expect_equal(w.ask(SENT), (2, 200), "sums")


def wait_for_mark(w):
    end = time.monotonic() + 10
    while w.ask(MARKS) != (1,):
        expect(time.monotonic() < end, "nothing is written while it runs")
        time.sleep(0.01)


def test_a_killed_run_leaves_its_mark(w):
    with Listener() as listener:
        run(w, listener)
        process = send(w, listener, "wait", GAE_RUN_TEST_FLUSH_MS="20")
        expect_equal(process.stdout.readline(), "sent\n", "output")
        wait_for_mark(w)
        [supervisor] = named_below(process.pid, "gae-supervisor")
        os.kill(supervisor, signal.SIGKILL)
        process.stdin.close()
        expect_equal(process.wait(20), 125, "status")
    expect_equal(w.ask(MARKS), (1,), "marks")


def test_a_run_that_uses_nothing_makes_no_ledger(w):
    process = start(w, "/bin/true")
    err = process.communicate(timeout=30)[1]
    expect_equal((process.returncode, err), (0, ""), "status and standard error")
    expect(not os.path.exists(w.ledger), "it was made")
