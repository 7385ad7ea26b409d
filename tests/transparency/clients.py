# SPDX-License-Identifier: Apache-2.0
"""Clients and servers in other languages, natively and fenced: exit status and output must be equal.

Ports of the kernel's choice, times and rates are made equal first.  The servers that a client needs run natively in the
same network namespace; a scenario that starts its own has them on its own side of the fence.
"""
import difflib
import fnmatch
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from both import GAE_RUN, HERE, POLICY, PYTHON
from checks import remove_tree
from python_tests import read_list

LIMIT = 40
NGINX = """
user root root; daemon off; master_process off; error_log stderr crit; pid {place}/nginx.pid;
events {{ }}
http {{
    access_log off; client_body_temp_path {place}; proxy_temp_path {place}; fastcgi_temp_path {place};
    uwsgi_temp_path {place}; scgi_temp_path {place};
    server {{
        listen 127.0.0.1:8080 fastopen=16; listen [::1]:8080; listen [::1]:8081; listen unix:{place}/nginx.sock;
        listen 127.0.0.1:8443 ssl http2; ssl_certificate {place}/cert.pem; ssl_certificate_key {place}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
        root {place}/root;
        location /from {{ return 200 "$remote_addr $request_method $server_protocol $http_user_agent\\n"; }}
        location /moved {{ return 301 /small; }}
    }}
}}
"""

# One line each: what is run in a fresh directory with sh.
CURL = {
    "plain": "/small",
    "ipv6": "-g 'http://[::1]:8080/from'",
    "large": "/large -o got; cmp got $ROOT/large && echo same",
    "limited": "--limit-rate 20M /large -o got; cmp got $ROOT/large && echo same",
    "range": "-r 5-9 /small",
    "head": "-I /small | grep -v -i '^\\(date\\|last-modified\\|etag\\)'",
    "http 1.0": "-0 /from",
    "source address": "--interface 127.0.0.2 /from",
    "source device": "--interface lo /from",
    "source port": "--local-port 21000-21100 /from",
    "fast open": "--tcp-fastopen /small",
    "options": "--tcp-nodelay --keepalive-time 5 --no-keepalive --no-alpn /small",
    "keepalive": "--keepalive-time 7 /small /from",
    "redirect": "-L -w '%{http_code} %{num_redirects} %{remote_ip} %{local_ip} %{num_connects}\\n' /moved",
    "many": "--parallel --parallel-immediate --parallel-max 20 $(yes http://127.0.0.1:8080/small | head -n 40) 2>/dev/null | sort | uniq -c",
    "tls": "-k --tlsv1.3 https://127.0.0.1:8443/from",
    "http 2": "-k --http2 -w '%{http_version} %{ssl_verify_result}\\n' https://127.0.0.1:8443/from",
    "untrusted": "https://127.0.0.1:8443/from",
    "local socket": "--unix-socket $PLACE/nginx.sock /from",
    "no local socket": "--unix-socket $PLACE/none.sock /from",
    "other name": "--resolve lab.test:8080:127.0.0.1 http://lab.test:8080/from",
    "connect to": "--connect-to ::127.0.0.1:8080 http://lab.test/from",
    "refused": "http://127.0.0.1:9/",
    "refused, both families": "--resolve two.test:9:127.0.0.1,[::1] http://two.test:9/",
    "first family refused": "--resolve two.test:8081:127.0.0.1,[::1] http://two.test:8081/from",
    "unreachable": "http://192.0.2.1/",
    "time-out": "--max-time 0.3 http://127.0.0.1:7009/",
    "connect time-out": "--connect-timeout 0.3 http://127.0.0.1:7010/",
    "upload": "-T $ROOT/large http://127.0.0.1:7001/ --http0.9 --max-time 1 -o got; grep -a -c HTTP got",
    "telnet": "telnet://127.0.0.1:7001 --max-time 1 </etc/hostname >got; cmp got /etc/hostname && echo same",
    "tftp": "--max-time 2 tftp://127.0.0.1:7069/none",
    "names over https": "-s --doh-url https://127.0.0.1:8443/dns -k --doh-insecure http://lab.test:8080/from",
}
# Waits for a port to be listened at: ss(8) asks by a netlink that rules keep closed.
WAIT = """
wait_port() { for _ in $(seq 300); do grep -qi ":$(printf %04X "$1") .* $3 " /proc/net/$2 /proc/net/${2}6 && return; sleep 0.02; done; }
wait_tcp() { wait_port "$1" tcp 0A; }
wait_udp() { wait_port "$1" udp 07; }
wait_file() { for _ in $(seq 300); do [ -e "$1" ] && return; sleep 0.02; done; }
"""
SOCAT_UDP = "ttl=9,tos=16,so-sndbuf=60000,so-rcvbuf=60000,so-reuseaddr,so-broadcast,so-priority=3,so-rcvlowat=1"
SOCAT_TCP = "nodelay,keepalive,keepidle=5,keepintvl=2,keepcnt=3,so-linger=2,so-sndbuf=50000,so-rcvbuf=50000,mss=1000,tos=8,ttl=20," \
            "quickack,syncnt=2"
