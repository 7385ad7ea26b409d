# SPDX-License-Identifier: Apache-2.0
"""Who may hand over what to whom, and the errors of gae_sockets(3)."""
import errno
import os
import socket

from hand import POLICY, Failure, exchange, expect, time, until
from world import Skip


def another_app(hands):
    a, b, c = hands.agent(), hands.agent(app="other"), hands.agent()
    here = hands.connected(a)
    token = a.do("offer('s')")
    expect(b.do(f"claim('s', {token!r})") == "EACCES", "another app may")
    b.expect_trace("the token is another app's")
    expect(c.do(f"claim('s', {token!r})") is None, "the same app may not")
    exchange(here, c)


def name_by_default(hands):
    """Without --app it is the program's base name: here the interpreter's, for both."""
    os.environ.pop("GAE_RUN_APP", None)
    import sys
    a, b = hands.agent(app=os.path.basename(sys.executable)), None
    here = hands.connected(a)
    token = a.do("offer('s')")
    import subprocess
    from hand import GAE_RUN
    code = (f"import socket; s = socket.socket(); s.setsockopt({0x47414500}, 1, {token.encode()!r}); s.sendall(b'mine')")
    out = subprocess.run([GAE_RUN, "--policy", hands.policy, "--no-ledger", "--", sys.executable, "-c", code], check=False,
                         capture_output=True, text=True, timeout=20, env=hands.environment)
    expect(out.returncode == 0 and here.recv(10) == b"mine", out.stderr)


def name_of_app_yaml(hands):
    """An app that app.yaml describes is that app, whatever its program is called; --app says otherwise."""
    yaml = hands.world.path("app.yaml")
    with open(yaml, "w", encoding="ascii") as f:
        f.write("application: shop\nservice: till\nenv_variables: {GAE_USE_SOCKETS_HTTPLIB: ''}\n")
    config = ("-q", "--config", yaml)
    a = hands.agent(app=None, options=config)
    here = hands.connected(a)
    token = a.do("offer('s')")
    for app, options in (("shop", ()), (None, ()), ("other", config)):
        expect(hands.agent(app=app, options=options).do(f"claim('s', {token!r})") == "EACCES", f"{app} {options}: has it")
    b = hands.agent(app="shop:till")
    expect(b.do(f"claim('s', {token!r})") is None, "the app of that name has not")
    token = b.do("offer('s')")
    c = hands.agent(app=None, options=config)
    expect(c.do(f"claim('s', {token!r})") is None, "nor back")
    exchange(here, c)


def another_network(hands):
    """An instance in another network namespace does not get a socket of this one."""
    a, b = hands.agent(), hands.agent(launch=("unshare", "-n"))
    here = hands.connected(a)
    token = a.do("offer('s')")
    expect(b.do(f"claim('s', {token!r})") == "EXDEV", "claimed")
    a.expect_trace("is on offer again")
    c = hands.agent()
    expect(c.do(f"claim('s', {token!r})") is None, "lost")
    exchange(here, c)


def quota_of_sockets(hands):
    """A socket that is new to the account is counted when it is put on offer; to take one over uses nothing."""
    policy = hands.world.policy(POLICY + "quota creates 1/day\n", "quota.conf")
    a = hands.agent(policy=policy, app="poor")
    here = hands.connected(a)
    a.do("sockets['u'] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)")
    expect(a.do("offer('u')") == "EDQUOT", "the quota is not asked")
    token = a.do("offer('s')")
    expect(token.startswith("gae1-"), token)
    expect(a.do(f"claim('t', {token!r})") is None, "taking it back uses the quota")
    exchange(here, a, "t")


