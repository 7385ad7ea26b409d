# SPDX-License-Identifier: Apache-2.0
"""What gae-usage prints, to the letter."""
import csv
import io
import json
import os
import xml.dom.minidom

from world import TIME, expect, expect_equal, row, write

ON_DAY = ("--day", "2026-11-25")
COLUMNS = ["app", "day", "host", "address", "port", "transport", "connects", "denied", "bytes_sent",
           "bytes_received", "datagrams_sent", "datagrams_received"]
HOSTILE = b"a,b\"c'\n\r\t\x1b[2J\x7f\xff\xc2\x9b=1+1 <&>"
HOSTILE_STORED = "a,b\"c'\\n\\r\\t\\033[2J\\177\\377\\302\\233=1+1 <&>"


def sample(w):
    w.fill(row() + row(process="wget") + row(host="", address="2001:db8::1", port=53, transport="udp",
                                             counts=(0, 0, 1234567, 999, 10, 9)) + write()
           + row(counts=(7, 0, 20, 30, 0, 0)) + write(app="mailer", day=20261124, time=TIME - 86400))


def test_json_has_exactly_the_fixed_names(w):
    sample(w)
    rows = w.json(*ON_DAY)
    expect_equal([list(r) for r in rows], [COLUMNS, COLUMNS], "columns")
    expect_equal(list(rows[0].values()),
                 ["shop", "2026-11-25", "", "2001:db8::1", 53, "udp", 0, 0, 1234567, 999, 10, 9], "first row")
    expect_equal(list(rows[1].values()),
                 ["shop", "2026-11-25", "api.example.com", "192.0.2.7", 443, "tcp", 2, 4, 6000, 8000, 10, 12],
                 "second row, over both processes")
    expect_equal(w.json("--app", "mailer", "--all")[0]["bytes_sent"], 20, "--app mailer")
    expect_equal(w.out("--format", "json", "--day", "2020-01-01"), "[]\n", "nothing")


def test_json_of_groups_leaves_out_what_is_summed_over(w):
    sample(w)
    for group, keys in (("app", ["app"]), ("day", ["day"]), ("host", ["host"]), ("port", ["port", "transport"]),
                        ("process", ["process"])):
        rows = w.json("--all", "--by", group)
        expect_equal([list(r) for r in rows], [keys + COLUMNS[6:]] * 2, group)
        expect_equal(sum(r["bytes_sent"] for r in rows), 1240587, group)
    expect_equal([r["day"] for r in w.json("--all", "--by", "day")], ["2026-11-24", "2026-11-25"], "order of days")


def test_csv(w):
    sample(w)
    expect_equal(w.out("--format", "csv", *ON_DAY),
                 ",".join(COLUMNS) + "\n"
                 "shop,2026-11-25,,2001:db8::1,53,udp,0,0,1234567,999,10,9\n"
                 "shop,2026-11-25,api.example.com,192.0.2.7,443,tcp,2,4,6000,8000,10,12\n", "csv")
    expect_equal(w.out("--format", "csv", "--no-header", "--by", "app", "--all"),
                 "shop,2,4,1240567,8999,20,21\nmailer,7,0,20,30,0,0\n", "csv by app")
    expect_equal(w.out("--format", "csv", "--day", "2020-01-01"), ",".join(COLUMNS) + "\n", "nothing")


def test_table(w):
    sample(w)
    expect_equal(w.out(*ON_DAY), """\
APP    HOST             ADDRESS      PORT  VIA  CONNECTS  DENIED     SENT  RECEIVED  UDP OUT  UDP IN
shop                    2001:db8::1    53  udp         0       0  1.23 MB     999 B       10       9
shop   api.example.com  192.0.2.7     443  tcp         2       4  6.00 kB   8.00 kB       10      12
total                                                  2       4  1.24 MB   9.00 kB       20      21
""", "table")
    expect_equal(w.out("--all", "--app", "mailer", "--no-header"), """\
mailer  2026-11-24  api.example.com  192.0.2.7  443  tcp  7  20 B  30 B
total                                                     7  20 B  30 B
""", "table of one app")
    expect_equal(w.out("--all", "--by", "port", "--sort", "port", "--limit", "1"), """\
      PORT  VIA  CONNECTS  DENIED     SENT  RECEIVED  UDP OUT  UDP IN
        53  udp         0       0  1.23 MB     999 B       10       9
total of 2              9       4  1.24 MB   9.03 kB       20      21
""", "table with a limit: the total is of all")
    expect_equal(w.out("--day", "2020-01-01", "--by", "app"), """\
APP    CONNECTS  SENT  RECEIVED
total         0   0 B       0 B
""", "table of nothing")


