# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with the account never reaches the program, and what is missing is said."""
import os
import shutil
import signal
import sqlite3
import subprocess
import time

from bank import ALLOW_ALL, SERVER, Datagrams, supervisors
from processes import descendants, name_of
from tcp import HEAD, sink
from world import PRELOADABLE, Failure, Skip, expect, until

SEND = HEAD + "s = reach(); s.sendall(b'x' * 100); s.close(); print('out'); sys.exit(3)\n"
QUOTA = ALLOW_ALL + "quota connects 100/day\n"


def unaffected(world, server, policy=ALLOW_ALL, lines=1, options=(), **keywords):
    """The program runs as always, with so many lines of warning.  Return: them."""
    before = server.read
    done = world.run("python3", "-c", SEND, SERVER, str(server.port), policy=policy, options=options, **keywords)
    expect((done.returncode, done.stdout) == (3, "out\n"), f"status {done.returncode}: {done.stdout}{done.stderr}")
    warned = done.stderr.splitlines()
    expect(len(warned) == lines, f"{len(warned)} lines: {done.stderr}")
    until(lambda: server.read == before + 100, 5, "the server reads")
    return done.stderr


def mount(world, *options):
    os.mkdir(world.path("disk"))
    subprocess.run(["mount", "-t", "tmpfs", *options, "none", world.path("disk")], check=True)
    world.ledger = world.path("disk/ledger.db")

    class Mounted:
        @staticmethod
        def close():
            subprocess.run(["umount", "-l", world.path("disk")], check=True)
    world.closing.append(Mounted)


def read_only(world):
    server = world.server(sink)
    mount(world, "-o", "ro")
    warned = unaffected(world, server)
    expect("disk" in warned, warned)
    # The counters of the quotas lie beside it: the second line says that they hold for this run alone.
    warned = unaffected(world, server, policy=QUOTA, lines=2)
    expect("the quotas hold for this run alone" in warned, warned)


