# SPDX-License-Identifier: Apache-2.0
"""Instances that are played: sockets in a runtime directory of the test's own, with made-up pictures."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from world import BUILD, expect

GAE_TOP = os.path.join(BUILD, "gae-top")
KINDS = ["creates", "binds", "connects", "sends", "receives", "bytes-sent", "bytes-received"]
UNLIMITED = None


def usage(sent=0, received=0, connects=1, denied=0):
    return {"connects": connects, "denied": denied, "bytes_sent": sent, "bytes_received": received,
            "datagrams_sent": 0, "datagrams_received": 0}


def open_socket(cookie, sent=0, received=0, **members):
    return {"cookie": cookie, "pid": 4711, "process": "curl", "transport": "tcp", "address": "192.0.2.1",
            "scope_id": 0, "port": 443, "host": "example.com", "on_offer": 0, "age_ms": 90000, "idle_ms": 5000,
            **usage(sent, received), **members}


def picture(app="shop", sockets=(), now_ms=1_800_000_000_000, **members):
    total = usage(sum(s["bytes_sent"] for s in sockets), sum(s["bytes_received"] for s in sockets), denied=3)
    return {"gae_run_status": 1, "app": app, "program": "/usr/bin/" + app, "pid": 4700, "supervisor": 4699,
            "started_ms": 1_800_000_000_000 - 200_000, "now_ms": now_ms, "idle_limit_ms": 600_000,
            "decisions_allowed": 10, "decisions_denied": 3, "on_offer": 0, "reclaimed": 0, "over_quota": 0, "lost": 0,
            "memory": 0,
            "total": total, "quotas": [{"name": k, "used_minute": 0, "per_minute": UNLIMITED, "used_day": 0,
                                        "per_day": UNLIMITED} for k in KINDS],
            "sockets": list(sockets), "flows": [], "sockets_left_out": 0, "flows_left_out": 0, **members}


class Instance:
    """Answers each connection with what answer() gives: bytes, or None for nothing at all, for ever."""

    def __init__(self, path, answer):
        self.answer = answer
        self.asked = 0
        self.kept = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(16)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            data = self.answer(self.asked)
            self.asked += 1
            if data is None:
                self.kept.append(client)
                continue
            try:
                client.sendall(data)
            except OSError:
                pass
            client.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.listener.close()
        for client in self.kept:
            client.close()


class Stage:
    """A runtime directory with instances; gae-top is run against it."""

    def __enter__(self):
        self.base = tempfile.mkdtemp(prefix="gae-top-")
        self.directory = os.path.join(self.base, "gae-run")
        self.closing = []
        return self

    def __exit__(self, *_):
        for thing in self.closing:
            thing.close()
        shutil.rmtree(self.base)

    def path(self, name):
        if not os.path.lexists(self.directory):
            os.mkdir(self.directory, 0o700)
        return os.path.join(self.directory, name)

    def play(self, *pictures, name="4699.status"):
        """An instance that gives these pictures in turn, the last one again and again."""
        texts = [p if isinstance(p, (bytes, type(None))) else json.dumps(p).encode() + b"\n" for p in pictures]
        instance = Instance(self.path(name), lambda asked: texts[min(asked, len(texts) - 1)])
        self.closing.append(instance)
        return instance

    def dead(self, name):
        """The socket that a killed instance leaves behind."""
        gone = socket.socket(socket.AF_UNIX)
        gone.bind(self.path(name))
        gone.close()

    def environment(self, **variables):
        kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "LC_ALL", "LANG")}
        return {**kept, "XDG_RUNTIME_DIR": self.base, "TERM": "xterm", "LC_ALL": "C", **variables}

    def run(self, *options, **variables):
        return subprocess.run([GAE_TOP, *options], env=self.environment(**variables), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30)

    def lines(self, *options, **variables):
        """What it prints, after it ended well."""
        begun = time.monotonic()
        result = self.run(*options, **variables)
        expect(result.returncode == 0, f"status {result.returncode}: {result.stderr}")
        self.took = time.monotonic() - begun
        return result.stdout.splitlines()
