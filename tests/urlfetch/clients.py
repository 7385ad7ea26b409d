# SPDX-License-Identifier: Apache-2.0
"""Ordinary programs, with and without GAE_USE_SOCKETS_HTTPLIB."""
import json
import shutil
import subprocess
import sys

from world import ECHO, NGINX, PUBLIC, TLS, Skip, expect, find

HTTP = f"http://good.test:{NGINX}/small"
HTTPS = f"https://good.test:{TLS}/small"
URLLIB = "import urllib.request as r, sys; print(r.urlopen(sys.argv[1], timeout=10).read().decode(), end='')"


def through(world, *command, options=()):
    """Runs it with a trace: output, and whether a connection of gae-urlfetch's was decided on."""
    status, out, err = world.run(*command, options=("-v", *options))
    expect(status == 0, f"{command[0]} ended with {status}: {out}{err}")
    return out, "gae-urlfetch] fetch(" in err


def both_schemes(world, *command):
    for url in (HTTP, HTTPS):
        out, fetched = through(world, *command, url)
        expect(out == "small\n", f"{url}: {out!r}")
        expect(fetched, f"{url}: did not go through gae-urlfetch")


def test_curl(world):
    both_schemes(world, "curl", "-sS")


def test_python_urllib(world):
    both_schemes(world, sys.executable, "-c", URLLIB)


def test_wget(world):
    if not shutil.which("wget"):
        raise Skip("no wget")
    both_schemes(world, "wget", "-q", "-O", "-", f"--ca-certificate={world.ca}")


def test_node(world):
    if not shutil.which("node"):
        raise Skip("no node")
    # Node's own client knows no proxies: what its proxy agents do is done here by hand.
    code = """const http = require('http'), tls = require('tls'), u = new URL(process.argv[1]);
const p = new URL(process.env.http_proxy), show = r => r.on('data', d => process.stdout.write(d)).on('end', () => process.exit());
if (u.protocol === 'http:') http.get({host: p.hostname, port: p.port, path: u.href, headers: {host: u.host}, agent: false}, show);
else http.request({host: p.hostname, port: p.port, method: 'CONNECT', path: u.host, headers: {host: u.host}, agent: false}).on('connect', (r, s) => {
  const t = tls.connect({socket: s, servername: u.hostname}, () =>
    require('https').get(u, {createConnection: () => t, agent: false}, show)); }).end();"""
    both_schemes(world, "node", "-e", code)


def test_go(world):
    if not shutil.which("go"):
        raise Skip("no go")
    source = world.file("fetch.go", """package main
import ("io"; "net/http"; "os"; "fmt")
func main() { r, err := http.Get(os.Args[1]); if err != nil { fmt.Println(err); os.Exit(1) }; io.Copy(os.Stdout, r.Body) }
""")
    built = subprocess.run(["go", "build", "-o", f"{world.d}/fetch", source], capture_output=True, text=True)
    if built.returncode != 0:
        raise Skip(f"go cannot build: {built.stderr.strip()[-100:]}")
    both_schemes(world, f"{world.d}/fetch")


def test_app_yaml_puts_url_fetch_in_force(world):
    plain = world.file("app.yaml", "application: shop\nenv_variables: {A: b}\n")
    sockets = world.file("sockets.yaml", "application: shop\nenv_variables: {GAE_USE_SOCKETS_HTTPLIB: ''}\n")
    rows = [  # app.yaml, http word, environment, is a proxy set
        (plain, "auto", {}, True), (plain, None, {}, True), (sockets, "auto", {}, False), (None, "auto", {}, False),
        (plain, "auto", {"GAE_USE_SOCKETS_HTTPLIB": ""}, False), (plain, "sockets", {}, False),
        (sockets, "urlfetch", {}, True), (None, "urlfetch", {}, True)]
    for yaml, word, env, proxied in rows:
        options = ("-q", "--config", yaml) if yaml else ()
        status, out, err = world.run("env", options=options, http=word, env=env)
        names = {line.partition("=")[0] for line in out.splitlines()}
        expect(status == 0 and ({"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"} <= names) == proxied,
               f"{yaml} http {word} {env}: {status} {sorted(names)} {err}")
        expect(not yaml or ("A" in names) == (yaml == plain), f"variables of {yaml}: {sorted(names)}")


def test_sockets_go_their_own_way(world):
    for command in (("curl", "-sS"), (sys.executable, "-c", URLLIB)):
        status, out, err = world.run(*command, HTTP, options=("-v",), http="sockets")
        expect(status == 0 and out == "small\n", f"{status} {out} {err}")
        expect("gae-urlfetch" not in err and f"{PUBLIC}:{NGINX}) = " in err, err)


def test_no_proxy_of_the_caller_is_removed(world):
    _, out, _ = world.run("env", env={"no_proxy": "good.test", "NO_PROXY": "*"})
    expect("no_proxy" not in out.lower(), out)
    yaml = world.file("no.yaml", "env_variables: {no_proxy: good.test}\n")
    _, out, _ = world.run("env", env={"no_proxy": "x"}, options=("--config", yaml))
    expect("no_proxy=good.test\n" in out, out)


