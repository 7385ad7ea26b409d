# SPDX-License-Identifier: Apache-2.0
"""Several processes write one ledger, and are killed in the middle of it."""
import json
import random
import signal
import subprocess
import time

from world import TIME, WRITER, expect, expect_equal, row, write

ROWS = 20
SUMS = ("SELECT (SELECT sum(connects) FROM usage), (SELECT sum(connects) FROM course), "
        "(SELECT sum(bytes_sent) FROM usage), (SELECT sum(sockets) FROM lost)")


def batch(app="shop", time_of=TIME):
    return "".join(row(port=p, counts=(1, 0, 1000, 0, 0, 0)) for p in range(ROWS)) + "lost\t1\n" + write(app, time=time_of)


def expect_batches(w, n):
    expect_equal(w.ask(SUMS), (n * ROWS, n * ROWS, n * ROWS * 1000, n), f"sums of {n} batches")
    expect_equal(w.ask("PRAGMA integrity_check"), ("ok",), "integrity")


def test_eight_writers_at_once(w):
    each, running = 60, []
    with open(w.path("in"), "w", encoding="ascii") as f:
        f.write(batch() * each)
    for i in range(8):  # all of them make the file, which is not there yet
        with open(w.path("in"), encoding="ascii") as f, open(w.path(f"out{i}"), "w", encoding="ascii") as out:
            running.append(subprocess.Popen([WRITER, w.ledger], stdin=f, stdout=out))
    for i, process in enumerate(running):
        expect_equal(process.wait(120), 0, "a writer's status")
        with open(w.path(f"out{i}"), encoding="ascii") as out:
            expect_equal(out.read().split(), ["ok"] * each, "answers")
    expect_batches(w, 8 * each)
    expect_equal(w.ask("SELECT count(*) FROM writer"), (0,), "marks left")


def connects_seen(w):
    """What a reader sees, who may be warned of lost sockets."""
    done = w.usage("--all", "--format", "json")
    expect_equal(done.returncode, 0, f"a reader's status: {done.stderr}")
    return sum(r["connects"] for r in json.loads(done.stdout))


def test_readers_and_writers_do_not_disturb_each_other(w):
    writer = w.writer()
    for n in range(1, 40):
        expect_equal(writer.say(batch()), "ok", "answer")
        expect_equal(connects_seen(w), n * ROWS, "what a reader sees")
    expect_equal(writer.end(), 0, "status")


def test_killed_writers_leave_whole_batches(w):
    random.seed(8)
    batches = 0
    text = batch() * 3000
    for _ in range(40):
        with open(w.path("in"), "w+", encoding="ascii") as f, open(w.path("out"), "w+", encoding="ascii") as out:
            f.write(text)
            f.seek(0)
            process = subprocess.Popen([WRITER, w.ledger], stdin=f, stdout=out)
            time.sleep(random.uniform(0.002, 0.12))  # the moment is what is being tried
            process.kill()
            process.wait(10)
            out.seek(0)
            answered = out.read().split().count("ok")
        connects = (w.ask(SUMS) if batches or answered else exists_sums(w))[0] or 0
        expect_equal(connects % ROWS, 0, "a batch in half")
        # The last one may be in the file without its answer.
        expect(connects // ROWS - batches - answered in (0, 1),
               f"{connects // ROWS} batches, of {batches} before and {answered} answered")
        batches = connects // ROWS
        if batches:
            expect_batches(w, batches)
    expect(batches > 100, f"only {batches} batches in all")
    w.fill(batch())
    expect_batches(w, batches + 1)


def exists_sums(w):
    """Killed so early that there may be no table yet."""
    try:
        return w.ask(SUMS)
    except Exception:
        return (0,)


def test_a_killed_writer_among_others_harms_none(w):
    victim, survivor = w.writer(), w.writer()
    for _ in range(30):
        expect_equal(survivor.say(batch()), "ok", "answer")
        expect_equal(victim.say(batch()), "ok", "answer")
        victim.stdin.write(batch())
        victim.stdin.flush()
        victim.kill()
        victim.wait(10)
        victim = w.writer()
        expect_equal(survivor.say(batch()), "ok", "answer")
    expect_equal(survivor.end(), 0, "status")
    expect_equal(w.ask(SUMS)[0] % ROWS, 0, "a batch in half")
    expect(90 * ROWS <= w.ask(SUMS)[0] <= 120 * ROWS, w.ask(SUMS))


def test_a_stopped_writer_does_not_hold_up_readers(w):
    w.fill(batch())
    for _ in range(20):
        writer = w.writer()
        # One that is stopped while it recovers what the last one left behind holds up all: not meant here.
        writer.stdin.write(batch())
        writer.stdin.flush()
        expect_equal(writer.stdout.readline().strip(), "ok", "the writer has begun")
        writer.stdin.write(batch() * 3)
        writer.stdin.flush()
        writer.send_signal(signal.SIGSTOP)
        expect_equal(connects_seen(w) % ROWS, 0, "what a reader sees")
        writer.kill()


def test_a_clock_set_back(w):
    w.fill(batch(time_of=TIME) + batch(time_of=TIME - 100000) + batch(time_of=-5))
    expect_equal(w.ask("SELECT group_concat(slot) FROM course"), ("-300,1795500000,1795599900",), "slots")
    expect_batches(w, 3)