# Of programs/calls.py, each by itself since differences.txt has it.
CALLS = ["splice_to", "peer_of_connect", "sender_of_message", "own_credentials", "move_down"]
OTHERS = {
    "calls": f"exec {PYTHON} $HERE/programs/calls.py - {' '.join(CALLS)}",
    "node": "node $HERE/programs/smoke.js",
    "go": "exec $PROGRAMS/go",
    "java": "exec java -Xshare:auto -XX:TieredStopAtLevel=1 -cp $PROGRAMS Smoke",
    "openssl client": "printf 'GET /from HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -ign_eof -connect 127.0.0.1:8443 2>&1",
    "openssl refused": "openssl s_client -connect 127.0.0.1:9 </dev/null 2>&1 | sed 's/^[0-9A-F]*:error/error/'",
    "openssl server": "openssl s_server -accept 127.0.0.1:20443 -cert $PLACE/cert.pem -key $PLACE/key.pem -www -quiet & wait_tcp 20443; "
                      "curl -sk https://127.0.0.1:20443/ | grep -c -i cipher; kill $!",
    "openssl dtls": "(sleep 0.4; echo from the server; sleep 0.6) | openssl s_server -dtls -accept 20444 -cert $PLACE/cert.pem -key "
                    "$PLACE/key.pem -quiet -naccept 1 >server & wait_udp 20444; (echo from the client; sleep 0.8) | timeout 3 openssl "
                    "s_client -dtls -connect 127.0.0.1:20444 -quiet 2>/dev/null; kill $! 2>/dev/null; wait; cat server",
    # One way: through a PIPE and back socat may wait for itself.
    "socat tcp": f"socat -u OPEN:$ROOT/large TCP-LISTEN:20001,reuseaddr,reuseport & wait_tcp 20001; "
                 f"socat -u TCP:127.0.0.1:20001,{SOCAT_TCP} - | cmp - $ROOT/large && echo same; wait",
    "socat tcp6": "socat TCP6-LISTEN:20002,reuseaddr,ipv6only,bind=[::1] EXEC:cat & wait_tcp 20002; echo six | socat -t 2 - TCP6:[::1]:20002; wait",
    "socat bound": "socat TCP-LISTEN:20003,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR:$SOCAT_PEERPORT' & wait_tcp 20003; "
                   "socat -u TCP:127.0.0.1:20003,bind=127.0.0.3:20004,reuseaddr -; wait",
    "socat udp": f"echo datagram | socat -t 0.3 - UDP:127.0.0.1:7007,{SOCAT_UDP}",
    "socat udp6": "echo datagram | socat -t 0.3 - UDP6:[::1]:7008,ipv6-tclass=4,ipv6-unicast-hops=7",
    "socat udp sendto": f"echo datagram | socat -t 0.3 - UDP-SENDTO:127.0.0.1:7007,bind=127.0.0.1,{SOCAT_UDP}",
    "socat udp server": f"socat UDP-RECVFROM:20005,fork,{SOCAT_UDP} EXEC:'sed s/a/b/g' & wait_udp 20005; "
                        "for i in 1 2 3; do echo banana $i | socat -t 0.3 - UDP:127.0.0.1:20005; done; kill $!",
    "socat udp packet info": "socat -u UDP-RECVFROM:20006,ip-pktinfo,ip-recvttl,ip-recvtos,so-timestamp SYSTEM:"
                             "'env | grep ^SOCAT_IP_ | sort' & wait_udp 20006; echo x | socat -u - UDP:127.0.0.1:20006,ttl=33,tos=4; wait",
    "socat udp listen": "socat -T 0.5 UDP-LISTEN:20007,fork PIPE & wait_udp 20007; echo back | socat -t 0.3 - UDP:127.0.0.1:20007; kill $!",
    "socat udp large": "head -c 60000 $ROOT/large | socat -b 65000 -t 0.3 - UDP:127.0.0.1:7007,so-rcvbuf=300000 | cmp -n 60000 - $ROOT/large && echo same",
    "socat udp too large": "head -c 66000 $ROOT/large | socat -b 66000 -u - UDP:127.0.0.1:7007",
    "socat udp refused": "(echo a; sleep 0.2; echo b; sleep 0.2) | socat -t 0.3 - UDP:127.0.0.1:9",
    "socat multicast": "socat -u UDP-RECV:20008,ip-add-membership=239.1.2.4:127.0.0.1 - & wait_udp 20008; "
                       "echo to all | socat -u - UDP-DATAGRAM:239.1.2.4:20008,ip-multicast-if=127.0.0.1,ip-multicast-ttl=1; sleep 0.2; kill $!",
    "socat local": "socat UNIX-LISTEN:s,fork,mode=600 EXEC:cat & wait_file s; "
                   "echo local | socat -t 2 - UNIX-CONNECT:s; stat -c %a s; kill $!",
    "socat local datagram": "socat -u UNIX-RECV:d CREATE:got & wait_file d; "
                            "echo local | socat -u - UNIX-SENDTO:d; sleep 0.2; kill $!; cat got",
    "socat abstract": "socat -u ABSTRACT-LISTEN:gae-socat - & sleep 0.3; echo local | socat -u - ABSTRACT-CONNECT:gae-socat; wait",
    "ncat tcp": "ncat -l 127.0.0.1 20009 >got & wait_tcp 20009; echo to ncat | ncat --send-only 127.0.0.1 20009; wait; cat got",
    "ncat udp": "ncat -u -l 127.0.0.1 20010 -c 'read x; echo got $x' & wait_udp 20010; (echo to ncat; sleep 0.5) | ncat -u 127.0.0.1 20010; kill $! 2>/dev/null; wait",
    "ncat local": "ncat -U -l s >got & wait_file s; echo local | ncat -U --send-only s; wait; cat got",
    "ncat source": "ncat -s 127.0.0.4 -p 20012 -w 2 127.0.0.1 7001 </etc/hostname | cmp - /etc/hostname && echo same",
    "ncat refused": "ncat -v 127.0.0.1 9 </dev/null 2>&1 | grep -v '^Ncat: Version'",
    "busybox wget": "busybox wget -q -O - http://127.0.0.1:8080/from",
    "busybox wget refused": "busybox wget -O - http://127.0.0.1:9/",
    "busybox nc": "busybox nc 127.0.0.1 7001 </etc/hostname | cmp - /etc/hostname && echo same",
    "busybox nc server": "busybox nc -l -p 20013 >got & wait_tcp 20013; echo to busybox | busybox nc 127.0.0.1 20013; wait; cat got",
    "busybox nslookup": "busybox nslookup www.lab.test 127.0.0.1",
    "busybox nslookup none": "busybox nslookup none.lab.test 127.0.0.1",
    "busybox httpd": "mkdir www; echo page >www/p; busybox httpd -f -p 127.0.0.1:20014 -h www & wait_tcp 20014; "
                     "busybox wget -q -O - http://127.0.0.1:20014/p; kill $!",
    "wget": "wget -nv -O got http://127.0.0.1:8080/large; cmp got $ROOT/large && echo same",
    "iperf3 tcp": "iperf3 -s -1 -p 20015 >server & wait_tcp 20015; iperf3 -c 127.0.0.1 -p 20015 -n 20M -P 3; wait; cat server",
    "iperf3 udp": "iperf3 -s -1 -p 20016 >/dev/null & wait_tcp 20016; iperf3 -u -c 127.0.0.1 -p 20016 -b 30M -n 1M -l 1000 -J | $HERE/programs/iperf-sums; wait",
    "iperf3 udp reverse": "iperf3 -s -1 -p 20017 >/dev/null & wait_tcp 20017; iperf3 -u -R -c 127.0.0.1 -p 20017 -b 30M -n 1M -l 1000 -J "
                          "| $HERE/programs/iperf-sums; wait",
    "bash tcp": "exec 3<>/dev/tcp/127.0.0.1/7001; echo through bash >&3; head -n 1 <&3",
    "bash udp": "exec 4<>/dev/udp/127.0.0.1/7007; echo a datagram >&4; timeout 2 head -n 1 <&4",
    "bash udp, a number of bash's choice": "exec {fd}<>/dev/udp/127.0.0.1/7007; echo a datagram >&$fd; timeout 2 head -n 1 <&$fd",
}