def full(world):
    """And the space comes back: what was kept is written, once."""
    server = world.server(sink)
    mount(world, "-o", "size=64k")
    with open(world.path("disk/fill"), "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"f" * 4096)
        except OSError:
            pass
    unaffected(world, server)
    process = world.begin(HEAD + """
for i in range(3): reach().sendall(b"x" * 100)
print("first")
while not os.path.exists(sys.argv[3]): time.sleep(0.01)
for i in range(3): reach().sendall(b"y" * 10)
""", SERVER, server.port, world.path("go"), env={**os.environ, "GAE_RUN_TEST_FLUSH_MS": "50"}, text=True)
    expect(process.line() == "first", "no start")
    warned = process.stderr.readline()  # a write has failed
    os.remove(world.path("disk/fill"))
    subprocess.run(["mount", "-o", "remount,size=8m", world.path("disk")], check=True)
    with open(world.path("go"), "w", encoding="ascii"):
        pass
    err = process.communicate(timeout=20)[1]
    expect(process.returncode == 0 and "disk" in warned and err == "", warned + err)
    world.expect_sums("1", "once there is room", connects=6, bytes_sent=330)


def damaged(world):
    server = world.server(sink)
    with open(world.ledger, "wb") as f:
        f.write(b"this is no database" * 1000)
    unaffected(world, server)
    with open(world.ledger, "rb") as f:
        expect(f.read() == b"this is no database" * 1000, "it was changed")


def torn(world):
    """A database whose pages are garbage."""
    server = world.server(sink)
    unaffected(world, server, lines=0)
    base = sqlite3.connect(world.ledger)
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.close()
    with open(world.ledger, "r+b") as f:
        f.seek(4096)
        f.write(b"\xff" * (os.path.getsize(world.ledger) - 4096))
    unaffected(world, server)


def directory(world):
    os.mkdir(world.ledger)
    unaffected(world, world.server(sink))


def newer(world):
    server = world.server(sink)
    unaffected(world, server, lines=0)
    base = sqlite3.connect(world.ledger)
    base.execute("PRAGMA user_version=99")
    base.commit()
    base.close()
    expect("later version" in unaffected(world, server), "it does not say why")
    world.expect_sums("1", "as it was", seconds=1, connects=1)


def homeless(world):
    server = world.server(sink)
    env = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")}
    process = world.start(world.policy(QUOTA), "python3", "-c", SEND, SERVER, str(server.port), env=env, text=True)
    out, err = process.communicate(timeout=20)
    expect((process.returncode, out) == (3, "out\n"), f"{process.returncode}: {out}{err}")
    expect(len(err.splitlines()) == 1 and "--ledger" in err, err)
    process = world.start(world.policy(QUOTA), "python3", "-c", SEND, SERVER, str(server.port), env=env, text=True,
                          options=("--no-ledger",))
    out, err = process.communicate(timeout=20)
    expect((process.returncode, out, err) == (3, "out\n", ""), f"{process.returncode}: {out}{err}")


# The seconds by which a clock is set ahead are in the environment; built where it is needed.
CLOCK = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now)
{
	const char *ahead = getenv("TEST_AHEAD");
	int rc = (int)syscall(SYS_clock_gettime, clock, now);

	if (rc == 0 && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += atol(ahead);
	return rc;
}
time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}
"""


def clock_at(world, hour):
    """An environment in which it is so many hours after midnight UTC."""
    with open(world.path("clock.c"), "w", encoding="ascii") as f:
        f.write(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", world.path("clock.so"), world.path("clock.c")], check=True)
    ahead = 86400 + hour * 3600 - int(time.time()) % 86400
    return time.gmtime(time.time() + ahead), {**os.environ, "LD_PRELOAD": world.path("clock.so"), "TEST_AHEAD": str(ahead)}


def ledger_day(world):
    """At four in the morning in Greenwich it is the day before in California, unless somebody wants UTC."""
    if os.environ.get("BUILD", "").endswith("asan"):
        raise Skip("a sanitizer must be the first library")
    server = world.server(sink)
    world.gae_run = PRELOADABLE
    there, env = clock_at(world, 4)
    today = there.tm_year * 10000 + there.tm_mon * 100 + there.tm_mday
    then = time.gmtime(time.mktime(there) - time.timezone - 86400)
    yesterday = then.tm_year * 10000 + then.tm_mon * 100 + then.tm_mday
    for n, (options, more, day) in enumerate((((), {}, yesterday), (("--ledger-day", "pacific"), {}, yesterday),
                                              (("--ledger-day", "UTC"), {}, today),
                                              ((), {"GAE_RUN_LEDGER_DAY": "UTC"}, today))):
        world.ledger = world.path(f"ledger-{n}.db")
        unaffected(world, server, lines=0, options=options, env={**env, **more})
        world.expect_sums("1", "written", connects=1, bytes_sent=100)
        days = [row[0] for row in world.query("SELECT day FROM usage")]
        expect(days == [day], f"{options}{more}: {days}, not {day}")


def no_ledger(world):
    """No file is made, but the counters of quotas, where there are any."""
    server = world.server(sink)
    for policy, wanted in ((ALLOW_ALL, []), (QUOTA, ["quota-"])):
        process = world.start(world.policy(policy), "python3", "-c", SEND, SERVER, str(server.port), text=True,
                              options=("--no-ledger", "--report"), env={**os.environ, "HOME": world.path("home")})
        out, err = process.communicate(timeout=20)
        expect((process.returncode, out) == (3, "out\n") and SERVER in err, f"{process.returncode}: {out}{err}")
        made = [name for place in ("state", "home") for _, _, names in os.walk(world.path(place)) for name in names]
        expect([name[:6] for name in made] == wanted, f"made: {made}")


def state_home(world):
    """Where it is without --ledger, made with its directories."""
    server = world.server(sink)
    world.ledger = world.path("state/deep/gae-run/ledger.db")
    process = world.start(world.policy(), "python3", "-c", SEND, SERVER, str(server.port), text=True,
                          env={**os.environ, "XDG_STATE_HOME": world.path("state/deep")})
    out, err = process.communicate(timeout=20)
    expect((process.returncode, out, err) == (3, "out\n", ""), f"{process.returncode}: {out}{err}")
    world.expect_sums("app='python3'", "there", connects=1, bytes_sent=100)
    expect(os.stat(os.path.dirname(world.ledger)).st_mode & 0o777 == 0o700, "readable by others")


def quiet(world):
    """What is a warning otherwise is none with -q; an error is still said."""
    env = {**os.environ, "XDG_STATE_HOME": "/proc"}
    for options, more, lines in (((), {}, 1), (("-q",), {}, 0), (("-q", "-v", "--trace", "/dev/null"), {}, 0), ((), {"GAE_RUN_QUIET": "1"}, 0)):
        err = world.fenced(world.policy(QUOTA), "true", options=options, env={**env, **more}).stderr
        expect(len(err.splitlines()) == lines and ("quota" in err) == bool(lines), f"{options} {more}: {err}")
    err = world.fenced(world.policy("gae-policy 1\nhum\n"), "true", options=("-q",), env=env).stderr
    expect("hum" in err, f"an error: {err}")


def runtime(world):
    """The directory of gae-top's sockets cannot be used: nobody asked for it."""
    server = world.server(sink)
    with open(world.path("file"), "w", encoding="ascii"):
        pass
    unaffected(world, server, lines=0, env={**os.environ, "XDG_RUNTIME_DIR": world.path("file")})