def another_user(hands):
    if os.geteuid() != 0 or os.environ.get("GAE_HANDOVER_USERNS"):
        raise Skip("needs root, to be another user")
    a = hands.agent()
    hands.connected(a)
    token = a.do("offer('s')")
    os.chmod(hands.world.directory, 0o755)
    theirs = hands.world.path("theirs")
    os.mkdir(theirs, 0o700)
    os.chown(theirs, 65534, 65534)

    def become():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    for runtime, wanted in ((theirs, "EACCES"), (hands.runtime, "EIO")):
        env = dict(hands.environment, XDG_RUNTIME_DIR=runtime, HOME=theirs, XDG_STATE_HOME=theirs)
        try:
            b = hands.agent(preexec=become, env=env, options=["--no-ledger", "--trace", "/dev/null"])
            got = b.do(f"claim('s', {token!r})")
            expect(got == wanted, f"another user: {got}, not {wanted}")
        except Failure as failure:
            if "Permission denied" in str(failure) and "gae-run" in str(failure):
                raise Skip("the build is not another user's to read") from None
            raise
    c = hands.agent()
    expect(c.do(f"claim('s', {token!r})") is None, "nor can the same user claim it")


def one_of_two(hands):
    a, b, c = hands.agent(), hands.agent(), hands.agent()
    for _ in range(30):
        here = hands.connected(a)
        token = a.do("offer('s')")
        for agent in (b, c):
            agent.send(f"claim('s', {token!r})")
        got = [b.answer(), c.answer()]
        expect(sorted(got, key=str) == ["EPIPE", None], f"two at once: {got}")
        exchange(here, b if got[0] is None else c)


def receivers_policy(hands):
    a, c = hands.pair()
    here = hands.connected(a)
    b = hands.agent(policy=hands.world.policy(POLICY.replace("allow tcp,udp", "deny tcp to 127.0.0.1 errno ENETUNREACH\nallow "
                                                            "tcp,udp"), "strict.conf"))
    token = a.do("offer('s')")
    expect(b.do(f"claim('s', {token!r})") == "ENETUNREACH", "not the receiver's rule")
    b.expect_trace("deny strict.conf:2")
    a.expect_trace("is on offer again")
    expect(c.do(f"claim('s', {token!r})") is None, "refused by one, it is lost for all")
    exchange(here, c)


def by_name(hands):
    """A rule on a name: the claim waits until it has been looked up."""
    a = hands.agent()
    here = hands.connected(a)
    token = a.do("offer('s')")
    b = hands.agent(policy=hands.world.policy(POLICY.replace("allow tcp,udp to any", "allow tcp to localhost"), "name.conf"))
    expect(b.do(f"claim('s', {token!r})") is None, "refused")
    exchange(here, b)
    c = hands.agent(policy=hands.world.policy(POLICY.replace("allow tcp,udp to any", "allow tcp to nowhere.invalid"), "no.conf"))
    token = b.do("offer('s')")
    expect(c.do(f"claim('s', {token!r})", 30) == "EACCES", "not refused")
    expect(a.do(f"claim('s', {token!r})") is None, "lost")


def denied(hands):
    policy = hands.world.policy(POLICY.replace("handoff", "deny"), "deny.conf")
    a, b = hands.agent(policy=policy), hands.agent()
    hands.connected(a)
    expect(a.do("offer('s')") == "EACCES", "offered")
    here = hands.connected(b)
    token = b.do("offer('s')")
    expect(a.do(f"claim('s', {token!r})") == "EACCES", "claimed")
    policy = hands.world.policy(POLICY.replace("descriptors handoff\n", ""), "none.conf")
    c = hands.agent(policy=policy)
    expect(c.do(f"claim('s', {token!r})") == "EACCES", "what no file speaks of is not denied")
    a = hands.agent()
    expect(a.do(f"claim('s', {token!r})") is None, "lost")
    exchange(here, a)


ERRORS = """
def get(s, size=128):
    try: return s.getsockopt(GAE, TOKEN, size)[:5]
    except OSError as e: return errno.errorcode[e.errno]
"""


