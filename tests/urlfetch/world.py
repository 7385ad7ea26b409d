# SPDX-License-Identifier: Apache-2.0
"""A little internet in a network namespace: nginx for http and https, a server that echoes, names in /etc/hosts."""
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from checks import Failure, Skip, expect, remove_tree, until
from nameserver import Hostile
from processes import named

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
GAE_RUN = os.path.join(BUILD, "gae-run")
PUBLIC, PRIVATE = "203.0.113.1", "10.0.0.1"
NGINX, TLS, ECHO = 8080, 8443, 8081

POLICY = """gae-policy 1
deny  tcp,udp to 10.0.0.0/8 because "private network"
allow tcp,udp to { 203.0.113.0/24 127.0.0.53 }
unix pair
netlink route-read
sockopt any any pass
"""
# The same without the fence: what is refused under POLICY is there, and answers "inner".
OPEN = """gae-policy 1
allow tcp,udp to any
unix pair
netlink route-read
sockopt any any pass
"""
NGINX_CONF = """
master_process off; daemon off; error_log stderr crit; pid {d}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {d}/t1; proxy_temp_path {d}/t2; fastcgi_temp_path {d}/t3;
  uwsgi_temp_path {d}/t4; scgi_temp_path {d}/t5; default_type text/plain; root {d}/www; client_max_body_size 20m;
  server {{
    listen 203.0.113.1:8080; listen 203.0.113.1:8082;
    listen 203.0.113.1:8443 ssl; ssl_certificate {d}/good.pem; ssl_certificate_key {d}/good.key;
    location /small {{ return 200 "small\\n"; }}
    location /slow {{ limit_rate 64k; }}
    location /redirect-private {{ return 302 http://inner.test:8080/small; }}
    location /redirect-port {{ return 302 http://good.test:22/; }}
    location /redirect-small {{ return 301 /small; }}
    location /redirect-moving {{ return 302 http://moving.test:8082/small; }}  # a connection of its own
    location /loop {{ return 302 /loop; }}
  }}
  # Where no answer may come from.
  server {{
    listen 10.0.0.1:8080; listen 127.0.0.1:8080; listen 10.0.0.1:8082; listen 127.0.0.1:8082;
    listen 10.0.0.1:8443 ssl; ssl_certificate {d}/good.pem; ssl_certificate_key {d}/good.key;
    location / {{ return 200 "inner\n"; }}
  }}
}}
"""


class Echo(http.server.BaseHTTPRequestHandler):
    """Says what it was asked; /chunked-N sends N bytes of unknown length; /sleep-N waits N seconds; /hops-N redirects N times;
    /odd sends no HTTP."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while True:
            size = int(self.rfile.readline(), 16)
            data += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return data

    def answer(self):
        data = self.body()
        if self.path.startswith("/chunked-"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            left = int(self.path[9:])
            while left > 0:
                n = min(left, 65536)
                self.wfile.write(b"%x\r\n" % n + b"x" * n + b"\r\n")
                left -= n
            self.wfile.write(b"0\r\n\r\n")
            return
        if self.path.startswith("/sleep-"):
            time.sleep(float(self.path[7:]))
        if self.path.startswith("/odd"):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA b: c\r\n\r\nhello")
            return
        if self.path.startswith("/hops-") and self.path != "/hops-0":
            self.send_response(302)
            self.send_header("Location", f"/hops-{int(self.path[6:]) - 1}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        text = json.dumps({"method": self.command, "path": self.path, "size": len(data),
                           "headers": {k.lower(): ", ".join(self.headers.get_all(k)) for k in self.headers}}).encode()
        self.send_response(307 if self.path == "/307" else 303 if self.path == "/303" else 200)
        if self.path in ("/303", "/307"):
            self.send_header("Location", f"http://good.test:{ECHO}/there")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "keep-alive")
        self.send_header("X-Answer", "yes")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer


class Meter:
    """Passes connections to @port of this host on to @to, and counts what goes each way."""

    def __init__(self, port, to):
        self.to, self.up, self.down = to, 0, 0
        self.server = socket.create_server((PUBLIC, port))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            far = socket.create_connection((PUBLIC, self.to))
            for ends in ((near, far, "up"), (far, near, "down")):
                threading.Thread(target=self.carry, args=ends, daemon=True).start()

    def carry(self, here, there, way):
        try:
            while data := here.recv(65536):
                setattr(self, way, getattr(self, way) + len(data))
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


class EchoServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


def shell(command):
    subprocess.run(["sh", "-ec", command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class World:
    def __init__(self):
        self.d = tempfile.mkdtemp(prefix="gae-urlfetch-")
        os.chmod(self.d, 0o755)
        os.mkdir(f"{self.d}/run", 0o700)
        self.started = []
        self.closing = []
        self.certificates()
        os.mkdir(f"{self.d}/www")
        for name, size in (("large", 32 << 20), ("toolarge", (32 << 20) + 1), ("slow", 4 << 20)):
            with open(f"{self.d}/www/{name}", "wb") as f:
                f.truncate(size)
        self.nginx = self.run_nginx()
        self.echo = EchoServer((PUBLIC, ECHO), Echo)
        threading.Thread(target=self.echo.serve_forever, daemon=True).start()

    def certificates(self):
        shell(f"""cd {self.d}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=good.test -keyout good.key -out good.csr