def metrics(world):
    server = world.server(sink)
    expect("no/where" in unaffected(world, server, options=("--metrics-file", world.path("no/where/x.prom"))), "not said")
    world.expect_sums("1", "the ledger has it", connects=1)


STAY = HEAD + """
for i in range(3): reach().sendall(b"x" * 100)
print("sent")
while True: time.sleep(1)
"""


def supervisor_killed(world):
    """Everything ends with 125; what was written stays; what may be missing is said."""
    server = world.server(sink)
    process = world.begin(STAY + "", SERVER, server.port, env={**os.environ, "GAE_RUN_TEST_FLUSH_MS": "50"}, text=True)
    supervisor, below = process.supervisor(), descendants(process.pid)
    expect(process.line() == "sent", "no start")
    world.expect_sums("1", "written while it runs", seconds=5, connects=3)
    os.kill(supervisor, signal.SIGKILL)
    err = process.communicate(timeout=20)[1]
    expect(process.returncode == 125, f"status {process.returncode}")
    expect(all(not os.path.exists(f"/proc/{pid}") or name_of(pid) == "" for pid in below), "something is left")
    said = [line for line in err.splitlines() if "5 s of" in line]
    expect(len(said) == 1, err)
    sums = world.sums()
    expect(sums["connects"] == 3 and sums["bytes_sent"] <= 300, sums)


def supervisor_killed_no_ledger(world):
    """Nothing is said of what nobody keeps."""
    server = world.server(sink)
    process = world.begin(STAY, SERVER, server.port, options=("--no-ledger",), text=True)
    supervisor = process.supervisor()
    expect(process.line() == "sent", "no start")
    os.kill(supervisor, signal.SIGKILL)
    err = process.communicate(timeout=20)[1]
    expect(process.returncode == 125 and "5 s of" not in err, err)


STEADY = HEAD + """
s = reach(); u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect((host, int(sys.argv[3])))
print("ready")
while True: s.sendall(b"x" * 1000); u.send(b"u" * 100); time.sleep(0.005)
"""
FLUSH_S = 0.5


