# SPDX-License-Identifier: Apache-2.0
"""gae-top as text: piped, as JSON, with instances and directories of every bad kind."""
import json
import os
import random
import shutil
import subprocess

from instances import GAE_TOP, open_socket, picture
from world import Skip, expect

HOSTILE = "\x1b]0;x\x07\x1b[2J\n\"\\\u009b"
SOCKETS = [open_socket(1, sent=300, received=1, idle_ms=1000, pid=30, host="b.example"),
           open_socket(2, sent=100, received=2, idle_ms=9000, pid=20, host="", address="192.0.2.9"),
           open_socket(3, sent=200, received=900, idle_ms=5000, pid=10, host="a.example")]


def plain(text):
    return all(c == "\n" or " " <= c < "\x7f" for c in text)


def rows(lines):
    """The pids of the sockets, in order of display."""
    return [int(line.split()[0]) for line in lines if " tcp " in line or " udp " in line]


def piped_is_plain(stage):
    stage.play(picture(sockets=SOCKETS))
    lines = stage.lines()
    expect(plain("\n".join(lines)), f"escape sequences: {lines}")
    expect(lines[0].startswith("gae-top ") and "1 instance, 3 sockets" in lines[0], lines[0])
    expect(lines[1].split() == ["PID", "PROCESS", "NET", "DESTINATION", "IDLE", "OUT/S", "IN/S", "SENT", "RECV"],
           lines[1])
    expect(lines[2].split() == ["4700", "shop", "3", "sockets,", "3", "denied,", "up", "3m20", "-", "-", "600", "903"],
           lines[2])
    expect("    30 curl            tcp b.example:443" in lines[3] and len(lines) == 6, lines)


def nothing_is_cut_when_piped(stage):
    host = "a-very-long-name." * 6 + "example.com"
    stage.play(picture(sockets=[open_socket(1, host=host)]))
    expect(any(f" {host}:443 " in line for line in stage.lines()), "the whole name")


def no_instance(stage):
    expect(stage.lines() == ["no instance of gae-run is running"], "without a directory")
    expect(not os.path.exists(stage.directory), "looking makes none")
    stage.path("")
    expect(stage.lines() == ["no instance of gae-run is running"], "in an empty one")
    expect(stage.lines("--format", "json") == ["[]"], "as JSON")


def json_is_a_line_a_picture(stage):
    first = picture(sockets=SOCKETS)
    stage.play(first, picture("second", now_ms=first["now_ms"] + 100))
    stage.play(picture("other"), name="5000-2.status")
    lines = stage.lines("--format", "json", "-n", "2", "-d", "0.1")
    expect(len(lines) == 2, f"{len(lines)} lines")
    one, two = json.loads(lines[0]), json.loads(lines[1])
    expect(one == [first, picture("other")], f"what was sent comes out: {one}")
    expect([p["app"] for p in two] == ["second", "other"], "the second picture")


def rates_are_of_two_pictures(stage):
    now = 1_800_000_000_000
    old = [open_socket(1, sent=1000, received=50), open_socket(2, sent=7, age_ms=99000)]
    new = [open_socket(1, sent=5000, received=50), open_socket(2, sent=7, age_ms=101000),
           open_socket(3, sent=600, age_ms=1000, pid=9), open_socket(4, sent=600, age_ms=90000, pid=8)]
    stage.play(picture(sockets=old, now_ms=now), picture(sockets=new, now_ms=now + 2000))
    lines = stage.lines("-n", "2", "-d", "0.1", "--sort", "pid")
    expect(len(lines) == 5 + 1 + 7, lines)
    numbers = [line.split()[-4:-2] for line in lines[-5:]]
    expect(numbers == [["2.6k", "0"], ["0", "0"], ["300", "0"], ["2.0k", "0"], ["0", "0"]], numbers)


def a_clock_set_back_is_no_rate(stage):
    now = 1_800_000_000_000
    stage.play(picture(sockets=[open_socket(1, sent=5000)], now_ms=now),
               picture(sockets=[open_socket(1, sent=9)], now_ms=now - 5000))
    lines = stage.lines("-n", "2", "-d", "0.1")
    expect(lines[-1].split()[-4:-2] == ["0", "0"], lines[-1])


