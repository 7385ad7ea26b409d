#!/usr/bin/python3
"""trace_rules.py TRACE GAE-POLICY POLICY-ARGUMENT... < rows

Rows: `NAME TRANSPORT ADDRESS PORT DECISION`.  For each, the JSON trace must hold
a decision about that destination whose rule is the one that `gae-policy explain`
names.  Prints TAP.
"""
import ipaddress
import json
import re
import subprocess
import sys


def normal(text):
    address = ipaddress.ip_address(text.split("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def same(one, other):
    if one == other:
        return True
    return other.is_unspecified and one.is_loopback


def records(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            attributes = record.get("attributes", {})
            if record.get("event_name") == "gae_run.decision" and "network.peer.address" in attributes:
                yield attributes


def explain(policy, transport, address, port):
    host = f"[{address}]" if ":" in address else address
    run = subprocess.run(policy[:1] + ["explain"] + policy[1:] + [f"{transport}://{host}:{port}"],
                         capture_output=True, text=True, timeout=20, check=False)
    found = re.search(r"[^\s/()]+\.conf:\d+", run.stdout)
    return found.group(0) if found else run.stdout.strip() + run.stderr.strip()


def check(trace, policy, row):
    name, transport, address, port, decision = row.split()
    target = normal(address)
    hits = [r for r in trace
            if r.get("network.transport") == transport and r["network.peer.port"] == int(port)
            and same(normal(r["network.peer.address"]), target)]
    if not hits:
        return f"not ok - trace: {name}\n# no decision about {transport} {address} {port}"
    wanted = explain(policy, transport, address, port)
    for hit in hits:
        location = hit.get("gae_run.rule.location", "")
        if location.split("/")[-1] != wanted or not re.search(r"\.conf:\d+$", location):
            return f"not ok - trace: {name}\n# trace says {location}, explain says {wanted}"
        if hit["gae_run.decision"] != decision:
            return f"not ok - trace: {name}\n# {hit['gae_run.decision']}, expected {decision}"
        # An allowed call may still have an errno of the kernel's: a connect that has only begun.
        error = hit.get("error.type")
        if (error is None) == (decision == "deny") and error != "EINPROGRESS":
            return f"not ok - trace: {name}\n# error.type of a {decision}: {hit.get('error.type')}"
    return f"ok - trace: {name}"


def main():
    trace = list(records(sys.argv[1]))
    for row in sys.stdin:
        print(check(trace, sys.argv[2:], row))


main()
