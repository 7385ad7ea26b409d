# SPDX-License-Identifier: Apache-2.0
"""What gae-top and gae-usage show of a real instance, while it runs and afterwards."""
import json
import os
import subprocess

from bank import SERVER, Answers
from tcp import HEAD, answer
from world import BUILD, expect, until

OPEN = HEAD + """
s = reach(); s.sendall(b"q" * 1000); assert len(s.recv(1000)) == 100
other = reach(); other.sendall(b"o" * 50); assert len(other.recv(1000)) == 100; other.close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect((host, int(sys.argv[3])))
u.send(b"!30"); assert len(u.recv(100)) == 30
print(os.getpid())
while not os.path.exists(sys.argv[4]): time.sleep(0.01)
s.sendall(b"z" * 23); assert len(s.recv(1000)) == 100
"""


def tool(name, *arguments):
    done = subprocess.run([os.path.join(BUILD, name), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=20)
    expect(done.returncode == 0 and done.stderr == "", f"{name} {arguments}: {done.returncode}: {done.stderr}")
    return done.stdout


def only(things, **wanted):
    found = [t for t in things if all(t[k] == v for k, v in wanted.items())]
    expect(len(found) == 1, f"{wanted}: {things}")
    return found[0]


def while_it_runs(world):
    server, there = world.server(answer), world.kept(Answers())
    process = world.begin(OPEN, SERVER, server.port, there.port, world.path("go"), text=True)
    pid = int(process.line())

    def picture():
        shown = only(json.loads(tool("gae-top", "--format", "json")), app="test")
        return shown if len(shown["sockets"]) == 2 else None
    # The end of the third is news from the kernel.
    shown = until(picture, 5, "one is closed, two are open")
    expect((shown["pid"], shown["supervisor"]) == (pid, process.supervisor()), shown)
    tcp, udp = only(shown["sockets"], transport="tcp"), only(shown["sockets"], transport="udp")
    for socket, port, sent, received in ((tcp, server.port, 1000, 100), (udp, there.port, 3, 30)):
        expect((socket["pid"], socket["address"], socket["port"]) == (pid, SERVER, port), socket)
        expect((socket["bytes_sent"], socket["bytes_received"]) == (sent, received), socket)
        expect(socket["process"].startswith("python3") and 0 <= socket["idle_ms"] < 60000, socket)
    lines = tool("gae-top").splitlines()
    rows = [line.split() for line in lines if SERVER in line]
    expect(len(rows) == 2 and "\033" not in "".join(lines), lines)
    for net, port, sent, received in (("tcp", server.port, "1.0k", "100"), ("udp", there.port, "3", "30")):
        row = next(r for r in rows if net in r)
        expect(row[0] == str(pid) and f"{SERVER}:{port}" in row and row[-2] == sent and row[-1] == received, row)
    expect(tool("gae-top", "--app", "other").strip() == "no instance of this app is running", "another app")
    with open(world.path("go"), "w", encoding="ascii"):
        pass
    expect(process.wait(20) == 0, process.stderr.read())
    until(lambda: json.loads(tool("gae-top", "--format", "json")) == [], 5, "it is shown no more")
    in_the_ledger(world, server, there)


def in_the_ledger(world, server, there):
    """What gae-run wrote, by the names that are promised."""
    world.expect_sums("transport='tcp'", "written", bytes_sent=1073)
    options = ("--ledger", world.ledger, "--today")
    rows = json.loads(tool("gae-usage", *options, "--app", "test", "--format", "json", "--by", "destination"))
    tcp, udp = only(rows, transport="tcp"), only(rows, transport="udp")
    common = {"app": "test", "address": SERVER, "denied": 0}
    for row, wanted in ((tcp, {"port": server.port, "connects": 2, "bytes_sent": 1073, "bytes_received": server.written,
                               "datagrams_sent": 0, "datagrams_received": 0}),
                        (udp, {"port": there.port, "connects": 1, "bytes_sent": 3, "bytes_received": 30, "datagrams_sent": 1,
                               "datagrams_received": 1})):
        odd = {k: row.get(k) for k, v in {**common, **wanted}.items() if row.get(k) != v}
        expect(not odd, f"{odd} in {row}")
    expect(json.loads(tool("gae-usage", *options, "--app", "other", "--format", "json")) == [], "another app")
    expect("1073" in tool("gae-usage", *options, "--app", "test", "--format", "csv", "--by", "destination"), "CSV")


def tests():
    return [(f"shown-{f.__name__.replace('_', '-')}", f) for f in (while_it_runs,)]