def echo(world, *arguments, path="/"):
    code, body, err = world.curl(*arguments, f"http://good.test:{ECHO}{path}")
    expect(code == 200, f"{code} {body} {err}")
    return json.loads(body)


def test_headers_are_app_engines(world):
    got = echo(world, "-H", "X-Forwarded-For: 1.2.3.4", "-H", "Via: x", "-H", "X-Appengine-Inbound-Appid: y",
               "-H", "Vary: z", "-H", "X-Mine: m", "-H", "Empty;", "-H", "Connection: X-Hop", "-H", "X-Hop: h",
               "-A", "me/1")
    headers = got["headers"]
    expect(headers["user-agent"] == "me/1 AppEngine-Google; (+http://code.google.com/appengine; appid: shop)", headers)
    expect(headers["x-mine"] == "m" and headers["empty"] == "" and headers["host"] == f"good.test:{ECHO}", headers)
    for name in ("x-forwarded-for", "via", "x-appengine-inbound-appid", "vary", "x-hop", "proxy-connection"):
        expect(name not in headers, f"{name} went out: {headers}")


def test_what_an_app_accepts_goes_out_as_it_says(world):
    for accepts in ((), ("*/*",), ("text/plain",), ("*/*", "text/plain"), ("text/plain", "*/*"), ("*/*", "*/*")):
        lines = [f"Accept: {accept}" for accept in accepts] or ["Accept:"]
        headers = echo(world, *(word for line in lines for word in ("-H", line)))["headers"]
        expect(headers.get("accept") == (", ".join(accepts) or None), f"{accepts}: {headers}")


def test_methods(world):
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        expect(echo(world, "-X", method)["method"] == method, method)
    code, _, _ = world.curl("-I", f"http://good.test:{ECHO}/")
    expect(code == 200, f"HEAD: {code}")
    for method in ("OPTIONS", "TRACE", "PROPFIND"):
        code, body, _ = world.curl("-X", method, HTTP)
        expect(code == 405, f"{method}: {code} {body}")


def test_bodies_go_out_whole(world):
    data = world.file("body", "x" * 300000)
    expect(echo(world, "--data-binary", f"@{data}")["size"] == 300000, "with a length")
    got = echo(world, "--data-binary", f"@{data}", "-H", "Transfer-Encoding: chunked")
    expect(got["size"] == 300000 and got["headers"].get("transfer-encoding") == "chunked", f"chunked: {got}")
    got = echo(world, "--data-binary", "", "-X", "POST")
    expect(got["size"] == 0 and got["headers"].get("content-length") == "0", f"empty: {got}")
    got = echo(world, "--data-binary", f"@{data}", "-H", "Expect: 100-continue")
    expect(got["size"] == 300000 and "expect" not in got["headers"], f"100-continue: {got}")


def test_redirects_are_followed_when_asked(world):
    code, _, _ = world.curl(f"http://good.test:{NGINX}/redirect-small")
    expect(code == 301, f"not asked: {code}")
    ask = ("-H", "X-Urlfetch-Follow-Redirects: true")
    code, body, _ = world.curl(*ask, f"http://good.test:{NGINX}/redirect-small")
    expect((code, body) == (200, "small\n"), f"asked: {code} {body}")
    code, body, _ = world.curl(*ask, f"http://good.test:{NGINX}/loop")
    expect(code == 502 and "five redirects" in body, f"loop: {code} {body}")
    got = echo(world, *ask, "-d", "abc", path="/303")
    expect((got["method"], got["path"], got["size"]) == ("GET", "/there", 0), f"303: {got}")
    code, body, _ = world.curl(*ask, "-d", "abc", f"http://good.test:{ECHO}/307")
    expect(code == 502 and "second time" in body, f"307 with a body: {code} {body}")


def test_connections_are_kept(world):
    out = world.python(f"""
s = connect()
for i in range(20):
    s.sendall(b"GET http://good.test:{ECHO}/%d HTTP/1.1\\r\\nHost: good.test:{ECHO}\\r\\n\\r\\n" % i)
    h = head(s)
    n = int(re.search(rb"Content-Length: (\\d+)", h)[1])
    body = b""
    while len(body) < n: body += s.recv(n - len(body))
    assert b'"/%d"' % i in body, body
s.sendall(b"GET http://good.test:{NGINX}/small HTTP/1.1\\r\\nHost: good.test:{NGINX}\\r\\n\\r\\n" * 50)
s.shutdown(socket.SHUT_WR)
print(answer(s)[1].count(b"small\\n"))
""", options=("-v",))
    expect(out == "50\n", out)


def test_nothing_is_left_behind(world):
    world.curl(HTTP)
    expect(find("gae-urlfetch") == [], "gae-urlfetch is still there")
