# SPDX-License-Identifier: Apache-2.0
"""A program cannot tell: the same results natively and under a policy that allows everything."""
import difflib
import subprocess

from world import SILENT, expect, program


def same(world, command):
    native = world.native(*command)
    expect(native.returncode == 0, f"natively: status {native.returncode}: {native.stderr}")
    fenced = world.fenced(world.policy(), *command)
    expect(fenced.returncode == 0, f"fenced: status {fenced.returncode}: {fenced.stderr}")
    lines = list(difflib.unified_diff(native.stdout.splitlines(), fenced.stdout.splitlines(),
                                      "native", "fenced", lineterm="", n=1))
    expect(not lines and native.stdout, "\n".join(["results differ"] + lines))


def common(world):
    same(world, [program("calls"), SILENT])


def corners(world):
    same(world, [program("corners"), SILENT])


def corners_with_fast_open(world):
    """Fast open without a cookie: connect then waits for the first data."""
    subprocess.run(["sysctl", "-qw", "net.ipv4.tcp_fastopen=7"], check=True)
    try:
        same(world, [program("corners"), SILENT])
    finally:
        subprocess.run(["sysctl", "-qw", "net.ipv4.tcp_fastopen=1"], check=True)


def tests():
    yield "calls: common ones give the same as natively", common
    yield "calls: rare ones give the same as natively", corners
    yield "calls: rare ones with fast open without a cookie give the same as natively", corners_with_fast_open