def errors_of_offers(hands):
    a = hands.agent()
    a.do(ERRORS)
    here = hands.connected(a)
    expect(a.do("get(sockets['s'], 127)") == "ERANGE", "a small buffer")
    exchange(here, a)
    expect(a.do("get(sockets['s'])") == b"gae1-", "a buffer of the size that is documented")
    expect(a.do("get(sockets['s'])") == "ENOTCONN", "what is left")
    expect(a.do("sockets['s'].connect(('127.0.0.1', 1))") == "EPIPE", "what is left can be connected")
    expect(a.do("get(socket.socket())") == "ENOTCONN", "a fresh TCP socket")
    expect(a.do("get(socket.socketpair()[0])") == "ENOTSUP", "a local socket")
    expect(a.do("socket.socket(fileno=os.dup(0)) and 0") == "ENOTSOCK", "a file")
    here = hands.connected(a)
    code = ("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nsize = ctypes.c_int(128)\n"
            "def raw(buffer, size): return errno.errorcode.get(-libc.getsockopt(sockets['s'].fileno(), GAE, TOKEN, buffer, size)"
            " and ctypes.get_errno(), 0)")
    a.do(code)
    expect(a.do("(libc.getsockopt(sockets['s'].fileno(), GAE, TOKEN, ctypes.c_void_p(8), ctypes.byref(size)), "
                "errno.errorcode[ctypes.get_errno()])") == (-1, "EFAULT"), "nowhere to write to")
    expect(a.do("(libc.getsockopt(sockets['s'].fileno(), GAE, TOKEN, ctypes.c_void_p(8), ctypes.c_void_p(8)), "
                "errno.errorcode[ctypes.get_errno()])") == (-1, "EFAULT"), "no length")
    exchange(here, a)
    # The call gives 0, the text its NUL, the length none.
    expect(a.do("b = ctypes.create_string_buffer(b'x' * 128, 128)") is None, "")
    expect(a.do("libc.getsockopt(sockets['s'].fileno(), GAE, TOKEN, b, ctypes.byref(size))") == 0, "not 0")
    expect(a.do("len(b.value) == size.value and b.raw[size.value] == 0"), "the length or the NUL")
    expect(a.do("libc.setsockopt(socket.socket(socket.AF_INET).detach(), GAE, TOKEN, b, size.value + 1)") == 0, "with its NUL")


def errors_of_claims(hands):
    a, b = hands.pair()
    here = hands.connected(a)
    hands.connected(b, "used")
    token = a.do("offer('s')")
    b.do(f"T = {token!r}")
    for what, code, wanted in (
            ("a socket that is connected", "sockets['used'].setsockopt(GAE, TOKEN, T.encode())", "EISCONN"),
            ("a socket that is bound", "x = socket.socket(); x.bind(('', 0)); x.setsockopt(GAE, TOKEN, T.encode())", "EISCONN"),
            ("no text", "claim('x', '')", "EINVAL"),
            ("half a text", "claim('x', T[:40])", "EINVAL"),
            ("too long a text", "claim('x', T + '0')", "EINVAL"),
            ("much too long a text", "claim('x', T * 10)", "EINVAL"),
            ("capital letters", "claim('x', T.upper())", "EINVAL"),
            ("a number", "socket.socket().setsockopt(GAE, TOKEN, 1)", "EINVAL"),
            ("a local socket", "socket.socketpair()[0].setsockopt(GAE, TOKEN, T.encode())", "ENOTSUP")):
        expect(b.do(code) == wanted, f"{what}: not {wanted} but {b.do(code)}")
    expect(b.do("claim('s', T + chr(0))") is None, "a NUL behind it")
    exchange(here, b)