def all_killed(world):
    """SIGKILL for the whole of it at once: what is lost is what two intervals brought, and nothing is made up."""
    server, there = world.server(sink), world.kept(Datagrams())
    process = world.begin(STEADY, SERVER, server.port, there.port, text=True,
                          env={**os.environ, "GAE_RUN_TEST_FLUSH_MS": str(int(FLUSH_S * 1000))})
    expect(process.line() == "ready", "no start")
    supervisor, tree = process.supervisor(), descendants(process.pid)
    seen, udp = [], 0
    end = time.monotonic() + 6 * FLUSH_S
    while time.monotonic() < end:
        udp += there.heard()[0]
        seen.append((time.monotonic(), server.read, udp))
        time.sleep(0.02)
    # The supervisor first, or it would notice the end of the others and write it down.
    for pid in [supervisor, process.pid, *tree]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    killed = time.monotonic()
    process.wait(10)
    until(lambda: server.ended, 10, "the connection has ended")
    udp += there.heard()[0]
    _, tcp_before, udp_before = max(x for x in seen if x[0] <= killed - 2 * FLUSH_S)
    for transport, least, most in (("tcp", tcp_before, server.read), ("udp", udp_before, udp)):
        billed = world.sums(f"transport='{transport}'")["bytes_sent"]
        print(f"# killed: {transport} {billed} of {most} bytes are in the ledger, at least {least}", flush=True)
        expect(0 < least <= billed <= most, f"{transport}: {billed} in the ledger, {least} two intervals before, {most} in all")


def front_killed(world):
    """gae-run is killed: the program ends, and the account is complete."""
    server = world.server(sink)
    process = world.begin(STAY, SERVER, server.port, text=True)
    supervisor = process.supervisor()
    expect(process.line() == "sent", "no start")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    until(lambda: supervisor not in supervisors(), 10, "the supervisor goes")
    until(lambda: server.ended == 3, 5, "the server has read all")
    world.expect_sums("1", "all of it", connects=3, bytes_sent=300)


def at_once(world):
    """Eight write to one ledger."""
    server = world.server(sink)
    running = [world.begin(HEAD + "for i in range(100): s = reach(); s.sendall(b'x' * 10); s.close()\n", SERVER,
                           server.port, env={**os.environ, "GAE_RUN_TEST_FLUSH_MS": "20"}, text=True) for _ in range(8)]
    for process in running:
        err = process.communicate(timeout=30)[1]
        expect((process.returncode, err) == (0, ""), err)
    world.expect_sums("1", "eight", connects=800, bytes_sent=8000)


def deleted(world):
    """Under a running instance."""
    server = world.server(sink)
    process = world.begin(HEAD + """
reach().sendall(b"x" * 100); print("first")
while not os.path.exists(sys.argv[3]): time.sleep(0.01)
reach().sendall(b"y" * 10)
""", SERVER, server.port, world.path("go"), env={**os.environ, "GAE_RUN_TEST_FLUSH_MS": "20"}, text=True)
    expect(process.line() == "first", "no start")
    world.expect_sums("1", "written", connects=1)
    time.sleep(0.2)
    kept = world.path("kept")
    os.mkdir(kept)
    for name in os.listdir(world.directory):
        if name.startswith("ledger.db"):
            shutil.move(world.path(name), kept)
    with open(world.path("go"), "w", encoding="ascii"):
        pass
    err = process.communicate(timeout=20)[1]
    expect(process.returncode == 0, err)

    def both():
        return [world.sums(), world.sums(ledger=os.path.join(kept, "ledger.db"))]

    def whole():
        return [sum(b[k] for b in both()) for k in ("connects", "bytes_sent")] == [2, 110]
    # The supervisor may stay for the end of the last connection.
    try:
        until(whole, 20, "both files")
    except Failure:
        raise Failure(f"not 2 connects and 110 bytes: {both()}") from None


def tests():
    return [(f"faults-{f.__name__.replace('_', '-')}", f) for f in (
        read_only, full, damaged, torn, directory, newer, homeless, ledger_day, no_ledger, state_home, quiet, runtime, metrics,
        supervisor_killed, supervisor_killed_no_ledger, all_killed, front_killed, at_once, deleted)]
