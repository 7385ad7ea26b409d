# SPDX-License-Identifier: Apache-2.0
"""app.yaml: what of it is in force, and how it is told."""
import json
import os
import re
import sqlite3
import sys

from world import ECHO, expect, find, until


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


def test_no_proxy_of_the_caller_is_removed(world):
    _, out, _ = world.run("env", env={"no_proxy": "good.test", "NO_PROXY": "*"})
    expect("no_proxy" not in out.lower(), out)
    yaml = world.file("no.yaml", "env_variables: {no_proxy: good.test}\n")
    _, out, _ = world.run("env", env={"no_proxy": "x"}, options=("--config", yaml))
    expect("no_proxy=good.test\n" in out, out)


def notes(err):
    return [line for line in err.splitlines() if "app.yaml" in line]


def test_app_yaml_of_the_directory(world):
    """--app-yaml auto takes ./app.yaml where there is one; without it nobody looks."""
    there, empty = f"{world.d}/there", f"{world.d}/empty"
    os.mkdir(there)
    os.mkdir(empty)
    world.file("there/app.yaml", "application: shop\nenv_variables: {A: b}\n")
    auto = ("--app-yaml", "auto")
    for what, cwd, options, env, wanted in (
            ("auto", there, auto, {}, True), ("by its variable", there, (), {"GAE_RUN_APP_YAML": "auto"}, True),
            ("none is there", empty, auto, {}, False), ("not said", there, (), {}, False),
            ("none", there, ("--app-yaml", "none"), {"GAE_RUN_APP_YAML": "auto"}, False)):
        status, out, err = world.run("env", cwd=cwd, options=options, env=env, http="auto")
        lines = out.splitlines()
        expect(status == 0, f"{what}: {status} {err}")
        expect(("A=b" in lines) == wanted and any(line.startswith("http_proxy=") for line in lines) == wanted, f"{what}: {out}")
        expect(not notes(err), f"{what}: {err}")
    world.file("other.yaml", "application: shop\nenv_variables: {A: other}\n")
    _, out, _ = world.run("env", cwd=there, options=(*auto, "--config", f"{world.d}/other.yaml"))
    expect("A=other" in out.splitlines(), f"--config goes first: {out}")
    with open(f"{there}/app.yaml", "w", encoding="ascii") as f:
        f.write("env_variables: {a\n")
    status, out, err = world.run("env", cwd=there, options=auto)
    expect(status == 125 and not out and re.match(r"gae-run: app\.yaml:\d+:\d+: .*\n$", err), f"no YAML: {status} {out} {err}")


def test_what_is_ignored_is_told_once(world):
    yaml = world.file("ignored.yaml", "application: shop\nruntime: python27\nhandlers:\n- url: /.*\n  script: a.app\n"
                                      "threadsafe: true\nenv_variables: {A: b}\n")
    status, out, err = world.run("true", options=("--config", yaml))
    expect((status, out) == (0, ""), f"{status} {out}")
    expect(err == f"gae-run: warning: {yaml}: only env_variables, application and service are used; 3 other settings are "
                  "ignored\n", err)
    _, _, err = world.run("true", options=("-q", "--config", yaml))
    expect(err == "", f"with -q: {err}")


def test_the_name_goes_everywhere(world):
    """application and service are the app in the ledger and in User-Agent, unless --app says another."""
    yaml = world.file("named.yaml", "application: shop\nservice: till\n")
    for app, wanted in ((None, "shop:till"), ("other", "other")):
        ledger = f"{world.d}/named-{app}.db"
        code, body, err = world.curl(f"http://good.test:{ECHO}/", app=app, http="auto", options=("--config", yaml, "--ledger", ledger))
        expect(code == 200, f"{code} {body} {err}")
        agent = json.loads(body)["headers"]["user-agent"]
        expect(agent.endswith(f"appid: {wanted})"), agent)
        until(lambda: not find("gae-supervisor"), 20, "the supervisor has written the ledger")
        with sqlite3.connect(ledger) as db:
            got = db.execute("SELECT DISTINCT app FROM usage").fetchall()
        expect(got == [(wanted,)], f"the ledger has {got}")


def test_a_large_environment(world):
    """Just below a megabyte arrives whole; more than the kernel or the file takes is one line and no program."""
    def run(variables):
        yaml = world.file("large.yaml", "env_variables:\n" + "".join(f"  V{i}: {value}\n" for i, value in enumerate(variables)))
        code = "import os; print(*(len(os.environ.get(f'V{i}', '')) for i in range(20)), sep=' ')"
        return yaml, world.run(sys.executable, "-c", code, options=("-q", "--config", yaml), http="sockets")
    _, (status, out, err) = run(["x" * 120000] * 8)
    expect((status, out.split()[:9], err) == (0, ["120000"] * 8 + ["0"], ""), f"{status} {out} {err}")
    yaml, (status, out, err) = run(["x" * 120000] * 9)
    expect((status, out) == (125, "") and err.count("\n") == 1 and yaml in err, f"a larger file: {status} {out} {err[:300]}")
    yaml, (status, out, err) = run(["x" * 140000])
    expect((status, out) == (125, "") and re.match(rf"gae-run: {yaml}:2:\d+: .*\n$", err), f"a value: {status} {out} {err[:300]}")
    # With what is there already it is too much for execve(2) alone.
    env = {f"W{i}": "y" * 120000 for i in range(12)}
    yaml = world.file("large.yaml", "env_variables:\n" + "".join(f"  V{i}: {'x' * 120000}\n" for i in range(8)))
    status, out, err = world.run("true", options=("-q", "--config", yaml), http="sockets", env=env)
    expect((status, out) == (126, "") and err.count("\n") == 1 and "Argument list too long" in err, f"too much: {status} {err[:300]}")