def sort_keys(stage):
    stage.play(picture(sockets=SOCKETS))
    for key, order in {"sent": [30, 10, 20], "received": [10, 20, 30], "idle": [20, 10, 30],
                       "pid": [10, 20, 30], "destination": [10, 30, 20]}.items():
        expect(rows(stage.lines("--sort", key)) == order, f"{key}: {stage.lines('--sort', key)}")
        expect(rows(stage.lines("-s", key, "-r")) == order[::-1], f"{key} reversed")


def one_app_alone(stage):
    stage.play(picture("shop"))
    stage.play(picture("other"), name="5000.status")
    lines = stage.lines("--app", "other")
    expect("1 instance," in lines[0] and len(lines) == 3 and " other " in lines[2], lines)
    expect(stage.lines("--app", "none") == ["no instance of this app is running"], "an app that is not there")


def quotas_and_remarks(stage):
    shown = picture(on_offer=1, reclaimed=2, over_quota=3, lost=4)
    shown["quotas"][2].update(used_minute=2400, per_minute=4800)
    shown["quotas"][5].update(used_minute=9, per_minute=10, used_day=5, per_day=0)
    stage.play(shown)
    lines = stage.lines()
    expect(lines[3].strip() == "quota  bytes-sent 90%/min 100%/day  connects 50%/min", lines[3])
    expect(lines[4].strip() == "1 on offer, 2 reclaimed, 3 over quota, 4 ended unseen", lines[4])


def on_offer(stage):
    stage.play(picture(sockets=[open_socket(1, on_offer=1, pid=30, host="b.example"), open_socket(2, pid=20)]))
    lines = stage.lines()
    expect(sorted(line.split()[0] for line in lines[-2:]) == ["20", "offer"], lines)


def hostile_names_are_escaped(stage):
    stage.play(picture(HOSTILE, [open_socket(1, host=HOSTILE, process=HOSTILE[:9])], program=HOSTILE))
    lines = stage.lines()
    expect(plain("\n".join(lines)) and len(lines) == 4, lines)
    expect("\\033]0;x\\007\\033[2J\\n" in lines[3], lines[3])
    text = "\n".join(stage.lines("--format", "json"))
    expect(plain(text), repr(text))
    expect(json.loads(text)[0]["sockets"][0]["host"] == HOSTILE[:-1] + "?", "nothing is lost but C1")


def one_that_never_answers(stage):
    stage.play(None)
    stage.play(None, name="4698.status")
    stage.play(picture(), name="5000.status")
    lines = stage.lines()
    expect(stage.took < 10, f"it took {stage.took} s")
    expect(lines[2].split(None, 1) == ["4698", "does not answer"], lines)
    expect(lines[3].split(None, 1) == ["4699", "does not answer"] and " shop " in lines[4], lines)


