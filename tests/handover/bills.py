# SPDX-License-Identifier: Apache-2.0
"""Each byte is billed once, whoever carried it, and gae-top sees what is on offer."""
import json
import os
import socket
import subprocess

from hand import BUILD, expect, supervisors, until


def read_all(here, size):
    while size > 0:
        size -= len(here.recv(min(size, 1 << 16)))


def close(here, agent):
    here.close()
    expect(agent.do("sockets['s'].recv(1)") == b"", "no end of file")
    agent.do("sockets['s'].close()")


def tcp(hands):
    """Bytes before the offer, on offer, after the claim, in both directions, over three instances."""
    a, b, c = hands.agent(), hands.agent(), hands.agent()
    here = hands.connected(a)
    sent = received = 0
    for giver, taker in ((a, b), (b, c)):
        giver.do("sockets['s'].sendall(b'x' * 100000)")
        here.sendall(b"y" * 3000)
        expect(giver.do("len(sockets['s'].recv(3000, socket.MSG_WAITALL))") == 3000, "short")
        read_all(here, 100000)
        token = giver.do("offer('s')")
        here.sendall(b"z" * 777)
        expect(taker.do(f"claim('s', {token!r})") is None, "no claim")
        expect(taker.do("len(sockets['s'].recv(777, socket.MSG_WAITALL))") == 777, "short")
        taker.do("sockets['s'].sendall(b'w' * 55)")
        read_all(here, 55)
        sent += 100055
        received += 3777
    close(here, c)
    for agent in (a, b, c):
        agent.finish()
    hands.nothing_left()
    expect(hands.ledger()[:3] == (1, sent, received), f"{hands.ledger()}, not {(1, sent, received)}")


def returned(hands):
    """A claim that the receiver's policy refuses changes nothing."""
    a = hands.agent()
    b = hands.agent(policy=hands.world.policy("gae-policy 1\ndescriptors handoff\n", "nothing.conf"))
    here = hands.connected(a)
    a.do("sockets['s'].sendall(b'x' * 1000)")
    read_all(here, 1000)
    token = a.do("offer('s')")
    expect(b.do(f"claim('s', {token!r})") == "EACCES", "allowed")
    here.sendall(b"y" * 500)
    expect(a.do(f"claim('s', {token!r})") is None, "no claim")
    expect(a.do("len(sockets['s'].recv(500, socket.MSG_WAITALL))") == 500, "short")
    a.do("sockets['s'].sendall(b'x' * 10)")
    read_all(here, 10)
    close(here, a)
    a.finish()
    b.finish()
    hands.nothing_left()
    expect(hands.ledger()[:3] == (1, 1010, 500), f"{hands.ledger()}")


def udp(hands):
    a, b = hands.pair()
    here = hands.udp()
    a.do("sockets['u'] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)")
    a.do(f"sockets['u'].connect({here.getsockname()!r})")
    token = a.do("offer('u')")
    expect(b.do(f"claim('u', {token!r}, socket.AF_INET, socket.SOCK_DGRAM)") is None, "no claim")
    b.do("sockets['u'].send(b'x' * 100)")
    token = b.do("offer('u')")
    expect(a.do(f"claim('u', {token!r}, socket.AF_INET, socket.SOCK_DGRAM)") is None, "no claim back")
    a.do("sockets['u'].send(b'x' * 23)")
    a.finish()
    b.finish()
    hands.nothing_left()
    # Its connect counts with the first datagram, once.
    expect(hands.ledger() == (1, 123, 0, 2), f"{hands.ledger()}")


def lost_with_idleness(hands):
    """What is reclaimed on offer is billed by who had it."""
    policy = hands.world.policy(open(hands.policy, encoding="ascii").read().replace("idle 10m", "idle 1s"), "short.conf")
    a = hands.agent(policy=policy)
    here = hands.connected(a)
    a.do("sockets['s'].sendall(b'x' * 1000)")
    a.do("offer('s')")
    a.finish()
    read_all(here, 1000)
    expect(here.recv(1) == b"", "no end")
    hands.nothing_left()
    expect(hands.ledger()[:3] == (1, 1000, 0), f"{hands.ledger()}")


def picture(hands, pid):
    status = socket.socket(socket.AF_UNIX)
    status.connect(f"{hands.directory()}/{pid}.status")
    text = b""
    while more := status.recv(1 << 16):
        text += more
    return json.loads(text)


def seen(hands):
    a = hands.agent()
    port = hands.connected(a).getsockname()[1]
    hands.connected(a, "t")
    a.do("offer('s')")
    a.finish()
    pid = until(lambda: supervisors(hands.runtime), 5, "it stays")[0]
    status = picture(hands, pid)
    expect(status["on_offer"] == 1, f"not seen: {status}")
    expect([s["on_offer"] for s in status["sockets"]] == [1], f"not the socket: {status['sockets']}")
    top = [os.path.join(BUILD, "gae-top")]
    text = subprocess.run(top, capture_output=True, text=True, env=hands.environment, check=True).stdout
    lines = [line.split() for line in text.splitlines()]
    expect(["1", "on", "offer"] in lines, text)
    offers = [line[:4] for line in lines if line and line[0] == "offer"]
    expect(offers == [["offer", "python3", "tcp", f"127.0.0.1:{port}"]], text)
    [shown] = json.loads(subprocess.run([*top, "--format", "json"], capture_output=True, text=True, env=hands.environment,
                                        check=True).stdout)
    expect(shown["on_offer"] == 1 and [(s["on_offer"], s["port"]) for s in shown["sockets"]] == [(1, port)], f"{shown}")


def tests():
    yield "bills: TCP over three instances", tcp
    yield "bills: a refused claim changes nothing", returned
    yield "bills: UDP there and back", udp
    yield "bills: what ends on offer", lost_with_idleness
    yield "bills: gae-top sees what is on offer", seen
