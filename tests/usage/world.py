# SPDX-License-Identifier: Apache-2.0
"""What every test needs: a ledger of its own, what writes it and what reads it."""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from checks import Failure, Skip, expect, remove_tree

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
USAGE = os.path.join(BUILD, "gae-usage")
WRITER = os.path.join(BUILD, "tests/programs/ledger_writer")
DAY = 20261125
TIME = 1795600000  # 2026-11-25 01:46:40 Pacific time


def expect_equal(got, want, what):
    expect(got == want, f"{what}: {got!r}, not {want!r}")


def encode(text):
    """A field of ledger_writer's: any bytes."""
    data = text if isinstance(text, bytes) else text.encode()
    return "".join(chr(b) if 32 < b < 127 and b != 37 else f"%{b:02x}" for b in data)


def row(process="curl", host="api.example.com", address="192.0.2.7", port=443, transport="tcp",
        counts=(1, 2, 3000, 4000, 5, 6)):
    return "\t".join(["row", encode(process), encode(host), encode(address), str(port), transport,
                      *map(str, counts)]) + "\n"


def write(app="shop", day=DAY, time=TIME):
    return f"write\t{day}\t{time}\t{encode(app)}\n"


class Writer(subprocess.Popen):
    """A ledger_writer that answers each write before the next."""

    def __init__(self, path):
        super().__init__([WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, text):
        self.stdin.write(text)
        self.stdin.flush()
        return self.stdout.readline().rstrip("\n")

    def end(self):
        self.stdin.close()
        self.stdout.close()
        return self.wait(30)


class World:
    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="gae-usage-")
        self.ledger = os.path.join(self.directory, "ledger.db")
        self.writers = []
        return self

    def __exit__(self, *_):
        for writer in self.writers:
            writer.kill()
            writer.wait(10)
            for pipe in (writer.stdin, writer.stdout):
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass
        remove_tree(self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def writer(self, path=None):
        writer = Writer(path or self.ledger)
        self.writers.append(writer)
        return writer

    def fill(self, text):
        """Writes all of @text; each batch has to work.  Then it is in the file itself, with nothing beside it."""
        out = subprocess.run([WRITER, self.ledger], input=text, capture_output=True, text=True, timeout=60,
                             check=False).stdout
        expect(out and set(out.split("\n")) == {"ok", ""}, f"writing: {out.strip()[-300:]}")
        self.ask("SELECT count(*) FROM usage")  # who closes it as the last one moves the log into it

    def usage(self, *options, ledger=None, timeout=20, text=True, **environment):
        variables = {k: v for k, v in os.environ.items() if not k.startswith("GAE_RUN_")}
        return subprocess.run([USAGE, "--ledger", ledger or self.ledger, *options], capture_output=True, text=text,
                              timeout=timeout, env={**variables, **environment}, check=False)

    def out(self, *options, **keywords):
        """Standard output of a run that must succeed and warn of nothing."""
        done = self.usage(*options, **keywords)
        expect(done.returncode == 0 and not done.stderr, f"{options}: status {done.returncode}: {done.stderr}")
        return done.stdout

    def json(self, *options, **keywords):
        return json.loads(self.out("--format", "json", *options, **keywords))

    def refusal(self, *options, ledger=None):
        """The one line of a run that must fail."""
        done = self.usage(*options, ledger=ledger)
        expect_equal(done.returncode, 125, f"{options}: exit status ({done.stderr.strip()})")
        expect(done.stderr.count("\n") == 1, f"{options}: not one line: {done.stderr!r}")
        return done.stderr.strip()

    def ask(self, sql):
        with sqlite3.connect(self.ledger, timeout=10) as db:
            answer = db.execute(sql).fetchone()
        db.close()
        return answer

    def execute(self, *statements):
        db = sqlite3.connect(self.ledger, isolation_level=None)
        for sql in statements:
            db.execute(sql)
        db.close()


def tests_of(module):
    return [(name[5:].replace("_", "-"), function) for name, function in vars(module).items()
            if name.startswith("test_")]