def test_a_sum_without_room_stays_at_the_largest(w):
    """As in the ledger itself, which the writer keeps from overflowing."""
    most = 2 ** 63 - 1
    w.fill(row(counts=(1, 0, most, 0, 0, 0)) + "lost\t1\n" + write() + row(counts=(1, 0, 5, 0, 0, 0)) + write()
           + row(host="other.example.com", counts=(1, 0, 9, 1, 0, 0)) + f"lost\t{most}\n" + write(day=20261124))
    for group in ("app", "port", "process"):
        done = w.usage("--all", "--by", group, "--format", "json")
        expect(done.returncode == 0 and f"unseen: {most};" in done.stderr, f"{group}: {done.returncode} {done.stderr}")
        expect_equal([(r["bytes_sent"], r["bytes_received"]) for r in json.loads(done.stdout)], [(most, 1)], group)
    for options in (("--format", "table"), ("--format", "csv"), ("--chart", "-")):
        expect_equal(w.usage("--all", *options).returncode, 0, options)


def test_table_counts_characters_not_bytes(w):
    w.fill(row() + write(app="caf\u00e9") + row(counts=(1, 0, 1, 1, 0, 0)) + write(app="shop"))
    lines = w.out(*ON_DAY).split("\n")
    expect_equal({len(line) for line in lines[:-1]}, {len(lines[0])}, f"lengths of {lines}")