def normal(text):
    """The same text for the same behaviour: without ports of the kernel's choice, times, process ids."""
    text = re.sub(r"\b(3[2-9]|[45]\d|6[0-5])\d{3}\b", "PORT", text)
    text = re.sub(r"\b\d+(\.\d+)? ?(ms|msec|milliseconds|seconds?|sec)\b", "TIME", text)
    text = re.sub(r"\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d", "DATE", text)
    text = re.sub(r"\b(read|write)\(\d+, 0x[0-9a-f]+", r"\1(FD, ADDRESS", text)
    text = re.sub(r"(socat)\[\d+\]", r"\1[PID]", text)
    text = re.sub(r"\[\d+\.?\d* ?[KMG]?B/s\]|\(\d+\.?\d* [KMG]?B/s\)", "RATE", text)
    return text


def normal_iperf(text):
    """Its table: each number N, each unit of a rate R, as many lines as it likes."""
    lines = [re.sub(r"[-+]?\d+(\.\d+)?", "N", line) for line in text.splitlines()]
    lines = [re.sub(r"\b[KMG]?(Bytes|bits)\b", r"\1", re.sub(r"\s+", " ", line)) for line in lines]
    return "\n".join(sorted(set(lines)))


def end_group(process):
    """Ends a process that leads a session, and what it left behind there."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Place:
    """The servers, and a directory for each run."""

    def __init__(self, directory):
        self.directory = directory
        self.servers = []
        self.programs = os.path.join(directory, "programs")
        os.mkdir(self.programs)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def server(self, *command):
        # pylint: disable=consider-using-with
        self.servers.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                             stderr=subprocess.DEVNULL, start_new_session=True))

    def start(self):
        os.mkdir(self.path("root"))
        with open(self.path("root", "small"), "w", encoding="ascii") as f:
            f.write("a small page\n")
        with open(self.path("root", "large"), "wb") as f:
            f.write(os.urandom(1000) * 3000)
        os.chmod(self.directory, 0o755)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                        "-subj", "/CN=lab.test", "-keyout", self.path("key.pem"), "-out", self.path("cert.pem")],
                       check=True, stderr=subprocess.DEVNULL)
        with open(self.path("nginx.conf"), "w", encoding="ascii") as f:
            f.write(NGINX.format(place=self.directory))
        with open(self.path("policy.conf"), "w", encoding="ascii") as f:
            f.write(POLICY.format(place=self.directory))
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self.server(nginx, "-e", "stderr", "-p", self.directory, "-c", self.path("nginx.conf"))
        self.server("socat", "TCP-LISTEN:7001,reuseaddr,fork", "PIPE")
        self.server("socat", "-b", "66000", "UDP-LISTEN:7007,reuseaddr,fork,so-rcvbuf=300000", "PIPE")
        self.server("socat", "UDP6-LISTEN:7008,reuseaddr,fork", "PIPE")
        self.server("dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--address=/www.lab.test/192.0.2.7", "--local=/lab.test/",
                    "--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file", "--user=root")
        # Accepts and says nothing; and one whose queue is full, so that the kernel answers nothing.
        self.quiet = socket.create_server(("127.0.0.1", 7009))
        self.full = socket.create_server(("127.0.0.1", 7010), backlog=0)
        self.fill = [socket.socket() for _ in range(3)]
        for s in self.fill:
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", 7010))
        for port in (8080, 8443, 7001):
            self.wait(port)

    @staticmethod
    def wait(port):
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def stop(self):
        for server in self.servers:
            end_group(server)
            server.wait(5)

    def build(self):
        """The compiled programs; what could not be built is missing in its own test."""
        env = {**os.environ, "GOCACHE": self.path("gocache"), "HOME": self.directory, "GO111MODULE": "off", "GOTOOLCHAIN": "local"}
        go = shutil.which("go") or "/usr/local/go/bin/go"
        sources = os.path.join(HERE, "programs")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda command: subprocess.run(command, env=env, check=False),
                          [[go, "build", "-o", os.path.join(self.programs, "go"), os.path.join(sources, "smoke.go")],
                           ["javac", "-d", self.programs, os.path.join(sources, "Smoke.java")]]))

    def run(self, shell, script, fence):
        place = tempfile.mkdtemp(prefix="run-", dir=self.directory)
        for name in ("tmp", "state"):
            os.mkdir(os.path.join(place, name), 0o700)
        env = {**os.environ, "PLACE": self.directory, "ROOT": self.path("root"), "PROGRAMS": self.programs, "HERE": HERE,
               "TMPDIR": os.path.join(place, "tmp"), "LC_ALL": "C.UTF-8", "XDG_RUNTIME_DIR": os.path.join(place, "state"),
               "XDG_STATE_HOME": os.path.join(place, "state"), "HOME": place}
        command = [GAE_RUN, "-q", "--policy", self.path("policy.conf"), "--"] if fence else []
        # pylint: disable=consider-using-with
        process = subprocess.Popen([*command, shell, "-c", WAIT + script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=env, cwd=os.path.join(place, "tmp"), start_new_session=True)
        try:
            out, err = process.communicate(timeout=LIMIT)
            end = f"status {process.returncode}"
        except subprocess.TimeoutExpired:
            end_group(process)
            out, err = process.communicate()
            end = f"not over after {LIMIT} s"
        end_group(process)
        result = [end, out.decode(errors="replace"), err.decode(errors="replace")]
        remove_tree(place)
        return [text.replace(place, "RUN") for text in result]


def scenarios():
    for name, arguments in CURL.items():
        yield f"curl {name}", re.sub(r"(^| )/(?=[a-z]+)(?!etc)", r"\1http://127.0.0.1:8080/", "curl -sS " + arguments)
    yield from OTHERS.items()
    for name in CALLS:
        yield f"call {name}", f"exec {PYTHON} $HERE/programs/calls.py {name}"


def compare(place, name, script):
    """Return: None when both sides are equal or else what differs, and what came natively."""
    shell = "bash" if name.startswith("bash") else "sh"
    made_equal = normal_iperf if name == "iperf3 tcp" else normal
    for _ in range(2):
        sides = [[made_equal(part) for part in place.run(shell, script, fence)] for fence in (False, True)]
        if sides[0] == sides[1]:
            return None, sides[0]
    texts = ["\n".join(side).splitlines() for side in sides]
    return "\n".join(difflib.unified_diff(*texts, "native", "fenced", lineterm="", n=1)), sides[0]


def run(wanted, tally):
    chosen = [(name, script) for name, script in scenarios() if not wanted or "clients" in wanted or name.startswith(wanted)]
    if not chosen:
        return
    known = [pattern for pattern, _ in read_list("differences.txt") if not pattern.startswith("test.")]
    with tempfile.TemporaryDirectory(prefix="gae-tr-") as directory:
        place = Place(directory)
        if any(name in ("go", "java") for name, _ in chosen):
            place.build()
        place.start()
        try:
            with ThreadPoolExecutor(3) as pool:
                for (name, _), result in zip(chosen, pool.map(lambda entry: compare(place, *entry), chosen)):
                    report(name, result, known, tally)
        finally:
            place.stop()


def report(name, result, known, tally):
    differs, native = result
    listed = any(fnmatch.fnmatchcase(name.replace(" ", "-"), pattern) for pattern in known)
    if os.environ.get("GAE_TRANSPARENCY_SHOW"):
        tally.say(json.dumps([name, native]))
    if differs and not listed:
        tally.report(False, f"{name}:\n{differs}")
    elif listed and not differs:
        tally.report(False, f"differences.txt: {name} makes no difference any more")
    else:
        tally.report(True, f"{name}" + (": differs as listed" if differs else ""))
