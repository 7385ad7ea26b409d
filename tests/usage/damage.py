# SPDX-License-Identifier: Apache-2.0
"""Ledgers that are damaged, foreign, of a later version, on a full or read-only file system."""
import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys

from world import Skip, expect, expect_equal, row, write, WRITER


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def some(n=300):
    return "".join(row(port=p, host=f"host-{p}.example.com", counts=(1, 0, 1000, 0, 0, 0)) for p in range(n)) + write()


def writing(path, text=None):
    """What a writer says who tries it on @path."""
    out = subprocess.run([WRITER, path], input=text or row() + write(), capture_output=True, text=True, timeout=20,
                         check=False)
    expect(out.returncode in (0, 1), f"the writer ended with {out.returncode}: {out.stderr}")
    return out.stdout.strip()


def test_a_later_version_is_left_as_it_is(w):
    w.fill(some())
    w.execute("PRAGMA user_version=2")
    before = digest(w.ledger)
    names = sorted(os.listdir(w.directory))
    expect("written by a later version of gae-run" in writing(w.ledger), "writer")
    expect("written by a later version of gae-run" in w.refusal("--all"), "reader")
    expect_equal(digest(w.ledger), before, "the file")
    expect_equal(sorted(os.listdir(w.directory)), names, "files")


def test_foreign_files_are_left_as_they_are(w):
    for content in (b"hello\n" * 200, b"", b"SQLite format 3\0" + b"\0" * 20, os.urandom(8192)):
        path = w.path("foreign")
        with open(path, "wb") as f:
            f.write(content)
        expect("foreign: " in w.refusal("--all", ledger=path), content[:9])
        if content:
            expect("not a ledger" in writing(path), content[:9])
            with open(path, "rb") as f:
                expect(f.read() == content, "the file was changed")
    db = sqlite3.connect(w.path("other.db"))
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE t(a)")
    db.commit()
    before = digest(w.path("other.db"))
    expect("not a ledger of gae-run" in writing(w.path("other.db")), "writer")
    expect("not a ledger of gae-run" in w.refusal("--all", ledger=w.path("other.db")), "reader")
    expect_equal(digest(w.path("other.db")), before, "the file")
    db.close()


def test_what_is_no_file(w):
    os.mkdir(w.ledger)
    expect("is a directory" in w.refusal("--all"), "directory")
    os.mkfifo(w.path("fifo"))
    expect("is no regular file" in w.refusal("--all", ledger=w.path("fifo")), "fifo")
    expect("is no regular file" in w.refusal("--all", ledger="/dev/zero"), "device")
    expect("there is no ledger" in w.refusal("--all", ledger=w.path("none")), "missing")
    expect("there is no ledger" in w.refusal("--all", ledger=w.path("no/ne")), "missing directory")
    expect("Not a directory" in w.refusal("--all", ledger="/etc/passwd/x"), "below a file")
    os.symlink("loop", w.path("loop"))
    expect("symbolic links" in w.refusal("--all", ledger=w.path("loop")), "loop")
    for path, why in ((w.ledger, "is a directory"), (w.path("fifo"), "is no regular file"), ("/dev/null", "is no regular"),
                      ("/etc/passwd/x", "Not a directory"), ("/proc/x/y", "its directory cannot be made")):
        expect(why in writing(path), f"{path}: {writing(path)}")


def test_a_link_is_followed(w):
    os.mkdir(w.path("real"))
    os.symlink(w.path("real/l.db"), w.ledger)
    w.fill(some(5))
    expect_equal(os.stat(w.path("real/l.db")).st_mode & 0o777, 0o600, "mode")
    expect_equal(len(w.json("--all")), 5, "rows")