def test_table_fits_a_terminal(w):
    import fcntl
    import pty
    import struct
    import subprocess
    import termios
    from world import USAGE
    w.fill(row(process="x" * 15, host="a-very-long-name-of-a-host.example.com", address="2001:db8:1:2:3:4:5:6",
               counts=(1, 0, 5, 6, 0, 0)) + write(app="an-application-\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9-name"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run([USAGE, "--ledger", w.ledger, *ON_DAY], stdout=theirs, check=True, timeout=20)
    os.close(theirs)
    lines = os.read(ours, 65536).decode().split("\r\n")
    os.close(ours)
    expect_equal([len(line) for line in lines], [80, 80, 80, 0], f"lengths of {lines}")
    expect(".." in lines[1], lines[1])


def test_names_of_any_bytes_are_harmless_everywhere(w):
    w.fill(row(host=HOSTILE, process=HOSTILE) + write(app=HOSTILE))
    rows = list(csv.DictReader(io.StringIO(w.out("--format", "csv", *ON_DAY), newline="")))
    expect_equal([rows[0]["app"], rows[0]["host"]], [HOSTILE_STORED] * 2, "csv")
    rows = w.json(*ON_DAY)
    expect_equal([rows[0]["app"], rows[0]["host"]], [HOSTILE_STORED] * 2, "json")
    table = w.out(*ON_DAY)
    expect(HOSTILE_STORED in table and table.count("\n") == 3, table)
    chart = w.out("--chart", "-", *ON_DAY)
    expect("\x1b" not in chart, "an escape character in the chart")
    xml.dom.minidom.parseString(chart)
    expect_equal(w.json("--app", HOSTILE, *ON_DAY)[0]["connects"], 1, "--app takes the name as it is")


def test_names_that_somebody_else_put_there_are_harmless_too(w):
    w.fill(row() + write())
    w.execute("UPDATE usage SET app=char(27)||'[2J'||char(10)||',\"'||char(155)||char(65535)||'<', host='x'||char(0)||'y'",
              "UPDATE course SET app=char(27)||'[2J'||char(65535)||'<'")
    for options in (["--format", "table"], ["--format", "csv"], ["--format", "json"], ["--chart", "-"]):
        out = w.out(*options, *ON_DAY)
        expect(not any(ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160 for c in out), f"{options}: {out!r}")
        expect_equal(out.count("\n") > 10, options[0] == "--chart", f"lines of {options}")
    expect_equal(w.json(*ON_DAY)[0]["app"], "\x1b[2J\n,\"\x9b\uffff<", "json keeps what it was")
    xml.dom.minidom.parseString(w.out("--chart", "-", *ON_DAY))
    expect_equal(len(list(csv.reader(io.StringIO(w.out("--format", "csv", *ON_DAY), newline="")))[1]), 12, "csv fields")


def test_chart_of_a_day_and_of_many(w):
    sample(w)
    for options, label in ((ON_DAY, "bytes per 5 minutes"), (["--from", "2026-11-01", "--to", "2026-11-30"], "bytes per day"),
                           (["--all"], "bytes per 5 minutes"), (["--day", "2020-01-01"], "nothing was recorded"),
                           (["--day", "2026-11-25", "--host", ""], "bytes per day")):
        path = w.path("chart.svg")
        expect_equal(w.out("--chart", path, *options), "", "standard output")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        xml.dom.minidom.parseString(text)
        expect(label in text, f"{options}: {text[:700]}")
    expect("--chart: /nowhere/x.svg: No such file" in w.refusal("--chart", "/nowhere/x.svg", *ON_DAY), "no directory")
    expect("No space left" in w.refusal("--chart", "/dev/full", *ON_DAY), "full disk")


def test_chart_up_to_a_day_with_nothing_before(w):
    sample(w)
    for options in (["--to", "2020-01-01"], ["--from", "2030-01-01"], ["--all", "--app", "nobody"]):
        expect("nothing was recorded" in w.out("--chart", "-", *options), options)
    chart = w.out("--chart", "-", "--to", "2026-11-24")
    expect("mailer" in chart and "2026-11-24" in chart, chart[:700])


def test_a_chart_that_cannot_be_written_to_its_end(w):
    w.fill("".join(row(counts=(1, 0, n, 0, 0, 0)) + write(time=TIME + 300 * n) for n in range(280)))
    w.out("--chart", w.path("chart.svg"), *ON_DAY)
    expect(os.path.getsize(w.path("chart.svg")) > 5000, "it fits a buffer")
    expect("--chart: /dev/full: No space left" in w.refusal("--chart", "/dev/full", *ON_DAY), "a full disk")


def test_options_that_are_wrong(w):
    done = w.usage("--day", "2026-13-01")
    expect_equal((done.returncode, done.stdout, done.stderr),
                 (125, "", "gae-usage: --day: '2026-13-01' is no day; expected YYYY-MM-DD\nTry gae-usage --help\n"), "--day")
    expect_equal(w.usage("--help").returncode, 0, "--help")
    expect(w.usage("-V").stdout.startswith("gae-usage "), "-V")


def test_where_the_ledger_is(w):
    import subprocess
    from world import USAGE
    sample(w)
    os.makedirs(w.path("state/gae-run"))
    os.makedirs(w.path("home/.local/state/gae-run"))
    for place in ("state/gae-run/ledger.db", "home/.local/state/gae-run/ledger.db"):
        os.link(w.ledger, w.path(place))
    for variables, status in (({"GAE_RUN_LEDGER": w.ledger}, 0), ({"XDG_STATE_HOME": w.path("state")}, 0),
                              ({"HOME": w.path("home")}, 0), ({"HOME": w.path("none")}, 125), ({}, 125)):
        done = subprocess.run([USAGE, "--all", "--by", "app", "--format", "csv", "--no-header"], env=variables,
                              capture_output=True, text=True, timeout=20, check=False)
        expect_equal((done.returncode, done.stdout.count("\n")), (status, 0 if status else 2), f"{variables} {done.stderr}")
    expect("give --ledger PATH" in done.stderr, done.stderr)


def test_lost_sockets_are_said(w):
    w.fill(row() + "lost\t3\n" + write() + row() + "lost\t4\n" + write())
    for options in (["--format", "json"], ["--format", "table"]):
        done = w.usage(*options, *ON_DAY)
        expect_equal((done.returncode, done.stderr),
                     (0, "gae-usage: warning: sockets that ended unseen: 7; their last bytes are in no row\n"), options)
    expect_equal(w.usage(*ON_DAY, "--app", "other").stderr, "", "another app")


def test_today_is_of_the_ledgers_zone(w):
    import datetime
    import time
    import zoneinfo
    for zone, name in (("America/Los_Angeles", "pacific"), ("UTC", "utc")):
        day = int(datetime.datetime.fromtimestamp(time.time(), zoneinfo.ZoneInfo(zone)).strftime("%Y%m%d"))
        w.fill(row() + write(app=name, day=day, time=int(time.time())))
    apps = {r["app"] for r in w.json("--today", "--ledger-day", "pacific")}
    expect("pacific" in apps, apps)
    apps = {r["app"] for r in w.json(GAE_RUN_LEDGER_DAY="UTC")}
    expect("utc" in apps, apps)


def test_standard_output_that_is_full_is_an_error(w):
    import subprocess
    from world import USAGE
    w.fill(row() + write())
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([USAGE, "--ledger", w.ledger, *ON_DAY], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=20, check=False)
    expect_equal((done.returncode, done.stderr), (125, "gae-usage: standard output: No space left on device\n"), "")