def idles_out(hands):
    policy = hands.world.policy(POLICY.replace("idle 10m", "idle 1s"), "short.conf")
    a, b = hands.pair(policy=policy)
    here, there = hands.connected(a), hands.udp()
    token = a.do("offer('s')")
    a.do("sockets['u'] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)")
    udp = a.do("offer('u')")
    expect(here.recv(10) == b"", "the connection does not end")
    a.expect_trace("idle for 1s, reclaimed")
    expect(b.do(f"claim('s', {token!r})") == "EPIPE", "it can be claimed still")
    until(lambda: b.do(f"claim('u', {udp!r}, socket.AF_INET, socket.SOCK_DGRAM)") == "EPIPE", 5, "UDP can be claimed still")
    there.close()
    # The clock runs on: not from the claim, but from the last byte.
    longer = hands.world.policy(POLICY.replace("idle 10m", "idle 3s"), "longer.conf")
    c, d = hands.pair(policy=longer)
    here = hands.connected(c)
    begun = time.monotonic()
    time.sleep(1.8)
    token = c.do("offer('s')")
    claimed = time.monotonic()
    expect(d.do(f"claim('s', {token!r})") is None, "no claim")
    expect(here.recv(10) == b"", "it does not end")
    ended = time.monotonic()
    expect(ended - claimed < 2.9, f"its clock began anew: {ended - claimed:.2f} s after the claim")
    expect(ended - begun > 2.9, f"after {ended - begun:.2f} s")
    for agent in (a, b, c, d):
        agent.finish()
    hands.nothing_left()


def interrupted(hands):
    """A signal ends a claim that waits, and the socket stays on offer."""
    a, b = hands.pair()
    here = hands.connected(a)
    token = a.do("offer('s')")
    a.stop_supervisor()
    # By ctypes: Python's own setsockopt() tells of the handler's exception only.
    got = b.do(f"import ctypes; libc = ctypes.CDLL(None, use_errno=True); f = socket.socket(); T = {token.encode()!r}\n"
               "signal.signal(signal.SIGALRM, lambda *_: None)\nsignal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)\n"
               "rc = libc.setsockopt(f.fileno(), GAE, TOKEN, T, len(T)); e = ctypes.get_errno()\n"
               "signal.setitimer(signal.ITIMER_REAL, 0)")
    expect(got is None and b.do("(rc, e)") == (-1, errno.EINTR), f"not interrupted: {got} {b.do('(rc, e)')}")
    a.let_supervisor_go_on()
    until(lambda: b.do(f"claim('s', {token!r})") is None, 5, "it can be claimed")
    exchange(here, b)


def many_at_once(hands):
    a = hands.agent()
    server = hands.server()
    a.do(f"for i in range(8): tcp(i, {server.getsockname()[1]})")
    a.do("tokens = {}\ndef one(i): tokens[i] = offer(i)")
    a.do("threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]\n[t.start() for t in threads]\n"
         "[t.join() for t in threads]")
    expect(a.do("len(set(tokens.values()))") == 8, "not eight tokens")
    a.do("def two(i): claim(i, tokens[i])\nthreads = [threading.Thread(target=two, args=(i,)) for i in range(8)]\n"
         "[t.start() for t in threads]\n[t.join() for t in threads]")
    expect(a.do("all(sockets[i].getpeername() for i in range(8))"), "not all came back")


def tests():
    yield "rules: another app", another_app
    yield "rules: the app's name by default", name_by_default
    yield "rules: the app's name by app.yaml", name_of_app_yaml
    yield "rules: another network", another_network
    yield "rules: the quota of sockets", quota_of_sockets
    yield "rules: another user", another_user
    yield "rules: of two at once one gets it", one_of_two
    yield "rules: the receiver's policy decides", receivers_policy
    yield "rules: a rule on a name", by_name
    yield "rules: descriptors deny, and nothing said", denied
    yield "rules: what cannot be offered", errors_of_offers
    yield "rules: what cannot be claimed, and where", errors_of_claims
    yield "rules: idle on offer, and the clock runs on", idles_out
    yield "rules: a signal while a claim waits", interrupted
    yield "rules: threads at the same time", many_at_once
