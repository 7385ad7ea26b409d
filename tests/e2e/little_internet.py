# SPDX-License-Identifier: Apache-2.0
"""A little internet in one network namespace, for the demo and for the clients in many languages.

Every address of tests/netlab/addresses.sh lies on the loopback of a namespace of its own. At each of them there
answer a web server (80, 443 where there is a certificate), an SMTP greeting (25) and, at port 7007, a line over TCP
and an echo over UDP; name servers answer at the addresses of theirs. What was sent to whom is recorded from the
wire, so that it can be said of a refused destination that it heard nothing.
"""
import importlib.machinery
import importlib.util
import os
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NETLAB = os.path.join(os.path.dirname(HERE), "netlab")
ADDRESSES = os.path.join(NETLAB, "addresses.sh")
ANY_PORT = 7007
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}


def enter_namespace(mark):
    """Runs this program again inside namespaces of its own; returns there, and nowhere else."""
    if os.environ.get(mark):
        return
    os.environ[mark] = "1"
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    why = "?"
    # Root of a container may make no namespace but inside one of users.
    for flags in ["-nm", "-Urnm"] if os.geteuid() == 0 else ["-Urnm"]:
        unshare = ["unshare", flags, "--propagation", "private", "--"]
        try:
            tried = subprocess.run([*unshare, "true"], check=False, timeout=20, **QUIET)
        except OSError as error:
            sys.exit(f"{sys.argv[0]}: cannot run unshare(1): {error.strerror}; it comes with the package util-linux")
        if tried.returncode == 0:
            os.execvp("unshare", [*unshare, sys.executable, *sys.argv])
        why = tried.stderr.decode(errors="replace").strip()
    sys.exit(f"{sys.argv[0]}: no network namespace can be made here ({why}): run it as root, or allow user namespaces "
             "(sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces); gae-run itself needs none")


def load_addresses():
    script = '. "$1"; printf "4 %s\\n" "${server_addresses4[@]}"; printf "6 %s\\n" "${server_addresses6[@]}"; ' \
             'printf "dns %s\\n" "$resolver4" "${dns4[@]}" "${dns6[@]}"; printf "name %s\\n" "${names[@]}"'
    text = subprocess.run(["bash", "-c", script, "sh", ADDRESSES], check=True, timeout=20, stdout=subprocess.PIPE).stdout
    found = {"4": [], "6": [], "dns": [], "name": []}
    for line in text.decode("ascii").splitlines():
        kind, value = line.split(" ", 1)
        found[kind].append(value)
    return found


def load_witness():
    path = os.path.join(NETLAB, "witness")
    loader = importlib.machinery.SourceFileLoader("witness", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("witness", loader))
    loader.exec_module(module)
    return module


class Page(socketserver.BaseRequestHandler):
    """One answer to any HTTP request, then the end of the connection."""

    def handle(self):
        self.request.settimeout(10)
        asked = b""
        while b"\r\n\r\n" not in asked and len(asked) < 65536:
            more = self.request.recv(4096)
            if not more:
                return
            asked += more
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 27\r\nConnection: close\r\n\r\n"
                             b"hello from the little net!\n")


class Greeting(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"220 little.example.com ESMTP\r\n")


class Line(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"witness\r\n")


class Server(socketserver.ThreadingTCPServer):
    """On every address, IPv4 and IPv6."""
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512
    context = None

    def __init__(self, port, handler):
        super().__init__(("::", port), handler, bind_and_activate=False)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.server_bind()
        self.server_activate()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        if self.context:
            request.settimeout(10)
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """A client that goes away in the middle is no news."""