def ones_that_send_nonsense(stage):
    whole = json.dumps(picture()).encode()
    answers = {"half": whole[:len(whole) // 2], "garbage": os.urandom(5000), "empty": b"", "array": b"[]",
               "later": whole.replace(b'"gae_run_status": 1', b'"gae_run_status": 2'),
               "number": whole.replace(b'"pid": 4700', b'"pid": -4700'),
               "escape": whole.replace(b'"pid": 4700', b'"pid": "\\u001b[2J"')}
    wanted = {"half": "cut short", "garbage": "not JSON", "empty": "says nothing", "array": "no picture",
              "later": "another version", "number": 'pid: "-4700"', "escape": "\\033[2J"}
    for i, answer in enumerate(answers.values()):
        stage.play(answer, name=f"{i + 1}.status")
    stage.play(picture(), name="5000.status")
    lines = stage.lines()
    for i, (name, why) in enumerate(wanted.items()):
        expect(lines[2 + i].split()[0] == str(i + 1) and why in lines[2 + i], f"{name}: {lines[2 + i]}")
    expect(plain("\n".join(lines)) and " shop " in lines[-1], lines)
    result = stage.run("--format", "json")
    expect(len(json.loads(result.stdout)) == 1 and result.stderr.count("warning: ") == len(answers), result.stderr)


def one_that_sends_too_much(stage):
    stage.play(b" " * (65 << 20))
    expect("File too large" in stage.lines()[2], "65 MiB are refused")


def a_dead_ones_socket_is_removed(stage):
    stage.dead("4699.status")
    stage.dead("other.socket")
    with open(stage.path("1.status"), "w", encoding="ascii") as f:
        f.write("a file")
    lines = stage.lines()
    expect(len(lines) == 3 and "Permission denied" in lines[2], lines)
    expect(sorted(os.listdir(stage.directory)) == ["1.status", "other.socket"], os.listdir(stage.directory))


def refused(stage, why):
    result = stage.run()
    expect(result.returncode == 125, f"status {result.returncode}: {result.stdout}")
    expect(result.stderr.startswith("gae-top: ") and result.stderr.count("\n") == 1 and why in result.stderr,
           result.stderr)


def a_directory_that_others_can_write(stage):
    stage.play(picture())
    os.chmod(stage.directory, 0o777)
    refused(stage, "open to others (mode 0777)")


def a_directory_that_is_a_link(stage):
    elsewhere = os.path.join(stage.base, "elsewhere")
    os.mkdir(elsewhere, 0o700)
    os.symlink(elsewhere, stage.directory)
    refused(stage, "is a symbolic link")


def a_directory_of_another_user(stage):
    if os.geteuid() != 0:
        raise Skip("needs root to give a directory away")
    stage.path("")
    os.chown(stage.directory, 54321, 54321)
    refused(stage, "belongs to user 54321")


def all_users(stage):
    if os.geteuid() != 0:
        raise Skip("needs root")
    users = random.sample(range(100_000_000, 200_000_000), 2)
    stage.play(picture("own"))
    other = stage.directory
    made = [f"/tmp/gae-run-{user}" for user in users]
    try:
        for path in made:
            os.mkdir(path, 0o700)
        os.chown(made[0], users[0], users[0])
        stage.directory = made[0]
        stage.play(picture("theirs"))
        os.chown(stage.path("4699.status"), users[0], users[0])
        lines = stage.lines("--all-users")
        expect(any(f" theirs              user {users[0]}, 0 sockets" in line for line in lines), lines)
        expect(any("/tmp/gae-run-" in line and "belongs to user 0" in line for line in lines), "the other is noted")
        expect(any(" own " in line for line in lines), "and root's own")
    finally:
        stage.directory = other
        for path in made:
            shutil.rmtree(path)


def mistakes_in_the_command_line(stage):
    for options in (["--sort", "size"], ["--delay", "0"], ["-d", "nan"], ["-d", "1x"], ["-n", "0"], ["-n", "-1"],
                    ["--format", "xml"], ["--color", "red"], ["--no-such"], ["argument"]):
        result = stage.run(*options)
        expect(result.returncode == 125 and "gae-top --help" in result.stderr and not result.stdout,
               f"{options}: {result.returncode} {result.stderr}")
    expect(stage.lines("-V")[0].startswith("gae-top "), "version")
    expect(stage.lines("--help")[0].startswith("usage: gae-top "), "help")


def nobody_takes_the_output(stage):
    stage.play(picture())
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run([GAE_TOP], env=stage.environment(), stdout=full, stderr=subprocess.PIPE, text=True,
                                timeout=30, check=False)
    expect(result.returncode == 125 and "standard output: No space left" in result.stderr, result.stderr)


def color_only_when_asked(stage):
    stage.play(picture())
    expect("\x1b[1m" in "".join(stage.lines("--color", "always", NO_COLOR="1")), "always")
    expect("\x1b" not in "".join(stage.lines("--color", "never")), "never")


def tests():
    return [(f"batch/{f.__name__}", f) for f in (
        piped_is_plain, nothing_is_cut_when_piped, no_instance, json_is_a_line_a_picture, rates_are_of_two_pictures,
        a_clock_set_back_is_no_rate, sort_keys, one_app_alone, quotas_and_remarks, on_offer, hostile_names_are_escaped,
        one_that_never_answers, ones_that_send_nonsense, one_that_sends_too_much, a_dead_ones_socket_is_removed,
        a_directory_that_others_can_write, a_directory_that_is_a_link, a_directory_of_another_user, all_users,
        mistakes_in_the_command_line, nobody_takes_the_output, color_only_when_asked)]
