# SPDX-License-Identifier: Apache-2.0
"""Python's own tests, natively and fenced, each side in a network namespace of its own."""
import fnmatch
import os
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from both import GAE_RUN, HERE, POLICY, PYTHON

# The longest first, so that two at a time end together.
MODULES = ["test_ssl", "test_socket", "test_asyncio.test_events", "test_asyncio.test_subprocess", "test_asyncio.test_ssl",
           "test_selectors", "test_imaplib", "test_ftplib", "test_poplib", "test_asyncio.test_sendfile",
           "test_asyncio.test_sock_lowlevel", "test_asyncio.test_base_events", "test_asyncio.test_sslproto",
           "test_asyncio.test_streams", "test_asyncio.test_unix_events", "test_asyncio.test_selector_events",
           "test_asyncio.test_server", "test_asyncio.test_buffered_proto", "test_httplib", "test_smtplib", "test_asyncore",
           "test_asynchat", "test_socketserver", "test_epoll"]
LIMIT = 120
# A test that fails now and then without a fence gets so many more tries before it is a difference.
TRIES = 2


class Side:
    """One way to run tests; outcomes are {test: (outcome, detail)}."""

    def __init__(self, name, options):
        self.name = name
        self.options = options

    def run(self, modules, left_out):
        with tempfile.TemporaryDirectory(prefix="gae-tr-") as place:
            for name in ("run", "tmp"):
                os.mkdir(os.path.join(place, name), 0o700)
            lines = os.path.join(place, "lines")
            command = ["unshare", "-n", "--", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
            if self.name == "fenced":
                policy = os.path.join(place, "policy.conf")
                with open(policy, "w", encoding="ascii") as f:
                    f.write(POLICY.format(place=place))
                command += [GAE_RUN, *self.options, "--policy", policy, "--"]
            command += [PYTHON, "-W", "ignore", os.path.join(HERE, "cases.py"), lines, *modules]
            env = {**os.environ, "TMPDIR": os.path.join(place, "tmp"), "XDG_RUNTIME_DIR": os.path.join(place, "run"),
                   "XDG_STATE_HOME": os.path.join(place, "run")}
            return self.outcomes(command, env, os.path.join(place, "tmp"), lines, left_out)

    @staticmethod
    def outcomes(command, env, cwd, lines, left_out):
        try:
            done = subprocess.run(command, input="\n".join(left_out), text=True, capture_output=True, timeout=LIMIT,
                                  env=env, cwd=cwd, check=False)
            end = f"status {done.returncode}: {done.stderr[-300:]}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            end = f"not over after {LIMIT} s"
        found = {}
        if os.path.exists(lines):
            with open(lines, encoding="utf-8") as f:
                for line in f:
                    name, outcome, _, detail = line.rstrip("\n").split("\t")
                    found[name] = (outcome, detail)
        return found, end


def read_list(name):
    """[(pattern, reason)] of a file of this directory."""
    entries = []
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                pattern, _, reason = line.strip().partition("  ")
                if not reason.strip():
                    raise ValueError(f"{name}: no reason for {pattern}")
                entries.append((pattern, reason.strip()))
    return entries


def unlike(native, fenced):
    """Tests that pass natively, or are left out there, and do not fenced."""
    names = []
    for name, (outcome, detail) in native.items():
        there = fenced.get(name, ("missing", ""))
        if outcome == "ok" and there[0] != "ok" or outcome == "skip" and there != (outcome, detail):
            names.append(name)
    return names


class Module:
    def __init__(self, name, left_out, known):
        self.name = "test." + name
        self.left_out = [pattern for pattern, _ in left_out]
        self.known = [pattern for pattern, _ in known]
        self.sides = [Side("native", []), Side("fenced", ["-q"])]
        self.lines = []
        self.compared = 0

    def is_known(self, name):
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.known)

    def run(self):
        """[(ok, text)], and the differences seen."""
        with ThreadPoolExecutor(2) as pool:
            (native, native_end), (fenced, fenced_end) = pool.map(lambda side: side.run([self.name], self.left_out), self.sides)
        differ = set(unlike(native, fenced))
        # A run that was cut short says nothing of what would have come.
        ok = [name for name, (outcome, _) in native.items() if outcome == "ok"]
        results = []
        if native_end or not ok:
            return [(False, f"{self.name} runs natively: {native_end or 'no test passes'}")], set(), 0, native
        if fenced_end:
            last = [name for name, (outcome, _) in fenced.items() if outcome == "begun"]
            results.append((False, f"{self.name} ends under gae-run: {fenced_end}; in {' '.join(last)}"))
        unlisted = [name for name in differ if not self.is_known(name)]
        for name in [] if fenced_end else self.again(unlisted):
            results.append((False, f"{name}: natively {' '.join(native[name])}; fenced {' '.join(fenced.get(name, ('missing',)))}"))
        if not results:
            results.append((True, f"{self.name}: {len(ok)} tests pass natively, {len(differ) - len(unlisted)} of them are known to differ"))
        return results, differ, len(ok), native

    def again(self, names):
        """Of @names those that go on to differ."""
        for _ in range(TRIES):
            if not names:
                break
            with ThreadPoolExecutor(2) as pool:
                (native, _), (fenced, _) = pool.map(lambda side: side.run(names, []), self.sides)
            names = [name for name in names if name in unlike(native, fenced)]
        return names


def stale(known, natives, differ):
    """Listed differences that no longer occur, although what they name passes natively."""
    passed = [name for name, (outcome, _) in natives.items() if outcome == "ok"]
    for pattern, _ in known:
        if fnmatch.filter(passed, pattern) and not fnmatch.filter(differ, pattern):
            yield pattern


def run(wanted, report):
    """Tests of the modules whose names begin so, or all; each result to @report."""
    left_out = read_list("left-out.txt")
    if os.environ.get("GAE_RUN_TEST_LONG"):
        left_out = [entry for entry in left_out if not re.match(r"\d+ s\b", entry[1])]
    known = [entry for entry in read_list("differences.txt") if entry[0].startswith("test.")]
    modules = [Module(name, left_out, known) for name in MODULES if not wanted or name.startswith(wanted)]
    differ, natives, compared = set(), {}, 0
    with ThreadPoolExecutor(2) as pool:
        for results, found, n, native in pool.map(Module.run, modules):
            for ok, text in results:
                report(ok, text)
            differ |= found
            natives.update(native)
            compared += n
    for pattern in stale(known, natives, differ):
        report(False, f"differences.txt: {pattern} makes no difference any more")
    if compared:
        print(f"# {compared} of Python's own tests compared", flush=True)