def test_damage_anywhere_ends_in_an_answer_or_an_error(w):
    random.seed(3)
    w.fill(some())
    good = w.path("good")
    shutil.copy(w.ledger, good)
    right = json.dumps(w.json("--all"))
    with open(good, "rb") as f:
        content = f.read()
    outcomes = {"error": 0, "right": 0, "other": 0}
    for i in range(100):
        bad = bytearray(content)
        at = random.randrange(200) if i % 4 == 0 else random.randrange(len(bad))
        length = random.choice((1, 4, 64, 4096))
        bad[at:at + length] = os.urandom(min(length, len(bad) - at))
        if i % 10 == 9:
            bad = bad[:at]
        with open(w.ledger, "wb") as f:
            f.write(bad)
        for suffix in ("-wal", "-shm"):
            if os.path.exists(w.ledger + suffix):
                os.unlink(w.ledger + suffix)
        done = w.usage("--all", "--format", "json")
        expect(done.returncode in (0, 125), f"variant {i} at {at}: status {done.returncode}: {done.stderr}")
        if done.returncode == 125:
            expect(done.stderr.count("\n") == 1 and done.stderr.startswith("gae-usage: "), f"variant {i}: {done.stderr}")
            outcomes["error"] += 1
        else:
            outcomes["right" if json.dumps(json.loads(done.stdout)) == right else "other"] += 1
        answer = writing(w.ledger)
        expect(answer == "ok" or answer.startswith("error "), f"variant {i} at {at}: {answer}")
        expect(answer.count("\n") == 0, answer)
    # A changed digit within a value is no damage that SQLite could see.
    expect(outcomes["error"] >= 20 and outcomes["right"] >= 5, outcomes)


def test_a_damaged_log_is_passed_over(w):
    random.seed(5)
    for _ in range(30):
        writer = w.writer()
        expect_equal(writer.say(some(50)), "ok", "answer")
        writer.kill()
        writer.wait(10)
        with open(w.ledger + "-wal", "r+b") as f:
            f.seek(random.randrange(os.path.getsize(w.ledger + "-wal")))
            f.write(os.urandom(40))
        done = w.usage("--all", "--format", "json")
        expect(done.returncode in (0, 125), f"status {done.returncode}: {done.stderr}")
        answer = writing(w.ledger)
        expect(answer == "ok" or answer.startswith("error "), answer)
        for name in os.listdir(w.directory):
            os.unlink(w.path(name))


def test_hostile_schemas_are_refused(w):
    w.fill(some(3))
    shutil.copy(w.ledger, w.path("good"))
    for sql in ("CREATE VIEW v AS SELECT 1", "CREATE TRIGGER t AFTER INSERT ON course BEGIN DELETE FROM usage; END",
                "CREATE INDEX i ON usage(hex(app))", "CREATE TABLE more(a)", "DROP TABLE course",
                "ALTER TABLE usage RENAME COLUMN host TO h", "ALTER TABLE usage ADD COLUMN x TEXT AS (hex(app))"):
        shutil.copy(w.path("good"), w.ledger)
        w.execute(sql)
        expect("tables are not those of a ledger" in w.refusal("--all"), f"reader: {sql}")
        expect("tables are not those of a ledger" in writing(w.ledger), f"writer: {sql}")


def test_numbers_that_cannot_be(w):
    w.fill(row() + write())
    w.execute("UPDATE usage SET bytes_sent=-5, connects=9223372036854775807, day=99999999999")
    done = w.usage("--all", "--format", "json")
    expect_equal((done.returncode, done.stdout), (0, "[]\n"), "a day beyond all")
    w.execute("UPDATE usage SET day=20261125, port=-1")
    rows = w.json("--all")
    expect_equal((rows[0]["bytes_sent"], rows[0]["connects"], rows[0]["port"]), (0, 2 ** 63 - 1, 0), "numbers")
    w.execute("INSERT INTO usage SELECT day, app, 'other', host, address, port, transport, connects, denied, bytes_sent, "
              "bytes_received, datagrams_sent, datagrams_received FROM usage")
    rows = w.json("--all")
    expect_equal((rows[0]["bytes_sent"], rows[0]["connects"]), (0, 2 ** 63 - 1), "sums")
    w.execute("UPDATE usage SET bytes_sent=7 WHERE process='other'")
    expect_equal(w.json("--all")[0]["bytes_sent"], 7, "one below zero counts as zero")


def as_root():
    if os.geteuid() != 0:
        raise Skip("mounting a file system takes root")


def in_mounts(w, body, options):
    """Runs @body (Python) in a mount namespace with a tmpfs at w.path("mount")."""
    as_root()
    os.mkdir(w.path("mount"))
    script = (f"mount -t tmpfs -o {options} tmpfs {w.path('mount')} && exec {sys.executable} -B -c \"$1\"")
    prologue = (f"import sys, os, subprocess; sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})\n"
                f"from world import *\nw = World(); w.writers = []; w.directory = {w.path('mount')!r}\n"
                f"w.ledger = w.path('ledger.db')\n")
    out = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", prologue + body], capture_output=True, text=True,
                         timeout=60, check=False)
    if "unshare" in out.stderr or "mount:" in out.stderr:
        raise Skip(out.stderr.strip().split("\n")[-1])
    expect(out.returncode == 0, out.stderr[-900:])