printf 'subjectAltName=DNS:good.test,IP:{PUBLIC}\\n' >ext
openssl x509 -req -in good.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out good.pem""")
        self.ca = f"{self.d}/ca.pem"

    def run_nginx(self):
        with open(f"{self.d}/nginx.conf", "w", encoding="ascii") as f:
            f.write(NGINX_CONF.format(d=self.d))
        nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", f"{self.d}/nginx.conf", "-e", "stderr", "-p", self.d])

        def listens():
            try:
                socket.create_connection((PUBLIC, TLS), 1).close()
                return True
            except OSError:
                return False
        until(listens, 10, "nginx starts")
        return nginx

    def close(self):
        self.nginx.send_signal(signal.SIGTERM)
        self.nginx.wait(10)
        remove_tree(self.d)

    def end_started(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait(10)
            for pipe in (process.stdout, process.stderr, process.stdin):
                if pipe:
                    pipe.close()
        for thing in self.closing:
            thing.close()
        self.started, self.closing = [], []

    def file(self, name, text):
        with open(f"{self.d}/{name}", "w", encoding="ascii") as f:
            f.write(text)
        return f"{self.d}/{name}"

    def name_server(self, reply):
        """Where resolv.conf says that one is; reply(packet, name, kind) as of Hostile."""
        server = Hostile(reply, "127.0.0.53")
        self.closing.append(server)
        return server

    def meter(self, port, to):
        meter = Meter(port, to)
        self.closing.append(meter)
        return meter

    def command(self, *command, policy=POLICY, options=(), http="urlfetch", app="shop"):
        words = policy + (f"http {http}\n" if http else "")
        named = ["--app", app] if app else []
        ledger = [] if "--ledger" in options else ["--no-ledger"]
        return [GAE_RUN, *named, *ledger, "-p", self.file("p.conf", words), *options, "--", *command]

    def environment(self):
        keep = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and not k.startswith("GAE_")}
        return dict(keep, SSL_CERT_FILE=self.ca, CURL_CA_BUNDLE=self.ca, NODE_EXTRA_CA_CERTS=self.ca, HOME=self.d,
                    XDG_STATE_HOME=f"{self.d}/state", XDG_RUNTIME_DIR=f"{self.d}/run")

    def start(self, *command, env=(), cwd=None, **keywords):
        process = subprocess.Popen(self.command(*command, **keywords), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
                                   env=dict(self.environment(), **dict(env)))
        self.started.append(process)
        return process

    def run(self, *command, timeout=30, **keywords):
        """Under gae-run, to its end: status, standard output, standard error."""
        process = self.start(*command, **keywords)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"{' '.join(command)[:200]}: still running after {timeout} s") from None
        return process.returncode, out, err

    def python(self, code, **keywords):
        """Python under gae-run, with what a hand-made client needs; its output. It must end well."""
        prelude = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "client.py"), encoding="ascii").read()
        status, out, err = self.run(sys.executable, "-c", prelude + code, **keywords)
        expect(status == 0, f"the client ended with {status}: {out}{err}")
        return out

    def curl(self, *arguments, **keywords):
        """curl under gae-run: HTTP status, body, standard error."""
        _, out, err = self.run("curl", "-sS", "-w", "\n%{http_code}", *arguments, **keywords)
        body, _, code = out.rpartition("\n")
        return int(code), body, err


def find(name):
    """Pids of processes of this name in our network namespace."""
    found, ours = [], os.readlink("/proc/self/ns/net")
    for pid in named(name):
        try:
            if namespace_of(pid) in (ours, None) and is_ours(pid):
                found.append(pid)
        except OSError:
            continue
    return found


def is_ours(pid):
    """By its user: what is not dumpable shows nothing else, and other users' programs have such names, too."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return f"\nUid:\t{os.getuid()}\t" in f.read()


def namespace_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None