class Names(threading.Thread):
    """Answers A and AAAA questions for the names of addresses.sh; NXDOMAIN for others."""

    def __init__(self, address, table):
        super().__init__(daemon=True)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.table = table
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.bind((address, 53))
        self.start()

    def run(self):
        while True:
            query, sender = self.sock.recvfrom(4096)
            try:
                reply = self.answer(query)
            except (IndexError, struct.error, UnicodeDecodeError):
                continue
            self.sock.sendto(reply, sender)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii"))
            at += query[at] + 1
        kind = struct.unpack_from("!H", query, at + 1)[0]
        known = self.table.get(".".join(labels).lower())
        data = b""
        if known and kind == 1:
            data = socket.inet_pton(socket.AF_INET, known[0])
        elif known and kind == 28:
            data = socket.inet_pton(socket.AF_INET6, known[1])
        header = query[:2] + struct.pack("!HHHHH", 0x8180 | (0 if known else 3), 1, 1 if data else 0, 0, 0)
        record = struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data if data else b""
        return header + query[12:at + 5] + record


class LittleInternet:
    """directory holds what is bind-mounted over /etc and, as tls.pem, the certificate if there is one."""

    def __init__(self, directory):
        self.directory = directory
        self.witness = load_witness()
        self.addresses = load_addresses()
        self.heard = []
        self.condition = threading.Condition()
        self.marks = 0
        self.network()
        self.files()
        self.capture()
        self.servers()

    def network(self):
        lines = ["link set lo up"]
        lines += [f"addr add {a}/32 dev lo" for a in self.addresses["4"]]
        lines += [f"addr add {a}/128 dev lo nodad" for a in self.addresses["6"]]
        done = subprocess.run(["ip", "-batch", "-"], input="\n".join(lines).encode(), timeout=20, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if done.returncode:
            raise SystemExit("cannot put the addresses on lo: " + done.stderr.decode(errors="replace").strip())

    def files(self):
        texts = {"resolv.conf": f"nameserver {self.addresses['dns'][0]}\noptions timeout:2 attempts:2\n",
                 "hosts": "127.0.0.1 localhost\n::1 localhost\n",
                 "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"}
        for name, text in texts.items():
            path = os.path.join(self.directory, name)
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            os.chmod(path, 0o644)
            target = os.path.realpath("/etc/" + name)
            if os.path.exists(target):
                subprocess.run(["mount", "--bind", path, target], check=True, timeout=20, **QUIET)

    def servers(self):
        table = {}
        for line in self.addresses["name"]:
            name, four, six = line.split()
            table[name] = (four, six)
        for address in self.addresses["dns"]:
            Names(address, table)
        Server(80, Page)
        Server(25, Greeting)
        Server(ANY_PORT, Line)
        certificate = os.path.join(self.directory, "tls.pem")
        if os.path.exists(certificate):
            secure = Server(443, Page)
            secure.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            secure.context.load_cert_chain(certificate)
        # An answer must come from the address that was asked: one socket for each.
        for address in ["127.0.0.1", "::1", *self.addresses["4"], *self.addresses["6"]]:
            threading.Thread(target=self.echo, args=(address,), daemon=True).start()

    @staticmethod
    def echo(address):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((address, ANY_PORT))
        while True:
            data, sender = sock.recvfrom(65536)
            sock.sendto(data, sender)

    def capture(self):
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.wire.bind(("lo", 3))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            packet, origin = self.wire.recvfrom(65536)
            if origin[2] == self.witness.PACKET_OUTGOING:
                continue
            line = self.witness.describe(packet)
            if line:
                with self.condition:
                    self.heard.append(line)
                    self.condition.notify_all()

    def log(self):
        """What was heard since the last call: a set of (transport, address, port)."""
        self.marks += 1
        text = f"mark-{os.getpid()}-{self.marks}"
        self.witness.mark("127.0.0.1", text)
        deadline = time.monotonic() + 10
        with self.condition:
            while not any(line.endswith(text) for line in self.heard):
                if not self.condition.wait(deadline - time.monotonic()):
                    raise SystemExit("the record of the wire lost its mark: nothing can be said of who heard what")
            lines, self.heard = self.heard, []
        fields = (line.split() for line in lines if " mark-" not in line)
        return {(f[0], f[1], int(f[2])) for f in fields if f[0] != "tcp" or f[3] == "S"}