FULL = """
batch = "".join(row(port=p, host="h" * 200, counts=(1, 0, 1000, 0, 0, 0)) for p in range(40))
writer = w.writer()
expect_equal(writer.say(batch + write()), "ok", "first")
filler = os.open(w.path("filler"), os.O_WRONLY | os.O_CREAT)
try:
    while os.write(filler, b"x" * 4096):
        pass
except OSError:
    os.close(filler)
answer, n = "ok", 0
while answer == "ok" and n < 2000:
    n += 1
    answer = writer.say(batch.replace("192.0.2.7", f"192.0.2.{n % 250}") + write())
expect("full" in answer or "No space left" in answer, answer)
for _ in range(5):
    expect(writer.say(write()).startswith("error"), "still full")
total = (1 + n - 1) * 40
done = w.usage("--all", "--by", "app", "--format", "json")
expect(done.returncode == 125 or json.loads(done.stdout)[0]["connects"] == total, done.stdout + done.stderr)
other = subprocess.run([WRITER, w.path("new/ledger.db")], input=batch + write(), capture_output=True, text=True)
expect(other.returncode == 1 and other.stdout.startswith("error ") and other.stdout.count("\\n") == 1, other.stdout)
os.unlink(w.path("filler"))
expect_equal(writer.say(write()), "ok", "when there is room again")
expect_equal(writer.end(), 0, "status")
expect_equal(w.json("--all", "--by", "app")[0]["connects"], total + 40, "sums")
"""


def test_a_full_disk(w):
    in_mounts(w, FULL, "size=1m")


READ_ONLY = """
w.fill(row() + write())
writer = w.writer()
expect_equal(writer.say(row() + write()), "ok", "first")
writer.end()
w.ask("SELECT count(*) FROM usage")  # so that nothing lies beside it
os.mkdir(w.path("below"))
subprocess.run(["mount", "-o", "remount,ro", w.directory], check=True)
for path in (w.ledger, w.path("below/new.db"), w.path("more/below/new.db")):
    out = subprocess.run([WRITER, path], input=row() + write(), capture_output=True, text=True, timeout=20)
    expect(out.returncode == 1 and "Read-only file system" in out.stdout, out.stdout)
    expect_equal(out.stdout.count("\\n"), 1, "lines")
why = w.refusal("--all")
expect("directory is not writable" in why and "read the copy" in why, why)
subprocess.run(["cp", w.ledger, "/tmp/gae-usage-copy.%d" % os.getpid()], check=True)
w.ledger = "/tmp/gae-usage-copy.%d" % os.getpid()
expect_equal(w.json("--all")[0]["connects"], 2, "the copy")
subprocess.run("rm -f " + w.ledger + "*", shell=True, check=True)
"""


def test_a_read_only_file_system(w):
    in_mounts(w, READ_ONLY, "size=1m")


def test_a_file_that_may_not_be_read(w):
    as_root()
    w.fill(row() + write())
    os.chmod(w.directory, 0o755)
    for mode, why in ((0o600, "Permission denied"), (0o644, "directory is not writable")):
        os.chmod(w.ledger, mode)
        out = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", usage_for_all(w),
                              "--ledger", w.ledger, "--all"], capture_output=True, text=True, timeout=20, check=False)
        expect(out.returncode == 125 and why in out.stderr, f"{mode:o}: {out.returncode} {out.stderr}")


def usage_for_all(w):
    """The program where others can run it: a clone may lie in /root."""
    from world import USAGE
    shutil.copy(USAGE, w.path("gae-usage"))
    return w.path("gae-usage")


def test_deleted_and_replaced_under_the_writer(w):
    writer = w.writer()
    expect_equal(writer.say(row() + write()), "ok", "first")
    for suffix in ("", "-wal", "-shm"):
        os.unlink(w.ledger + suffix)
    expect_equal(writer.say(row() + write()), "ok", "made anew")
    expect_equal(w.json("--all")[0]["connects"], 1, "in the new one")
    os.rename(w.ledger, w.path("away"))
    os.mkdir(w.ledger)
    expect("is a directory" in writer.say(row() + write()), "a directory in its place")
    os.rmdir(w.ledger)
    with open(w.ledger, "wb") as f:
        f.write(b"x" * 5000)
    expect("not a ledger" in writer.say(write()), "something else in its place")
    os.unlink(w.ledger)
    expect_equal(writer.say(write()), "ok", "the same batch at last")
    expect_equal(w.json("--all")[0]["connects"], 1, "once")
