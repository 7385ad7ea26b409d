# SPDX-License-Identifier: Apache-2.0
"""Runs fenced, as attempts.py: HTTP through URL Fetch.

  python3 attempts_http.py PORT FIFO
"""
import os
import socket
import sys
import urllib.parse

sys.dont_write_bytecode = True
from rounds import attempt, expect, serve

PORT = int(sys.argv[1])
FORBIDDEN, ALLOWED = "127.0.0.2", "127.0.0.3"
PROXY = urllib.parse.urlsplit(os.environ["http_proxy"])


def fetch(host):
    with socket.create_connection((PROXY.hostname, PROXY.port), timeout=3) as s:
        s.sendall(f"GET http://{host}:{PORT}/ HTTP/1.1\r\nHost: {host}:{PORT}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while more := s.recv(1 << 16):
            answer += more
    expect(answer.split(b" ")[1:2] == [b"200"])


def work():
    attempt("forbidden-fetch", fetch, FORBIDDEN)
    attempt("own-fetch", fetch, ALLOWED)


serve(sys.argv[2], work)
